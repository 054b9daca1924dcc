//! What a restore has to tell besides its counters: which records were left out, and what was put off.

use std::sync::{Arc, Mutex, PoisonError};

use strongroom_core::Error;
use strongroom_record::Record;

use crate::RestoreConfig;
use crate::deliver::named;

/// Shared by all that a session writes in this process.
#[derive(Debug, Clone)]
pub(crate) struct Tally(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// How many records of each list are listed by name.
    most_listed: usize,
    /// Whether records that were kept or have expired are listed, too.
    list_skipped: bool,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    ignored: List,
    skipped: List,
    repeated: u64,
}

/// Records by name, up to a number; and how many they are.
#[derive(Debug, Default)]
struct List {
    count: u64,
    listed: Vec<String>,
}

impl List {
    fn add(&mut self, most: usize, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.listed.len() < most {
            self.listed.push(name());
        }
    }

    fn told(&self) -> String {
        let rest = self.count - self.listed.len() as u64;
        let and = if self.listed.is_empty() { "" } else { ", and " };
        let rest = if rest > 0 { format!("{and}{rest} more") } else { String::new() };
        format!("{}{rest}", self.listed.join("; "))
    }
}

impl Tally {
    pub(crate) fn of(config: &RestoreConfig) -> Self {
        let most_listed = usize::try_from(config.most_listed).unwrap_or(usize::MAX);
        Self(Arc::new(Inner { most_listed, list_skipped: config.list_skipped, counts: Mutex::default() }))
    }

    fn with(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.0.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A record that the server will not take was left out.
    pub(crate) fn ignore(&self, why: &Error) {
        self.with(|counts| counts.ignored.add(self.0.most_listed, || why.message().to_owned()));
    }

    /// A record was not written, since what is there stays or it has expired.
    pub(crate) fn skip(&self, record: &Record, why: &str) {
        if self.0.list_skipped {
            self.with(|counts| counts.skipped.add(self.0.most_listed, || format!("{}: {why}", named(record))));
        }
    }

    /// Writes that the server could not do at first.
    pub(crate) fn repeat(&self, writes: u64) {
        self.with(|counts| counts.repeated += writes);
    }

    /// What people should know.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut warnings = Vec::new();
        let (ignored, skipped) = (&counts.ignored, &counts.skipped);
        if ignored.count > 0 {
            warnings.push(format!(
                "{} records were left out, since the server takes none such: {}",
                ignored.count,
                ignored.told()
            ));
        }
        if skipped.count > 0 {
            warnings.push(format!("{} records were skipped: {}", skipped.count, skipped.told()));
        }
        if counts.repeated > 0 {
            warnings
                .push(format!("{} writes were put off by the server at first, and were sent again", counts.repeated));
        }
        warnings
    }
}
