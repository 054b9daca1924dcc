//! A damaged chain gives no base; another copy of what is damaged gives the same one.

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_core::engine::{CopyRequest, SynthesizeRequest, copy};
use strongroom_core::id::BackupId;
use strongroom_core::{ErrorKind, Key, Storage};
use strongroom_testkit::MemoryStorage;

use super::{backups, made, newest, of, restored, short, state_of};
use crate::support::{World, settings};
use crate::toy::Codecs;

const NEAR: &str = "near";

/// What a merge of `chain` reads besides manifests.
fn read_of(world: &World, chain: &[BackupId]) -> Vec<Key> {
    let folders: Vec<String> = chain.iter().map(|id| format!("-{id}/")).collect();
    let is_read = |key: &Key| {
        let name = key.as_str();
        folders.iter().any(|folder| name.contains(folder)) && key.name() != "manifest.json"
    };
    world.storage.keys().into_iter().filter(is_read).collect()
}

fn spoil(storage: &MemoryStorage, key: &Key, missing: bool) {
    let mut body = storage.take(key).unwrap().to_vec();
    if !missing {
        let middle = body.len() / 2;
        body[middle] ^= 4;
        storage.put(key.clone(), body);
    }
}

#[tokio::test(start_paused = true)]
async fn no_damaged_chain_becomes_a_base() {
    let world = short(11).await;
    let backup = newest(&world).await;
    let chain: Vec<BackupId> = world.plan(&state_of(backup)).await.steps().map(|(_, step)| step.backup).collect();
    let before = backups(&world).await;
    let keys = read_of(&world, &chain);
    assert!(keys.iter().any(|key| key.as_str().contains("/data/")) && keys.len() > chain.len(), "{keys:?}");
    for key in &keys {
        for missing in [false, true] {
            let world = world.duplicate();
            spoil(&world.storage, key, missing);
            let error = made(&world, of(state_of(backup))).await.unwrap_err();
            let told = format!("{error:?}");
            let kinds: &[ErrorKind] =
                if missing { &[ErrorKind::NotFound, ErrorKind::Corrupt] } else { &[ErrorKind::Corrupt] };
            assert!(kinds.contains(&error.kind()) && told.contains(key.as_str()), "{key} {missing}: {told}");
            let begun = !world.open().await.load().await.unwrap().in_progress.is_empty();
            assert_eq!(error.advice().is_some_and(|advice| advice.contains("name run")), begun, "{told}");
            assert_eq!(backups(&world).await, before, "{key} {missing}");
            assert!(!world.is_leased().await, "{key} {missing}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_damaged_is_read_from_another_copy() {
    let world = short(12).await;
    let backup = newest(&world).await;
    let expected = restored(&world, backup).await;
    let near = MemoryStorage::new();
    let request = CopyRequest { name: Some(NEAR.to_owned()), settings: settings(), ..CopyRequest::default() };
    copy(world.open().await, Arc::new(Codecs), Arc::new(near.clone()), request).await.unwrap();
    let chain: Vec<BackupId> = world.plan(&state_of(backup)).await.steps().map(|(_, step)| step.backup).collect();
    let keys = read_of(&world, &chain);
    assert!(keys.len() > chain.len(), "{keys:?}");
    for key in &keys {
        for missing in [false, true] {
            let world = world.duplicate();
            spoil(&world.storage, key, missing);
            let storages: BTreeMap<String, Arc<dyn Storage>> = [(NEAR.to_owned(), Arc::new(near.clone()) as _)].into();
            let report = made(&world, SynthesizeRequest { storages, ..of(state_of(backup)) }).await;
            let report = report.unwrap_or_else(|error| panic!("{key} {missing}: {error:?}"));
            assert_eq!(restored(&world, report.backup).await, expected, "{key} {missing}");
        }
    }
}
