//! Going on with a run: nothing is sent twice, and what would be wrong is refused.

use std::sync::Arc;

use strongroom_core::engine::{BackupReport, BackupRequest, PartOutcome, resume_backup};
use strongroom_core::id::{RunId, TimelineId};
use strongroom_core::model::{Applies, BackupKind, Deletes};
use strongroom_core::pipeline::{Settings, Stack};
use strongroom_core::planner::Timeline;
use strongroom_core::{Cluster as _, ErrorKind, Result};
use strongroom_testkit::{PartFault, SimulatedOptions, Workload};

use crate::support::{Tripwire, World, committed, part, restored};
use crate::toy::{Codecs, id};

/// So many lanes that every piece is a task of its own.
fn request() -> BackupRequest {
    let settings = Settings { parallel: 16, ..crate::support::request().settings };
    BackupRequest { settings, ..crate::support::request() }
}

fn live() -> SimulatedOptions {
    SimulatedOptions { live: true, ..SimulatedOptions::default() }
}

async fn resume(world: &World, number: u64, run: RunId) -> Result<BackupReport> {
    let repository = world.open(number).await;
    let report = resume_backup(repository, Arc::new(Codecs), world.cluster(), run, request()).await;
    assert_eq!(world.cluster.open_freezes(), 0);
    report
}

/// A run in which part `a` failed after a few pieces, and `b` was committed.
async fn half(options: SimulatedOptions) -> (World, BackupReport) {
    let world = World::new(options).await;
    world.cluster.change(&["a"], 5, Workload { steps: 200, value: 2000, files: false, ..Workload::default() });
    world.cluster.fail("a", PartFault::Read { after: 2_000, kind: ErrorKind::Denied, times: 2 });
    let report = world.backup(1, request()).await.unwrap();
    assert!(matches!(part(&report, "a").outcome, PartOutcome::Failed { kind: ErrorKind::Denied, .. }), "{report:?}");
    committed(&report, "b");
    world.cluster.heal();
    (world, report)
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_twice() {
    for options in [SimulatedOptions::default(), live()] {
        let (world, report) = half(options.clone()).await;
        let (reads, before) = (world.cluster.reads(), world.data());
        let recording = Tripwire::recording(world.storage.clone());
        let repository = world.open_on(recording.clone(), 2).await;
        let run = report.run;
        let resumed = resume_backup(repository, Arc::new(Codecs), world.cluster(), run, request()).await.unwrap();
        assert!(matches!(part(&resumed, "b").outcome, PartOutcome::Already(_)));
        let done = committed(&resumed, "a");
        assert!(done.resumed_pieces > 0, "{resumed:?}");
        let again = world.cluster.reads().values().sum::<u64>() - reads.values().sum::<u64>();
        assert_eq!(again, done.totals.pieces - done.resumed_pieces, "every piece is read once in all");
        let (_, pieces) = crate::support::pieces(&world.open(3).await, &done.manifest).await;
        let named: std::collections::BTreeSet<_> =
            pieces.iter().flat_map(|piece| &piece.parts).map(|part| part.object.key.clone()).collect();
        assert!(named.iter().any(|key| before.contains_key(key)), "something was kept");
        let sent: Vec<_> = recording.created().into_keys().filter(|key| world.data().contains_key(key)).collect();
        assert!(sent.iter().all(|key| named.contains(key) && !before.contains_key(key)), "{sent:?}");
        let found = restored(&world.open(4).await, done.backup, options).await;
        world.cluster.check_between("a", &found, done.window.until, done.window.settled, Deletes::Seen).unwrap();
        assert_eq!(resume(&world, 5, run).await.unwrap().parts.len(), 2, "a second resume finds everything done");
    }
}

#[tokio::test(start_paused = true)]
async fn changes_between_the_attempts_are_within_the_window() {
    for options in [SimulatedOptions::default(), live()] {
        let (world, report) = half(options.clone()).await;
        world.change(8);
        let resumed = resume(&world, 2, report.run).await.unwrap();
        let done = committed(&resumed, "a");
        assert!(done.window.settled > done.window.until);
        let repository = world.open(3).await;
        let found = restored(&repository, done.backup, options.clone()).await;
        world.cluster.check_between("a", &found, done.window.until, done.window.settled, Deletes::Seen).unwrap();
        // What follows starts where the first attempt froze, so nothing is lost.
        world.change(9);
        let next = world.backup(4, request()).await.unwrap();
        let next = committed(&next, "a");
        assert_eq!((next.kind, next.window.from), (BackupKind::Incremental, Some(done.window.until)));
        let found = restored(&repository, next.backup, options).await;
        world.cluster.check_between("a", &found, next.window.until, next.window.settled, Deletes::Seen).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_incremental_is_resumed_too() {
    for options in [SimulatedOptions::default(), live()] {
        let world = World::new(options.clone()).await;
        world.backup(1, request()).await.unwrap();
        world.cluster.change(&["a"], 5, Workload { steps: 200, value: 2000, files: false, ..Workload::default() });
        world.cluster.fail("a", PartFault::Read { after: 2_000, kind: ErrorKind::Denied, times: 2 });
        let half = world.backup(2, request()).await.unwrap();
        world.cluster.heal();
        for seed in 6..9 {
            world.change(seed);
        }
        let resumed = resume(&world, 3, half.run).await.unwrap();
        let done = committed(&resumed, "a");
        assert_eq!(done.kind, BackupKind::Incremental);
        let found = restored(&world.open(4).await, done.backup, options).await;
        world.cluster.check_between("a", &found, done.window.until, done.window.settled, Deletes::Seen).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn exact_states_that_passed_are_not_resumed() {
    let (world, report) = half(SimulatedOptions { applies: Applies::Exact, ..SimulatedOptions::default() }).await;
    let resumed = resume(&world, 2, report.run).await.unwrap();
    let PartOutcome::Failed { kind, what } = &part(&resumed, "a").outcome else { panic!("{resumed:?}") };
    assert_eq!(*kind, ErrorKind::Unsupported);
    assert!(what.contains("one exact state") && what.contains("start a new backup"), "{what}");
    assert!(world.backup(3, request()).await.unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn a_damaged_receipt_only_costs_time() {
    let (world, report) = half(SimulatedOptions::default()).await;
    let receipts: Vec<_> = world
        .storage
        .keys()
        .into_iter()
        .filter(|key| key.as_str().contains("/receipts/") && key.name() != "begun")
        .collect();
    assert!(!receipts.is_empty());
    for key in receipts {
        world.storage.put(key, "nonsense");
    }
    let resumed = resume(&world, 2, report.run).await.unwrap();
    let done = committed(&resumed, "a");
    assert_eq!(done.resumed_pieces, 0);
    assert!(part(&resumed, "a").warnings.iter().any(|warning| warning.contains("a receipt can't be read")));
    let found = restored(&world.open(3).await, done.backup, SimulatedOptions::default()).await;
    world.cluster.check_between("a", &found, done.window.until, done.window.settled, Deletes::Seen).unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_gone_on_with_is_refused() {
    let (world, report) = half(SimulatedOptions::default()).await;
    let unknown = resume(&world, 2, RunId::from_u128(404)).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    let repository = world.open(3).await;
    let other =
        strongroom_core::engine::BackupRequest { stack: Stack::resolve(&Codecs, &[id("xor:3")]).unwrap(), ..request() };
    let error = resume_backup(repository, Arc::new(Codecs), world.cluster(), report.run, other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("xor:5"), "{error}");
    // A restore has begun a new history.
    let repository = world.open(4).await;
    let cluster = world.cluster.describe().await.unwrap().identity.id;
    let began = Some(crate::support::START.plus_micros(9_000_000_000));
    let timeline = Timeline { id: TimelineId::from_u128(99), part: "a".to_owned(), cluster, parent: None, began };
    repository.open_timeline(timeline).await.unwrap();
    let resumed = resume(&world, 5, report.run).await.unwrap();
    let PartOutcome::Failed { what, .. } = &part(&resumed, "a").outcome else { panic!("{resumed:?}") };
    assert!(what.contains("new history"), "{what}");
    let next = world.backup(6, request()).await.unwrap();
    assert_eq!(committed(&next, "a").kind, BackupKind::Base);
}
