//! What a backup came to.

use serde::{Deserialize, Serialize};

use crate::id::{BackupId, RunId};
use crate::manifest::{Manifest, Totals};
use crate::model::{BackupKind, PartName, Window};
use crate::planner::Reached;
use crate::{Error, ErrorKind, Key};

/// What a backup came to: each part by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// The run: what to resume if a part failed.
    pub run: RunId,
    /// Every part that was meant, by name.
    pub parts: Vec<PartReport>,
    /// What came up on the way and concerns no single part.
    pub warnings: Vec<String>,
}

impl BackupReport {
    /// Whether every part is committed, or nothing was to be written.
    #[must_use]
    pub fn is_success(&self) -> bool {
        !self.parts.iter().any(|part| matches!(part.outcome, PartOutcome::Failed { .. }))
    }

    /// The ids of the committed backups, those of earlier attempts too.
    pub fn backups(&self) -> impl Iterator<Item = BackupId> + '_ {
        self.parts.iter().filter_map(|part| part.outcome.committed()).map(|committed| committed.backup)
    }

    /// The report, or the error of the first part that failed.
    ///
    /// # Errors
    /// With the kind and the message of that part, and the run to resume.
    pub fn into_result(self) -> crate::Result<Self> {
        for part in &self.parts {
            if let PartOutcome::Failed { kind, what } = &part.outcome {
                return Err(Error::new(*kind, format!("part '{}': {what}", part.part))
                    .hint(format!("other parts are not touched by it; resume run {} to go on", self.run)));
            }
        }
        Ok(self)
    }
}

/// What became of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartReport {
    /// Its name.
    pub part: PartName,
    /// Why it is a base and not an incremental, if an incremental was possible in principle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What became of it.
    pub outcome: PartOutcome,
    /// What people should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl PartReport {
    /// A part that failed.
    pub(super) fn failed(part: &str, reason: Option<String>, error: &Error) -> Self {
        Self { part: part.to_owned(), reason, outcome: PartOutcome::failed(error), warnings: Vec::new() }
    }
}

/// What became of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartOutcome {
    /// The backup exists.
    Committed(Box<Committed>),
    /// It was committed by an earlier attempt at this run; what a restore of it reaches was planned anew.
    Already(Box<Committed>),
    /// A dry run: this is what would be stored.
    Estimated(Estimate),
    /// Nothing of it exists. What was stored is used by a resume.
    Failed {
        /// The kind of the error.
        kind: ErrorKind,
        /// The error, one line.
        what: String,
    },
}

impl PartOutcome {
    /// The backup, if it exists.
    #[must_use]
    pub fn committed(&self) -> Option<&Committed> {
        match self {
            Self::Committed(committed) | Self::Already(committed) => Some(committed),
            Self::Estimated(_) | Self::Failed { .. } => None,
        }
    }

    /// A failure.
    pub(super) fn failed(error: &Error) -> Self {
        Self::Failed { kind: error.kind(), what: error.to_string() }
    }
}

/// A committed backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Its id.
    pub backup: BackupId,
    /// What it is.
    pub kind: BackupKind,
    /// Its window.
    pub window: Window,
    /// The base that it reaches over: it starts where the backup before that base ended, so it needs that base only
    /// while nothing else reaches its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridges: Option<BackupId>,
    /// Its manifest.
    pub manifest: Key,
    /// Counts and sizes.
    pub totals: Totals,
    /// Pieces that an earlier attempt had stored already.
    pub resumed_pieces: u64,
    /// The point that a restore of this backup would reach, by a plan that was made right after the commit. `None`: no
    /// restore is possible, and a warning says why.
    pub restorable: Option<Reached>,
}

impl Committed {
    /// What is known of a backup by its manifest, which is at `key`; no restore is planned yet.
    pub(in crate::engine) fn of(manifest: &Manifest, key: Key) -> Self {
        Self {
            backup: manifest.backup,
            kind: manifest.kind,
            window: manifest.window,
            bridges: None,
            manifest: key,
            totals: manifest.totals,
            resumed_pieces: 0,
            restorable: None,
        }
    }
}

/// What a backup would store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// What it would be.
    pub kind: BackupKind,
    /// Its window, as frozen for the estimate.
    pub window: Window,
    /// Pieces.
    pub pieces: u64,
    /// Pieces whose size the cluster can't tell beforehand.
    pub pieces_of_unknown_size: u64,
    /// Plain bytes of the others.
    pub plain_bytes: u64,
}
