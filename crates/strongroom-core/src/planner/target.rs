//! What a restore asks for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::codec::CodecId;
use crate::id::{BackupId, ClusterId, DataKeyId, RunId, TimelineId};
use crate::model::{PartName, Scope};

/// The point in time that a restore shall reach.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The newest.
    #[default]
    Latest,
    /// The newest at or before a moment: no change after it is in.
    AtOrBefore(Timestamp),
    /// Exactly a moment: every change up to it, none after it.
    Exactly(Timestamp),
    /// The state that ends with this backup. Restores its part alone.
    Backup(BackupId),
    /// The states that end with the backups of this run.
    Run(RunId),
    /// The end of this segment of a node's commit log.
    LogPosition {
        /// The node.
        node: String,
        /// The archiver's epoch.
        epoch: u64,
        /// The segment's number in it.
        seq: u64,
    },
}

/// What to do when the point asked for can't be reached although backups were taken up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strictness {
    /// Refuse, and name the nearest points that can be reached.
    #[default]
    Refuse,
    /// Take the nearest earlier point; the plan warns.
    NearestEarlier,
}

/// How the parts of a restore relate to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// Each part reaches its own newest point.
    #[default]
    PerPart,
    /// All parts reach the newest moment that every one of them can reach, and go past it as little as possible.
    Together,
}

/// A request for a plan. `Request::default()` is: everything, latest, refuse rather than move.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent permissions")]
pub struct Request {
    /// The point.
    pub target: Target,
    /// What of the cluster.
    pub scope: Scope,
    /// Which cluster; may be left out when the catalogue knows one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// The timeline to look at, by part; other parts: the one that was live at the target.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub timelines: BTreeMap<PartName, TimelineId>,
    /// What to do when the point can't be reached.
    pub strictness: Strictness,
    /// How the parts relate.
    pub cut: Cut,
    /// The storages that may be read; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storages: Option<BTreeSet<String>>,
    /// Backups with missing ranges may be used; the plan warns.
    pub allow_partial: bool,
    /// Parts without any chain may be left out; the plan names them.
    pub allow_missing_parts: bool,
    /// Only backups that a check has found whole.
    pub verified_only: bool,
    /// The data keys at hand; `None`: not known yet, so not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<BTreeSet<DataKeyId>>,
    /// The families of codecs at hand, such as `zstd`; `None`: not known yet, so not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codecs: Option<BTreeSet<CodecId>>,
    /// Do not replay commit logs.
    pub no_logs: bool,
    /// By how much log coverage must go past the target, in microseconds: the bound on the nodes' clock differences.
    pub log_margin_micros: i64,
    /// Refuse a plan that is larger.
    pub at_most: AtMost,
}

/// Bounds on a plan; `None`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AtMost {
    /// Bytes read from storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
}

impl Request {
    /// What the prepared search is for: any filter, any storage, nothing partial.
    pub(super) fn anything() -> Self {
        Self::default()
    }

    /// Everything, at `target`.
    #[must_use]
    pub fn at(target: Target) -> Self {
        Self { target, ..Self::default() }
    }

    /// The same for `scope`.
    #[must_use]
    pub fn of(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }
}
