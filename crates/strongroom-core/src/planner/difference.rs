//! What differs between two plans.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::{Apply, PartPlan, Plan, PlanTotals, Reached, Step};
use super::reason::Warning;
use crate::Timestamp;
use crate::cluster::StepId;
use crate::id::{BackupId, TimelineId};
use crate::manifest::Blake3;
use crate::model::{BackupKind, Depth, Filter, PartName, Window};

/// The version of a difference's JSON.
pub const DIFFERENCE_FORMAT: u32 = 1;

/// What differs between two plans. Its `Display` is text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// [`DIFFERENCE_FORMAT`].
    pub format: u32,
    /// The one plan.
    pub before: PlanSide,
    /// The other.
    pub after: PlanSide,
    /// The parts that differ.
    pub parts: BTreeMap<PartName, PartDifference>,
    /// How many parts do not.
    pub same_parts: u64,
    /// Warnings of the other plan only.
    pub warnings_added: Vec<Warning>,
    /// Warnings of the one plan only.
    pub warnings_removed: Vec<Warning>,
}

/// One of two plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSide {
    /// The generation of the catalogue that it was made from.
    pub generation: u64,
    /// Its hash.
    pub hash: Blake3,
    /// The moment that was asked for, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// What is reached.
    pub reached: Reached,
    /// Sums over its steps.
    pub totals: PlanTotals,
}

/// A value in both plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed<T> {
    /// In the one.
    pub before: T,
    /// In the other.
    pub after: T,
}

/// What differs in one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartDifference {
    /// What is reached; `null` where the plan leaves the part out.
    pub reached: Changed<Option<Reached>>,
    /// Bytes to be read.
    pub bytes: Changed<u64>,
    /// The timeline, if both plans have the part and take it from different ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Changed<TimelineId>>,
    /// What of the part is restored, if that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Changed<Filter>>,
    /// Steps of the other plan only, in its order.
    pub added: Vec<StepSide>,
    /// Steps of the one plan only, in its order.
    pub removed: Vec<StepSide>,
    /// Steps of both that differ, in the order of the other.
    pub changed: Vec<StepChange>,
}

/// A step that is in one plan only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSide {
    /// Its number there.
    pub step: StepId,
    /// The backup.
    pub backup: BackupId,
    /// What it is.
    pub kind: BackupKind,
    /// Its window.
    pub window: Window,
    /// Bytes to be read.
    pub bytes: u64,
    /// The storage that they are read from.
    pub storage: String,
}

/// A backup that both plans apply, and not alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepChange {
    /// The backup.
    pub backup: BackupId,
    /// What it is.
    pub kind: BackupKind,
    /// Its window.
    pub window: Window,
    /// The storage that it is read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Changed<String>>,
    /// How it is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply: Option<Changed<Apply>>,
    /// How deep it was verified; `null`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Changed<Option<Depth>>>,
    /// How many other copies could be read instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternates: Option<Changed<u64>>,
    /// Whether it stands elsewhere among the steps that both plans have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
}

impl Difference {
    /// Whether both plans do the same and warn of the same. They may still come from different requests or generations.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.parts.is_empty() && self.warnings_added.is_empty() && self.warnings_removed.is_empty()
    }
}

impl Plan {
    /// What `after` does otherwise than this plan.
    #[must_use]
    pub fn difference(&self, after: &Self) -> Difference {
        let names: BTreeSet<&PartName> = self.parts.keys().chain(after.parts.keys()).collect();
        let part = |name: &&PartName| {
            let (one, other) = (self.parts.get(*name), after.parts.get(*name));
            Some(((*name).clone(), part(one, other)?))
        };
        let parts: BTreeMap<PartName, PartDifference> = names.iter().filter_map(part).collect();
        let only = |these: &[Warning], those: &[Warning]| {
            these.iter().filter(|warning| !those.contains(warning)).cloned().collect()
        };
        Difference {
            format: DIFFERENCE_FORMAT,
            before: side(self),
            after: side(after),
            same_parts: (names.len() - parts.len()) as u64,
            parts,
            warnings_added: only(&after.warnings, &self.warnings),
            warnings_removed: only(&self.warnings, &after.warnings),
        }
    }
}

fn side(plan: &Plan) -> PlanSide {
    PlanSide {
        generation: plan.generation,
        hash: plan.hash,
        asked: super::explain::moment(&plan.request.target),
        reached: plan.reached,
        totals: plan.totals,
    }
}

/// `None`: they do the same.
fn part(before: Option<&PartPlan>, after: Option<&PartPlan>) -> Option<PartDifference> {
    let steps = |plan: Option<&PartPlan>| -> Vec<Step> { plan.map_or_else(Vec::new, |plan| plan.steps.clone()) };
    let (old, new) = (steps(before), steps(after));
    let places =
        |steps: &[Step]| -> BTreeMap<BackupId, usize> { steps.iter().map(|step| step.backup).zip(0..).collect() };
    let (in_old, in_new) = (places(&old), places(&new));
    let common = |steps: &[Step], other: &BTreeMap<BackupId, usize>| -> Vec<BackupId> {
        steps.iter().map(|step| step.backup).filter(|id| other.contains_key(id)).collect()
    };
    let (order_old, order_new) = (common(&old, &in_new), common(&new, &in_old));
    let change =
        |(id, was): (&BackupId, &BackupId)| step(old.get(*in_old.get(id)?)?, new.get(*in_new.get(id)?)?, id != was);
    let both = before.zip(after);
    let difference = PartDifference {
        reached: Changed { before: before.map(|plan| plan.reached), after: after.map(|plan| plan.reached) },
        bytes: Changed { before: bytes(&old), after: bytes(&new) },
        timeline: both.and_then(|(before, after)| changed(&before.timeline, &after.timeline)),
        filter: both.and_then(|(before, after)| changed(&before.filter, &after.filter)),
        added: new.iter().filter(|step| !in_old.contains_key(&step.backup)).map(one_sided).collect(),
        removed: old.iter().filter(|step| !in_new.contains_key(&step.backup)).map(one_sided).collect(),
        changed: order_new.iter().zip(&order_old).filter_map(change).collect(),
    };
    let same = difference.reached.before == difference.reached.after
        && difference.bytes.before == difference.bytes.after
        && difference.timeline.is_none()
        && difference.filter.is_none()
        && difference.added.is_empty()
        && difference.removed.is_empty()
        && difference.changed.is_empty();
    (!same).then_some(difference)
}

fn bytes(steps: &[Step]) -> u64 {
    steps.iter().map(|step| step.bytes).fold(0, u64::saturating_add)
}

fn changed<T: PartialEq + Clone>(before: &T, after: &T) -> Option<Changed<T>> {
    (before != after).then(|| Changed { before: before.clone(), after: after.clone() })
}

fn one_sided(step: &Step) -> StepSide {
    StepSide {
        step: step.step,
        backup: step.backup,
        kind: step.kind,
        window: step.window,
        bytes: step.bytes,
        storage: step.copy.storage.clone(),
    }
}

fn step(before: &Step, after: &Step, moved: bool) -> Option<StepChange> {
    let change = StepChange {
        backup: after.backup,
        kind: after.kind,
        window: after.window,
        storage: changed(&before.copy.storage, &after.copy.storage),
        apply: changed(&before.apply, &after.apply),
        verified: changed(&before.verified, &after.verified),
        alternates: changed(&(before.alternates.len() as u64), &(after.alternates.len() as u64)),
        moved,
    };
    let same = change.storage.is_none()
        && change.apply.is_none()
        && change.verified.is_none()
        && change.alternates.is_none()
        && !change.moved;
    (!same).then_some(change)
}
