//! The first incremental after a base reaches over it, so that losing the base loses nothing else.

use std::sync::Arc;

use strongroom_core::engine::{BackupKindWish, BackupRequest, Committed, PartOutcome, VerifyRequest, verify};
use strongroom_core::id::BackupId;
use strongroom_core::model::{Applies, BackupKind, Depth, Filter, Scope};
use strongroom_core::planner::{Catalogue, Entry, Request, Target};
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_testkit::{MemoryStorage, SimulatedCluster, SimulatedOptions, TestClock, Workload};

use crate::support::{START, World, committed, environment, part, pieces, request, restored};
use crate::toy::Codecs;

const HOURS: u64 = 7 * 24;

fn wish(kind: BackupKindWish) -> BackupRequest {
    BackupRequest { kind, scope: Scope::of_parts(["a"]), ..request() }
}

/// A cluster of about a thousand records, of which a dozen change in each hour.
async fn thousand(options: SimulatedOptions) -> World {
    let cluster = SimulatedCluster::new("orders", Arc::new(TestClock::at(START).ticking(7)), options);
    for record in 0..340 {
        for table in 0..3 {
            cluster.put("a", &format!("table-{table}"), &format!("r{record}"), vec![7; 100]);
        }
    }
    let storage = MemoryStorage::new();
    Repository::init(Arc::new(storage.clone()), environment(0), InitOptions::default()).await.unwrap();
    World { storage, cluster }
}

/// An hourly backup for a week, the first one of each day a base.
async fn week(no_bridging: bool) -> (World, Vec<Committed>) {
    let world = thousand(SimulatedOptions::default()).await;
    let mut backups = Vec::new();
    for hour in 0..HOURS {
        let kind = if hour % 24 == 0 { BackupKindWish::Base } else { BackupKindWish::Auto };
        let report = world.backup(hour, BackupRequest { no_bridging, ..wish(kind) }).await.unwrap();
        backups.push(committed(&report, "a").clone());
        let workload = Workload { steps: 12, records: 340, value: 100, files: false };
        world.cluster.change(&["a"], hour, workload);
    }
    (world, backups)
}

async fn entries(world: &World) -> Vec<Entry> {
    world.open(900).await.load().await.unwrap().entries().collect()
}

/// The backups out of reach by what is left without `lost`.
fn lost_points(entries: &[Entry], lost: BackupId) -> Vec<BackupId> {
    let left: Vec<Entry> = entries.iter().filter(|entry| entry.id != lost).cloned().collect();
    let catalogue = Catalogue::from_entries(left.clone(), [], 1, true);
    let reached = |entry: &Entry| {
        let plan = catalogue.plan(&Request::at(Target::Backup(entry.id)));
        plan.is_ok_and(|plan| plan.reached.until == entry.window.until)
    };
    left.iter().filter(|entry| !reached(entry)).map(|entry| entry.id).collect()
}

#[tokio::test(start_paused = true)]
async fn in_a_week_no_base_but_the_first_takes_another_point_with_it() {
    let (bridged, plain) = (week(false).await, week(true).await);
    let bytes = |backups: &[Committed]| backups.iter().map(|done| done.totals.stored_bytes).sum::<u64>();
    let (dear, cheap) = (bytes(&bridged.1), bytes(&plain.1));
    println!("stored bytes of a week: {cheap} without bridging, {dear} with");
    assert!(dear > cheap && (dear - cheap) * 100 <= cheap, "at most 1 % more: {cheap} to {dear}");
    let (with, without) = (entries(&bridged.0).await, entries(&plain.0).await);
    for day in 1..7 {
        let base = |backups: &[Committed]| backups[day * 24].backup;
        assert_eq!(lost_points(&without, base(&plain.1)).len(), 23);
        assert_eq!(lost_points(&with, base(&bridged.1)), []);
        assert_eq!(bridged.1[day * 24 + 1].bridges, Some(base(&bridged.1)));
    }
    assert_eq!(bridged.1.iter().filter(|done| done.bridges.is_some()).count(), 6);
    assert!(plain.1.iter().all(|done| done.bridges.is_none()));
    assert_eq!(lost_points(&with, bridged.1[0].backup).len(), 23, "nothing comes before the first base");
    restore_without_each_base(&bridged.0, &bridged.1).await;
}

/// The same by real loss: its objects are gone, a check finds out, and what it carried is restored and compared.
async fn restore_without_each_base(world: &World, backups: &[Committed]) {
    let contents = world.storage.contents();
    for day in 1..7 {
        world.storage.replace(contents.clone());
        let base = &backups[day * 24];
        let (_, stored) = pieces(&world.open(901).await, &base.manifest).await;
        let parts = stored.iter().flat_map(|piece| &piece.parts);
        let objects: std::collections::BTreeSet<_> = parts.map(|part| &part.object.key).collect();
        for object in objects {
            assert!(world.storage.take(object).is_some());
        }
        let check = VerifyRequest {
            backups: Some([base.backup].into()),
            depth: Depth::Exists,
            settings: request().settings,
            record: true,
        };
        let found = verify(world.open(902).await, Arc::new(Codecs), check).await.unwrap();
        assert!(!found.is_whole());
        let repository = world.open(903).await;
        // The first of the day, which reaches over, then every fifth.
        for done in backups[day * 24 + 1..(day * 24 + 24)].iter().step_by(5) {
            let found = restored(&repository, done.backup, SimulatedOptions::default()).await;
            assert_eq!(found, world.cluster.part_at("a", done.window.until), "day {day}, {}", done.backup);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_forgot_what_came_before_the_base_starts_at_the_base_and_says_so() {
    let world = World::new(SimulatedOptions::default()).await;
    world.backup(1, request()).await.unwrap();
    world.change(2);
    world.backup(2, request()).await.unwrap();
    world.change(3);
    world.cluster.forget_changes("a");
    let base = world.backup(3, BackupRequest { kind: BackupKindWish::Base, ..request() }).await.unwrap();
    world.change(4);
    let dry = world.backup(4, BackupRequest { dry_run: true, ..request() }).await.unwrap();
    let next = world.backup(5, request()).await.unwrap();
    for report in [&dry, &next] {
        let warnings = &part(report, "a").warnings;
        assert!(warnings.iter().any(|line| line.contains("losing the base would lose")), "{warnings:?}");
        assert!(part(report, "b").warnings.is_empty(), "{report:?}");
    }
    let (base_of, done) = (committed(&base, "a"), committed(&next, "a"));
    assert_eq!((done.window.from, done.bridges), (Some(base_of.window.until), None));
    let other = committed(&next, "b");
    assert_eq!(other.bridges, Some(committed(&base, "b").backup), "the other part reaches over its base");
    assert!(other.window.from < Some(committed(&base, "b").window.until));
    // Had it forgotten more, a base were needed; where an incremental was asked for that is an error.
    world.change(6);
    world.cluster.forget_changes("a");
    let strict = world.backup(6, BackupRequest { kind: BackupKindWish::Incremental, ..request() }).await.unwrap();
    assert!(matches!(part(&strict, "a").outcome, PartOutcome::Failed { .. }), "{strict:?}");
    assert_eq!(committed(&strict, "b").kind, BackupKind::Incremental);
    let last = world.backup(7, request()).await.unwrap();
    assert_eq!(committed(&last, "a").kind, BackupKind::Base);
}

#[tokio::test(start_paused = true)]
async fn what_fits_onto_its_parent_alone_never_reaches_over_a_base() {
    let world = World::new(SimulatedOptions { applies: Applies::Exact, ..SimulatedOptions::default() }).await;
    let base = BackupRequest { kind: BackupKindWish::Base, ..request() };
    world.backup(1, base.clone()).await.unwrap();
    for round in 0..2 {
        // In the first round no incremental tells yet what this cluster's incrementals are.
        world.change(round * 10 + 2);
        let second = world.backup(round * 10 + 2, base.clone()).await.unwrap();
        world.change(round * 10 + 3);
        let next = world.backup(round * 10 + 3, request()).await.unwrap();
        let (second, done) = (committed(&second, "a"), committed(&next, "a"));
        assert_eq!((done.window.from, done.bridges), (Some(second.window.until), None));
        let manifest = world.open(800).await.manifest(&done.manifest).await.unwrap();
        assert_eq!(manifest.parent, Some(second.backup));
        assert_eq!(part(&next, "a").warnings.is_empty(), round == 1);
        let found = restored(&world.open(801).await, done.backup, SimulatedOptions::default()).await;
        assert_eq!(found, world.cluster.part_at("a", done.window.until));
    }
}

#[tokio::test(start_paused = true)]
async fn two_bases_in_a_row_are_reached_over_one_by_one() {
    let world = World::new(SimulatedOptions::default()).await;
    let base = BackupRequest { kind: BackupKindWish::Base, ..request() };
    let mut bases = Vec::new();
    for number in 1..4 {
        world.change(number);
        bases.push(committed(&world.backup(number, base.clone()).await.unwrap(), "a").clone());
    }
    world.change(9);
    let next = world.backup(9, request()).await.unwrap();
    let done = committed(&next, "a");
    assert_eq!((done.window.from, done.bridges), (Some(bases[1].window.until), Some(bases[2].backup)));
    let all: Vec<Entry> = entries(&world).await.into_iter().filter(|entry| entry.part == "a").collect();
    for lost in &bases {
        assert_eq!(lost_points(&all, lost.backup), [], "no single base is needed");
    }
}

#[tokio::test(start_paused = true)]
async fn only_backups_of_the_same_filter_are_reached_back_to() {
    let world = World::new(SimulatedOptions::default()).await;
    let filter = Filter { tables: Some(["table-1".to_owned()].into()), ..Filter::default() };
    let narrow = Scope { parts: Some([("a".to_owned(), filter)].into()) };
    world.backup(1, wish(BackupKindWish::Base)).await.unwrap();
    world.change(2);
    let of_narrow = BackupRequest { scope: narrow, ..request() };
    let first = world.backup(2, of_narrow.clone()).await.unwrap();
    world.change(3);
    let next = world.backup(3, of_narrow).await.unwrap();
    let (first, next) = (committed(&first, "a"), committed(&next, "a"));
    assert_eq!((next.window.from, next.bridges), (Some(first.window.until), None));
}
