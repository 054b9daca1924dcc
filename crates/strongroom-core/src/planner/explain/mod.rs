//! Plans that explain themselves: why each step, why not the others, what is near, and what one loss would cost.
//!
//! An [`Explanation`] is data; its `Display` is the text for people, made of that data alone. Its JSON is described in
//! `docs/plan.md`.

mod drawing;
mod losses;
mod make;
mod steps;
mod text;
mod warnings;

pub(super) use make::{moment, only};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;
use super::plan::{Apply, PlanTotals, Reached};
use super::reason::{Reason, Refusal, WarningCode};
use super::target::Request;
use super::windows::Span;
use crate::Timestamp;
use crate::cluster::StepId;
use crate::id::{BackupId, ClusterId, TimelineId};
use crate::manifest::Blake3;
use crate::model::{BackupKind, Deletes, Depth, PartName, Window};

/// The version of an explanation's JSON.
pub const EXPLANATION_FORMAT: u32 = 1;

/// What a request would restore, or why it is refused, and the reasons for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// [`EXPLANATION_FORMAT`].
    pub format: u32,
    /// The generation of the catalogue it was made from.
    pub generation: u64,
    /// Whether the catalogue holds all backups there are.
    pub complete: bool,
    /// The cluster. `None`: the request was refused before it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// What was asked.
    pub request: Request,
    /// The moment that was asked for, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// The plan, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanSummary>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<ExplainedRefusal>,
    /// Each part by itself. Where the request is refused, a part may have a plan of its own.
    pub parts: BTreeMap<PartName, ExplainedPart>,
    /// What people should know, by code.
    pub warnings: Vec<ExplainedWarning>,
}

/// The plan that is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSummary {
    /// The plan's hash: which plan is explained.
    pub hash: Blake3,
    /// What is reached by all parts together.
    pub reached: Reached,
    /// Sums over its steps.
    pub totals: PlanTotals,
}

/// Why a request, or one part of it, has no plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedRefusal {
    /// Why.
    pub reason: Reason,
    /// The part that it fails by, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartName>,
    /// The same in words.
    pub message: String,
    /// What to do.
    pub advice: String,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedPart {
    /// The history that it is taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<TimelineId>,
    /// What is reached. `None`: the part is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
    /// Why it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<ExplainedRefusal>,
    /// The nearest points.
    pub nearest: Nearest,
    /// How many backups of the part the catalogue knows, logs not counted.
    pub backups: u64,
    /// What is applied, in order; where the part is refused, what would reach the nearest point before.
    pub steps: Vec<ExplainedStep>,
    /// Backups around the target that were not chosen, newest first; at most 16.
    pub refused: Vec<Refusal>,
    /// What one lost backup would cost.
    pub losses: Losses,
    /// Where everything lies in time. `None`: there is nothing to draw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing: Option<Drawing>,
}

/// Points of a part that could be restored instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Nearest {
    /// The newest point that a backup reaches before what is reached or asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Reached>,
    /// The earliest after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Reached>,
    /// By logs, each of these moments can be reached, and what is reached is one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_moment: Option<Span>,
}

/// One step, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedStep {
    /// Its number in the plan.
    pub step: StepId,
    /// The backup.
    pub backup: BackupId,
    /// What it is.
    pub kind: BackupKind,
    /// How it is applied.
    pub apply: Apply,
    /// Its window.
    pub window: Window,
    /// For a log segment: whose log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Whether the deletes of its window come back: it begins no state, and does not hold them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub misses_deletes: bool,
    /// Whether it holds the deletes of its window.
    pub deletes: Deletes,
    /// How deep the newest check looked that found it whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Depth>,
    /// Bytes to be read from storage.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Objects to be read.
    pub objects: u64,
    /// The storage that it is read from.
    pub storage: String,
    /// How many other copies could be read instead.
    pub alternates: u64,
    /// What it is there for.
    pub why: StepReason,
    /// The same in words.
    pub detail: String,
}

/// What a step is there for. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StepReason {
    /// It begins the state.
    Begins,
    /// It carries the state on: last write wins.
    Carries,
    /// It holds the changes since its parent, which is the step before.
    FollowsParent,
    /// Its log is replayed up to the target.
    Replays,
}

/// What losing one backup of the plan would cost: at most 8 steps of a part and 64 of a plan are looked at, spread over
/// the steps, the first and the last among them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Losses {
    /// The steps that were looked at.
    pub steps: Vec<LossOfStep>,
    /// How many were not.
    pub others: u64,
}

/// What is lost with one backup: with all its copies, or with any object of it in all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossOfStep {
    /// The step.
    pub step: StepId,
    /// Its backup.
    pub backup: BackupId,
    /// How many copies of it can be read: one lost copy costs nothing if there are others.
    pub copies: u64,
    /// How many of the part's restorable points could not be restored any more, or would be earlier.
    pub points: u64,
    /// From the first to the last moment that would restore less. `None`: the loss costs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moments: Option<Span>,
    /// What the same request would reach; where it would be refused, the nearest point before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<Reached>,
    /// Why the same request would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Reason>,
}

/// Where everything of one part lies in time: enough for a picture, without further computation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawing {
    /// The axis: both ends are set. Marks may reach beyond it.
    pub axis: Span,
    /// Backups: the chosen ones in their order, then the others.
    pub marks: Vec<Mark>,
    /// Moments at which the request would be refused although something was backed up.
    pub gaps: Vec<GapMark>,
    /// When restores began new timelines.
    pub restores: Vec<Timestamp>,
    /// What was asked for, if it is a moment; may lie beyond the axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Timestamp>,
    /// What is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
}

/// A backup in a [`Drawing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The step, if it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// The backup.
    pub backup: BackupId,
    /// What it is.
    pub kind: BackupKind,
    /// For a log segment: whose log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its window: from, until, settled.
    #[serde(flatten)]
    pub window: Window,
    /// Why it was not chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// A gap in a [`Drawing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapMark {
    /// Its moments.
    #[serde(flatten)]
    pub span: Span,
    /// Why.
    pub reason: Reason,
}

/// A warning in plain words, once for all parts that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedWarning {
    /// The code.
    pub code: WarningCode,
    /// The parts that it is about; none: the whole plan.
    pub parts: Vec<PartName>,
    /// The plan's own sentences, one for each part in their order.
    pub messages: Vec<String>,
    /// What it means, and what can be done.
    pub meaning: String,
}

impl Catalogue {
    /// Explains what [`Catalogue::plan`] gives for `request`, be it a plan or a refusal. As a plan it depends on nothing
    /// but the entries and the request; [`PlanSummary::hash`] says which plan is explained.
    #[must_use]
    pub fn explain(&self, request: &Request) -> Explanation {
        make::explanation(self, request)
    }
}
