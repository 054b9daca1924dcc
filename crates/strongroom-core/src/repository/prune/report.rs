//! What a prune did or would do, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::evidence::Reason;
use crate::id::BackupId;
use crate::{Key, Timestamp};

/// A backup that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doomed {
    /// The backup.
    pub backup: BackupId,
    /// Its folder.
    pub folder: String,
    /// Its objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What stays, though it was to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spared {
    /// A backup's id or an object's name.
    pub what: String,
    /// Why.
    pub why: Why,
    /// The lease, backup or object that is the reason, or what the storage says.
    pub by: String,
    /// Until when, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Spared {
    pub(super) fn new(what: String, why: Why, by: String) -> Self {
        Self { what, why, by, until: None }
    }

    pub(super) fn because(what: String, reason: Reason) -> Self {
        Self { what, why: reason.why, by: reason.by, until: reason.until }
    }
}

/// Why something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// There is no such backup.
    Unknown,
    /// It is pinned or held.
    Pinned,
    /// Somebody reads it: it goes later.
    Leased,
    /// A backup that is kept can't be restored without it.
    Needed,
    /// It was committed after all.
    Committed,
    /// Somebody writes it: it goes later.
    Written,
    /// A backup that is being written may use it: it goes later.
    MayBeUsed,
    /// A manifest or list that can't be read may name it: it goes later.
    Unclear,
    /// Its storage keeps it from being deleted (object lock): it goes later.
    Locked,
    /// The storage refused to delete it: for a lock that was not told, or because the credentials may not. It goes later.
    Refused,
}

impl Why {
    /// Whether the next round tries again.
    #[must_use]
    pub const fn is_for_now(self) -> bool {
        !matches!(self, Self::Unknown | Self::Pinned | Self::Needed | Self::Committed)
    }
}

/// What a prune condemns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PrunePlan {
    /// Committed backups.
    pub backups: Vec<Doomed>,
    /// Backups that were begun and never committed.
    pub unfinished: Vec<Doomed>,
    /// Shared content that nothing will use, with sizes.
    pub content: BTreeMap<Key, u64>,
    /// What was asked for and stays.
    pub spared: Vec<Spared>,
    /// Bytes that will be free.
    pub bytes: u64,
    /// When it may be deleted; `None`: nothing is condemned.
    pub due: Option<Timestamp>,
}

impl PrunePlan {
    /// Whether nothing goes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.backups.is_empty() && self.unfinished.is_empty() && self.content.is_empty()
    }
}

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SweepReport {
    /// Committed backups.
    pub backups: Vec<BackupId>,
    /// Backups that were given up.
    pub unfinished: Vec<BackupId>,
    /// How many names of shared content.
    pub content: u64,
    /// How many objects in all.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What stays, for now or for good.
    pub spared: Vec<Spared>,
    /// Condemned lists that are worked off.
    pub lists: Vec<u64>,
    /// When the next list is due.
    pub next_due: Option<Timestamp>,
    /// What people should know.
    pub notes: Vec<String>,
}

impl SweepReport {
    /// Adds what a later sweep of the same job did.
    pub(crate) fn add(&mut self, later: Self) {
        self.backups.extend(later.backups);
        self.unfinished.extend(later.unfinished);
        self.content += later.content;
        self.objects += later.objects;
        self.bytes += later.bytes;
        self.lists.extend(later.lists);
        self.next_due = later.next_due;
        let news = |known: &[Spared], one: &Spared| !known.contains(one);
        self.spared.extend(later.spared.into_iter().filter(|one| news(&self.spared, one)).collect::<Vec<_>>());
        self.notes.extend(later.notes.into_iter().filter(|note| !self.notes.contains(note)).collect::<Vec<_>>());
    }
}
