//! Copies: the same repository on another storage, complete or not there.

mod cancel;
mod crash;
mod damage;
mod prune;
mod whole;

use std::sync::Arc;

use strongroom_core::engine::{CopyReport, CopyRequest, RestoreRequest, copy, restore};
use strongroom_core::model::Scope;
use strongroom_core::planner::{Request, Target};
use strongroom_core::{Key, Result, Storage};
use strongroom_testkit::{MemoryStorage, SimulatedOptions, Workload};

use crate::support::{World, settings};
use crate::toy::Codecs;

fn all() -> CopyRequest {
    CopyRequest { settings: settings(), ..CopyRequest::default() }
}

async fn copied(world: &World, to: impl Storage, request: CopyRequest) -> Result<CopyReport> {
    copy(world.open().await, Arc::new(Codecs), Arc::new(to), request).await
}

fn few() -> Workload {
    Workload { steps: 10, records: 6, ..Workload::default() }
}

/// Two parts, of each a base and an incremental, with shared content.
async fn world() -> World {
    let world = World::with(SimulatedOptions { pieces: 1, ..SimulatedOptions::default() }, 3, few()).await;
    world.backup().await;
    world.change_by(4, few());
    world.backup().await;
    world
}

/// Every backup that the repository on `storage` knows restores to what the model says; gives how many there are.
async fn whole(world: &World, storage: &MemoryStorage) -> usize {
    let repository = world.open_on(storage.clone()).await;
    let loaded = repository.load().await.unwrap();
    assert!(loaded.is_complete() && loaded.report.damaged.is_empty(), "{:?}", loaded.report);
    let entries: Vec<_> = loaded.entries().collect();
    for entry in &entries {
        let scope = Scope { parts: Some([(entry.part.clone(), entry.filter.clone())].into()) };
        let plan = loaded.catalogue().plan(&Request::at(Target::Backup(entry.id)).of(scope)).unwrap();
        let target = world.target();
        let request = RestoreRequest { settings: settings(), ..RestoreRequest::default() };
        let job = restore(repository.clone(), Arc::new(Codecs), plan, Arc::new(target.clone()), request);
        let summary = job.await.unwrap();
        let mut expected = world.expected(&summary.parts);
        if let Some(tables) = &entry.filter.tables {
            expected.retain(|name, _| tables.iter().any(|table| name.contains(&format!("/{table}/"))));
        }
        assert_eq!(target.contents(), expected);
    }
    entries.len()
}

async fn is_leased(world: &World, storage: &MemoryStorage) -> bool {
    !world.open_on(storage.clone()).await.leases().await.unwrap().is_empty()
}

fn is_repository(storage: &MemoryStorage) -> bool {
    storage.keys().iter().any(|key| key.as_str() == "strongroom.json")
}

/// Data of backups, their lists too: all but manifests, notes and what belongs to the repository.
fn is_data(key: &Key) -> bool {
    let text = key.as_str();
    let in_backup = text.starts_with("backups/") && !text.contains("/receipts/") && key.name() != "manifest.json";
    in_backup || text.starts_with("content/")
}

fn flip(storage: &MemoryStorage, key: &Key) {
    let mut body = storage.take(key).unwrap().to_vec();
    let last = body.len() - 1;
    body[last] ^= 1;
    storage.put(key.clone(), body);
}
