//! What shall go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What shall go wrong, from now on. Counters go down as things go wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// A query's connection is closed after so many records; so many queries.
    pub cut_after: Option<(u64, u32)>,
    /// These partitions are answered with "not here" by every node, so many times each.
    pub unavailable: BTreeMap<u16, u32>,
    /// Queries that hold these partitions wait so long before their first record.
    pub slow: BTreeMap<u16, Duration>,
    /// The next writes get these results, one each.
    pub refuse_writes: Vec<u8>,
    /// The next writes are done, and their connection is closed before the answer.
    pub lose_answers: u32,
    /// Writes of these digests get this result, each time.
    pub refuse_records: BTreeMap<[u8; 20], u8>,
    /// A query ends with this result after its last record; so many queries.
    pub end_with: Option<(u8, u32)>,
    /// Who may log in. `None`: there is no security.
    pub login: Option<Login>,
    /// How many queries run, and the most that ran at once: no faults, but things that tests look for.
    pub running_queries: u64,
    /// See [`Faults::running_queries`].
    pub most_queries: u64,
    /// How many queries were answered compressed: no fault, but a thing that tests look for.
    pub compressed_queries: u64,
    /// Nodes that answer nothing at all.
    pub silent: BTreeSet<String>,
}

/// Who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A user that the server keeps, and the hash of the password.
    Internal(String, String),
    /// A user of an external directory, and the password, which travels.
    External(String, String),
    /// Whom a certificate names. Whoever speaks TLS for the node has looked at it.
    Certificate,
}

impl Faults {
    /// Takes one of a counted fault.
    pub(crate) fn take<T: Copy>(fault: &mut Option<(T, u32)>) -> Option<T> {
        let (what, left) = fault.as_mut()?;
        let what = *what;
        *left = left.saturating_sub(1);
        if *left == 0 {
            *fault = None;
        }
        Some(what)
    }

    /// Whether a partition shall be unavailable this time.
    pub(crate) fn is_unavailable(&mut self, partition: u16) -> bool {
        let Some(left) = self.unavailable.get_mut(&partition) else { return false };
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.unavailable.remove(&partition);
        }
        true
    }

    /// The result that a write of this record shall get instead of being done.
    pub(crate) fn refuse(&mut self, digest: &[u8; 20], is_change: bool) -> Option<u8> {
        if let Some(result) = self.refuse_records.get(digest) {
            return Some(*result);
        }
        if self.refuse_writes.is_empty() || !is_change { None } else { Some(self.refuse_writes.remove(0)) }
    }

    /// Whether the answer to this write shall be lost.
    pub(crate) fn lose_answer(&mut self) -> bool {
        let lose = self.lose_answers > 0;
        self.lose_answers = self.lose_answers.saturating_sub(1);
        lose
    }
}
