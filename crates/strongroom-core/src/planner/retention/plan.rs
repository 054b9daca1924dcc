//! The outcome of retention, as data.

use serde::{Deserialize, Serialize};

use super::reasons::Reasons;
use crate::Timestamp;
use crate::id::{BackupId, ClusterId};
use crate::model::{BackupKind, PartName};
use crate::planner::Reached;

/// The format of [`RetentionPlan`] in JSON.
pub const RETENTION_FORMAT: u32 = 1;

/// What stays and what goes, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPlan {
    /// [`RETENTION_FORMAT`].
    pub format: u32,
    /// The catalogue's generation.
    pub generation: u64,
    /// The time it was made for.
    pub now: Timestamp,
    /// Each part of each cluster.
    pub parts: Vec<PartRetention>,
    /// Each node's commit log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogRetention>,
    /// The sums.
    pub totals: RetentionTotals,
    /// What becomes free by itself, by the moment from which on it may go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<Later>,
}

/// What stays and goes of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRetention {
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its name.
    pub part: PartName,
    /// The points that are kept, oldest first.
    pub kept: Vec<KeptPoint>,
    /// What no rule keeps and something that stays needs, oldest first.
    pub needed: Vec<Needed>,
    /// What no rule keeps and nothing needs, and can't go now, oldest first.
    pub blocked: Vec<Blocked>,
    /// What goes, newest first: whatever applies to another goes before it.
    pub going: Vec<Going>,
    /// What a synthetic base in place of a kept incremental would set free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rebase: Vec<Rebase>,
    /// Bytes that must stay beyond the policy's `max_size`.
    #[serde(default)]
    pub over_size: u64,
}

/// What stays and goes of one node's commit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRetention {
    /// The cluster.
    pub cluster: ClusterId,
    /// The part; empty: every part.
    pub part: PartName,
    /// The node.
    pub node: String,
    /// The moment from which on changes must be there; `None`: no point needs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_from: Option<Timestamp>,
    /// How many segments stay.
    pub kept: u64,
    /// Of these, those that nothing needs and that can't go now.
    pub blocked: Vec<Blocked>,
    /// What goes, newest first.
    pub going: Vec<Going>,
}

/// A point that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPoint {
    /// The backup that ends its chain.
    pub backup: BackupId,
    /// The point.
    pub reached: Reached,
    /// Why it is kept.
    pub why: Reasons,
    /// Whether it can be restored only if missing ranges are allowed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// A backup that stays since another one needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    /// The backup.
    pub backup: BackupId,
    /// The nearest backup that stays and needs it.
    pub by: BackupId,
    /// Its objects and bytes.
    #[serde(flatten)]
    pub freed: Freed,
}

/// A backup that would go, and what keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// The backup.
    pub backup: BackupId,
    /// What keeps it: all of it.
    pub by: Vec<Block>,
    /// Its objects and bytes.
    #[serde(flatten)]
    pub freed: Freed,
}

/// A backup that goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Going {
    /// The backup.
    pub backup: BackupId,
    /// What it is.
    pub kind: BackupKind,
    /// The end of its window.
    pub until: Timestamp,
    /// Its objects and bytes.
    #[serde(flatten)]
    pub freed: Freed,
}

/// What keeps a backup that would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Block {
    /// A pin.
    Pin {
        /// Why.
        reason: String,
        /// When it ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Who set it; empty: not known.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        by: String,
    },
    /// A legal hold.
    Hold {
        /// Why.
        reason: String,
        /// When it ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Who set it; empty: not known.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        by: String,
    },
    /// A running restore, copy or check.
    Lease {
        /// The lease.
        name: String,
    },
    /// A backup that is being taken may continue it.
    InFlight {
        /// That backup.
        backup: BackupId,
    },
    /// Its storage refuses to delete it (object lock).
    Locked {
        /// The storage.
        storage: String,
        /// Until then.
        until: Timestamp,
    },
    /// A copy in a storage that does not answer may belong to its chain.
    StorageUnreachable {
        /// The storage.
        storage: String,
    },
    /// The catalogue is known to be incomplete: what is not in it may need this.
    CatalogueIncomplete,
    /// Two different backups have this id.
    DuplicateId,
    /// It tells which nodes the cluster had, and so whose logs a restore to a moment after it needs.
    LogWitness,
    /// No restore can use it, and it is kept for somebody to look at.
    Unusable {
        /// Until then.
        until: Timestamp,
    },
    /// No restore can use it, and there is no newer point.
    NothingNewer,
}

impl Block {
    /// The moment from which on it blocks no more, if it is known.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Pin { until, .. } | Self::Hold { until, .. } => *until,
            Self::Locked { until, .. } | Self::Unusable { until } => Some(*until),
            _ => None,
        }
    }
}

/// A base that could be made of a chain, and what it would set free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebase {
    /// The kept incremental at whose point the base would stand.
    pub at: BackupId,
    /// How many backups could go then.
    pub backups: u64,
    /// Their objects and bytes. The new base takes room of its own.
    #[serde(flatten)]
    pub freed: Freed,
}

/// Objects and bytes, by what the catalogue says of each backup. Content that other backups share stays: the listing of
/// the storage tells what is really freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Freed {
    /// Objects.
    pub objects: u64,
    /// Bytes.
    pub bytes: u64,
}

impl std::ops::AddAssign for Freed {
    fn add_assign(&mut self, other: Self) {
        self.objects = self.objects.saturating_add(other.objects);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// The sums of a plan, in backups (log segments included).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RetentionTotals {
    /// Points that are kept.
    pub points: u64,
    /// Backups that stay since others need them.
    pub needed: u64,
    /// Backups that would go and can't.
    pub blocked: u64,
    /// Objects and bytes of these.
    pub blocked_size: Freed,
    /// Backups that go.
    pub going: u64,
    /// Objects and bytes of these.
    pub going_size: Freed,
}

/// What becomes free at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// From then on, a round with the same policy may delete it.
    pub at: Timestamp,
    /// How many backups.
    pub backups: u64,
    /// Their objects and bytes.
    #[serde(flatten)]
    pub freed: Freed,
}
