//! What a piece of work took beside what it may take, as lines of one table.

use std::time::Duration;

use crate::measure::{Spent, millis};

/// The head of the table that [`Line`]s make.
pub const HEAD: &str = "| what | shape | took: wall / processor | target | met, by processor time | on the wall | to a plain sort |\n|---|---|---|---|---|---|---|";

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// What was done.
    pub what: &'a str,
    /// Of what.
    pub shape: &'a str,
    /// What it took.
    pub took: Spent,
    /// What it may take.
    pub target: Duration,
    /// What sorting the same moments takes, if that says anything.
    pub sort: Option<Spent>,
}

impl Line<'_> {
    /// Prints it.
    pub fn print(&self) {
        let ratio = |sort: Spent| format!("{:.1}", self.took.cpu.as_secs_f64() / sort.cpu.as_secs_f64());
        println!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            self.what,
            self.shape,
            self.took.millis(),
            millis(self.target),
            verdict(self.took.cpu <= self.target),
            verdict(self.took.wall <= self.target),
            self.sort.map_or_else(String::new, ratio),
        );
    }
}

/// Whether a target is met, as the table says it.
#[must_use]
pub const fn verdict(met: bool) -> &'static str {
    if met { "yes" } else { "**no**" }
}

/// What writing a byte takes in memory that is fresh from the system, and in memory that was written before: nanoseconds.
/// The first write of each page makes the kernel find and clear one, which virtual machines do many times slower.
#[must_use]
pub fn memory_costs() -> (f64, f64) {
    const BYTES: usize = 128 << 20;
    let mut room: Vec<u8> = Vec::with_capacity(BYTES);
    let mut write = || {
        room.clear();
        let (spent, ()) = Spent::by(|| {
            while room.len() < BYTES {
                room.extend_from_slice(&[7; 64]);
            }
        });
        std::hint::black_box(&room);
        spent.cpu.as_secs_f64() * 1e9 / f64::from(u32::try_from(BYTES).unwrap_or(u32::MAX))
    };
    (write(), write())
}
