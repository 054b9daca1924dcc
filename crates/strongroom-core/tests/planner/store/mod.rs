//! The second oracle: backups are made of a database that forgets nothing, the plan is carried out, and what it leaves
//! must be what the database held at the reached point. It knows nothing of chains: a rule that lets a wrong chain
//! through shows as wrong contents.

mod artefact;
mod model;
mod restore;

use std::collections::BTreeMap;

use fastrand::Rng;
use strongroom_core::id::{BackupId, ClusterId, TimelineId};
use strongroom_core::model::{BackupKind, Deletes, Status};
use strongroom_core::planner::{Entry, PartPlan, Request, Strictness, Target, Timeline, WarningCode};
use strongroom_testkit::{SeedGuard, seeds};

use artefact::{Artefact, Body, Maker, log};
use model::{Contents, KEYS, Model, NODES, SPAN};
use restore::{Style, restore};

use crate::picture::{World, at, id};

/// A database and its backups.
struct Case {
    /// By timeline.
    models: BTreeMap<TimelineId, Model>,
    artefacts: BTreeMap<BackupId, Artefact>,
    world: World,
    /// By how much the moments of one log go back.
    skew: i64,
}

fn case(rng: &mut Rng) -> Case {
    let first = Model::random(rng);
    let skew = if rng.bool() { 0 } else { rng.i64(1..4) };
    let (blind, tells) = (rng.u8(..3) == 0, rng.u8(..4) > 0);
    let mut made = Vec::new();
    backups(rng, &Maker { model: &first, timeline: 1, blind, tells }, *SPAN.start(), *SPAN.end(), &mut made);
    let mut changes = first.changes.clone();
    let mut models = BTreeMap::from([(TimelineId::from_u128(1), first.clone())]);
    let mut world = World::default();
    if rng.u8(..3) == 0 {
        let began = rng.i64(20..45);
        let point = rng.i64(5..began);
        // What the first timeline took after the restore is not there.
        made.retain(|it| it.entry.window.settled <= at(began));
        changes.retain(|change| change.at <= began);
        let second = first.restored(rng, point, began);
        changes.extend(&second.changes);
        backups(rng, &Maker { model: &second, timeline: 2, blind, tells }, began + 1, *SPAN.end(), &mut made);
        models.get_mut(&TimelineId::from_u128(1)).unwrap().changes.retain(|change| change.at <= began);
        models.insert(TimelineId::from_u128(2), second);
        world.timelines = [(1, None), (2, Some(began))]
            .map(|(number, began)| Timeline {
                id: TimelineId::from_u128(number),
                part: "p".to_owned(),
                cluster: ClusterId::from_u128(1),
                parent: began.map(|_| (TimelineId::from_u128(1), at(point))),
                began: began.map(at),
            })
            .into();
    }
    if rng.bool() {
        for node in 0..NODES.len() {
            let own = log(rng, node, &changes, skew, 100 * (node as u128 + 1));
            // An archiver may have been switched on late, or not at all.
            let skipped = if rng.u8(..4) == 0 { rng.usize(..=own.len()) } else { 0 };
            made.extend(own.into_iter().skip(skipped));
        }
    }
    let lost = [0, 5, 15, 30][rng.usize(..4)];
    made.retain(|_| rng.u32(..100) >= lost);
    for artefact in &mut made {
        if rng.u32(..100) < lost / 2 {
            artefact.entry.status = Status::Corrupt;
        }
    }
    rng.shuffle(&mut made);
    world.entries = made.iter().map(|artefact| artefact.entry.clone()).collect();
    Case { models, artefacts: made.into_iter().map(|it| (it.entry.id, it)).collect(), world, skew }
}

/// Bases, incrementals and synthetic backups of one timeline, between two moments.
fn backups(rng: &mut Rng, maker: &Maker<'_>, start: i64, end: i64, made: &mut Vec<Artefact>) {
    let (mut until, mut number) = (start + rng.i64(0..8), made.len() as u128 + 1);
    let own = made.len();
    while until < end {
        // Some are taken while others still run.
        let settled = (until + [0, 0, 1, 3, 15][rng.usize(..5)]).min(end);
        let there = &made[own..];
        let kind = if there.is_empty() { 0 } else { rng.u8(..10) };
        let artefact = match kind {
            0 | 1 => maker.base(rng, number, until, settled),
            2..=6 => {
                let before = &there[rng.usize(there.len().saturating_sub(3)..there.len())];
                let from = before.entry.window.until.micros() / 1_000_000 - [0, 0, 0, 2, 6][rng.usize(..5)];
                let from = from.max(start - 1);
                if from >= until {
                    until += 1;
                    continue;
                }
                maker.cover(rng, number, from, until, settled)
            }
            7 | 8 => {
                let parent = &there[rng.usize(there.len().saturating_sub(3)..there.len())];
                let after = parent.entry.window.settled;
                if after > at(settled) || parent.entry.window.until >= at(until) {
                    until += 1;
                    continue;
                }
                maker.exact(rng, number, parent, until, settled)
            }
            _ => {
                let Some(synthetic) = synthetic(rng, there, number) else {
                    until += 1;
                    continue;
                };
                synthetic
            }
        };
        made.push(artefact);
        number += 1;
        until += rng.i64(1..7);
    }
}

/// What restoring one of `there` gives, as a backup.
fn synthetic(rng: &mut Rng, there: &[Artefact], number: u128) -> Option<Artefact> {
    let world = World { entries: there.iter().map(|it| it.entry.clone()).collect(), ..World::default() };
    let newest = &there[rng.usize(..there.len())].entry;
    let plan = world.catalogue().plan(&Request::at(Target::Backup(newest.id))).ok()?;
    let part = &plan.parts["p"];
    let by_id = there.iter().map(|it| (it.entry.id, it.clone())).collect();
    let contents = restore(part, &by_id, Style::LaterStep);
    let deletes = if plan.totals.deletes_unseen > 0 { Deletes::Unseen } else { Deletes::Seen };
    let mut entry = Entry { id: id(number), kind: BackupKind::Synthetic, deletes, ..newest.clone() };
    entry.window =
        strongroom_core::model::Window { from: None, until: part.reached.until, settled: part.reached.settled };
    entry.parent = None;
    Some(Artefact { entry, body: Body::Whole(contents.clone()), captured: contents })
}

/// Whether `contents` are what the plan says they are.
fn is_as_planned(case: &Case, part: &PartPlan, warned: bool, contents: &Contents) -> Result<(), String> {
    let model = &case.models[&part.timeline];
    let seconds = |moment: strongroom_core::Timestamp| moment.micros().div_euclid(1_000_000);
    let (until, settled) = (seconds(part.reached.until), seconds(part.reached.settled));
    for key in 0..KEYS {
        let got = contents.get(&key).copied();
        let right = model.values(key, until, settled);
        if !right.contains(&got) && !is_back(case, part, warned, key, got) {
            return Err(format!(
                "key {key} holds {got:?}, and not one of {right:?}, which it held in {until}..={settled}"
            ));
        }
    }
    Ok(())
}

/// Whether `got` was deleted in the window of a step that does not hold deletes: such things come back, and the plan
/// must have said so. They may come back as they were some writes before, since what is gone when it is read shows
/// nothing of these.
fn is_back(case: &Case, part: &PartPlan, warned: bool, key: usize, got: Option<i64>) -> bool {
    let Some(value) = got.filter(|_| warned) else { return false };
    let model = &case.models[&part.timeline];
    let until = part.reached.until.micros();
    let settled = part.reached.settled.micros();
    let blind = |moment: i64| {
        part.steps.iter().any(|step| {
            let from = step.window.from.map_or(i64::MIN, strongroom_core::Timestamp::micros);
            step.deletes == Deletes::Unseen && from < moment && moment <= step.window.settled.micros()
        })
    };
    let had = model.values(key, i64::MIN, value).contains(&got);
    let later = || model.changes.iter().filter(|it| it.key == key && it.at > value && it.at * 1_000_000 <= settled);
    let deletes = || later().filter(|it| !it.put).map(|it| it.at * 1_000_000);
    let before = || deletes().filter(|at| *at <= until);
    // Had it been written again after the last of them, that would have been seen, unless it was gone when it was read.
    let again = later().any(|it| it.put && Some(it.at * 1_000_000) > before().max() && it.at * 1_000_000 <= until);
    let gone = deletes().any(|at| at > until && blind(at));
    had && deletes().any(blind) && before().all(blind) && (gone || !again)
}

#[test]
fn reference_store() {
    let (mut plans, mut exact, mut replayed) = (0_u64, 0_u64, 0_u64);
    for seed in seeds(600) {
        let _guard = SeedGuard::new(seed);
        let mut rng = Rng::with_seed(seed);
        let case = case(&mut rng);
        let catalogue = case.world.catalogue();
        let backups = case.world.entries.iter().filter(|entry| entry.log.is_none());
        let mut targets: Vec<Target> = backups.map(|entry| Target::Backup(entry.id)).collect();
        targets.extend(SPAN.map(|moment| Target::AtOrBefore(at(moment))));
        targets.extend(SPAN.map(|moment| Target::Exactly(at(moment))));
        for target in targets {
            let log_margin_micros = case.skew * 1_000_000;
            let strictness = Strictness::NearestEarlier;
            let request = Request { target, strictness, log_margin_micros, ..Request::default() };
            let Ok(plan) = catalogue.plan(&request) else { continue };
            let part = &plan.parts["p"];
            let warned = plan.warnings.iter().any(|warning| warning.code == WarningCode::DeletesUnseen);
            plans += 1;
            exact += u64::from(part.reached.is_exact());
            replayed += u64::from(part.steps.iter().any(|step| step.kind == BackupKind::LogSegment));
            for style in [Style::LaterStep, Style::LaterWrite] {
                let contents = restore(part, &case.artefacts, style);
                if let Err(what) = is_as_planned(&case, part, warned, &contents) {
                    let steps: Vec<String> =
                        part.steps.iter().map(|step| step.backup.to_string()[28..].to_owned()).collect();
                    panic!(
                        "{what} after {:?} by {steps:?} ({style:?})\ncatalogue: {}\nhistory: {:?}\nreplay: \
                         STRONGROOM_SEED={seed} cargo test -p strongroom-core --test planner -- reference_store",
                        request.target, case.world, case.models[&part.timeline].changes
                    );
                }
            }
        }
    }
    println!("{plans} plans carried out, {exact} of them to an exact point, {replayed} with logs");
    let enough = std::env::var_os("STRONGROOM_SEED").is_some() || (exact > 0 && replayed > 0);
    assert!(plans > 0 && enough, "the store proves nothing");
}
