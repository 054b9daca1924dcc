//! The words of the domain as types: scopes, windows, kinds of backup. Shared by clusters, manifests and the planner.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Timestamp};

/// The name of a keyspace or namespace: one **part** of a cluster.
pub type PartName = String;

/// The span of a backup: `(from, until]`, and `settled`.
///
/// Every change up to `until` is in, none after `settled`, and some of those between: a live cluster can't be frozen
/// at an instant. A base has no `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Changes at or before this moment are not promised. `None` for a base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Every change up to here is in.
    pub until: Timestamp,
    /// No change after here is in.
    pub settled: Timestamp,
}

impl Window {
    /// Checks `from < until <= settled`.
    ///
    /// # Errors
    /// `Invalid` when the window is empty or reversed.
    pub fn new(from: Option<Timestamp>, until: Timestamp, settled: Timestamp) -> Result<Self> {
        if from.is_some_and(|from| from >= until) || settled < until {
            let from = from.map_or_else(|| "start".to_owned(), |from| from.to_string());
            return Err(Error::invalid(format!(
                "a window from {from} until {until}, settled at {settled}, is empty or reversed"
            ))
            .hint("a clock may have gone back: check the clocks, or start with a new base"));
        }
        Ok(Self { from, until, settled })
    }
}

/// What kind of artefact a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupKind {
    /// Full.
    Base,
    /// Changes since an earlier moment.
    Incremental,
    /// Made from other backups without touching the cluster; stands for a base.
    Synthetic,
    /// Archived commit log.
    LogSegment,
}

impl BackupKind {
    /// The word used in names, JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Incremental => "incremental",
            Self::Synthetic => "synthetic",
            Self::LogSegment => "log-segment",
        }
    }

    /// Whether a chain can start here.
    #[must_use]
    pub const fn starts_a_chain(self) -> bool {
        matches!(self, Self::Base | Self::Synthetic)
    }
}

impl fmt::Display for BackupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// From which states an incremental can be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Applies {
    /// Last write wins: from any state in `[from, until)`.
    Cover,
    /// Only onto its parent.
    Exact,
}

/// Whether deletes made in the window are in the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deletes {
    /// Deleted things are deleted again by a restore.
    Seen,
    /// Deleted things come back: the plan warns.
    Unseen,
}

/// What of a cluster is meant. `None` means everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// The parts, each with its filter. `None`: all parts, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<BTreeMap<PartName, Filter>>,
}

impl Scope {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Some parts, whole.
    pub fn of_parts<I: IntoIterator<Item = S>, S: Into<PartName>>(parts: I) -> Self {
        Self { parts: Some(parts.into_iter().map(|part| (part.into(), Filter::default())).collect()) }
    }

    /// The filter asked of `part`, or `None` when the part is not meant at all.
    #[must_use]
    pub fn filter_of(&self, part: &str) -> Option<Filter> {
        self.parts.as_ref().map_or_else(|| Some(Filter::default()), |parts| parts.get(part).cloned())
    }
}

/// What of a part is meant. Each `None` means everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Filter {
    /// Tables or sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<BTreeSet<String>>,
    /// Bins or columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<BTreeSet<String>>,
    /// Partitions, as numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<BTreeSet<u16>>,
    /// The cluster's own filter expression, compared as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
}

impl Filter {
    /// Whether everything that `wanted` asks for is in what `self` took.
    #[must_use]
    pub fn covers(&self, wanted: &Self) -> bool {
        fn holds<T: Ord>(have: Option<&BTreeSet<T>>, wanted: Option<&BTreeSet<T>>) -> bool {
            match (have, wanted) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(have), Some(wanted)) => wanted.is_subset(have),
            }
        }
        holds(self.tables.as_ref(), wanted.tables.as_ref())
            && holds(self.bins.as_ref(), wanted.bins.as_ref())
            && holds(self.partitions.as_ref(), wanted.partitions.as_ref())
            && (self.expression.is_none() || self.expression == wanted.expression)
    }

    /// Whether everything is meant.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// How much may be believed of a committed backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Committed; nothing has read it back yet.
    #[default]
    Complete,
    /// Committed, but a token range had no replica: never chosen unless asked for.
    Partial,
    /// A check found damage.
    Corrupt,
    /// Deleted, or condemned.
    Deleted,
}

/// How deep a check looked, or shall look. Each depth includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Every object is there with its size.
    Exists,
    /// Every object has its hash.
    Hash,
    /// Every frame decodes and every piece adds up.
    Decode,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_filter_does_not_cover_a_wide_request() {
        let some = |names: &[&str]| Filter {
            tables: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            ..Filter::default()
        };
        let all = Filter::default();
        assert!(all.covers(&some(&["a"])));
        assert!(some(&["a", "b"]).covers(&some(&["a"])));
        assert!(!some(&["a"]).covers(&some(&["a", "b"])));
        assert!(!some(&["a"]).covers(&all));
        let expression = |text: &str| Filter { expression: Some(text.to_owned()), ..Filter::default() };
        assert!(all.covers(&expression("x")));
        assert!(expression("x").covers(&expression("x")));
        assert!(!expression("x").covers(&expression("y")));
    }

    #[test]
    fn a_reversed_window_is_refused() {
        let at = Timestamp::from_secs;
        assert!(Window::new(Some(at(5)), at(5), at(6)).is_err());
        assert!(Window::new(Some(at(4)), at(5), at(4)).is_err());
        assert!(Window::new(None, at(5), at(5)).is_ok());
    }
}
