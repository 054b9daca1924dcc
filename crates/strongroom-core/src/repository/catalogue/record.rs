//! What a segment of the catalogue says, one record a line.

use serde::{Deserialize, Serialize};

use super::super::layout::BackupFolder;
use crate::id::BackupId;
use crate::model::Status;
use crate::planner::{Entry, Held, Pin, Timeline, Verified};
use crate::{Result, Timestamp};

/// A backup that was begun. It enters the catalogue before the backup's first object, so that whoever deletes sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The backup.
    pub backup: BackupId,
    /// Its folder, with `/` at the end.
    pub folder: String,
    /// The lease under which it is written.
    pub lease: String,
    /// The newest condemned list that its writer knew: it uses no name of that list and those before.
    pub condemned: u64,
    /// When, by its writer's clock.
    pub at: Timestamp,
}

impl Begun {
    /// Its folder.
    ///
    /// # Errors
    /// `Corrupt` when the name is none of a backup's folder.
    pub fn folder(&self) -> Result<BackupFolder> {
        BackupFolder::parse(&self.folder)
    }
}

/// Damage of the catalogue that was made good by reading all manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mended {
    /// Every loss up to and with this number was made good.
    pub through: u64,
    /// What was damaged or missing: pins, holds and checks recorded there are lost.
    pub lost: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// First line of a snapshot: the fold of all segments up to and with `through`.
    Snapshot {
        /// The last segment that is in it.
        through: u64,
        /// When it was written.
        at: Timestamp,
    },
    /// A backup was begun.
    Begin(Begun),
    /// A backup was committed.
    End {
        /// What the planner needs of it.
        entry: Box<Entry>,
    },
    /// A begun backup will never be committed: its manifest's name was taken by a mark that says so.
    Voided {
        /// The backup.
        backup: BackupId,
    },
    /// A check found a backup whole.
    Verified {
        /// The backup.
        backup: BackupId,
        /// When and how deep.
        verified: Verified,
    },
    /// It became known how much may be believed of a backup.
    Status {
        /// The backup.
        backup: BackupId,
        /// From now on.
        status: Status,
    },
    /// A pin or hold was set.
    Pinned {
        /// The backup.
        backup: BackupId,
        /// The pin.
        pin: Pin,
    },
    /// A pin or hold was taken off.
    Unpinned {
        /// The backup.
        backup: BackupId,
        /// The pin, as it was set.
        pin: Pin,
    },
    /// A copy in a storage was made, or its state changed.
    Copied {
        /// The backup.
        backup: BackupId,
        /// The copy; replaces what was known of the same storage.
        held: Held,
    },
    /// A history began.
    Timeline(Timeline),
    /// Backups were deleted.
    Deleted {
        /// The backups.
        backups: Vec<BackupId>,
        /// When. The record is kept for a time, so that a late "end" does not bring them back.
        at: Timestamp,
    },
    /// Damage was made good.
    Mended(Mended),
}
