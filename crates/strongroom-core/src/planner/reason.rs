//! Why a backup was not chosen, why a plan was refused, and what a plan warns of: stable codes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::plan::Reached;
use crate::id::BackupId;
use crate::model::{BackupKind, PartName, Window};
use crate::{Error, ErrorKind, Timestamp};

/// Why a backup can't be, or was not, used. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// Nothing reaches the state it starts from.
    Gap,
    /// The backup it needs is not in the catalogue.
    ParentMissing,
    /// The backup it needs can't be used itself, or does not end where this one starts.
    ParentUnusable,
    /// It belongs to a history that a restore ended, or has not begun.
    OtherTimeline,
    /// It was taken of another cluster.
    OtherCluster,
    /// Its filter took less than is asked for.
    FilterTooNarrow,
    /// A data key is not at hand.
    KeyMissing,
    /// A codec is not at hand.
    CodecMissing,
    /// A check found damage.
    Corrupt,
    /// Ranges are missing in it.
    Partial,
    /// No check has found it whole, and only such backups were asked for.
    Unverified,
    /// It was deleted, or is condemned.
    Deleted,
    /// It holds changes after the target.
    AfterTarget,
    /// Another step brings all that it would.
    Covered,
    /// Another chain to the same point costs less or risks less.
    Dearer,
    /// No allowed storage holds a readable copy.
    CopyUnavailable,
    /// The catalogue is known to be incomplete.
    ListingIncomplete,
    /// Two backups have this id.
    DuplicateId,
    /// Its window is empty or reversed.
    BadWindow,
    /// The archiver's ledger proves a hole in a node's log.
    LogGap,
    /// A node's log does not go far enough (yet).
    LogEndsEarly,
    /// A node's log does not go back far enough.
    LogStartsLate,
    /// No backup tells of which nodes it was taken, so that no log can be proven whole.
    NodesUnknown,
    /// The part has no backup.
    PartMissing,
    /// The named backup, run or log segment is not in the catalogue.
    Unknown,
    /// The exact moment lies in no backup's settled point and no log reaches it.
    NotExact,
    /// Nothing was backed up that early.
    BeforeFirst,
    /// The plan is larger than was allowed.
    TooLarge,
    /// The request makes no sense.
    Invalid,
}

impl Reason {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Gap,
        Self::ParentMissing,
        Self::ParentUnusable,
        Self::OtherTimeline,
        Self::OtherCluster,
        Self::FilterTooNarrow,
        Self::KeyMissing,
        Self::CodecMissing,
        Self::Corrupt,
        Self::Partial,
        Self::Unverified,
        Self::Deleted,
        Self::AfterTarget,
        Self::Covered,
        Self::Dearer,
        Self::CopyUnavailable,
        Self::ListingIncomplete,
        Self::DuplicateId,
        Self::BadWindow,
        Self::LogGap,
        Self::LogEndsEarly,
        Self::LogStartsLate,
        Self::NodesUnknown,
        Self::PartMissing,
        Self::Unknown,
        Self::NotExact,
        Self::BeforeFirst,
        Self::TooLarge,
        Self::Invalid,
    ];

    /// The code, as in JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Gap => "GAP",
            Self::ParentMissing => "PARENT_MISSING",
            Self::ParentUnusable => "PARENT_UNUSABLE",
            Self::OtherTimeline => "OTHER_TIMELINE",
            Self::OtherCluster => "OTHER_CLUSTER",
            Self::FilterTooNarrow => "FILTER_TOO_NARROW",
            Self::KeyMissing => "KEY_MISSING",
            Self::CodecMissing => "CODEC_MISSING",
            Self::Corrupt => "CORRUPT",
            Self::Partial => "PARTIAL",
            Self::Unverified => "UNVERIFIED",
            Self::Deleted => "DELETED",
            Self::AfterTarget => "AFTER_TARGET",
            Self::Covered => "COVERED",
            Self::Dearer => "DEARER",
            Self::CopyUnavailable => "COPY_UNAVAILABLE",
            Self::ListingIncomplete => "LISTING_INCOMPLETE",
            Self::DuplicateId => "DUPLICATE_ID",
            Self::BadWindow => "BAD_WINDOW",
            Self::LogGap => "LOG_GAP",
            Self::LogEndsEarly => "LOG_ENDS_EARLY",
            Self::LogStartsLate => "LOG_STARTS_LATE",
            Self::NodesUnknown => "NODES_UNKNOWN",
            Self::PartMissing => "PART_MISSING",
            Self::Unknown => "UNKNOWN",
            Self::NotExact => "NOT_EXACT",
            Self::BeforeFirst => "BEFORE_FIRST",
            Self::TooLarge => "TOO_LARGE",
            Self::Invalid => "INVALID",
        }
    }
}

impl Reason {
    /// The kind of the error that a refusal with this reason is.
    #[must_use]
    pub const fn error_kind(self) -> ErrorKind {
        match self {
            Self::PartMissing | Self::Unknown => ErrorKind::NotFound,
            Self::Invalid | Self::TooLarge => ErrorKind::Invalid,
            Self::KeyMissing => ErrorKind::Denied,
            Self::CodecMissing => ErrorKind::Unsupported,
            _ => ErrorKind::BrokenChain,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A backup that was not chosen, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The backup.
    pub backup: BackupId,
    /// Its part.
    pub part: PartName,
    /// What it is.
    pub kind: BackupKind,
    /// Its window.
    pub window: Window,
    /// Why.
    pub reason: Reason,
    /// The same in words.
    pub detail: String,
}

/// What a plan warns of. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WarningCode {
    /// Some steps do not hold the deletes of their window: deleted things come back.
    DeletesUnseen,
    /// Some steps have never been checked.
    Unverified,
    /// Some changes between `until` and `settled` are in, others are not.
    Fuzzy,
    /// The cut is on client timestamps, within the margin of the nodes' clocks.
    ClockMargin,
    /// Some steps have missing ranges.
    Partial,
    /// An earlier point than the one asked for is reached, as was allowed.
    MovedEarlier,
    /// A part is left out, as was allowed.
    PartLeftOut,
    /// The parts do not reach the same moment.
    PartsDiffer,
    /// The newest log segments of some nodes have not arrived.
    LogsBehind,
    /// The catalogue is known to be incomplete: a better plan may exist.
    CatalogueIncomplete,
    /// The history of a timeline is not known; it was placed by its backups' times.
    TimelineUnknown,
    /// A copy has to be thawed before it can be read.
    Thaw,
}

impl WarningCode {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::DeletesUnseen,
        Self::Unverified,
        Self::Fuzzy,
        Self::ClockMargin,
        Self::Partial,
        Self::MovedEarlier,
        Self::PartLeftOut,
        Self::PartsDiffer,
        Self::LogsBehind,
        Self::CatalogueIncomplete,
        Self::TimelineUnknown,
        Self::Thaw,
    ];
}

/// One warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What of.
    pub code: WarningCode,
    /// The part, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartName>,
    /// One sentence.
    pub message: String,
}

/// Why there is no plan, and what there could be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanError {
    /// Why.
    pub reason: Reason,
    /// The part concerned, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartName>,
    /// The same in words, one line.
    pub message: String,
    /// The moment asked for, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// The nearest point before the target that can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Reached>,
    /// The nearest point after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Reached>,
    /// The backups that stood in the way, newest first; at most 64.
    #[serde(default)]
    pub refused: Vec<Refusal>,
}

impl PlanError {
    /// A refusal.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            reason,
            part: None,
            message: message.into(),
            asked: None,
            before: None,
            after: None,
            refused: Vec::new(),
        })
    }

    /// The nearest points in words, or what else to do.
    #[must_use]
    pub fn advice(&self) -> String {
        match (self.before, self.after) {
            // What lies after can be had from the moment on at which it is settled.
            (Some(before), Some(after)) => format!("nearest points: {} before, {} after", before.until, after.settled),
            (Some(before), None) => format!("nearest point: {}, before it", before.until),
            (None, Some(after)) => format!("nearest point: {}, after it", after.settled),
            (None, None) => match self.reason {
                Reason::Unknown | Reason::PartMissing | Reason::Invalid => "see the list of backups".to_owned(),
                Reason::KeyMissing => "give a key that opens it".to_owned(),
                Reason::CodecMissing => "use a program that knows the codec".to_owned(),
                Reason::TooLarge => "ask for fewer parts, or allow a larger plan".to_owned(),
                Reason::DuplicateId => "both are left alone: name another backup, or a moment".to_owned(),
                _ => "no point can be reached: take a base".to_owned(),
            },
        }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.reason, self.message, self.advice())
    }
}

impl std::error::Error for PlanError {}

impl From<Box<PlanError>> for Error {
    fn from(error: Box<PlanError>) -> Self {
        let advice = error.advice();
        Self::new(error.reason.error_kind(), format!("{}: {}", error.reason, error.message)).hint(advice)
    }
}
