//! What must hold of every round, over many random histories and policies. A failure prints its seed; `RETENTION_CASES`
//! asks for more than the usual number of histories, `RETENTION_SEED` for one alone.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_core::Timestamp;
use strongroom_core::id::BackupId;
use strongroom_core::model::{Filter, Scope, Status};
use strongroom_core::planner::{
    Block, Catalogue, Entry, Pin, PinKind, Reached, Request, RetentionPlan, RetentionRequest, Strictness, Target,
};

use crate::drawn::at;
use crate::worlds::{END, Rng, World, random_request};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Calls `case` with many seeds, and tells which one failed.
pub(crate) fn cases(usual: u64, case: impl Fn(u64) -> (String, std::thread::Result<()>)) {
    let one = number("RETENTION_SEED");
    let cases = number("RETENTION_CASES").unwrap_or(usual);
    for seed in one.map_or(0..cases, |one| one..one + 1) {
        let (world, outcome) = case(seed);
        if let Err(panic) = outcome {
            eprintln!("RETENTION_SEED={seed}\n{world}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Calls `check` with many histories and a policy for each.
fn everywhere(usual: u64, check: impl Fn(&World, &RetentionRequest, &mut Rng)) {
    cases(usual, |seed| {
        let mut rng = Rng::new(seed);
        let world = World::random(&mut rng, 40);
        let request = random_request(&mut rng, &world);
        let check = || check(&world, &request, &mut rng.clone());
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        (format!("{}\n{request:?}", world.describe()), outcome)
    });
}

pub(crate) fn going(plan: &RetentionPlan) -> Vec<BackupId> {
    let parts = plan.parts.iter().flat_map(|part| &part.going);
    parts.chain(plan.logs.iter().flat_map(|log| &log.going)).map(|going| going.backup).collect()
}

fn scope(entry: &Entry) -> Scope {
    Scope { parts: Some(BTreeMap::from([(entry.part.clone(), entry.filter.clone())])) }
}

/// Where a restore to each backup ends: with what is whole, and with what is partial.
pub(crate) fn reached(catalogue: &Catalogue) -> BTreeMap<(BackupId, bool), Reached> {
    let mut all = BTreeMap::new();
    for entry in catalogue.entries().filter(|entry| entry.log.is_none()) {
        for partial in [false, true] {
            let target = Request::at(Target::Backup(entry.id)).of(scope(&entry));
            let request = Request { allow_partial: partial, cluster: Some(entry.cluster), ..target };
            let plan = catalogue.plan(&request);
            // What is whole is promised as that.
            if let Ok(plan) = plan
                && !(partial && all.contains_key(&(entry.id, false)))
            {
                all.insert((entry.id, partial), plan.reached);
            }
        }
    }
    all
}

/// Compares, but for what is gone.
pub(crate) fn is_reached_as_before(
    before: &BTreeMap<(BackupId, bool), Reached>,
    after: &BTreeMap<(BackupId, bool), Reached>,
    gone: &[BackupId],
) {
    for ((backup, partial), point) in before {
        if !gone.contains(backup) {
            assert_eq!(after.get(&(*backup, *partial)), Some(point), "{backup} {partial}");
        }
    }
}

/// What a restore to a moment ends at.
fn at_moment(catalogue: &Catalogue, part: &str, filter: &Filter, moment: Timestamp) -> Option<Reached> {
    let scope = Scope { parts: Some(BTreeMap::from([(part.to_owned(), filter.clone())])) };
    let target = Target::AtOrBefore(moment);
    let request = Request { strictness: Strictness::NearestEarlier, ..Request::at(target).of(scope) };
    catalogue.plan(&request).ok().map(|plan| plan.reached)
}

#[test]
fn whatever_stays_is_reached_as_before() {
    everywhere(300, |world, request, _| {
        let catalogue = world.catalogue();
        let plan = catalogue.retain(request).unwrap();
        let gone = going(&plan);
        let left = world.without(&gone).catalogue();
        let (before, after) = (reached(&catalogue), reached(&left));
        is_reached_as_before(&before, &after, &gone);
        plan.check(&catalogue).unwrap();
        plan.check(&left).unwrap();
        for kept in plan.parts.iter().flat_map(|part| &part.kept) {
            // What only a narrower chain reaches is no point of its own filter.
            let found = after.get(&(kept.backup, kept.partial));
            assert!(found.is_none_or(|point| *point == kept.reached), "{}", kept.backup);
        }
    });
}

#[test]
fn every_moment_of_the_window_stays() {
    everywhere(300, |world, request, rng| {
        let catalogue = world.catalogue();
        let plan = catalogue.retain(request).unwrap();
        let left = world.without(&going(&plan)).catalogue();
        let series: BTreeSet<(&String, Option<&String>)> = world
            .entries
            .iter()
            .filter(|entry| entry.log.is_none())
            .map(|entry| (&entry.part, entry.filter.tables.as_ref().and_then(|tables| tables.first())))
            .collect();
        for (part, table) in series {
            let policy = request.parts.get(part).unwrap_or(&request.policy);
            let Some(span) = policy.point_in_time.filter(|_| policy.max_size.is_none()) else { continue };
            let filter = Filter { tables: table.map(|table| [table.clone()].into()), ..Filter::default() };
            let start = request.now.micros() - span.micros();
            for _ in 0..30 {
                let moment = rng.within(start, at((END + 200) * 3600).micros());
                let moment = Timestamp::from_micros(moment - moment.rem_euclid(1_800_000_000) + 1_800_000_000);
                let before = at_moment(&catalogue, part, &filter, moment);
                let after = at_moment(&left, part, &filter, moment);
                // Another chain to the same moment may be settled earlier.
                let until = |reached: Option<Reached>| reached.map(|reached| reached.until);
                assert_eq!(until(before), until(after), "'{part}' {filter:?} at {moment}");
                let settled = |reached: Option<Reached>| reached.map(|reached| reached.settled);
                assert!(settled(after) <= settled(before), "'{part}' {filter:?} at {moment}");
            }
        }
    });
}

#[test]
fn nothing_goes_that_is_pinned_held_locked_or_read() {
    everywhere(300, |world, request, _| {
        let plan = world.catalogue().retain(request).unwrap();
        for backup in going(&plan) {
            let entry = world.entry(backup);
            let live = |until: Option<Timestamp>| until.is_none_or(|until| until > request.now);
            assert!(!entry.pins.iter().any(|pin| live(pin.until)), "{backup} is pinned");
            let locked =
                |copy: &strongroom_core::planner::Held| copy.locked_until.is_some_and(|until| until > request.now);
            assert!(!entry.copies.iter().any(locked), "{backup} is locked");
            assert!(!request.activity.leases.contains_key(&backup), "{backup} is read");
            assert_ne!(entry.status, Status::Deleted, "{backup} goes already");
            for flight in &request.activity.in_flight {
                let continued = (entry.cluster, &entry.part, entry.timeline)
                    == (flight.cluster, &flight.part, flight.timeline)
                    && entry.log.is_none()
                    && Some(entry.window.until) == flight.from;
                assert!(!continued, "{backup} may be continued");
            }
        }
    });
}

#[test]
fn a_catalogue_that_is_not_complete_loses_nothing() {
    everywhere(200, |world, request, _| {
        let entries = world.entries.iter().cloned();
        let catalogue = Catalogue::from_entries(entries, world.timelines.iter().cloned(), 7, false);
        let plan = catalogue.retain(request).unwrap();
        assert_eq!(going(&plan), []);
        let blocked =
            plan.parts.iter().flat_map(|part| &part.blocked).chain(plan.logs.iter().flat_map(|log| &log.blocked));
        assert!(blocked.into_iter().all(|blocked| blocked.by.contains(&Block::CatalogueIncomplete)));
    });
}

#[test]
fn a_second_round_finds_nothing_to_do() {
    everywhere(300, |world, request, _| {
        let first = world.catalogue().retain(request).unwrap();
        let second = world.without(&going(&first)).catalogue().retain(request).unwrap();
        assert_eq!(going(&second), []);
    });
}

#[test]
fn a_laxer_policy_deletes_nothing_more() {
    everywhere(300, |world, request, rng| {
        let catalogue = world.catalogue();
        let mut strict = request.clone();
        let mut policies: Vec<_> = std::iter::once(&mut strict.policy).chain(strict.parts.values_mut()).collect();
        for policy in &mut policies {
            // A bound on size trades one point for another.
            policy.max_size = None;
        }
        let mut lax = strict.clone();
        for policy in std::iter::once(&mut lax.policy).chain(lax.parts.values_mut()) {
            let counts = [
                &mut policy.keep_last,
                &mut policy.keep_hourly,
                &mut policy.keep_daily,
                &mut policy.keep_weekly,
                &mut policy.keep_monthly,
                &mut policy.keep_yearly,
            ];
            let had_rules = policy.keep_within.is_some()
                || policy.point_in_time.is_some()
                || counts.iter().any(|count| count.is_some());
            if !had_rules {
                continue;
            }
            for count in counts {
                if rng.odds(30) {
                    *count = Some(count.unwrap_or(0) + u32::try_from(rng.below(4)).unwrap());
                }
            }
            if let Some(span) = policy.keep_within.as_mut().filter(|_| rng.odds(50)) {
                span.0 *= 2;
            }
            if let Some(span) = policy.point_in_time.as_mut().filter(|_| rng.odds(50)) {
                span.0 *= 2;
            }
            policy.min_redundancy += u32::try_from(rng.below(2)).unwrap();
            policy.keep_unusable.0 *= 1 + u32::try_from(rng.below(2)).unwrap();
        }
        let less: BTreeSet<BackupId> = going(&catalogue.retain(&lax).unwrap()).into_iter().collect();
        let more: BTreeSet<BackupId> = going(&catalogue.retain(&strict).unwrap()).into_iter().collect();
        assert!(less.is_subset(&more), "{:?}", less.difference(&more));
    });
}

#[test]
fn a_pin_never_loses_a_point() {
    everywhere(300, |world, request, rng| {
        if world.entries.is_empty() {
            return;
        }
        let catalogue = world.catalogue();
        let mut request = request.clone();
        for policy in std::iter::once(&mut request.policy).chain(request.parts.values_mut()) {
            // What is pinned counts: under a bound on size it takes the place of another point.
            policy.max_size = None;
        }
        let gone = going(&catalogue.retain(&request).unwrap());
        let before = reached(&world.without(&gone).catalogue());
        let mut pinned = world.clone();
        let at = usize::try_from(rng.below(world.entries.len() as u64)).unwrap();
        pinned.entries[at].pins.push(Pin::new(PinKind::Pin, "one more"));
        let still_gone = going(&pinned.catalogue().retain(&request).unwrap());
        assert!(still_gone.iter().all(|backup| gone.contains(backup)), "{gone:?}, then {still_gone:?}");
        is_reached_as_before(&before, &reached(&pinned.without(&still_gone).catalogue()), &[]);
    });
}

#[test]
fn the_order_of_listing_does_not_matter_and_a_plan_survives_json() {
    everywhere(200, |world, request, rng| {
        let plan = world.catalogue().retain(request).unwrap();
        let mut other = world.clone();
        rng.shuffle(&mut other.entries);
        rng.shuffle(&mut other.timelines);
        assert_eq!(other.catalogue().retain(request).unwrap(), plan);
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<RetentionPlan>(&json).unwrap(), plan);
    });
}

#[test]
fn every_backup_is_told_of_once() {
    everywhere(300, |world, request, _| {
        let plan = world.catalogue().retain(request).unwrap();
        let mut told: BTreeMap<BackupId, u32> = BTreeMap::new();
        for part in &plan.parts {
            let kept = part.kept.iter().map(|point| point.backup);
            let needed = part.needed.iter().map(|needed| needed.backup);
            let blocked = part.blocked.iter().map(|blocked| blocked.backup);
            let going = part.going.iter().map(|going| going.backup);
            for backup in kept.chain(needed).chain(blocked).chain(going) {
                *told.entry(backup).or_default() += 1;
            }
            assert!(part.going.is_sorted_by(|a, b| a.until >= b.until), "newest first");
            assert!(part.kept.is_sorted_by(|a, b| a.reached.until <= b.reached.until), "oldest first");
        }
        for entry in world.entries.iter().filter(|entry| entry.log.is_none()) {
            let times = u32::from(entry.status != Status::Deleted);
            assert_eq!(told.get(&entry.id).copied().unwrap_or(0), times, "{}", entry.id);
        }
        let segments = world.entries.iter().filter(|entry| entry.log.is_some()).count() as u64;
        let going: u64 = plan.logs.iter().map(|log| log.going.len() as u64 + log.kept).sum();
        assert!(going <= segments);
    });
}

#[test]
fn what_is_left_fits_or_is_said_to_be_over() {
    everywhere(300, |world, request, _| {
        let plan = world.catalogue().retain(request).unwrap();
        for part in &plan.parts {
            let policy = request.parts.get(&part.part).unwrap_or(&request.policy);
            let Some(bound) = policy.max_size else { continue };
            let mut bytes: u64 = part.kept.iter().map(|point| world.entry(point.backup).size.stored_bytes).sum();
            bytes += part.needed.iter().map(|needed| needed.freed.bytes).sum::<u64>();
            bytes += part.blocked.iter().map(|blocked| blocked.freed.bytes).sum::<u64>();
            assert!(part.over_size > 0 || bytes <= bound.0, "{bytes} of {bound:?}");
        }
    });
}
