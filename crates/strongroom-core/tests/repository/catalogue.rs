//! The catalogue: races for a number, damage, loss, rebuilding, compaction.

use std::time::Duration;

use strongroom_core::model::{Depth, Status};
use strongroom_core::planner::{Pin, PinKind, Timeline, Verified};
use strongroom_core::repository::{LeaseTerms, Purpose, Record, Repository};
use strongroom_core::{ErrorKind, Key, Timestamp};
use strongroom_testkit::MemoryStorage;

use crate::shaken::Shaken;
use crate::support::{CLUSTER, TIMELINE, back_up, check_whole, draft, fill_up, ids, new_repository, reopen, sorted};

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn flip(storage: &MemoryStorage, name: &Key) {
    let mut body = storage.take(name).unwrap().to_vec();
    let middle = body.len() / 2;
    body[middle] ^= 0x20;
    storage.put(name.clone(), body);
}

#[tokio::test(start_paused = true)]
async fn writers_that_race_for_a_number_all_get_in() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let others =
        futures::future::join_all((0..8).map(async |seed| reopen(&repository, storage.clone(), seed).await)).await;
    let pin = |number: usize| Pin::new(PinKind::Pin, format!("pin {number}"));
    futures::future::join_all(others.iter().enumerate().map(|(number, other)| other.pin(a, pin(number))))
        .await
        .into_iter()
        .for_each(Result::unwrap);
    let loaded = repository.load().await.unwrap();
    assert_eq!(loaded.generation(), 2 + 8);
    assert_eq!(loaded.entry(a).unwrap().pins.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn every_record_is_folded_and_survives_compaction() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let b = back_up(&repository, "b", &draft(Some(10), 20)).await.unwrap();
    let pin = Pin::new(PinKind::Hold, "audit");
    let by = Pin { until: Some(Timestamp::from_secs(90)), ..pin.clone() }.by("ann", Timestamp::from_secs(60));
    let verified = Verified { when: Timestamp::from_secs(50), depth: Depth::Hash };
    repository.pin(a, pin.clone()).await.unwrap();
    repository.pin(b, by.clone()).await.unwrap();
    repository.pin(b, Pin { set: None, ..by.clone() }).await.unwrap();
    repository.record_verified(a, verified).await.unwrap();
    repository.record_verified(a, Verified { when: Timestamp::from_secs(40), depth: Depth::Exists }).await.unwrap();
    repository.record_status(b, Status::Corrupt).await.unwrap();
    let timeline = Timeline { id: TIMELINE, part: "test".to_owned(), cluster: CLUSTER, parent: None, began: None };
    repository.open_timeline(timeline.clone()).await.unwrap();
    fill_up(&repository).await;
    let before = repository.load().await.unwrap();
    assert_eq!(before.entry(a).unwrap().pins, std::slice::from_ref(&pin));
    assert_eq!(before.entry(b).unwrap().pins, std::slice::from_ref(&by), "the same twice is one");
    assert_eq!(before.entry(a).unwrap().verified, Some(verified));
    assert_eq!(before.entry(b).unwrap().status, Status::Corrupt);
    assert_eq!(before.timelines(), [timeline]);

    assert_eq!(repository.compact(false).await.unwrap(), None, "not yet worth while");
    assert_eq!(repository.compact(true).await.unwrap(), Some(before.generation()));
    assert_eq!(repository.load().await.unwrap(), before);
    assert_eq!(repository.compact(true).await.unwrap(), None);

    let lease = prune_lease(&repository).await;
    let grace = Duration::from_hours(1);
    assert_eq!(repository.trim_catalogue(&lease, grace).await.unwrap(), 0, "readers may still be at it");
    tokio::time::advance(grace).await;
    assert_eq!(repository.trim_catalogue(&lease, grace).await.unwrap(), 16);
    assert_eq!(repository.load().await.unwrap(), before);
    assert_eq!(repository.unpin(a, PinKind::Hold, "anyone").await.unwrap(), [pin]);
    let error = repository.unpin(b, PinKind::Hold, "bob").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("was set by ann (audit)"), "{error}");
    assert_eq!(repository.unpin(b, PinKind::Pin, "ann").await.unwrap(), []);
    let after = repository.load().await.unwrap();
    assert_eq!((after.generation(), after.entry(a).unwrap().pins.len()), (before.generation() + 1, 0));
}

async fn prune_lease(repository: &Repository) -> strongroom_core::repository::Lease {
    repository.lease("prune", LeaseTerms::new(Purpose::Prune, "a test"), Duration::ZERO).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_slept_through_a_clean_up_is_not_lost() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    fill_up(&repository).await;
    // As a late writer sees it: the numbers below the snapshot are free again.
    repository.compact(true).await.unwrap();
    let lease = prune_lease(&repository).await;
    repository.trim_catalogue(&lease, Duration::ZERO).await.unwrap();
    let late = storage.contents();
    assert!(!late.contains_key(&key("catalogue/000000000001")));
    repository.pin(a, Pin::new(PinKind::Pin, String::new())).await.unwrap();
    assert!(storage.contents().contains_key(&key("catalogue/000000000009")));
    // And as it really goes: its listing lags behind, and the number it takes was used and cleaned away.
    let shaken = Shaken::new(&storage, 1, 0, 0);
    let slow = reopen(&repository, shaken.clone(), 5).await;
    shaken.lag_once("catalogue/");
    slow.record_status(a, Status::Corrupt).await.unwrap();
    assert!(storage.contents().contains_key(&key("catalogue/000000000001")));
    assert_eq!(repository.load().await.unwrap().entry(a).unwrap().status, Status::Corrupt);
    // A segment below the snapshot is superfluous, never a loss.
    storage.put(key("catalogue/000000000001"), "left over");
    assert!(repository.load().await.unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_lost_or_damaged_catalogue_is_rebuilt_from_manifests() {
    for damage in ["all lost", "one lost", "one damaged", "last snapshot damaged, segments gone", "foreign"] {
        let storage = MemoryStorage::new();
        let repository = new_repository(storage.clone()).await;
        let mut made = Vec::new();
        for until in 1..=4 {
            made.push(back_up(&repository, "x", &draft(None, until * 10)).await.unwrap());
        }
        let made = sorted(made);
        let segments = || storage.keys().into_iter().filter(|key| key.as_str().starts_with("catalogue/"));
        match damage {
            "all lost" => segments().for_each(|key| drop(storage.take(&key).unwrap())),
            "one lost" => drop(storage.take(&key("catalogue/000000000004")).unwrap()),
            "one damaged" => flip(&storage, &key("catalogue/000000000004")),
            "foreign" => {
                let other = MemoryStorage::new();
                let foreign = new_repository(other.clone()).await;
                back_up(&reopen(&foreign, other.clone(), 77).await, "y", &draft(None, 5)).await.unwrap();
                let strange = MemoryStorage::new();
                let strange_repository = crate::support::environment(&crate::support::clock(), 99);
                let strange_repository = Repository::init(
                    std::sync::Arc::new(strange.clone()),
                    strange_repository,
                    strongroom_core::repository::InitOptions::default(),
                );
                back_up(&strange_repository.await.unwrap(), "z", &draft(None, 5)).await.unwrap();
                storage.put(key("catalogue/000000000002"), strange.take(&key("catalogue/000000000002")).unwrap());
            }
            _ => {
                repository.compact(true).await.unwrap();
                let lease = prune_lease(&repository).await;
                repository.trim_catalogue(&lease, Duration::ZERO).await.unwrap();
                lease.release().await.unwrap();
                flip(&storage, &key("catalogue/000000000008.snapshot"));
            }
        }
        let before = storage.contents();
        let loaded = repository.load().await.unwrap();
        assert_eq!(storage.contents(), before, "loading writes nothing");
        assert!(loaded.report.rebuilt && !loaded.is_complete(), "{damage}");
        assert!(!loaded.report.damaged.is_empty(), "{damage}");
        assert_eq!(ids(&repository).await, made, "{damage}");
        assert!(!loaded.catalogue().is_complete());

        repository.mend().await.unwrap();
        let loaded = repository.load().await.unwrap();
        assert!(loaded.is_complete() && !loaded.report.rebuilt, "{damage}: {:?}", loaded.report);
        assert_eq!(loaded.report.mended.len(), 1, "what was lost stays told");
        assert_eq!(ids(&repository).await, made, "{damage}");
        // Damage that was made good must not come back with the next compaction.
        fill_up(&repository).await;
        repository.compact(true).await.unwrap().unwrap();
        assert_eq!(ids(&repository).await, made, "{damage}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_snapshot_whose_segments_are_there_loses_nothing() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    repository.pin(a, Pin::new(PinKind::Pin, String::new())).await.unwrap();
    fill_up(&repository).await;
    repository.compact(true).await.unwrap();
    flip(&storage, &key("catalogue/000000000008.snapshot"));
    let loaded = repository.load().await.unwrap();
    assert!(loaded.is_complete() && !loaded.report.rebuilt);
    assert!(loaded.report.damaged[0].contains("000000000008.snapshot"), "{:?}", loaded.report);
    assert_eq!(loaded.entry(a).unwrap().pins.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_broken_manifest_is_quarantined_and_hurts_no_other() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let b = back_up(&repository, "b", &draft(None, 20)).await.unwrap();
    let broken = repository.load().await.unwrap().entry(b).unwrap().manifest.clone();
    flip(&storage, &broken);
    for name in storage.keys().into_iter().filter(|key| key.as_str().starts_with("catalogue/")) {
        drop(storage.take(&name).unwrap());
    }
    let loaded = repository.load().await.unwrap();
    assert_eq!(ids(&repository).await, [a]);
    assert_eq!(loaded.report.quarantined.len(), 1);
    assert_eq!(loaded.report.quarantined[0].key, broken);
    assert!(loaded.report.quarantined[0].why.contains("is damaged"));
    let error = repository.manifest(&broken).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    // A swapped manifest is told too: it is whole, and of another backup.
    let good = repository.load().await.unwrap().entry(a).unwrap().manifest.clone();
    storage.put(broken.clone(), storage.contents()[&good].clone());
    let error = repository.manifest(&broken).await.unwrap_err();
    assert!(error.message().contains(&format!("it was written as '{good}'")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_backup_whose_end_was_not_recorded_is_found() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let _ = storage.take(&key("catalogue/000000000002")).unwrap();
    let loaded = repository.load().await.unwrap();
    assert!(loaded.is_complete());
    assert_eq!((loaded.report.unrecorded.as_slice(), loaded.catalogue().len()), ([a].as_slice(), 1));
}

#[tokio::test(start_paused = true)]
async fn records_of_later_versions_are_kept() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let name = key("catalogue/000000000002");
    let text = String::from_utf8(storage.take(&name).unwrap().to_vec()).unwrap();
    let mut covered = text[..text.len() - 78].to_owned();
    covered.push_str("{\"record\":\"painted\",\"colour\":\"green\"}\n");
    let hash = strongroom_core::manifest::Blake3::of(covered.as_bytes());
    storage.put(name, format!("{covered}{{\"blake3\":\"{hash}\"}}\n"));
    assert_eq!(repository.load().await.unwrap().report.unknown_records, 1);
    fill_up(&repository).await;
    repository.compact(true).await.unwrap();
    let snapshot = storage.contents()[&key("catalogue/000000000008.snapshot")].clone();
    assert!(String::from_utf8_lossy(&snapshot).contains("painted"));
    let loaded = repository.load().await.unwrap();
    assert!(loaded.is_complete());
    assert_eq!(loaded.report.unknown_records, 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_end_does_not_bring_a_deleted_backup_back() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let entry = repository.load().await.unwrap().entry(a).unwrap().clone();
    let at = repository.environment().now();
    repository.record(&[Record::Deleted { backups: vec![a], at }]).await.unwrap();
    let late = || [Record::End { entry: Box::new(entry.clone()) }];
    repository.record(&late()).await.unwrap();
    assert!(ids(&repository).await.is_empty());
    fill_up(&repository).await;
    repository.compact(true).await.unwrap();
    repository.record(&late()).await.unwrap();
    assert!(ids(&repository).await.is_empty(), "a snapshot remembers it too");
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_no_lost_race() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    // Every reply is lost, and what was written is there.
    let lossy = reopen(&repository, Shaken::new(&storage, 1, 0, 100), 5).await;
    let a = back_up(&lossy, "a", &draft(None, 10)).await.unwrap();
    assert_eq!(check_whole(&repository).await, [a]);
    let segments = storage.keys().into_iter().filter(|key| key.as_str().starts_with("catalogue/")).count();
    assert_eq!(segments, 2, "begin and end, each once");
}
