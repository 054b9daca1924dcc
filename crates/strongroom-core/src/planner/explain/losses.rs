//! What losing one backup of a plan would cost.

use std::collections::BTreeSet;

use super::{LossOfStep, Losses};
use crate::planner::catalogue::Catalogue;
use crate::planner::compose;
use crate::planner::course::Course;
use crate::planner::part::Part;
use crate::planner::plan::{PartPlan, Step};
use crate::planner::target::Request;
use crate::planner::what_if::{Change, Effect};
use crate::planner::windows::Span;

/// Steps that are looked at in one part.
const OF_PART: usize = 8;

/// How many steps may still be looked at: each takes a sweep over the part.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new() -> Self {
        Self(64)
    }
}

/// Of the steps of `plan`, which `request` gives for the part alone.
pub(super) fn losses(
    catalogue: &Catalogue,
    request: &Request,
    now: (&Part<'_>, &Course),
    plan: &PartPlan,
    budget: &mut Budget,
) -> Losses {
    let chosen = spread(plan.steps.len(), OF_PART.min(budget.0));
    budget.0 -= chosen.len();
    let others = (plan.steps.len() - chosen.len()) as u64;
    let steps = chosen.into_iter().filter_map(|at| loss(catalogue, request, now, plan.steps.get(at)?)).collect();
    Losses { steps, others }
}

/// At most `most` places out of `count`, evenly, the first and the last among them.
fn spread(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    match most {
        0 => Vec::new(),
        1 => vec![0],
        _ => (0..most).map(|at| at * (count - 1) / (most - 1)).collect(),
    }
}

fn loss(catalogue: &Catalogue, request: &Request, now: (&Part<'_>, &Course), step: &Step) -> Option<LossOfStep> {
    let gone = BTreeSet::from([catalogue.ids.find(&catalogue.rows, step.backup)?]);
    let left = catalogue.courses(request, Some(&gone)).ok()?.1;
    let (part, course) = left.first()?;
    let changes = now.1.changes(part, course);
    let harm = |change: &&Change| matches!(change.effect, Effect::Refused | Effect::Earlier);
    let moments = changes.iter().filter(harm).map(|change| change.span).reduce(|all, next| Span {
        from: all.from.min(next.from),
        until: all.until.zip(next.until).map(|(a, b)| a.max(b)),
    });
    let (instead, refused) = match compose::plan(catalogue, request, Some(&gone)) {
        Ok(plan) => (plan.parts.get(now.0.name).map(|part| part.reached), None),
        Err(error) => (error.before, Some(error.reason)),
    };
    Some(LossOfStep {
        step: step.step,
        backup: step.backup,
        copies: step.alternates.len() as u64 + 1,
        points: changes.iter().filter(harm).map(|change| change.points).sum(),
        moments,
        instead,
        refused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_spread_with_the_first_and_the_last() {
        assert_eq!(spread(3, 8), [0, 1, 2]);
        assert_eq!(spread(1000, 4), [0, 333, 666, 999]);
        assert_eq!(spread(9, 1), [0]);
        assert!(spread(9, 0).is_empty() && spread(0, 8).is_empty());
    }
}
