//! What a restore will do, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::Tier;
use super::groups::StepGroups;
use super::precheck::{PreCheck, Stage};
use super::reason::{Refusal, Warning};
use super::target::Request;
use crate::cluster::StepId;
use crate::codec::CodecId;
use crate::id::{BackupId, ClusterId, DataKeyId, TimelineId};
use crate::manifest::Blake3;
use crate::model::{BackupKind, Deletes, Depth, Filter, PartName, Window};
use crate::{Key, Timestamp};

/// The version of a plan's JSON.
pub const PLAN_FORMAT: u32 = 1;

/// What a restore will do. Its JSON is described, field by field, in `docs/plan.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: u32,
    /// The generation of the catalogue it was made from.
    pub generation: u64,
    /// The cluster whose backups are restored.
    pub cluster: ClusterId,
    /// What was asked: the same request and the same catalogue give the same plan again.
    pub request: Request,
    /// What is done for each part. Parts are independent: they may be restored in parallel.
    pub parts: BTreeMap<PartName, PartPlan>,
    /// What is reached by all parts together: the earliest `until` and the latest `settled`.
    pub reached: Reached,
    /// Sums over all steps.
    pub totals: PlanTotals,
    /// The data keys that are needed.
    pub keys: Vec<DataKeyId>,
    /// The codecs that are needed.
    pub codecs: Vec<CodecId>,
    /// Steps that may run at the same time, in order: a group begins when the one before has ended.
    pub groups: StepGroups,
    /// What must hold before the target changes, in the order in which it is looked at.
    pub checks: Vec<PreCheck>,
    /// What happens in which order: nothing of the target changes before every check and all proof.
    pub stages: Vec<Stage>,
    /// What people should know.
    pub warnings: Vec<Warning>,
    /// Backups that were not chosen, newest first; at most 64 a part.
    pub refused: Vec<Refusal>,
    /// BLAKE3 of what makes the plan: format, generation, cluster and request, each part's name, timeline and reached
    /// point, each step's number, backup and storage. Equal plans have equal hashes.
    pub hash: Blake3,
}

impl Plan {
    /// Every step of every part, in the order of their numbers.
    pub fn steps(&self) -> impl Iterator<Item = (&PartName, &Step)> {
        self.parts.iter().flat_map(|(name, part)| part.steps.iter().map(move |step| (name, step)))
    }
}

/// What is done for one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartPlan {
    /// The history it is taken from.
    pub timeline: TimelineId,
    /// What of the part is restored.
    pub filter: Filter,
    /// What is reached.
    pub reached: Reached,
    /// What is applied, in this order.
    pub steps: Vec<Step>,
}

/// A reached point: every change up to `until` is in, none after `settled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reached {
    /// Every change up to here is in.
    pub until: Timestamp,
    /// No change after here is in.
    pub settled: Timestamp,
}

impl Reached {
    /// Whether no change is in doubt.
    #[must_use]
    pub fn is_exact(self) -> bool {
        self.until == self.settled
    }
}

/// One backup that is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number within the plan, from 0.
    pub step: StepId,
    /// The backup.
    pub backup: BackupId,
    /// Its manifest.
    pub manifest: Key,
    /// What it is.
    pub kind: BackupKind,
    /// How it is applied.
    pub apply: Apply,
    /// Its window.
    pub window: Window,
    /// Whether it holds the deletes of its window.
    pub deletes: Deletes,
    /// How deep the newest check looked that found it whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Depth>,
    /// Bytes to be read from storage.
    pub bytes: u64,
    /// Bytes after decoding.
    pub plain_bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Objects to be read.
    pub objects: u64,
    /// Requests to storage, at least.
    pub requests: u64,
    /// The copy to read.
    pub copy: ChosenCopy,
    /// Other copies to fail over to, cheapest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternates: Vec<ChosenCopy>,
}

/// How a step is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Apply {
    /// Begins the state.
    Begin,
    /// Last write wins: onto any state within its window.
    Cover,
    /// Onto its parent only.
    Exact,
    /// Changes of the log between two moments are replayed.
    Replay {
        /// Changes after this one.
        after: Timestamp,
        /// Up to and with this one.
        until: Timestamp,
    },
}

/// A copy of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenCopy {
    /// The storage.
    pub storage: String,
    /// Its tier.
    pub tier: Tier,
    /// What reading it costs, in byte equivalents.
    pub cost: u64,
}

/// Sums over a plan's steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlanTotals {
    /// Steps.
    pub steps: u64,
    /// Bytes read from storage.
    pub bytes: u64,
    /// Bytes after decoding.
    pub plain_bytes: u64,
    /// Records.
    pub records: u64,
    /// Objects read.
    pub objects: u64,
    /// Requests to storage, at least.
    pub requests: u64,
    /// Cost of the chosen copies, in byte equivalents.
    pub cost: u64,
    /// Steps that no check has found whole.
    pub unverified: u64,
    /// Steps that do not hold the deletes of their window.
    pub deletes_unseen: u64,
}
