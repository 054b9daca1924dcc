//! What a restore has to tell besides its counters: what was left out, and what was in doubt.

use std::sync::{Arc, Mutex, PoisonError};

use strongroom_core::Error;

/// How many refused records are listed by name.
const LISTED: usize = 100;

/// Shared by all that a session writes in this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    ignored: u64,
    listed: Vec<String>,
    in_doubt: u64,
    repeated: u64,
}

impl Tally {
    fn with(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A record that the server will not take was left out.
    pub(crate) fn ignore(&self, why: &Error) {
        self.with(|counts| {
            counts.ignored += 1;
            if counts.listed.len() < LISTED {
                counts.listed.push(why.message().to_owned());
            }
        });
    }

    /// Writes whose answer was lost: they were sent again.
    pub(crate) fn doubt(&self, writes: u64) {
        self.with(|counts| counts.in_doubt += writes);
    }

    /// Writes that the server could not do at first.
    pub(crate) fn repeat(&self, writes: u64) {
        self.with(|counts| counts.repeated += writes);
    }

    /// What people should know.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut warnings = Vec::new();
        if counts.ignored > 0 {
            let listed = counts.listed.len() as u64;
            let rest =
                if counts.ignored > listed { format!(", and {} more", counts.ignored - listed) } else { String::new() };
            let listed = counts.listed.join("; ");
            warnings.push(format!(
                "{} records were left out, since the server takes none such: {listed}{rest}",
                counts.ignored
            ));
        }
        if counts.in_doubt > 0 {
            warnings.push(format!(
                "{} writes were in doubt, since their answer was lost, and were sent again",
                counts.in_doubt
            ));
        }
        if counts.repeated > 0 {
            warnings
                .push(format!("{} writes were put off by the server at first, and were sent again", counts.repeated));
        }
        warnings
    }
}
