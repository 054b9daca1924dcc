//! Backups that go well, and parts that fail alone.

use std::sync::Arc;
use std::time::Duration;

use strongroom_core::cluster::ClusterIdentity;
use strongroom_core::engine::{BackupKindWish, BackupReport, BackupRequest, PartOutcome, backup};
use strongroom_core::model::{Applies, BackupKind, Deletes, Filter, Scope, Status};
use strongroom_core::repository::{LeaseTerms, Purpose};
use strongroom_core::{Cluster as _, ErrorKind};
use strongroom_testkit::{PartFault, SimulatedCluster, SimulatedOptions, TestClock};

use crate::support::{START, World, committed, part, pieces, request, restored};
use crate::toy::Codecs;

fn options() -> SimulatedOptions {
    SimulatedOptions { zero_byte_piece: true, nodes: 3, ..SimulatedOptions::default() }
}

/// Every part as its backup says it is.
async fn check(world: &World, report: &BackupReport) {
    let repository = world.open(900).await;
    for part in &report.parts {
        let committed = committed(report, &part.part);
        let found = restored(&repository, committed.backup, options()).await;
        assert_eq!(found, world.cluster.part_at(&part.part, committed.window.until), "{}", part.part);
        assert_eq!(committed.restorable.unwrap().until, committed.window.until);
    }
}

#[tokio::test(start_paused = true)]
async fn a_base_and_incrementals_bring_each_moment_back() {
    let world = World::new(options()).await;
    let base = world.backup(1, request()).await.unwrap();
    assert!(base.is_success() && base.warnings.is_empty(), "{base:?}");
    for part in &base.parts {
        assert_eq!(committed(&base, &part.part).kind, BackupKind::Base);
        assert_eq!(part.reason.as_deref(), Some("it is the first backup of the part"));
        assert!(part.warnings.is_empty(), "{:?}", part.warnings);
    }
    check(&world, &base).await;
    for round in 2..5 {
        let before = committed(&base, "a").window.until;
        world.change(round);
        let next = world.backup(round, request()).await.unwrap();
        for part in &next.parts {
            let committed = committed(&next, &part.part);
            assert_eq!((committed.kind, &part.reason), (BackupKind::Incremental, &None));
            assert!(committed.window.from >= Some(before));
        }
        check(&world, &next).await;
    }
    check(&world, &base).await;
    let loaded = world.open(901).await.load().await.unwrap();
    assert_eq!((loaded.catalogue().len(), loaded.in_progress.len(), loaded.timelines().len()), (8, 0, 2));
    assert!(!world.storage.keys().iter().any(|key| key.as_str().contains("/receipts/")), "notes are cleared");
    assert!(world.open(902).await.leases().await.unwrap().is_empty(), "leases are given back");
}

#[tokio::test(start_paused = true)]
async fn a_manifest_counts_what_is_there() {
    let world = World::new(options()).await;
    let report = world.backup(1, request()).await.unwrap();
    let repository = world.open(2).await;
    let committed = committed(&report, "a");
    let (manifest, pieces) = pieces(&repository, &committed.manifest).await;
    assert_eq!(manifest.totals, committed.totals);
    assert_eq!(manifest.totals.pieces, pieces.len() as u64);
    assert_eq!(manifest.totals.plain_bytes, pieces.iter().map(|piece| piece.plain_bytes).sum::<u64>());
    assert!(manifest.totals.records > 10 && manifest.totals.stored_bytes > manifest.totals.plain_bytes);
    assert!(pieces.iter().any(|piece| piece.spec.name == "zero" && piece.plain_bytes == 0));
    assert_eq!(manifest.tool, concat!("strongroom ", env!("CARGO_PKG_VERSION")));
    assert_eq!(manifest.topology.nodes.len(), 3);
    let sizes = world.storage.contents();
    for object in pieces.iter().flat_map(|piece| &piece.parts).map(|part| &part.object) {
        assert_eq!(sizes[&object.key].len() as u64, object.size);
    }
}

#[tokio::test(start_paused = true)]
async fn the_wish_is_granted_or_refused() {
    let world = World::new(options()).await;
    let wish = |kind| BackupRequest { kind, ..request() };
    let first = world.backup(1, wish(BackupKindWish::Incremental)).await.unwrap();
    let PartOutcome::Failed { kind, what } = &part(&first, "a").outcome else { panic!("{first:?}") };
    assert_eq!(*kind, ErrorKind::BrokenChain);
    assert!(what.contains("it is the first backup of the part"), "{what}");
    assert!(first.into_result().is_err());
    assert_eq!(world.manifests(), 0);
    for (number, kind, becomes) in [
        (2, BackupKindWish::Base, BackupKind::Base),
        (3, BackupKindWish::Base, BackupKind::Base),
        (4, BackupKindWish::Incremental, BackupKind::Incremental),
        (5, BackupKindWish::Auto, BackupKind::Incremental),
    ] {
        world.change(number);
        let report = world.backup(number, wish(kind)).await.unwrap();
        assert_eq!(committed(&report, "a").kind, becomes);
        check(&world, &report).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_forgot_gives_a_base_for_that_part_alone() {
    let world = World::new(options()).await;
    world.backup(1, request()).await.unwrap();
    world.change(2);
    world.cluster.forget_changes("b");
    let wish = BackupRequest { kind: BackupKindWish::Incremental, ..request() };
    let report = world.backup(2, wish).await.unwrap();
    assert_eq!(committed(&report, "a").kind, BackupKind::Incremental);
    assert!(matches!(part(&report, "b").outcome, PartOutcome::Failed { kind: ErrorKind::BrokenChain, .. }));
    world.change(3);
    world.cluster.forget_changes("b");
    let report = world.backup(3, request()).await.unwrap();
    assert_eq!(committed(&report, "a").kind, BackupKind::Incremental);
    assert_eq!(committed(&report, "b").kind, BackupKind::Base);
    assert!(part(&report, "b").reason.as_ref().unwrap().contains("can't tell the changes since"));
    check(&world, &report).await;
}

#[tokio::test(start_paused = true)]
async fn another_filter_is_another_chain() {
    let world = World::new(options()).await;
    world.backup(1, request()).await.unwrap();
    let filter = Filter { tables: Some(["table-1".to_owned()].into()), ..Filter::default() };
    let scope = Scope { parts: Some([("a".to_owned(), filter)].into()) };
    let report = world.backup(2, BackupRequest { scope: scope.clone(), ..request() }).await.unwrap();
    assert_eq!(report.parts.len(), 1);
    assert_eq!(committed(&report, "a").kind, BackupKind::Base);
    assert!(part(&report, "a").reason.as_ref().unwrap().contains("has this filter"));
    world.change(3);
    let report = world.backup(3, BackupRequest { scope, ..request() }).await.unwrap();
    assert_eq!(committed(&report, "a").kind, BackupKind::Incremental);
}

#[tokio::test(start_paused = true)]
async fn a_failed_part_fails_alone() {
    let faults = [
        PartFault::Freeze("no snapshot".to_owned()),
        PartFault::Read { after: 10, kind: ErrorKind::Denied, times: 1000 },
        PartFault::Read { after: 10, kind: ErrorKind::Unavailable, times: 1000 },
    ];
    for fault in faults {
        let world = World::new(options()).await;
        world.cluster.fail("a", fault.clone());
        let report = world.backup(1, request()).await.unwrap();
        assert!(matches!(part(&report, "a").outcome, PartOutcome::Failed { .. }), "{fault:?}");
        committed(&report, "b");
        assert_eq!(world.manifests(), 1);
        world.cluster.heal();
        let next = world.backup(2, request()).await.unwrap();
        assert_eq!(committed(&next, "a").kind, BackupKind::Base, "it keeps its own history");
        assert_eq!(committed(&next, "b").kind, BackupKind::Incremental);
        check(&world, &next).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again() {
    let world = World::new(options()).await;
    world.cluster.fail("a", PartFault::Read { after: 10, kind: ErrorKind::Unavailable, times: 3 });
    let report = world.backup(1, request()).await.unwrap();
    assert!(report.is_success());
    check(&world, &report).await;
}

#[tokio::test(start_paused = true)]
async fn missing_ranges_make_a_partial_backup_that_no_chain_continues() {
    let world = World::new(options()).await;
    world.cluster.fail("a", PartFault::Missing("tokens 1 to 5".to_owned()));
    let report = world.backup(1, request()).await.unwrap();
    assert!(part(&report, "a").warnings.iter().any(|warning| warning.contains("missing")), "{report:?}");
    let loaded = world.open(2).await.load().await.unwrap();
    assert_eq!(loaded.entry(committed(&report, "a").backup).unwrap().status, Status::Partial);
    world.cluster.heal();
    let next = world.backup(3, request()).await.unwrap();
    assert_eq!(committed(&next, "a").kind, BackupKind::Base);
}

#[tokio::test(start_paused = true)]
async fn a_living_cluster_settles_at_the_end() {
    let options = SimulatedOptions { live: true, ..SimulatedOptions::default() };
    let world = World::new(options.clone()).await;
    world.cluster.fail("a", PartFault::Slow(Duration::from_millis(50)));
    let cluster = world.cluster.clone();
    let changes = tokio::spawn(async move {
        for number in 0.. {
            tokio::time::sleep(Duration::from_millis(20)).await;
            cluster.put("a", "table-1", &format!("r{}", number % 30), vec![7; 50]);
        }
    });
    let report = world.backup(1, request()).await.unwrap();
    changes.abort();
    let window = committed(&report, "a").window;
    assert!(window.settled > window.until);
    let found = restored(&world.open(2).await, committed(&report, "a").backup, options).await;
    world.cluster.check_between("a", &found, window.until, window.settled, Deletes::Seen).unwrap();
}

#[tokio::test(start_paused = true)]
async fn exact_incrementals_continue_their_parent() {
    let world = World::new(SimulatedOptions { applies: Applies::Exact, ..options() }).await;
    let base = world.backup(1, request()).await.unwrap();
    world.change(2);
    let next = world.backup(2, request()).await.unwrap();
    let repository = world.open(3).await;
    let manifest = repository.manifest(&committed(&next, "a").manifest).await.unwrap();
    assert_eq!(manifest.parent, Some(committed(&base, "a").backup));
    assert_eq!(manifest.window.from, Some(committed(&base, "a").window.until));
    check(&world, &next).await;
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_writes_nothing() {
    let world = World::new(options()).await;
    let before = world.storage.contents();
    let report = world.backup(1, BackupRequest { dry_run: true, ..request() }).await.unwrap();
    assert_eq!(world.storage.contents(), before);
    let PartOutcome::Estimated(estimate) = &part(&report, "a").outcome else { panic!("{report:?}") };
    assert!(estimate.plain_bytes > 1000 && estimate.pieces > 4);
    assert_eq!(estimate.kind, BackupKind::Base);
    let real = world.backup(2, request()).await.unwrap();
    assert_eq!(committed(&real, "a").totals.pieces, estimate.pieces);
}

#[tokio::test(start_paused = true)]
async fn an_empty_scope_and_an_empty_part_are_told_apart() {
    let world = World::new(options()).await;
    world.cluster.create_part("empty");
    let of = |parts: &[&str]| BackupRequest { scope: Scope::of_parts(parts.iter().copied()), ..request() };
    assert_eq!(world.backup(1, of(&[])).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(world.backup(2, of(&["nowhere"])).await.unwrap_err().kind(), ErrorKind::NotFound);
    let report = world.backup(3, of(&["empty"])).await.unwrap();
    assert_eq!(committed(&report, "empty").kind, BackupKind::Base);
    check(&world, &report).await;
}

#[tokio::test(start_paused = true)]
async fn another_cluster_under_the_same_id_is_refused_until_accepted() {
    let world = World::new(options()).await;
    let repository = world.open(1).await;
    let identity = world.cluster.describe().await.unwrap().identity;
    let other = ClusterIdentity { fingerprint: "another".to_owned(), ..identity };
    repository.register_cluster(&other, false).await.unwrap();
    let error = world.backup(2, request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("fingerprint"), "{error}");
    assert!(world.backup(3, BackupRequest { dry_run: true, accept_cluster: true, ..request() }).await.is_err());
    assert!(world.backup(4, BackupRequest { accept_cluster: true, ..request() }).await.unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn one_run_is_held_by_one_process() {
    let world = World::new(options()).await;
    let run = strongroom_core::id::RunId::from_u128(5);
    let repository = world.open(1).await;
    let terms = LeaseTerms::new(Purpose::Backup, "a test");
    let _held = repository.lease(&format!("backup-{run}"), terms, Duration::ZERO).await.unwrap();
    let error = world.backup(2, BackupRequest { run: Some(run), ..request() }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_long_backup_keeps_its_lease() {
    let world = World::new(options()).await;
    world.cluster.fail("a", PartFault::Slow(Duration::from_mins(20)));
    let report = world.backup(1, request()).await.unwrap();
    assert!(report.is_success(), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn progress_ends_at_the_whole_and_a_dropped_job_is_cancelled() {
    let world = World::new(options()).await;
    let start = |number| async move { number };
    let job = backup(world.open(start(1).await).await, Arc::new(Codecs), world.cluster(), request());
    let counters = job.counters();
    let report = job.await.unwrap();
    let now = counters.snapshot();
    let totals = [committed(&report, "a").totals, committed(&report, "b").totals];
    assert_eq!((now.permille, now.pieces), (1000, totals.iter().map(|totals| totals.pieces).sum()));
    assert_eq!(now.plain_bytes, totals.iter().map(|totals| totals.plain_bytes).sum::<u64>());
    world.cluster.fail("a", PartFault::Slow(Duration::from_secs(5)));
    let job = backup(world.open(2).await, Arc::new(Codecs), world.cluster(), request());
    let counters = job.counters();
    while counters.snapshot().pieces == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(job);
    while counters.snapshot().phase != strongroom_core::pipeline::Phase::Over {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!((world.cluster.open_freezes(), world.open(3).await.leases().await.unwrap().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_went_back_is_told() {
    // One that remembers would say that nothing was ever frozen in it, and get a base.
    let options = SimulatedOptions { remembers: false, ..options() };
    let world = World::new(options.clone()).await;
    world.backup(1, request()).await.unwrap();
    let before = SimulatedCluster::new("orders", Arc::new(TestClock::at(START.plus_micros(-9_000_000))), options);
    before.create_part("a");
    let repository = world.open(2).await;
    let scope = Scope::of_parts(["a"]);
    let job = backup(repository, Arc::new(Codecs), Arc::new(before), BackupRequest { scope, ..request() });
    let error = job.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("clock"), "{error}");
}
