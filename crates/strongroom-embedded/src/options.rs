//! How a file is opened, looked into and written to.

use strongroom_core::Timestamp;
use strongroom_core::cluster::Conflict;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOptions {
    /// Memory for pages of the file, in bytes. Default: 64 MiB.
    pub cache_bytes: usize,
    /// Read the whole file and verify the checksum of every page before anything is done with it (about a second per
    /// gigabyte). Default: yes. Without it a file that something else has altered may go unnoticed until a damaged
    /// record is read, and the store below may panic on it.
    pub check: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, check: true }
    }
}

/// How one looks into a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LookIn {
    /// Records whose void time is at or before this moment are not shown. `None`: all that are there, expired or not;
    /// nothing is ever taken out of the file because it expired.
    pub now: Option<Timestamp>,
}

impl LookIn {
    /// What was alive at `now`.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self { now: Some(now) }
    }

    pub(crate) fn seconds(self) -> Option<u64> {
        self.now.map(seconds)
    }
}

/// A moment in seconds, as void times are compared. Moments before 1970 expire nothing.
pub(crate) fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.micros().div_euclid(1_000_000)).unwrap_or(0)
}

/// What becomes of a record's generation when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Generation {
    /// One more than what is there, as a server counts; 1 for a new record, and again after 65 535.
    #[default]
    Count,
    /// What the record says: for what comes from a backup.
    Given,
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PutOptions {
    /// The generation it gets.
    pub generation: Generation,
    /// What happens if it is there already. [`Conflict::Newer`] compares generations; equal ones stay.
    pub conflict: Conflict,
}

impl PutOptions {
    /// As it is in the record, replacing what is there.
    pub const AS_GIVEN: Self = Self { generation: Generation::Given, conflict: Conflict::Replace };
}

/// What came of writing a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Put {
    /// It was written, with this generation.
    Written {
        /// The generation it got.
        generation: u16,
    },
    /// What was there stayed, because of [`PutOptions::conflict`].
    Kept,
}

/// What emptying leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Emptying {
    /// A tombstone for every record: the next incremental deletes them again.
    Tombstones,
    /// Nothing. Fast, but the next backup must be a base, and an incremental is refused.
    Cut,
}
