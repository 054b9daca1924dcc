//! What is copied, and that it is the same.

use std::sync::Arc;

use strongroom_core::engine::{BackupRequest, CopyRequest, VerifyRequest, backup, verify};
use strongroom_core::id::BackupId;
use strongroom_core::model::{BackupKind, Depth, Filter, Scope};
use strongroom_core::{ErrorKind, Key};
use strongroom_testkit::{Call, MemoryStorage, PartFault, Recording, SimulatedOptions};

use super::{all, copied, is_data, is_leased, whole, world};
use crate::support::{World, committed, request, settings};
use crate::toy::Codecs;

#[tokio::test(start_paused = true)]
async fn a_copy_plans_verifies_and_restores_by_itself_and_its_chain_goes_on() {
    let (world, there) = (world().await, MemoryStorage::new());
    let report = copied(&world, there.clone(), all()).await.unwrap();
    assert_eq!((report.backups.len(), report.copied, report.present), (4, 4, 0), "{report:?}");
    assert!(report.is_whole() && report.warnings.is_empty() && report.bytes > 0, "{report:?}");
    // The source is not needed any more.
    let source = world.storage.contents();
    world.storage.replace(std::collections::BTreeMap::default());
    assert_eq!(whole(&world, &there).await, 4);
    let request = VerifyRequest { depth: Depth::Decode, settings: settings(), ..VerifyRequest::default() };
    let checked = verify(world.open_on(there.clone()).await, Arc::new(Codecs), request).await.unwrap();
    assert!(checked.is_whole() && checked.backups.len() == 4);
    let copies = there.contents();
    let belongs = |key: &Key| is_data(key) || key.name() == "manifest.json";
    let source: Vec<_> = source.iter().filter(|(key, _)| belongs(key)).collect();
    assert_eq!(source.len() as u64, report.objects + 4);
    for (key, body) in source {
        assert_eq!(copies.get(key), Some(body), "byte for byte: {key}");
    }
    world.change(5);
    let job = backup(world.open_on(there.clone()).await, Arc::new(Codecs), world.cluster(), crate::support::request());
    assert_eq!(committed(&job.await.unwrap(), "a").kind, BackupKind::Incremental);
    assert_eq!(whole(&world, &there).await, 6);
    assert!(!is_leased(&world, &there).await);
}

#[tokio::test(start_paused = true)]
async fn a_second_copy_brings_only_what_is_new_and_does_not_look_at_the_rest() {
    let (world, there) = (world().await, MemoryStorage::new());
    copied(&world, there.clone(), all()).await.unwrap();
    let recording = Recording::new(world.storage.clone());
    let again = strongroom_core::engine::copy(
        world.open_on(recording.clone()).await,
        Arc::new(Codecs),
        Arc::new(there.clone()),
        all(),
    );
    let again = again.await.unwrap();
    assert_eq!((again.copied, again.objects, again.present, again.backups.len()), (0, 0, 0, 4), "{again:?}");
    let of_backups = |call: &Call| matches!(call, Call::Read(key, _) if key.as_str().starts_with("backups/"));
    assert_eq!(recording.traffic().count(of_backups), 0);
    world.change(9);
    world.backup().await;
    let third = copied(&world, there.clone(), all()).await.unwrap();
    assert_eq!((third.copied, third.backups.len()), (2, 6));
    assert!(third.objects > 0);
    assert_eq!(whole(&world, &there).await, 6);
}

#[tokio::test(start_paused = true)]
async fn a_named_backup_is_looked_at_again_and_what_is_missing_is_brought() {
    let (world, there) = (world().await, MemoryStorage::new());
    copied(&world, there.clone(), all()).await.unwrap();
    let last = world.latest().await.parts["a"].steps.last().unwrap().backup;
    let named = || CopyRequest { backups: Some([last].into()), ..all() };
    let gone: Vec<Key> = there.keys().into_iter().filter(|key| is_data(key) && key.as_str().contains(",a,")).collect();
    for key in &gone {
        there.take(key).unwrap();
    }
    let report = copied(&world, there.clone(), named()).await.unwrap();
    assert_eq!((report.copied, report.objects), (0, gone.len() as u64), "{report:?}");
    assert_eq!(whole(&world, &there).await, 4);
}

#[tokio::test(start_paused = true)]
async fn named_backups_come_with_their_chains_and_nothing_else() {
    let world = world().await;
    let filter = Filter { tables: Some(["table-1".to_owned()].into()), ..Filter::default() };
    let narrow = Scope { parts: Some([("b".to_owned(), filter)].into()) };
    let narrow = world.backup_with(BackupRequest { scope: narrow, ..request() }).await;
    let narrow = committed(&narrow, "b").backup;
    let last = world.latest().await.parts["a"].steps.last().unwrap().backup;
    for (wanted, count) in [(vec![last], 2), (vec![narrow], 1), (vec![last, narrow], 3)] {
        let there = MemoryStorage::new();
        let request = CopyRequest { backups: Some(wanted.iter().copied().collect()), ..all() };
        let report = copied(&world, there.clone(), request).await.unwrap();
        assert_eq!((report.backups.len(), report.is_whole()), (count, true), "{report:?}");
        assert!(wanted.iter().all(|wanted| report.backups.contains(wanted)));
        assert_eq!(whole(&world, &there).await, count);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_or_has_no_whole_chain_is_refused_by_name_before_anything_is_written() {
    let options = SimulatedOptions { applies: strongroom_core::model::Applies::Exact, ..SimulatedOptions::default() };
    let world = World::with(options, 3, super::few()).await;
    let base = world.backup().await;
    world.change(4);
    let next = committed(&world.backup().await, "a").backup;
    let there = MemoryStorage::new();
    let ghost = CopyRequest { backups: Some([BackupId::from_u128(9)].into()), ..all() };
    let error = copied(&world, there.clone(), ghost).await.unwrap_err();
    assert_eq!((error.kind(), error.advice()), (ErrorKind::NotFound, Some("see the list of backups")));
    // The base is found damaged: what needs it has no chain.
    let base = committed(&base, "a").backup;
    let damaged =
        strongroom_core::repository::Record::Status { backup: base, status: strongroom_core::model::Status::Corrupt };
    world.open().await.record(&[damaged]).await.unwrap();
    let request = CopyRequest { backups: Some([next].into()), ..all() };
    let error = copied(&world, there.clone(), request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenChain, "{error:?}");
    assert!(there.keys().is_empty());
    // Of everything, the others are copied, and that one of them has no chain there was known before.
    let report = copied(&world, there.clone(), all()).await.unwrap();
    assert_eq!((report.backups.len(), report.left_out.len(), report.unreachable.len()), (3, 1, 0), "{report:?}");
    assert_eq!((report.left_out[0].backup, report.left_out[0].kind), (base, ErrorKind::Corrupt));
}

#[tokio::test(start_paused = true)]
async fn a_partial_backup_is_copied_by_name_and_with_everything() {
    let world = World::with(SimulatedOptions::default(), 3, super::few()).await;
    world.cluster.fail("a", PartFault::Missing("tokens 1 to 5".to_owned()));
    let job = backup(world.open().await, Arc::new(Codecs), world.cluster(), request());
    let partial = committed(&job.await.unwrap(), "a").backup;
    let named = CopyRequest { backups: Some([partial].into()), ..all() };
    let report = copied(&world, MemoryStorage::new(), named).await.unwrap();
    assert_eq!((report.backups.as_slice(), report.is_whole()), ([partial].as_slice(), true));
    assert_eq!(copied(&world, MemoryStorage::new(), all()).await.unwrap().backups.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn copies_with_a_name_are_known_to_plans_also_when_an_earlier_process_did_not_tell() {
    let world = world().await;
    let (near, far) = (MemoryStorage::new(), MemoryStorage::new());
    copied(&world, near.clone(), all()).await.unwrap();
    let named = |name: &str| CopyRequest { name: Some(name.to_owned()), ..all() };
    for _ in 0..2 {
        copied(&world, near.clone(), named("near")).await.unwrap();
        copied(&world, far.clone(), named("far")).await.unwrap();
        for entry in world.open().await.load().await.unwrap().entries() {
            let places: Vec<&str> = entry.copies.iter().map(|copy| copy.storage.as_str()).collect();
            assert_eq!(places, ["home", "near", "far"]);
        }
    }
    for (_, step) in world.latest().await.steps() {
        assert_eq!((step.copy.storage.as_str(), step.alternates.len()), ("home", 2));
    }
}

#[tokio::test(start_paused = true)]
async fn progress_tells_how_far_it_is() {
    let (world, there) = (world().await, MemoryStorage::new());
    for _ in 0..2 {
        let job = strongroom_core::engine::copy(world.open().await, Arc::new(Codecs), Arc::new(there.clone()), all());
        let counters = job.counters();
        job.await.unwrap();
        let now = counters.snapshot();
        assert_eq!((now.permille, now.pieces, now.plain_bytes), (1000, now.pieces_total, now.plain_bytes_total));
        assert!(now.pieces == 4 && now.records > 0, "{now:?}");
    }
}
