//! Damage at the source, on the way, and at the destination.

use std::sync::Arc;

use strongroom_core::engine::{VerifyRequest, copy, verify};
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_core::{ErrorKind, Key};
use strongroom_testkit::{Faults, Faulty, MemoryStorage};

use super::{all, copied, flip, is_data, whole, world};
use crate::support::settings;
use crate::toy::Codecs;

#[tokio::test(start_paused = true)]
async fn a_damaged_backup_is_named_and_left_out_and_the_others_are_copied() {
    let world = world().await;
    let sound = world.storage.contents();
    let is_ours = |key: &&Key| is_data(key) || key.name() == "manifest.json";
    let keys: Vec<&Key> = sound.keys().filter(is_ours).collect();
    assert!(keys.len() > 12);
    for key in keys {
        for missing in [false, true] {
            let (world, there) = (world.duplicate(), MemoryStorage::new());
            if missing {
                drop(world.storage.take(key).unwrap());
            } else {
                flip(&world.storage, key);
            }
            let report = copied(&world, there.clone(), all()).await.unwrap();
            assert!(!report.is_whole() && !report.left_out.is_empty(), "{key} {missing}");
            assert_eq!(report.backups.len() + report.left_out.len(), 4, "{key}: the rest goes on");
            let kind = if missing { ErrorKind::NotFound } else { ErrorKind::Corrupt };
            for left in &report.left_out {
                assert_eq!(left.kind, kind, "{key}: {left:?}");
                let told = left.why.contains(key.as_str());
                assert!(told || left.findings.iter().any(|finding| finding.key == *key), "{key}: {left:?}");
                assert!(report.unreachable.iter().all(|broken| broken.backup != left.backup));
            }
            assert!(!there.keys().contains(key), "nothing damaged becomes visible: {key}");
            let loaded = world.open_on(there.clone()).await.load().await.unwrap();
            let known: Vec<_> = loaded.entries().map(|entry| entry.id).collect();
            assert!(known.iter().all(|id| report.backups.contains(id)), "{key}");
            // What has no chain there is told, and what is not told can be restored.
            for id in known {
                let plan = loaded.catalogue().plan(&strongroom_core::planner::Request {
                    scope: strongroom_core::model::Scope::of_parts([loaded.entry(id).unwrap().part]),
                    ..strongroom_core::planner::Request::at(strongroom_core::planner::Target::Backup(id))
                });
                assert_eq!(plan.is_err(), report.unreachable.iter().any(|broken| broken.backup == id), "{key}");
            }
            // Once a check has found it, nobody reads it again.
            let request = VerifyRequest { settings: settings(), ..VerifyRequest::default() };
            let checked = verify(world.open().await, Arc::new(Codecs), request).await.unwrap();
            let damaged = checked.backups.iter().filter(|backup| !backup.findings.is_empty()).count();
            let again = copied(&world, there.clone(), all()).await.unwrap();
            assert_eq!((again.left_out.len(), again.objects), (damaged, 0), "{key}: {again:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_damage_of_a_backup_is_told_at_once() {
    let world = world().await;
    let keys: Vec<Key> = world.storage.keys().into_iter().filter(|key| key.as_str().contains("/data/")).collect();
    let folder = keys[0].as_str().split("/data/").next().unwrap();
    let of_one: Vec<&Key> = keys.iter().filter(|key| key.as_str().starts_with(folder)).collect();
    assert!(of_one.len() > 1);
    for key in &of_one {
        flip(&world.storage, key);
    }
    let report = copied(&world, MemoryStorage::new(), all()).await.unwrap();
    let found: Vec<&Key> = report.left_out[0].findings.iter().map(|finding| &finding.key).collect();
    assert_eq!((report.left_out.len(), found), (1, of_one));
}

#[tokio::test(start_paused = true)]
async fn a_bit_that_flips_on_the_way_never_arrives() {
    let world = world().await;
    for seed in 0..20 {
        let there = MemoryStorage::new();
        let way = Faulty::new(world.storage.clone(), seed, Faults { flipped_bit: 40, ..Faults::NONE });
        let repository = world.open_on(world.storage.clone()).await.at(Arc::new(way.clone()));
        // What is damaged may be a part of the catalogue, too: the copy may fail, but never go wrong.
        let report = copy(repository, Arc::new(Codecs), Arc::new(there.clone()), all()).await;
        let source = world.storage.contents();
        for (key, body) in there.contents().iter().filter(|(key, _)| is_data(key)) {
            assert_eq!(source.get(key), Some(body), "{seed}: {key}");
        }
        if let Ok(report) = report {
            assert!(report.is_whole() || way.injected() > 0, "{seed}");
        }
        let healed = copied(&world, there.clone(), all()).await.unwrap();
        assert!(healed.is_whole() && healed.backups.len() == 4, "{seed}: {healed:?}");
        assert_eq!(whole(&world, &there).await, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn another_repository_is_refused_before_anything_is_written() {
    let world = world().await;
    let there = MemoryStorage::new();
    let other = Repository::init(Arc::new(there.clone()), world.environment(), InitOptions::default());
    other.await.unwrap();
    let before = there.contents();
    let error = copied(&world, there.clone(), all()).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Invalid, "another repository is at the destination"));
    assert_eq!(error.advice(), Some("copy to another place"));
    assert_eq!(there.contents(), before);
    assert!(!world.is_leased().await);
}

#[tokio::test(start_paused = true)]
async fn something_else_in_the_way_is_told_with_what_to_do_and_the_rest_goes_on() {
    let (world, there) = (world().await, MemoryStorage::new());
    let key = world.storage.keys().into_iter().find(|key| key.as_str().contains("/data/")).unwrap();
    there.put(key.clone(), "half of it");
    let report = copied(&world, there.clone(), all()).await.unwrap();
    assert_eq!((report.left_out.len(), report.copied), (1, 3), "{report:?}");
    let left = &report.left_out[0];
    assert_eq!((left.kind, left.findings.len()), (ErrorKind::AlreadyExists, 0));
    assert!(left.why.contains(key.as_str()) && left.why.contains("delete it at the destination, then copy again"));
    drop(there.take(&key).unwrap());
    assert!(copied(&world, there.clone(), all()).await.unwrap().is_whole());
    assert_eq!(whole(&world, &there).await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_bad_network_is_tried_again() {
    let (world, there) = (world().await, MemoryStorage::new());
    let flaky = Faulty::new(there.clone(), 5, Faults { half_write: 60, ..Faults::NONE });
    let mut attempts = 0;
    while copied(&world, flaky.clone(), all()).await.is_err() {
        attempts += 1;
        assert!(attempts < 50, "it never gets through");
    }
    assert!(flaky.injected() > 0);
    assert_eq!(whole(&world, &there).await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_full_destination_ends_the_copy_and_it_goes_on_once_there_is_room() {
    let (world, full) = (world().await, MemoryStorage::new());
    let mut seen = 0;
    for room in (1000..20_000).step_by(1500) {
        let small = Faulty::new(full.clone(), 5, Faults { room: Some(room), ..Faults::NONE });
        let Err(error) = copied(&world, small, all()).await else { break };
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error:?}");
        seen += u32::from(error.to_string().contains("make room at the destination, then copy again"));
        if super::is_repository(&full) {
            assert!(whole(&world, &full).await <= 4);
        }
    }
    assert!(seen > 2, "{seen}");
    assert!(copied(&world, full.clone(), all()).await.unwrap().is_whole());
    assert_eq!(whole(&world, &full).await, 4);
}
