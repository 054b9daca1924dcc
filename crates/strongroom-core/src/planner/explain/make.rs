//! From a request to its explanation.

use std::collections::BTreeMap;

use super::losses::{Budget, losses};
use super::steps::{Steps, backups_of};
use super::{
    EXPLANATION_FORMAT, ExplainedPart, ExplainedRefusal, Explanation, Losses, Nearest, PlanSummary, drawing, warnings,
};
use crate::Timestamp;
use crate::id::ClusterId;
use crate::model::Scope;
use crate::planner::catalogue::Catalogue;
use crate::planner::choose::limit_of;
use crate::planner::course::{Course, Reach};
use crate::planner::part::{LATEST, Part};
use crate::planner::plan::{PartPlan, Plan, Reached};
use crate::planner::reason::{PlanError, Reason, Refusal};
use crate::planner::target::{AtMost, Cut, Request, Strictness, Target};

/// What was asked for of one part, and what came of it.
struct Story<'a> {
    catalogue: &'a Catalogue,
    /// The request for this part alone.
    request: Request,
    cluster: ClusterId,
    name: &'a str,
    asked: Option<Timestamp>,
}

pub(super) fn explanation(catalogue: &Catalogue, request: &Request) -> Explanation {
    let planned = catalogue.plan(request);
    let asked = match &planned {
        Ok(_) => moment(&request.target),
        Err(error) => error.asked.or_else(|| moment(&request.target)),
    };
    let mut made = Explanation {
        format: EXPLANATION_FORMAT,
        generation: catalogue.generation(),
        complete: catalogue.is_complete(),
        cluster: None,
        request: request.clone(),
        asked,
        plan: None,
        refusal: None,
        parts: BTreeMap::new(),
        warnings: Vec::new(),
    };
    match planned {
        Ok(plan) => of_plan(catalogue, plan, &mut made),
        Err(error) => of_refusal(catalogue, &error, &mut made),
    }
    made
}

/// The moment of a target, if it names one.
pub(in crate::planner) fn moment(target: &Target) -> Option<Timestamp> {
    match target {
        Target::AtOrBefore(moment) | Target::Exactly(moment) => Some(*moment),
        Target::Latest | Target::Backup(_) | Target::Run(_) | Target::LogPosition { .. } => None,
    }
}

fn of_plan(catalogue: &Catalogue, plan: Plan, made: &mut Explanation) {
    made.cluster = Some(plan.cluster);
    made.plan = Some(PlanSummary { hash: plan.hash, reached: plan.reached, totals: plan.totals });
    made.warnings = warnings::in_words(&plan.warnings);
    let mut refused: BTreeMap<String, Vec<Refusal>> = BTreeMap::new();
    for refusal in plan.refused {
        refused.entry(refusal.part.clone()).or_default().push(refusal);
    }
    // Losses are looked at where they say most: at the parts that hold the others back.
    let mut names: Vec<(Reached, &String)> = plan.parts.iter().map(|(name, part)| (part.reached, name)).collect();
    names.sort_unstable();
    let mut budget = Budget::new();
    for (_, name) in names {
        let story = Story::of(catalogue, &made.request, plan.cluster, name, made.asked);
        let part = story.planned(&plan.parts[name], refused.remove(name).unwrap_or_default(), &mut budget);
        made.parts.insert(name.clone(), part);
    }
}

fn of_refusal(catalogue: &Catalogue, error: &PlanError, made: &mut Explanation) {
    let request = &made.request;
    let cluster = request.cluster.or_else(|| catalogue.lanes.first().map(|lane| lane.cluster));
    let named = matches!(request.target, Target::Backup(_) | Target::Run(_));
    if let Some(cluster) = cluster.filter(|_| !matches!(error.reason, Reason::OtherCluster | Reason::Invalid)) {
        made.cluster = Some(cluster);
        let known = catalogue.parts_of_cluster(cluster);
        let meant = |name: &&&str| match &error.part {
            Some(part) if named => part == **name,
            _ => request.scope.parts.as_ref().is_none_or(|parts| parts.contains_key(**name)),
        };
        let mut budget = Budget::new();
        for name in known.iter().filter(meant) {
            let story = Story::of(catalogue, request, cluster, name, made.asked);
            let part = if named { Err(Box::new(error.clone())) } else { catalogue.plan(&story.request) };
            let part = match part {
                Ok(mut plan) => {
                    let Some(part) = plan.parts.remove(*name) else { continue };
                    story.planned(&part, plan.refused, &mut budget)
                }
                Err(error) => story.refused(&error),
            };
            made.parts.insert((*name).to_owned(), part);
        }
    }
    made.refusal = Some(refusal(error));
}

fn refusal(error: &PlanError) -> ExplainedRefusal {
    ExplainedRefusal {
        reason: error.reason,
        part: error.part.clone(),
        message: error.message.clone(),
        advice: error.advice(),
    }
}

impl<'a> Story<'a> {
    fn of(
        catalogue: &'a Catalogue,
        request: &Request,
        cluster: ClusterId,
        name: &'a str,
        asked: Option<Timestamp>,
    ) -> Self {
        Self { catalogue, request: only(request, cluster, name), cluster, name, asked }
    }

    fn course(&self) -> Option<(Part<'a>, Course)> {
        self.catalogue.courses(&self.request, None).ok()?.1.into_iter().next()
    }

    fn planned(&self, plan: &PartPlan, refused: Vec<Refusal>, budget: &mut Budget) -> ExplainedPart {
        let found = self.course();
        let nearest = found.as_ref().map_or_else(Nearest::default, |(part, course)| {
            let mut nearest = around(course, plan.reached);
            let windows = course.windows(part).windows;
            let mut spans = windows.iter().flat_map(|window| &window.every_moment);
            nearest.every_moment = spans.find(|span| span.contains(plan.reached.until)).copied();
            nearest
        });
        let (limit, exact) = limit_of(&self.request.target, None);
        let steps = Steps { catalogue: self.catalogue, part: found.as_ref().map(|(part, _)| part), limit };
        let steps = steps.explained(plan);
        let lost = found.as_ref().map_or_else(Losses::default, |(part, course)| {
            // Of parts that are cut together, each may reach less than it could by itself.
            let target = match self.request.cut {
                Cut::Together if !exact => Target::AtOrBefore(plan.reached.settled),
                _ => self.request.target.clone(),
            };
            let request = Request { target, ..self.request.clone() };
            losses(self.catalogue, &request, (part, course), plan, budget)
        });
        let drawing = drawing::draw(self.asked, Some(plan.reached), &steps, &refused, found.as_ref());
        ExplainedPart {
            timeline: Some(plan.timeline),
            reached: Some(plan.reached),
            refusal: None,
            nearest,
            backups: backups_of(self.catalogue, self.cluster, self.name),
            steps,
            refused,
            losses: lost,
            drawing,
        }
    }

    fn refused(&self, error: &PlanError) -> ExplainedPart {
        let found = self.course();
        // What would reach the nearest point before, if that were asked for.
        let earlier = error.before.and_then(|before| {
            let target = Target::AtOrBefore(before.settled);
            let request = Request { target, strictness: Strictness::NearestEarlier, ..self.request.clone() };
            self.catalogue.plan(&request).ok()?.parts.remove(self.name)
        });
        let limit = error.before.map_or(LATEST, |before| before.settled.micros());
        let steps = Steps { catalogue: self.catalogue, part: found.as_ref().map(|(part, _)| part), limit };
        let steps = earlier.as_ref().map_or_else(Vec::new, |plan| steps.explained(plan));
        let chosen = |refusal: &&Refusal| !steps.iter().any(|step| step.backup == refusal.backup);
        let refused: Vec<Refusal> = error.refused.iter().filter(chosen).take(16).cloned().collect();
        let drawing = drawing::draw(self.asked, None, &steps, &refused, found.as_ref());
        ExplainedPart {
            timeline: earlier.map(|plan| plan.timeline),
            reached: None,
            refusal: Some(refusal(error)),
            nearest: Nearest { before: error.before, after: error.after, every_moment: None },
            backups: backups_of(self.catalogue, self.cluster, self.name),
            steps,
            refused,
            losses: Losses::default(),
            drawing,
        }
    }
}

/// The request for one part alone, without bounds on the whole.
pub(in crate::planner) fn only(request: &Request, cluster: ClusterId, name: &str) -> Request {
    let filter = request.scope.filter_of(name).unwrap_or_default();
    Request {
        scope: Scope { parts: Some([(name.to_owned(), filter)].into()) },
        cluster: Some(cluster),
        allow_missing_parts: false,
        at_most: AtMost::default(),
        ..request.clone()
    }
}

/// The points next to `reached` that backups reach.
fn around(course: &Course, reached: Reached) -> Nearest {
    let points = || {
        course.pieces.iter().filter(|piece| piece.refused.is_none()).filter_map(|piece| match piece.reach {
            Reach::Point { until, .. } => piece.reach.at(until),
            Reach::Nothing | Reach::Every { .. } => None,
        })
    };
    Nearest {
        before: points().filter(|point| point.until < reached.until).max(),
        after: points().filter(|point| point.until > reached.until).min(),
        every_moment: None,
    }
}
