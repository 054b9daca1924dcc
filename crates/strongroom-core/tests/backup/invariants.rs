//! The planner's invariants that a backup must keep, by their numbers in `docs/planner.md`.

use std::sync::Arc;

use strongroom_core::engine::{BackupKindWish, BackupRequest, backup};
use strongroom_core::manifest::Blake3;
use strongroom_core::model::Status;
use strongroom_core::{Error, ErrorKind, PutMode};
use strongroom_testkit::{SimulatedOptions, Workload};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::support::{Trip, Tripwire, World, committed, part, pieces, plan, request};
use crate::toy::Codecs;

/// Everything that a committed backup names is there, with its size and hash.
async fn is_whole(world: &World) -> usize {
    let repository = world.open(800).await;
    let loaded = repository.load().await.unwrap();
    let contents = world.storage.contents();
    for entry in loaded.entries() {
        assert!(contents.contains_key(&entry.manifest), "{} has no manifest", entry.id);
        let (manifest, pieces) = pieces(&repository, &entry.manifest).await;
        assert_eq!(manifest.backup, entry.id);
        for object in pieces.iter().flat_map(|piece| &piece.parts).map(|part| &part.object) {
            let bytes = contents.get(&object.key).unwrap_or_else(|| panic!("{} is not there", object.key));
            assert_eq!((bytes.len() as u64, Blake3::of(bytes)), (object.size, object.blake3), "{}", object.key);
        }
    }
    loaded.entries().count()
}

/// Killed at any moment, a backup is whole or is none.
#[tokio::test(start_paused = true)]
async fn i06_a_backup_exists_only_with_a_manifest_that_names_every_object_with_its_hash() {
    let (mut none, mut some) = (0, 0);
    for at in (0..).step_by(5) {
        let world = World::with(SimulatedOptions::default(), Workload { steps: 12, ..Workload::default() }).await;
        let notify = Arc::new(Notify::new());
        let storage = Tripwire::new(world.storage.clone(), at, Trip::Hang(Arc::clone(&notify)));
        let repository = world.open_on(storage.clone(), 1).await;
        storage.arm();
        let job = backup(repository, Arc::new(Codecs), world.cluster(), request());
        let ended = tokio::select! {
            biased;
            () = notify.notified() => false,
            _ = job.wait() => true,
        };
        match is_whole(&world).await {
            0 => none += 1,
            _ => some += 1,
        }
        if ended {
            break;
        }
    }
    assert!(none > 5 && some > 0, "cut off before its commit {none} times, after it {some} times");
}

#[tokio::test(start_paused = true)]
async fn i07_no_object_is_ever_written_twice() {
    let world = World::new(SimulatedOptions { zero_byte_piece: true, ..SimulatedOptions::default() }).await;
    let mut before = world.storage.contents();
    for round in 1..6 {
        world.change(round);
        let kind = if round == 4 { BackupKindWish::Base } else { BackupKindWish::Auto };
        world.backup(round, BackupRequest { kind, ..request() }).await.unwrap();
        let after = world.storage.contents();
        assert!(after.len() > before.len());
        for (key, bytes) in &before {
            // Notes of a run and leases go when it has ended; nothing is there with other bytes.
            assert!(after.get(key).is_none_or(|now| now == bytes), "{key} was written again");
        }
        before = after;
    }
    // A name that is taken stays with its bytes, whoever writes it.
    let manifest = before.keys().find(|key| key.name() == "manifest.json").unwrap();
    let repository = world.open(9).await;
    let mode = PutMode::CreateNew;
    let again = async {
        let mut upload = repository.storage().create(manifest, mode).await?;
        upload.write(bytes::Bytes::from_static(b"{}")).await?;
        upload.finish().await.map(drop)
    };
    assert_eq!(again.await.as_ref().map_err(Error::kind), Err(ErrorKind::AlreadyExists));
    assert_eq!(world.storage.contents()[manifest], before[manifest]);
}

#[tokio::test(start_paused = true)]
async fn i15_every_backup_ends_with_a_plan_to_itself() {
    let world = World::new(SimulatedOptions { live: true, ..SimulatedOptions::default() }).await;
    for round in 1..5 {
        world.change(round);
        let kind = if round == 3 { BackupKindWish::Base } else { BackupKindWish::Auto };
        let report = world.backup(round, BackupRequest { kind, ..request() }).await.unwrap();
        let repository = world.open(100 + round).await;
        for part in &report.parts {
            let committed = committed(&report, &part.part);
            let planned = plan(&repository, committed.backup).await;
            assert_eq!(committed.restorable, Some(planned.reached), "{}", part.part);
            assert_eq!(planned.reached.until, committed.window.until);
        }
    }
}

/// The base is found damaged while the increment on it is taken: the report says that it can't be restored.
#[tokio::test(start_paused = true)]
async fn i15_a_backup_that_can_not_be_restored_says_so() {
    let world = World::new(SimulatedOptions::default()).await;
    let base = committed(&world.backup(1, request()).await.unwrap(), "a").backup;
    world.change(2);
    let begun = CancellationToken::new();
    let storage = Tripwire::new(world.storage.clone(), 20, Trip::Cancel(begun.clone()));
    let repository = world.open_on(storage.clone(), 2).await;
    storage.arm();
    let checker = world.open(3).await;
    let check = async {
        begun.cancelled().await;
        checker.record_status(base, Status::Corrupt).await.unwrap();
    };
    let (report, ()) = tokio::join!(backup(repository, Arc::new(Codecs), world.cluster(), request()), check);
    let report = report.unwrap();
    assert_eq!(committed(&report, "a").restorable, None);
    let warnings = &part(&report, "a").warnings;
    assert!(warnings.iter().any(|warning| warning.contains("CAN'T BE RESTORED")), "{warnings:?}");
    assert!(committed(&report, "b").restorable.is_some());
}
