//! Holds what the planner says against the oracle, and every step of a plan against the rules.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_core::model::{Applies, BackupKind, Deletes, Status};
use strongroom_core::planner::{
    Apply, AtMost, HOME, LogSeq, PartPlan, Plan, PlanError, PlanTotals, Reached, Reason, Request, Step, Tier,
    WarningCode,
};

use crate::generator::Case;
use crate::oracle::answer::{Expected, Refused, answer};
use crate::oracle::facts::{Fact, Score, facts, prices, sum};
use crate::oracle::history::{History, Part};
use crate::picture::World;

/// What the planner did wrong, if it did.
type Verdict = Result<(), String>;

macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

/// Plans the case and judges what comes.
pub(crate) fn judge(case: &Case) -> Verdict {
    let Case { world, request } = case;
    let catalogue = world.catalogue();
    let bounded = request.at_most != AtMost::default();
    let free = Request { at_most: AtMost::default(), ..request.clone() };
    let planned = catalogue.plan(&free);
    compare(world, &free, planned.as_deref_err())?;
    if let (true, Ok(plan)) = (bounded, &planned) {
        let small = request.at_most.bytes.is_none_or(|most| plan.totals.bytes <= most)
            && request.at_most.steps.is_none_or(|most| plan.totals.steps <= most);
        match catalogue.plan(request) {
            Ok(bound) => ensure!(small && bound.parts == plan.parts, "a plan beyond its bounds"),
            Err(error) => ensure!(!small && error.reason == Reason::TooLarge, "refused for its size: {error}"),
        }
    }
    Ok(())
}

trait AsDerefErr<T> {
    fn as_deref_err(&self) -> Result<&T, &PlanError>;
}

impl<T> AsDerefErr<T> for Result<T, Box<PlanError>> {
    fn as_deref_err(&self) -> Result<&T, &PlanError> {
        self.as_ref().map_err(|error| &**error)
    }
}

fn compare(world: &World, request: &Request, planned: Result<&Plan, &PlanError>) -> Verdict {
    match (answer(world, request), planned) {
        (Ok(expected), Ok(plan)) => {
            ensure!(plan.cluster == expected.cluster, "another cluster");
            same_points(world, request, &expected, plan)?;
            warnings(world, &expected, plan)?;
            sums(world, request, plan)
        }
        (Err(refusals), Err(error)) => refusal(&refusals, error),
        (Ok(expected), Err(error)) => Err(format!("refused ({error}), but can be had: {expected:?}")),
        (Err(refusals), Ok(plan)) => Err(format!("planned {:?}, but must be refused: {refusals:?}", points(plan))),
    }
}

fn points(plan: &Plan) -> Vec<(&String, Reached, Vec<String>)> {
    let ids = |part: &PartPlan| part.steps.iter().map(|step| step.backup.to_string()[28..].to_owned()).collect();
    plan.parts.iter().map(|(name, part)| (name, part.reached, ids(part))).collect()
}

fn refusal(refusals: &[Refused], error: &PlanError) -> Verdict {
    let before = error.before.map(|before| before.until.micros());
    let fits = |refused: &Refused| {
        refused.part == error.part && refused.reasons.contains(&error.reason) && refused.before == before
    };
    ensure!(refusals.iter().any(fits), "refused with {error:?}, which is none of {refusals:?}");
    Ok(())
}

fn same_points(world: &World, request: &Request, expected: &Expected, plan: &Plan) -> Verdict {
    let names: Vec<&String> = plan.parts.keys().collect();
    ensure!(names == expected.parts.keys().collect::<Vec<_>>(), "parts {names:?} of {:?}", expected.parts.keys());
    for (name, reach) in &expected.parts {
        let made = &plan.parts[name];
        let part = Part::of(world, expected.cluster, name, request);
        let history = part.histories.iter().find(|history| history.timeline == made.timeline);
        let history = history.ok_or_else(|| format!("'{name}' is of an unknown timeline"))?;
        let score = valid(history, request, made).map_err(|what| format!("'{name}': {what} in {:?}", points(plan)))?;
        let got = (made.timeline, made.reached.until.micros(), score);
        let wanted = (reach.timeline, reach.until, reach.score);
        ensure!(got == wanted, "'{name}' reaches {got:?} by {:?}, not {wanted:?}", points(plan));
        let settled = made.reached.settled.micros();
        ensure!(reach.settled.is_none_or(|wanted| wanted == settled), "'{name}' is settled at {settled}: {reach:?}");
        ensure!(made.filter == request.scope.filter_of(name).unwrap(), "another filter");
    }
    Ok(())
}

/// Checks every step of a part; gives what they are worth.
fn valid(history: &History<'_>, request: &Request, made: &PartPlan) -> Result<Score, String> {
    let logs = made.steps.iter().position(|step| step.kind == BackupKind::LogSegment).unwrap_or(made.steps.len());
    let (own, replayed) = made.steps.split_at(logs);
    let place = |step: &Step| history.lane.iter().position(|fact| fact.entry.id == step.backup);
    let places: Option<Vec<usize>> = own.iter().map(place).collect();
    let chain = places.and_then(|places| history.chains.iter().find(|chain| chain.steps == places));
    let chain = chain.ok_or("no valid chain")?;
    for (step, at) in own.iter().zip(&chain.steps) {
        let entry = history.lane[*at].entry;
        let apply = match (entry.kind, entry.applies) {
            (BackupKind::Base | BackupKind::Synthetic, _) => Apply::Begin,
            (_, Applies::Cover) => Apply::Cover,
            (_, Applies::Exact) => Apply::Exact,
        };
        ensure!(step.apply == apply, "step {} is applied as {:?}", step.step, step.apply);
    }
    let reached = (made.reached.until.micros(), made.reached.settled.micros());
    if reached == (chain.until, chain.settled) {
        ensure!(replayed.is_empty(), "replays what the chain holds");
        return Ok(chain.score);
    }
    let goal = made.reached.until.micros();
    ensure!(made.reached.is_exact() && goal >= chain.settled && goal > chain.until, "a cut within doubt");
    let carry = history.carry(chain, goal).ok_or("logs that reach nothing")?;
    ensure!(carry.upto >= goal, "logs reach {} only", carry.upto);
    let (places, score) = history.replay(chain, goal);
    let logged: Vec<(String, LogSeq)> = replayed.iter().map(|step| segment(history, step)).collect::<Result<_, _>>()?;
    let by_node = |places: &[(String, LogSeq)]| {
        let mut nodes: BTreeMap<String, Vec<LogSeq>> = BTreeMap::new();
        for (node, place) in places {
            nodes.entry(node.clone()).or_default().push(*place);
        }
        for places in nodes.values_mut() {
            places.sort_unstable();
        }
        nodes
    };
    ensure!(by_node(&logged) == by_node(&places), "replays {logged:?}, not {places:?}");
    for pair in logged.windows(2) {
        ensure!(pair[0].0 != pair[1].0 || pair[0].1 < pair[1].1 || places.len() > 1, "out of order: {logged:?}");
    }
    for step in replayed {
        let span =
            Apply::Replay { after: strongroom_core::Timestamp::from_micros(chain.until), until: made.reached.until };
        ensure!(step.apply == span, "step {} replays {:?}", step.step, step.apply);
    }
    let worth = request_worth(history, request, replayed)?;
    ensure!(worth == score, "segments worth {worth:?}, not {score:?}");
    Ok(sum(chain.score, score))
}

fn segment(history: &History<'_>, step: &Step) -> Result<(String, LogSeq), String> {
    let fact = history.segments.iter().find(|fact| fact.entry.id == step.backup).ok_or("a stranger's segment")?;
    let log = fact.entry.log.as_ref().ok_or("no segment")?;
    Ok((log.node.clone(), LogSeq { epoch: log.epoch, seq: log.seq }))
}

fn request_worth(history: &History<'_>, request: &Request, steps: &[Step]) -> Result<Score, String> {
    let mut total = (0, 0, 0, 0);
    for step in steps {
        let fact = history.segments.iter().find(|fact| fact.entry.id == step.backup).ok_or("a stranger's segment")?;
        let worth = fact.judge(request, &history.filter).map_err(|reason| format!("replays what is {reason}"))?;
        total = sum(total, worth);
    }
    Ok(total)
}

/// Copies, numbers, sums, keys, codecs, groups.
fn sums(world: &World, request: &Request, plan: &Plan) -> Verdict {
    let facts = facts(world);
    let entry = |step: &Step| facts.iter().find(|fact| fact.entry.id == step.backup).map(|fact| fact.entry);
    let (mut totals, mut keys, mut codecs) = (PlanTotals::default(), BTreeSet::new(), BTreeSet::new());
    for ((_, step), number) in plan.steps().zip(0..) {
        let entry = entry(step).ok_or("a step of no backup")?;
        ensure!(step.step == number, "step {} is numbered {}", number, step.step);
        let copies = std::iter::once(&step.copy).chain(&step.alternates);
        let named: Vec<_> = copies.map(|copy| (copy.cost, copy.storage.clone(), copy.tier)).collect();
        let mut there: Vec<_> =
            prices(entry, request).into_iter().map(|(copy, price)| (price, copy.storage, copy.tier)).collect();
        // Of equal price, the repository's own storage first.
        there.sort_by_key(|(price, storage, _)| (*price, storage != HOME, storage.clone()));
        ensure!(named == there, "copies {named:?} of {there:?}");
        let same = (step.kind, step.window, &step.manifest) == (entry.kind, entry.window, &entry.manifest)
            && (step.bytes, step.objects) == (entry.size.stored_bytes, entry.size.objects)
            && (step.plain_bytes, step.records) == (entry.size.plain_bytes, entry.size.records)
            && step.requests == entry.size.objects;
        ensure!(same, "step {number} is not its backup");
        totals.steps += 1;
        totals.bytes += step.bytes;
        totals.plain_bytes += step.plain_bytes;
        totals.records += step.records;
        totals.objects += step.objects;
        totals.requests += step.requests;
        totals.cost += step.copy.cost;
        totals.unverified += u64::from(entry.verified.is_none());
        totals.deletes_unseen += u64::from(entry.kind != BackupKind::Base && entry.deletes == Deletes::Unseen);
        keys.extend(entry.keys.iter().copied());
        codecs.extend(entry.codecs.iter().cloned());
    }
    ensure!(totals == plan.totals, "sums {:?} of {totals:?}", plan.totals);
    ensure!(plan.keys == keys.into_iter().collect::<Vec<_>>(), "keys");
    ensure!(plan.codecs == codecs.into_iter().collect::<Vec<_>>(), "codecs");
    groups(plan)
}

/// Every step is in one group, after those of its part that come before it.
fn groups(plan: &Plan) -> Verdict {
    let group_of: BTreeMap<_, _> =
        plan.groups.iter().enumerate().flat_map(|(at, group)| group.iter().map(move |step| (*step, at))).collect();
    ensure!(plan.groups.iter().map(<[_]>::len).sum::<usize>() == plan.steps().count(), "groups hold other steps");
    for part in plan.parts.values() {
        let groups: Vec<_> = part.steps.iter().map(|step| group_of.get(&step.step)).collect();
        ensure!(groups.iter().all(Option::is_some) && groups.is_sorted_by(|a, b| a < b), "groups {:?}", plan.groups);
    }
    Ok(())
}

fn warnings(world: &World, expected: &Expected, plan: &Plan) -> Verdict {
    let facts = facts(world);
    let entry = |step: &Step| facts.iter().find(|fact| fact.entry.id == step.backup).map(|fact| fact.entry);
    let mut wanted: BTreeSet<(WarningCode, Option<&str>)> = BTreeSet::new();
    wanted.extend(expected.left_out.iter().map(|name| (WarningCode::PartLeftOut, Some(name.as_str()))));
    for (name, part) in &plan.parts {
        let entries: Vec<_> = part.steps.iter().filter_map(entry).collect();
        // Also where the logs prove that nothing changed after the chain, so that no step replays anything.
        let own = || entries.iter().filter(|entry| entry.log.is_none()).map(|entry| entry.window);
        let ends = Reached {
            until: own().map(|window| window.until).max().ok_or("no chain")?,
            settled: own().map(|window| window.settled).max().ok_or("no chain")?,
        };
        let replays = part.reached != ends;
        let mut want = |code, holds: bool| holds.then(|| wanted.insert((code, Some(name.as_str()))));
        let unseen = |fact: &Fact<'_>| fact.entry.kind != BackupKind::Base && fact.entry.deletes == Deletes::Unseen;
        want(WarningCode::DeletesUnseen, entries.iter().any(|entry| unseen(&Fact { entry, broken: None })));
        want(WarningCode::Unverified, entries.iter().any(|entry| entry.verified.is_none()));
        want(WarningCode::Partial, entries.iter().any(|entry| entry.status == Status::Partial || entry.missing > 0));
        want(WarningCode::Thaw, part.steps.iter().any(|step| step.copy.tier == Tier::Archive));
        want(WarningCode::Fuzzy, !part.reached.is_exact());
        want(WarningCode::ClockMargin, replays);
        want(WarningCode::MovedEarlier, expected.parts[name].moved);
    }
    if world.incomplete {
        wanted.insert((WarningCode::CatalogueIncomplete, None));
    }
    let untils: Vec<i64> = plan.parts.values().map(|part| part.reached.until.micros()).collect();
    let earliest_settled = plan.parts.values().map(|part| part.reached.settled.micros()).min();
    if earliest_settled < untils.iter().copied().max() {
        wanted.insert((WarningCode::PartsDiffer, None));
    }
    // Whether logs are late and whether a timeline is known have tests of their own.
    let loose = |code: &WarningCode| matches!(code, WarningCode::LogsBehind | WarningCode::TimelineUnknown);
    let got = plan.warnings.iter().filter(|warning| !loose(&warning.code));
    let got: BTreeSet<_> = got.map(|warning| (warning.code, warning.part.as_deref())).collect();
    ensure!(got == wanted, "warns of {got:?}, not of {wanted:?}");
    let least = plan.parts.values().map(|part| part.reached.until).min();
    let most = plan.parts.values().map(|part| part.reached.settled).max();
    ensure!((Some(plan.reached.until), Some(plan.reached.settled)) == (least, most), "reaches {:?}", plan.reached);
    Ok(())
}
