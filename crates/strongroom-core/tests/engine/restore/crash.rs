//! A restore in place whose process dies at any operation on repository, journal or target; the next process goes on.

use std::sync::Arc;

use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{BackupRequest, Journal, PartOutcome, RestoreRequest, abort_restore, backup, restore};
use strongroom_core::id::SessionId;
use strongroom_core::model::BackupKind;
use strongroom_core::planner::{Plan, Request, Target};
use strongroom_core::{ErrorKind, Timestamp};
use strongroom_testkit::{ClusterContents, Crashing, Death, MemoryStorage, PartFault, SimulatedOptions, Workload};

use crate::support::{World, committed, reached, request, settings};
use crate::toy::Codecs;

/// A few records with a base and two incrementals, and a plan for the first of these.
async fn world(fold: bool) -> (World, Plan, ClusterContents) {
    let few = Workload { steps: 14, records: 10, ..Workload::default() };
    let options = SimulatedOptions { pieces: 2, fold, ..SimulatedOptions::default() };
    let world = World::with(options, 6, few).await;
    world.backup().await;
    world.change_by(7, few);
    let until = committed(&world.backup().await, "a").window.until;
    world.change_by(8, few);
    world.backup().await;
    let plan = world.plan(&Request::at(Target::AtOrBefore(until))).await;
    let expected = world.expected(&reached(&plan));
    assert_ne!(expected, world.cluster.contents());
    (world, plan, expected)
}

fn in_place(journal: Journal, session: Option<SessionId>) -> RestoreRequest {
    let options = RestoreOptions { truncate: true, now: Some(Timestamp::from_secs(5)), ..RestoreOptions::default() };
    RestoreRequest { options, journal: Some(journal), session, settings: settings(), ..RestoreRequest::default() }
}

/// What the next backup of each part would be.
async fn next_kinds(world: &World) -> Vec<BackupKind> {
    let request = BackupRequest { dry_run: true, ..request() };
    let report = backup(world.open().await, Arc::new(Codecs), world.cluster(), request).await.unwrap();
    let kind = |outcome: &PartOutcome| match outcome {
        PartOutcome::Estimated(estimate) => estimate.kind,
        other => panic!("{other:?}"),
    };
    report.parts.iter().map(|part| kind(&part.outcome)).collect()
}

/// Restores and dies at operation `at`; `true`: it lived.
async fn die_and_go_on(world: World, plan: Plan, expected: &ClusterContents, at: u64, death: Death) -> bool {
    let before = world.cluster.contents();
    let journal = MemoryStorage::new();
    let process = Crashing::at(world.storage.clone(), at, death);
    let work = async {
        let repository = world.open_on(process.clone()).await;
        let request = in_place(Journal::new(Arc::new(process.beside(journal.clone()))), None);
        let target = Arc::new(process.cluster(world.cluster()));
        restore(repository, Arc::new(Codecs), plan.clone(), target, request).await
    };
    let done = process.run(work).await;
    if let Some(summary) = &done {
        assert!(summary.as_ref().is_ok_and(|summary| summary.warnings.is_empty()), "{summary:?}");
    }
    if world.cluster.contents() != before {
        assert_eq!(next_kinds(&world).await, [BackupKind::Base; 2], "{at} {death:?}: its history is another one now");
    }
    let kept = Journal::new(Arc::new(journal.clone()));
    let unfinished = kept.unfinished().await.unwrap();
    assert!(unfinished.len() <= 1 && (done.is_none() || unfinished.is_empty()), "{at} {death:?}");
    let finished = journal.keys().iter().any(|key| key.name() == "finished.json");
    if !finished {
        let session = unfinished.keys().next().copied();
        let again = world.restore(plan, &world.cluster, in_place(kept.clone(), session)).await;
        let summary = again.unwrap_or_else(|error| panic!("{at} {death:?}: {error:?}"));
        assert!(session.is_none_or(|session| session == summary.session));
    }
    assert_eq!(world.cluster.contents(), *expected, "{at} {death:?}");
    assert_eq!(world.cluster.open_sessions(), 0, "{at} {death:?}");
    assert!(kept.unfinished().await.unwrap().is_empty());
    assert_eq!(next_kinds(&world).await, [BackupKind::Base; 2], "{at} {death:?}");
    if at.is_multiple_of(10) {
        // What follows is a chain of its own.
        world.backup().await;
        world.change(9);
        world.backup().await;
        let target = world.target();
        world.restore(world.latest().await, &target, RestoreRequest::default()).await.unwrap();
        assert_eq!(target.contents(), world.cluster.contents(), "{at} {death:?}");
    }
    done.is_some()
}

async fn killed_anywhere(fold: bool) {
    let (world, plan, expected) = world(fold).await;
    for death in [Death::Before, Death::After] {
        let mut at = 1;
        while !die_and_go_on(world.duplicate(), plan.clone(), &expected, at, death).await {
            at += 1;
        }
        assert!(at > 80, "only {at} operations");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_operation_step_by_step() {
    killed_anywhere(false).await;
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_operation_while_folding() {
    killed_anywhere(true).await;
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_failed_goes_on_and_writes_only_what_is_left() {
    let (world, plan, expected) = world(false).await;
    let journal = Journal::new(Arc::new(MemoryStorage::new()));
    let session = SessionId::from_u128(3);
    let request = || in_place(journal.clone(), Some(session));
    world.cluster.fail("b", PartFault::Write { after: 0, kind: ErrorKind::NoSpace, times: 1 });
    let error = world.restore(plan.clone(), &world.cluster, request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace);
    assert!(error.to_string().contains(&format!("go on with restore {session} and the same journal")), "{error}");
    assert_eq!(journal.unfinished().await.unwrap()[&session].options.now, Some(Timestamp::from_secs(5)));
    assert_eq!(world.cluster.open_sessions(), 1);
    let done = journal.remember(session).await.unwrap().written;
    assert!(!done.is_empty());
    let recording = strongroom_testkit::Recording::new(world.storage.clone());
    let seen = Arc::new(recording.cluster(world.cluster()));
    let repository = world.open_on(recording.clone()).await;
    restore(repository, Arc::new(Codecs), plan, seen, request()).await.unwrap();
    let writes = recording.traffic().count(|call| *call == strongroom_testkit::Call::Cluster("write"));
    let all = journal.remember(session).await.unwrap().written.len();
    assert_eq!(writes, all - done.len(), "what was written before is not written again");
    assert_eq!(world.cluster.contents(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_restore_is_given_up_for_good() {
    let (world, plan, _) = world(false).await;
    let journal = Journal::new(Arc::new(MemoryStorage::new()));
    let session = SessionId::from_u128(3);
    let unknown = abort_restore(&journal, session, &world.cluster).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    world.cluster.fail("b", PartFault::Write { after: 0, kind: ErrorKind::NoSpace, times: 1 });
    let request = || in_place(journal.clone(), Some(session));
    world.restore(plan.clone(), &world.cluster, request()).await.unwrap_err();
    assert_eq!(world.cluster.open_sessions(), 1);
    for _ in 0..2 {
        abort_restore(&journal, session, &world.cluster).await.unwrap();
        assert_eq!(world.cluster.open_sessions(), 0);
        assert!(journal.unfinished().await.unwrap().is_empty());
    }
    let error = world.restore(plan.clone(), &world.cluster, request()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("restore {session} was given up (begin a new one)"));
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let other = SessionId::from_u128(4);
    world.restore(plan, &world.cluster, in_place(journal.clone(), Some(other))).await.unwrap();
    assert_eq!(abort_restore(&journal, other, &world.cluster).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_journal_is_told_and_changes_nothing() {
    let (world, plan, _) = world(false).await;
    let storage = MemoryStorage::new();
    let journal = Journal::new(Arc::new(storage.clone()));
    let session = SessionId::from_u128(3);
    world.cluster.fail("b", PartFault::Write { after: 0, kind: ErrorKind::NoSpace, times: 1 });
    world.restore(plan.clone(), &world.cluster, in_place(journal.clone(), Some(session))).await.unwrap_err();
    for key in storage.keys() {
        let whole = storage.take(&key).unwrap();
        storage.put(key.clone(), whole.slice(..whole.len() / 2));
        let now = world.cluster.contents();
        let error =
            world.restore(plan.clone(), &world.cluster, in_place(journal.clone(), Some(session))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{key}");
        assert!(error.message().contains(key.as_str()) && error.advice().unwrap().contains("begin the restore anew"));
        assert_eq!(world.cluster.contents(), now);
        storage.put(key, whole);
    }
}

#[tokio::test(start_paused = true)]
async fn two_processes_on_one_session_take_turns() {
    let (world, plan, expected) = world(false).await;
    let journal = Journal::new(Arc::new(MemoryStorage::new()));
    let session = SessionId::from_u128(3);
    world.cluster.fail("a", PartFault::Slow(std::time::Duration::from_secs(1)));
    let one = world.restore(plan.clone(), &world.cluster, in_place(journal.clone(), Some(session)));
    let two = world.restore(plan, &world.cluster, in_place(journal.clone(), Some(session)));
    let (one, two) = futures::future::join(one, two).await;
    let (done, late) = if one.is_ok() { (one, two) } else { (two, one) };
    done.unwrap();
    let late = late.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::AlreadyExists, "{late:?}");
    assert_eq!(world.cluster.contents(), expected);
}
