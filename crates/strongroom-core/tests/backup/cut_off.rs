//! A backup that is killed or cancelled at any operation on its storage: nothing looks complete, and a resume ends it.

use std::sync::Arc;

use std::time::Duration;
use strongroom_core::engine::{BackupReport, BackupRequest};
use strongroom_core::engine::{backup, resume_backup};
use strongroom_core::id::RunId;
use strongroom_core::model::Deletes;
use strongroom_core::{ErrorKind, Result};
use strongroom_testkit::{SimulatedOptions, Workload};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::support::{Trip, Tripwire, World, request, restored};
use crate::toy::Codecs;

const RUN: RunId = RunId::from_u128(0x12);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn options() -> SimulatedOptions {
    SimulatedOptions { live: true, pieces: 2, ..SimulatedOptions::default() }
}

fn few() -> Workload {
    Workload { steps: 12, ..Workload::default() }
}

fn named() -> BackupRequest {
    BackupRequest { run: Some(RUN), ..request() }
}

/// What every storage must look like after a backup was cut off, and after it was resumed.
async fn go_on(world: &World, at: u64) {
    let repository = world.open(2).await;
    let loaded = repository.load().await.unwrap();
    assert!(loaded.report.quarantined.is_empty() && loaded.report.damaged.is_empty(), "{at}: {:?}", loaded.report);
    world.change(3);
    let resumed = resume_backup(repository.clone(), Arc::new(Codecs), world.cluster(), RUN, request()).await;
    let report = match resumed {
        Ok(report) => report,
        // Nothing was begun yet, or nothing is known of it.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            backup(repository, Arc::new(Codecs), world.cluster(), request()).await.unwrap()
        }
        Err(error) => panic!("{at}: {error:?}"),
    };
    assert!(report.is_success(), "{at}: {report:?}");
    let loaded = world.open(4).await.load().await.unwrap();
    for name in ["a", "b"] {
        let mut entries = loaded.entries().filter(|entry| entry.part == name);
        let entry = entries.next().unwrap_or_else(|| panic!("{at}: {name} is lost: {report:?}"));
        assert!(entries.next().is_none(), "{at}: {name} is there twice");
        let found = restored(&world.open(5).await, entry.id, options()).await;
        let (until, settled) = (entry.window.until, entry.window.settled);
        world
            .cluster
            .check_between(name, &found, until, settled, Deletes::Seen)
            .unwrap_or_else(|why| panic!("{at}: {why}"));
    }
    for part in &report.parts {
        // Whoever committed it may have been killed before he could prove it.
        assert!(part.outcome.committed().unwrap().restorable.is_some(), "{at}: {report:?}");
    }
}

#[test]
fn killed_at_any_operation() {
    let mut at = 0;
    loop {
        let first = runtime();
        let (world, ended) = first.block_on(async {
            let world = World::with(options(), few()).await;
            let notify = Arc::new(Notify::new());
            let storage = Tripwire::new(world.storage.clone(), at, Trip::Hang(Arc::clone(&notify)));
            let repository = world.open_on(storage.clone(), 1).await;
            storage.arm();
            let job = backup(repository, Arc::new(Codecs), world.cluster(), named());
            let ended = tokio::select! {
                biased;
                () = notify.notified() => None,
                report = job.wait() => Some(report),
            };
            // The job must not get to tidy up: it is killed with its runtime.
            (world, ended.map(|report| report.unwrap()))
        });
        first.shutdown_background();
        runtime().block_on(go_on(&world, at));
        if ended.is_some() {
            break;
        }
        at += 1;
    }
    assert!(at > 50, "only {at} operations");
}

#[test]
fn cancelled_at_any_operation() {
    let mut at = 0;
    loop {
        let ended: Result<BackupReport> = runtime().block_on(async {
            let world = World::with(options(), few()).await;
            let token = CancellationToken::new();
            let storage = Tripwire::new(world.storage.clone(), at, Trip::Cancel(token.clone()));
            let repository = world.open_on(storage.clone(), 1).await;
            storage.arm();
            let job = backup(repository, Arc::new(Codecs), world.cluster(), named());
            let canceller = job.canceller();
            tokio::spawn(async move {
                token.cancelled().await;
                canceller.cancel();
            });
            let ended = job.await;
            assert_eq!(world.cluster.open_freezes(), 0, "{at}");
            assert_eq!(world.open(9).await.leases().await.unwrap().len(), 0, "{at}: a lease was not given back");
            if let Err(error) = &ended {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{at}: {error:?}");
            }
            go_on(&world, at).await;
            ended
        });
        if ended.is_ok_and(|report| report.is_success()) && at > 50 {
            break;
        }
        at += 1;
    }
}

#[test]
fn what_was_received_before_a_kill_is_not_sent_again() {
    let first = runtime();
    let world = first.block_on(async {
        let world = World::new(options()).await;
        let notify = Arc::new(Notify::new());
        let trip = Trip::Hang(Arc::clone(&notify));
        let storage = Tripwire::new(world.storage.clone(), u64::MAX, trip).at_name("manifest.json");
        let repository = world.open_on(storage.clone(), 1).await;
        let job = backup(repository, Arc::new(Codecs), world.cluster(), named());
        // Both parts wait to be committed: everything of them is received.
        notify.notified().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        std::mem::forget(job);
        world
    });
    first.shutdown_background();
    runtime().block_on(async {
        let reads = world.cluster.reads();
        let before = world.data();
        let report = resume_backup(world.open(2).await, Arc::new(Codecs), world.cluster(), RUN, request()).await;
        assert!(report.unwrap().is_success());
        // What describes the rest is read again, lest it be older than what it describes.
        let again: Vec<String> = world
            .cluster
            .reads()
            .into_iter()
            .filter(|(name, count)| reads.get(name).copied().unwrap_or(0) < *count)
            .map(|(name, _)| name)
            .collect();
        assert_eq!(again, ["a/schema", "b/schema"]);
        let new = world.data().keys().filter(|key| !before.contains_key(*key)).count();
        assert_eq!(new, 2);
        assert_eq!(world.manifests(), 2);
    });
}
