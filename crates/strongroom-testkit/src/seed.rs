//! Seeds of random tests: many by default, one when a failure is replayed.

use std::env;

/// The seeds that a random test runs: `cases` of them from 1, or what the environment says.
///
/// `STRONGROOM_SEED=<number>` runs that one alone; `STRONGROOM_CASES=<count>` runs another count.
///
/// # Panics
/// When one of these variables is set to what is no number.
#[must_use]
pub fn seeds(cases: u64) -> Vec<u64> {
    let number = |name: &str| env::var(name).ok().map(|text| parse(name, &text));
    match number("STRONGROOM_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("STRONGROOM_CASES").unwrap_or(cases)).collect(),
    }
}

fn parse(name: &str, text: &str) -> u64 {
    #[expect(clippy::panic, reason = "a mistyped seed must not run other seeds in silence")]
    text.trim().parse().unwrap_or_else(|_| panic!("{name}='{text}' is not a number"))
}

/// Prints how to replay this seed if the test panics while it is held.
#[derive(Debug)]
#[must_use = "it prints when it is dropped by a panic"]
pub struct SeedGuard(u64);

impl SeedGuard {
    /// Holds `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Drop for SeedGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay this failure with STRONGROOM_SEED={}", self.0);
        }
    }
}
