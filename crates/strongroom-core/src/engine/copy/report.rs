//! What a copy came to, as data.

use serde::{Deserialize, Serialize};

use crate::engine::proof::Finding;
use crate::id::BackupId;
use crate::model::PartName;
use crate::planner::Entry;
use crate::{Error, ErrorKind};

/// What was copied, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CopyReport {
    /// The asked backups that are there now, oldest first.
    pub backups: Vec<BackupId>,
    /// How many of them were brought by this copy; the others were there already.
    pub copied: u64,
    /// How many were left out because the destination has deleted them. Named, they come back.
    #[serde(default)]
    pub deleted: u64,
    /// Objects that were copied.
    pub objects: u64,
    /// Objects that were there already.
    pub present: u64,
    /// Bytes that were copied.
    pub bytes: u64,
    /// The asked backups that could not be copied, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Backups that were copied, and can't be restored from the destination alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<Unreachable>,
    /// What came up on the way.
    pub warnings: Vec<String>,
}

impl CopyReport {
    /// Whether everything that was asked for is there now, and can be restored from there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.left_out.is_empty() && self.unreachable.is_empty()
    }
}

/// A backup that was not copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The backup.
    pub backup: BackupId,
    /// Its part.
    pub part: PartName,
    /// `CORRUPT` or `NOT_FOUND`: it is damaged where it was to be copied from, or something damaged is in the way at the
    /// destination. `ALREADY_EXISTS`: something else is in the way there. `UNSUPPORTED`: a newer version wrote it.
    /// `UNAVAILABLE`: a prune of the destination is about to delete it, or content that it uses; copy again when that
    /// has ended.
    pub kind: ErrorKind,
    /// Why, one line.
    pub why: String,
    /// Every object of it that is missing or damaged where it was to be copied from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// A backup whose chain is not whole at the destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreachable {
    /// The backup.
    pub backup: BackupId,
    /// Its part.
    pub part: PartName,
    /// What a plan for it says there, one line.
    pub why: String,
}

/// Why one backup is left out, while the others go on.
#[derive(Debug)]
pub(super) struct Reason {
    pub(super) kind: ErrorKind,
    pub(super) why: String,
    pub(super) findings: Vec<Finding>,
}

impl Reason {
    /// Takes what is wrong with one backup alone; any other error would meet the next one too.
    pub(super) fn of(error: Error) -> Result<Self, Error> {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::AlreadyExists | ErrorKind::Unsupported => {
                Ok(Self { kind: error.kind(), why: error.to_string(), findings: Vec::new() })
            }
            _ => Err(error),
        }
    }

    pub(super) fn about(self, entry: &Entry) -> LeftOut {
        let Self { kind, why, findings } = self;
        LeftOut { backup: entry.id, part: entry.part.clone(), kind, why, findings }
    }

    pub(super) fn condemned(what: &str) -> Self {
        let why = format!("a prune of the destination is about to delete {what} (let it end, then copy again)");
        Self { kind: ErrorKind::Unavailable, why, findings: Vec::new() }
    }
}
