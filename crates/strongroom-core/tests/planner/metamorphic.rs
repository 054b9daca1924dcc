//! What must not change, or only one way, when a catalogue or a request is changed: no oracle needed, any size will do.

use std::collections::BTreeSet;

use fastrand::Rng;
use strongroom_core::Timestamp;
use strongroom_core::id::{BackupId, ClusterId, RunId, TimelineId};
use strongroom_core::model::{Applies, BackupKind, Scope, Window};
use strongroom_core::planner::{
    AtMost, ChosenCopy, Cut, Entry, HOME, Held, HeldState, PartPlan, Plan, PlanError, Reached, Reason, Request,
    Strictness, Target, Tier,
};
use strongroom_testkit::{SeedGuard, seeds};

use crate::generator::{random_request, random_world};
use crate::picture::{World, id, tables};

/// More than an exhaustive search could look at.
const MOST: usize = 30;

type Planned = Result<Plan, Box<PlanError>>;

/// Calls `check` with random worlds and requests; it says whether it had something to compare.
fn everywhere(check: impl Fn(&World, &Request, &Planned, &mut Rng) -> bool) {
    let (mut compared, mut all) = (0_u64, 0_u64);
    for seed in seeds(500) {
        let _guard = SeedGuard::new(seed);
        let mut rng = Rng::with_seed(seed);
        let world = random_world(&mut rng, MOST);
        let catalogue = world.catalogue();
        for _ in 0..4 {
            let request = random_request(&mut rng, &world);
            all += 1;
            compared += u64::from(check(&world, &request, &catalogue.plan(&request), &mut rng));
        }
    }
    assert!(compared > 0 || std::env::var_os("STRONGROOM_SEED").is_some(), "nothing to compare in {all} requests");
}

fn changed(world: &World, change: impl FnOnce(&mut World)) -> World {
    let mut other = world.clone();
    change(&mut other);
    other
}

/// What is compared where the alternates or the hash may differ: points, steps and the copies they read, or why there are
/// none.
#[derive(Debug, PartialEq)]
enum Outcome {
    Made(Vec<Made>),
    Refused(Reason, Option<String>),
}

/// A part, its point, and its steps with the copies they read.
type Made = (String, Reached, Vec<(BackupId, ChosenCopy)>);

fn outcome(planned: &Planned) -> Outcome {
    let steps = |part: &PartPlan| part.steps.iter().map(|step| (step.backup, step.copy.clone())).collect();
    match planned {
        Ok(plan) => {
            Outcome::Made(plan.parts.iter().map(|(name, part)| (name.clone(), part.reached, steps(part))).collect())
        }
        Err(refused) => Outcome::Refused(refused.reason, refused.part.clone()),
    }
}

/// Entries that are told twice: taking one away changes what the other is worth.
fn twins(world: &World) -> BTreeSet<BackupId> {
    let mut seen = BTreeSet::new();
    world.entries.iter().filter(|entry| !seen.insert(entry.id)).map(|entry| entry.id).collect()
}

/// One timeline of each part, and no log: then a state is reached or not, whatever lies beside it.
fn is_plain(world: &World) -> bool {
    let first = TimelineId::from_u128(1);
    world.entries.iter().all(|entry| entry.log.is_none() && entry.timeline == first)
        && world.timelines.iter().all(|it| it.id == first)
        && twins(world).is_empty()
}

fn latest(request: &Request) -> Request {
    let free = Request { target: Target::Latest, strictness: Strictness::NearestEarlier, ..request.clone() };
    Request { cut: Cut::PerPart, at_most: AtMost::default(), ..free }
}

fn reached(planned: &Planned, part: &str) -> Option<Reached> {
    Some(planned.as_ref().ok()?.parts.get(part)?.reached)
}

#[test]
fn backups_of_another_cluster_change_nothing() {
    everywhere(|world, request, _, rng| {
        let Some(cluster) = world.entries.iter().map(|entry| entry.cluster).next() else { return false };
        let request = Request { cluster: Some(cluster), ..request.clone() };
        let other = changed(world, |other| {
            let mut stranger = other.entries[rng.usize(..other.entries.len())].clone();
            (stranger.id, stranger.cluster) = (id(500), ClusterId::from_u128(9));
            other.entries.push(stranger);
        });
        let (before, after) = (world.catalogue().plan(&request), other.catalogue().plan(&request));
        assert_eq!(after, before);
        before.is_ok()
    });
}

#[test]
fn backups_of_a_part_that_is_not_asked_for_change_nothing() {
    everywhere(|world, request, planned, rng| {
        let (Some(_), false) = (&request.scope.parts, world.entries.is_empty()) else { return false };
        let other = changed(world, |other| {
            let mut stranger = other.entries[rng.usize(..other.entries.len())].clone();
            // Of no run and no log that the request could mean.
            (stranger.id, stranger.part, stranger.run) = (id(500), "x".to_owned(), RunId::from_u128(500));
            if stranger.log.is_none() {
                other.entries.push(stranger);
            }
        });
        assert_eq!(&other.catalogue().plan(request), planned);
        planned.is_ok()
    });
}

#[test]
fn without_what_is_not_used_the_plan_is_the_same() {
    everywhere(|world, request, _, rng| {
        // What leads to something that may not be used now also shows that this is no loss, so a strict request may be
        // refused without it. Of parts that go together, one may stay behind its own newest point in the same way.
        let request = Request { strictness: Strictness::NearestEarlier, cut: Cut::PerPart, ..request.clone() };
        let (Ok(plan), true) = (world.catalogue().plan(&request), is_plain(world)) else { return false };
        let used: BTreeSet<BackupId> = plan.steps().map(|(_, step)| step.backup).collect();
        let other = changed(world, |other| other.entries.retain(|entry| used.contains(&entry.id) || rng.bool()));
        let left_out = |refused: &PlanError| {
            refused.reason == Reason::OtherTimeline && request.timelines.keys().any(|it| !plan.parts.contains_key(it))
        };
        let left = match other.catalogue().plan(&request) {
            // A part that is left out may lose all that it has on the timeline that was named for it. That is refused.
            Err(refused) if left_out(&refused) => return false,
            left => left.unwrap(),
        };
        for (name, part) in &plan.parts {
            let ids = |part: &PartPlan| part.steps.iter().map(|step| step.backup).collect::<Vec<_>>();
            assert_eq!(left.parts[name].reached, part.reached, "'{name}' of {world}");
            assert_eq!(ids(&left.parts[name]), ids(part), "'{name}' of {world}");
        }
        other.entries.len() < world.entries.len()
    });
}

#[test]
fn without_a_step_nothing_better_is_reached() {
    everywhere(|world, request, _, rng| {
        let request = latest(request);
        let planned = world.catalogue().plan(&request);
        let (Ok(plan), true) = (&planned, is_plain(world)) else { return false };
        let steps: Vec<BackupId> = plan.steps().map(|(_, step)| step.backup).collect();
        let lost = steps[rng.usize(..steps.len())];
        let other = changed(world, |other| other.entries.retain(|entry| entry.id != lost));
        let left = other.catalogue().plan(&Request { allow_missing_parts: true, ..request.clone() });
        for (name, part) in &plan.parts {
            let until = reached(&left, name).map(|reached| reached.until);
            assert!(until <= Some(part.reached.until), "'{name}' of {world} without {lost}");
        }
        if let Ok(left) = left {
            let same = left.parts.iter().all(|(name, part)| part.reached.until == plan.parts[name].reached.until);
            let risk = |plan: &Plan| (plan.totals.deletes_unseen, plan.totals.unverified, plan.totals.cost);
            let partial = request.allow_partial || left.parts.len() < plan.parts.len();
            assert!(!same || partial || risk(plan) <= risk(&left), "a better plan for {world} without {lost}");
        }
        true
    });
}

#[test]
fn all_moments_shift_together() {
    everywhere(|world, request, planned, rng| {
        let by = rng.i64(-1_000_000_000..1_000_000_000_000);
        let shift = |moment: &mut Timestamp| *moment = moment.plus_micros(by);
        let other = changed(world, |other| {
            for entry in &mut other.entries {
                let Window { from, until, settled } = &mut entry.window;
                from.iter_mut().chain([until, settled]).for_each(shift);
            }
            for timeline in &mut other.timelines {
                timeline.began.iter_mut().chain(timeline.parent.as_mut().map(|parent| &mut parent.1)).for_each(shift);
            }
        });
        let mut later = request.clone();
        if let Target::AtOrBefore(moment) | Target::Exactly(moment) = &mut later.target {
            shift(moment);
        }
        let back = |reached: Reached| (reached.until.plus_micros(-by), reached.settled.plus_micros(-by));
        let here = |reached: Reached| (reached.until, reached.settled);
        match (planned, other.catalogue().plan(&later)) {
            (Ok(plan), Ok(shifted)) => {
                let steps = |plan: &Plan| plan.steps().map(|(_, step)| step.backup).collect::<Vec<_>>();
                assert_eq!(steps(&shifted), steps(plan), "{world}");
                for (name, part) in &plan.parts {
                    assert_eq!(back(shifted.parts[name].reached), here(part.reached), "{world}");
                }
                true
            }
            (Err(refused), Err(shifted)) => {
                assert_eq!((shifted.reason, &shifted.part), (refused.reason, &refused.part), "{world}");
                assert_eq!(shifted.before.map(back), refused.before.map(here), "{world}");
                assert_eq!(shifted.after.map(back), refused.after.map(here), "{world}");
                false
            }
            (one, other) => panic!("{one:?} becomes {other:?} for {world}"),
        }
    });
}

/// Another copy of everything that can be read, each as the one it was made of but for what reading it costs.
fn copied(world: &World, dearer: u64) -> World {
    changed(world, |other| {
        for entry in &mut other.entries {
            if entry.copies.is_empty() {
                entry.copies.push(Held::in_storage(HOME));
            }
            if let Some(one) = entry.copies.iter().find(|copy| copy.state == HeldState::Present).cloned() {
                let cost = one.cost.saturating_add(dearer);
                entry.copies.push(Held { storage: "zweit".to_owned(), cost, ..one });
            }
        }
    })
}

#[test]
fn a_second_copy_changes_neither_points_nor_steps() {
    everywhere(|world, request, _, _| {
        let request = Request { storages: None, ..request.clone() };
        let (before, after) = (world.catalogue().plan(&request), copied(world, 5).catalogue().plan(&request));
        assert_eq!(outcome(&after), outcome(&before), "{world}");
        let (Ok(before), Ok(after)) = (&before, &after) else { return false };
        let alternates = |plan: &Plan| plan.steps().map(|(_, step)| step.alternates.len()).sum::<usize>();
        assert_eq!(alternates(after), alternates(before) + before.steps().count(), "each has one more to fail over to");
        true
    });
}

#[test]
fn a_cheaper_copy_changes_the_cost_alone() {
    everywhere(|world, request, _, _| {
        let request = Request { storages: None, ..request.clone() };
        let mut cheaper = copied(world, 0);
        for copy in cheaper.entries.iter_mut().filter_map(|entry| entry.copies.last_mut()) {
            (copy.cost, copy.tier) = (0, Tier::Hot);
        }
        let (before, after) = (world.catalogue().plan(&request), cheaper.catalogue().plan(&request));
        let (Ok(before), Ok(after)) = (&before, &after) else { return false };
        let points =
            |plan: &Plan| plan.parts.iter().map(|(name, part)| (name.clone(), part.reached.until)).collect::<Vec<_>>();
        assert_eq!(points(after), points(before), "{world}");
        let risk = |plan: &Plan| (plan.totals.deletes_unseen, plan.totals.unverified);
        assert!(risk(after) == risk(before) || before.parts.len() > 1 || request.allow_partial, "{world}");
        assert!(after.totals.cost <= before.totals.cost, "{world}");
        true
    });
}

#[test]
fn a_narrower_filter_reaches_as_far() {
    everywhere(|world, request, _, rng| {
        if !is_plain(world) {
            return false;
        }
        let of = |names: &[&str]| {
            let filter = tables(names);
            let scope = Scope { parts: Some([("p".to_owned(), filter)].into()) };
            world.catalogue().plan(&Request { scope, ..latest(request) })
        };
        let names: &[&str] = if rng.bool() { &[] } else { &["t", "u"] };
        let (wide, narrow) = (of(names), of(&["t"]));
        let until = |planned: &Planned| reached(planned, "p").map(|reached| reached.until);
        assert!(until(&narrow) >= until(&wide), "{world}");
        until(&wide).is_some()
    });
}

#[test]
fn fewer_parts_together_reach_as_far() {
    everywhere(|world, request, _, _| {
        let known: BTreeSet<String> =
            world.entries.iter().map(|it| it.part.clone()).filter(|it| !it.is_empty()).collect();
        let of = |parts: BTreeSet<String>| {
            let request = Request { scope: Scope::of_parts(parts), cut: Cut::Together, ..latest(request) };
            world.catalogue().plan(&Request { allow_missing_parts: false, cut: Cut::Together, ..request })
        };
        let all = of(known.clone());
        let Ok(plan) = &all else { return false };
        for name in &known {
            let fewer = of(known.iter().filter(|other| *other != name).cloned().collect());
            let alone = known.len() == 1;
            assert!(alone || fewer.unwrap().reached.until >= plan.reached.until, "{world} without '{name}'");
        }
        known.len() > 1
    });
}

#[test]
fn a_request_that_allows_more_reaches_as_far() {
    everywhere(|world, request, _, _| {
        if !is_plain(world) {
            return false;
        }
        let strict = latest(request);
        let lax = Request {
            storages: None,
            allow_partial: true,
            verified_only: false,
            keys: None,
            codecs: None,
            ..strict.clone()
        };
        let (strict, lax) = (world.catalogue().plan(&strict), world.catalogue().plan(&lax));
        let Ok(plan) = &strict else { return false };
        for (name, part) in &plan.parts {
            assert!(reached(&lax, name).map(|it| it.until) >= Some(part.reached.until), "'{name}' of {world}");
        }
        true
    });
}

/// A cover incremental in two: at every moment after its end the same is reached.
#[test]
fn an_incremental_in_two_reaches_the_same() {
    everywhere(|world, request, _, rng| {
        let cover = |entry: &&Entry| entry.kind == BackupKind::Incremental && entry.applies == Applies::Cover;
        let makes_sense = |entry: &&Entry| entry.window.until <= entry.window.settled;
        let long =
            |entry: &&Entry| entry.window.from.is_some_and(|from| from.plus_micros(1_500_000) < entry.window.until);
        let some: Vec<BackupId> =
            world.entries.iter().filter(cover).filter(makes_sense).filter(long).map(|entry| entry.id).collect();
        if some.is_empty() || !is_plain(world) {
            return false;
        }
        let split = some[rng.usize(..some.len())];
        let other = changed(world, |other| {
            let whole = other.entries.iter_mut().find(|entry| entry.id == split).unwrap();
            let middle = whole.window.from.map(|from| from.plus_micros(1_000_000));
            let mut first = whole.clone();
            (whole.window.from, first.id) = (middle, id(500));
            (first.window.until, first.window.settled) = (middle.unwrap(), middle.unwrap());
            other.entries.push(first);
        });
        let request = latest(request);
        let (before, after) = (world.catalogue().plan(&request), other.catalogue().plan(&request));
        let Ok(plan) = &before else { return false };
        for (name, part) in &plan.parts {
            assert_eq!(reached(&after, name).map(|it| it.until), Some(part.reached.until), "'{name}' of {world}");
        }
        true
    });
}
