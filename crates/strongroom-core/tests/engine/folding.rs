//! A chain that is merged first leaves what the backups leave one after the other, and writes each record once.

use std::collections::BTreeMap;

use strongroom_core::ErrorKind;
use strongroom_core::cluster::{Conflict, RestoreOptions};
use strongroom_core::engine::{BackupKindWish, BackupRequest, Journal, RestoreRequest};
use strongroom_core::id::SessionId;
use strongroom_core::model::{Filter, Scope};
use strongroom_core::planner::{Plan, Request, Target};
use strongroom_testkit::{MemoryStorage, PartFault, SimulatedCluster, SimulatedOptions, Workload};

use crate::support::{World, request, settings};

const WORKLOAD: Workload = Workload { steps: 30, records: 12, value: 60, files: false };

fn folding() -> SimulatedOptions {
    SimulatedOptions { fold: true, ..SimulatedOptions::default() }
}

/// A base and incrementals, one of which reaches over a second base, all cut into pieces at other places.
async fn history(options: SimulatedOptions, seed: u64) -> World {
    let world = World::with(options, seed, WORKLOAD).await;
    for (number, pieces) in (0..).zip([4, 1, 7, 64, 3, 2]) {
        world.cluster.cut_into(pieces);
        let kind = if number == 3 { BackupKindWish::Base } else { BackupKindWish::Auto };
        world.backup_with(BackupRequest { kind, ..request() }).await;
        world.change_by(seed * 100 + number, WORKLOAD);
    }
    world
}

fn with(options: RestoreOptions, no_fold: bool) -> RestoreRequest {
    RestoreRequest { options, no_fold, settings: settings(), ..RestoreRequest::default() }
}

/// Every plan that is looked at: each moment, the whole and by filters.
async fn plans(world: &World) -> Vec<Plan> {
    let tables = Filter { tables: Some(["table-0".to_owned(), "table-2".to_owned()].into()), ..Filter::default() };
    let partitions = Filter { partitions: Some((5..40).collect()), ..Filter::default() };
    let filters = [Filter::default(), tables, partitions];
    let loaded = world.open().await.load().await.unwrap();
    let mut plans = Vec::new();
    for entry in loaded.entries().filter(|entry| entry.part == "a") {
        for filter in &filters {
            let scope = Scope { parts: Some([("a".to_owned(), filter.clone())].into()) };
            let request = Request::at(Target::Backup(entry.id)).of(scope);
            plans.push(loaded.catalogue().plan(&request).unwrap());
        }
    }
    assert!(plans.iter().any(|plan| plan.totals.steps == 3));
    plans
}

/// Restores in both ways into targets that hold the same, and compares. The number of writes of each record.
async fn both_ways(
    world: &World,
    plan: &Plan,
    options: &RestoreOptions,
    target: &SimulatedCluster,
) -> [BTreeMap<String, u64>; 2] {
    let (merged, one_by_one) = (target.duplicate(), target.duplicate());
    let folded = world.restore(plan.clone(), &merged, with(options.clone(), false)).await.unwrap();
    let single = world.restore(plan.clone(), &one_by_one, with(options.clone(), true)).await.unwrap();
    assert_eq!(merged.contents(), one_by_one.contents(), "{options:?}, {:?}", plan.parts["a"].filter);
    assert!(folded.applied.written <= single.applied.written);
    [merged.writes(), one_by_one.writes()]
}

#[tokio::test(start_paused = true)]
async fn merged_or_one_by_one_a_chain_ends_in_the_same_state() {
    let forms = [
        folding(),
        SimulatedOptions { live: true, empty_pieces: true, ..folding() },
        SimulatedOptions { zero_byte_piece: true, nodes: 3, ..folding() },
    ];
    for (seed, form) in (1..).zip(forms) {
        let world = history(form, seed).await;
        let occupied = world.target();
        occupied.change(&["a"], seed + 77, WORKLOAD);
        let (mut once, mut often) = (0, 0);
        for plan in plans(&world).await {
            let plain = |conflict| RestoreOptions { conflict, ..RestoreOptions::default() };
            let emptied = RestoreOptions { truncate: true, ..RestoreOptions::default() };
            for (target, options) in [
                (&world.target(), plain(Conflict::Replace)),
                (&occupied, plain(Conflict::Replace)),
                (&occupied, plain(Conflict::Keep)),
                (&occupied, plain(Conflict::Newer)),
                (&occupied, emptied),
            ] {
                let [merged, plain] = both_ways(&world, &plan, &options, target).await;
                if plan.totals.steps > 1 {
                    assert!(merged.values().all(|writes| *writes == 1), "seed {seed}: {merged:?}");
                    once += merged.len();
                    often += plain.values().filter(|writes| **writes > 1).count();
                }
            }
        }
        assert!(once > 300 && often > 300, "seed {seed}: {once} records once, {often} several times");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_is_deleted_once_and_only_where_something_may_be() {
    let world = World::with(folding(), 1, Workload { steps: 0, ..WORKLOAD }).await;
    for record in ["kept", "gone", "back"] {
        world.cluster.put("a", "t", record, "1");
    }
    world.backup().await;
    for record in ["gone", "back"] {
        world.cluster.delete("a", "t", record);
    }
    world.backup().await;
    world.cluster.put("a", "t", "back", "2");
    world.backup().await;
    let plan = world.plan(&Request::at(Target::Latest).of(Scope::of_parts(["a"]))).await;
    for truncate in [false, true] {
        let target = world.target();
        for record in ["gone", "back", "other"] {
            target.put("a", "t", record, "0");
        }
        let options = RestoreOptions { truncate, ..RestoreOptions::default() };
        let summary = world.restore(plan.clone(), &target, with(options, false)).await.unwrap();
        assert_eq!((summary.applied.written, summary.applied.deleted), (2, u64::from(!truncate)));
        let mut wanted = vec!["a/t/back", "a/t/kept"];
        wanted.extend((!truncate).then_some("a/t/other"));
        assert_eq!(target.contents().keys().collect::<Vec<_>>(), wanted);
        assert_eq!(target.writes().get("a/t/gone"), (!truncate).then_some(&1));
        assert_eq!(target.writes()["a/t/back"], 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_merge_that_broke_off_goes_on_and_writes_what_is_left() {
    let world = history(folding(), 5).await;
    let plan = world.plan(&Request::at(Target::Latest).of(Scope::of_parts(["a"]))).await;
    assert!(plan.totals.steps > 1);
    let (target, journal) = (world.target(), Journal::new(std::sync::Arc::new(MemoryStorage::new())));
    let session = SessionId::from_u128(7);
    let going = || RestoreRequest {
        journal: Some(journal.clone()),
        session: Some(session),
        // One stretch at a time, so that what was written is known.
        settings: strongroom_core::pipeline::Settings { parallel: 1, ..settings() },
        ..with(RestoreOptions::default(), false)
    };
    target.create_part("a");
    // The first write is that of the definitions, which have no records.
    target.fail("a", PartFault::Write { after: 1, kind: ErrorKind::NoSpace, times: 2 });
    let mut failures = 0;
    while let Err(error) = world.restore(plan.clone(), &target, going()).await {
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        failures += 1;
        if failures < 4 {
            target.fail("a", PartFault::Write { after: 1, kind: ErrorKind::NoSpace, times: 1 });
        }
    }
    assert!(failures >= 2, "it broke off {failures} times");
    assert_eq!(target.contents(), world.expected(&crate::support::reached(&plan)));
    let twice = target.writes().into_values().filter(|writes| *writes > 1).count();
    assert!(twice <= failures * 8, "only what was in the stretch that broke off is written again: {twice}");
}

#[tokio::test(start_paused = true)]
async fn backups_without_a_common_form_are_written_one_by_one() {
    let world = World::with(SimulatedOptions::default(), 1, WORKLOAD).await;
    world.backup().await;
    world.change_by(2, WORKLOAD);
    world.backup().await;
    let plan = world.plan(&Request::at(Target::Latest).of(Scope::of_parts(["a"]))).await;
    let target = SimulatedCluster::new("target", std::sync::Arc::new(world.clock.clone()), folding());
    world.restore(plan.clone(), &target, with(RestoreOptions::default(), false)).await.unwrap();
    assert_eq!(target.contents(), world.expected(&crate::support::reached(&plan)));
    assert!(target.writes().values().any(|writes| *writes > 1), "its cluster said nothing of a form");
}
