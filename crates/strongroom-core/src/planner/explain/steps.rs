//! Why each step is there.

use super::{ExplainedStep, StepReason};
use crate::id::ClusterId;
use crate::model::BackupKind;
use crate::planner::catalogue::Catalogue;
use crate::planner::part::{History, Part};
use crate::planner::plan::{Apply, PartPlan, Step};
use crate::planner::terms::Kind;

/// What is needed to say it.
pub(super) struct Steps<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) part: Option<&'a Part<'a>>,
    /// The latest moment that the target allows.
    pub(super) limit: i64,
}

impl Steps<'_> {
    pub(super) fn explained(&self, plan: &PartPlan) -> Vec<ExplainedStep> {
        let histories = self.part.map_or(&[][..], |part| &part.histories);
        let history = histories.iter().find(|history| history.view.lane.timeline == plan.timeline);
        let before = |at: usize| at.checked_sub(1).map(|at| &plan.steps[at]);
        let one = |(at, step): (usize, &Step)| self.step(step, before(at), plan.steps.first(), history);
        plan.steps.iter().enumerate().map(one).collect()
    }

    fn step(
        &self,
        step: &Step,
        before: Option<&Step>,
        first: Option<&Step>,
        history: Option<&History<'_>>,
    ) -> ExplainedStep {
        let rows = &self.catalogue.rows;
        let class = self.catalogue.ids.find(rows, step.backup).map(|row| rows.class_of(row));
        let node = class.and_then(|class| class.node.clone());
        let (why, detail) = match step.apply {
            Apply::Begin => (StepReason::Begins, self.begins(step, history)),
            Apply::Cover => (StepReason::Carries, carries(step, before, first)),
            Apply::Exact => (StepReason::FollowsParent, follows(before)),
            Apply::Replay { after, until } => {
                let whose = node.as_deref().unwrap_or("unknown");
                let detail = format!("the log of node {whose} is replayed from {after} on, up to {until}");
                (StepReason::Replays, detail)
            }
        };
        ExplainedStep {
            step: step.step,
            backup: step.backup,
            kind: step.kind,
            apply: step.apply,
            window: step.window,
            node,
            misses_deletes: class.is_some_and(crate::planner::class::Class::misses_deletes),
            deletes: step.deletes,
            verified: step.verified,
            bytes: step.bytes,
            records: step.records,
            objects: step.objects,
            storage: step.copy.storage.clone(),
            alternates: step.alternates.len() as u64,
            why,
            detail,
        }
    }

    fn begins(&self, step: &Step, history: Option<&History<'_>>) -> String {
        let what = match step.kind {
            BackupKind::Synthetic => "made out of other backups, it stands for a base; ",
            _ => "",
        };
        let Some(view) = history.map(|history| &history.view) else {
            return format!("{what}every chain begins with a base");
        };
        let limit = self.limit.min(history.map_or(self.limit, |history| history.ended));
        let usable = view.lane.rows.clone().filter(|row| {
            view.terms.own(*row).is_some_and(|(_, kind)| kind == Kind::Begin) && view.rows.settled(*row) <= limit
        });
        let (count, newest) = usable.fold((0_u64, None), |(count, _), row| (count + 1, Some(row)));
        let is_newest = newest.is_some_and(|row| view.rows.id[row as usize] == step.backup);
        match (count, is_newest) {
            (0 | 1, _) => format!("{what}every chain begins with a base, and no other can be used for this target"),
            (_, true) => format!("{what}the newest of {count} bases that a chain to this target can begin with"),
            _ => format!(
                "{what}of {count} bases that a chain to this target can begin with, the one whose chain risks, then \
                 costs least"
            ),
        }
    }
}

fn carries(step: &Step, before: Option<&Step>, first: Option<&Step>) -> String {
    let (until, from) = (step.window.until, step.window.from);
    let Some(before) = before else { return format!("it carries the state to {until}") };
    let state = before.window.until;
    let mut text = format!("it carries the state from {state} to {until}: the last write wins");
    if from.is_some_and(|from| from < state) {
        let base = first.is_some_and(|first| from.is_some_and(|from| from < first.window.until));
        text.push_str(if base {
            "; it begins before its base, so that it fits an older one too"
        } else {
            "; it begins before the state ends, and writes what lies between once more"
        });
    }
    text
}

fn follows(before: Option<&Step>) -> String {
    before.map_or_else(
        || "it goes onto its parent alone".to_owned(),
        |before| format!("it holds the changes since its parent, step {}, and goes onto that alone", before.step + 1),
    )
}

/// How many backups of a part there are.
pub(super) fn backups_of(catalogue: &Catalogue, cluster: ClusterId, name: &str) -> u64 {
    catalogue.lanes_of_part(cluster, name).map(|lane| lane.rows.len() as u64).sum()
}
