//! Copies: when one fails in the middle of a restore, another one is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_core::engine::{CopyRequest, Journal, Proof, RestoreRequest, RestoreSummary, copy, restore};
use strongroom_core::id::SessionId;
use strongroom_core::planner::HOME;
use strongroom_core::{ErrorKind, Key, Result, Storage};
use strongroom_testkit::{Crashing, Death, MemoryStorage, SimulatedCluster, SimulatedOptions, Workload};

use crate::support::{World, settings};
use crate::toy::Codecs;

const NEAR: &str = "near";

/// A chain that rests at home and in another storage.
async fn world(fold: bool, workload: Workload) -> (World, MemoryStorage) {
    let options = SimulatedOptions { fold, pieces: 2, ..SimulatedOptions::default() };
    let world = World::with(options, 2, workload).await;
    world.backup().await;
    world.change_by(3, workload);
    world.backup().await;
    let near = MemoryStorage::new();
    let request = CopyRequest { name: Some(NEAR.to_owned()), settings: settings(), ..CopyRequest::default() };
    let report = copy(world.open().await, Arc::new(Codecs), Arc::new(near.clone()), request).await.unwrap();
    assert_eq!((report.backups.len(), report.warnings.len()), (4, 0), "{report:?}");
    (world, near)
}

fn few() -> Workload {
    Workload { steps: 14, records: 10, ..Workload::default() }
}

fn request(near: &MemoryStorage, proof: Proof) -> RestoreRequest {
    let storages: BTreeMap<String, Arc<dyn Storage>> = [(NEAR.to_owned(), Arc::new(near.clone()) as _)].into();
    RestoreRequest { storages, proof: Some(proof), settings: settings(), ..RestoreRequest::default() }
}

async fn restored(
    world: &World,
    home: impl Storage,
    near: &MemoryStorage,
    proof: Proof,
) -> (SimulatedCluster, Result<RestoreSummary>) {
    let (plan, target) = (world.latest().await, world.target());
    let repository = world.open_on(home).await;
    let job = restore(repository, Arc::new(Codecs), plan, Arc::new(target.clone()), request(near, proof));
    let result = job.await;
    (target, result)
}

fn is_data(key: &Key) -> bool {
    key.as_str().contains("/data/") || key.as_str().starts_with("content/")
}

fn flip(storage: &MemoryStorage, key: &Key) {
    let mut body = storage.take(key).unwrap().to_vec();
    let last = body.len() - 1;
    body[last] ^= 4;
    storage.put(key.clone(), body);
}

#[tokio::test(start_paused = true)]
async fn plans_know_both_places_and_read_at_home() {
    let (world, _) = world(false, few()).await;
    let plan = world.latest().await;
    for (_, step) in plan.steps() {
        let alternates: Vec<&str> = step.alternates.iter().map(|copy| copy.storage.as_str()).collect();
        assert_eq!((step.copy.storage.as_str(), alternates.as_slice()), (HOME, [NEAR].as_slice()));
    }
}

/// The home storage fails for good at any of its operations, in each way. Once the target has begun, that must not
/// matter; before, the restore may fail, and then nothing has changed.
#[tokio::test(start_paused = true)]
async fn a_home_that_goes_away_at_any_moment_is_replaced_by_the_copy() {
    for fold in [false, true] {
        let (world, near) = world(fold, few()).await;
        for kind in [ErrorKind::Unavailable, ErrorKind::Denied, ErrorKind::NotFound] {
            let (mut went_over, mut at) = (0, 3);
            loop {
                let home = Crashing::failing_at(world.storage.clone(), at, Death::Before, kind);
                let (target, result) = restored(&world, home.clone(), &near, Proof::Check).await;
                match result {
                    Ok(summary) => {
                        assert_eq!(target.contents(), world.expected(&summary.parts), "{at} {kind:?}");
                        went_over += usize::from(home.is_dead());
                    }
                    Err(error) => {
                        assert!(target.contents().is_empty(), "{at} {kind:?}: {error:?}");
                        assert_eq!(target.open_sessions(), 0, "{at} {kind:?}: {error:?}");
                    }
                }
                if !home.is_dead() {
                    break;
                }
                at += 1;
            }
            assert!(went_over > 10, "{kind:?}: only {went_over} of {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn damage_of_any_object_is_stepped_over_and_told() {
    for fold in [false, true] {
        let (world, near) = world(fold, Workload::default()).await;
        let whole = world.storage.contents();
        for key in whole.keys().filter(|key| is_data(key)) {
            for proof in [Proof::Check, Proof::Hash] {
                flip(&world.storage, key);
                let (target, result) = restored(&world, world.storage.clone(), &near, proof).await;
                let summary = result.unwrap_or_else(|error| panic!("{key}: {error:?}"));
                assert_eq!(target.contents(), world.expected(&summary.parts), "{key}");
                let told: Vec<_> = summary.warnings.iter().filter(|warning| warning.contains(key.as_str())).collect();
                assert!(!told.is_empty(), "{key} {proof:?}: {:?}", summary.warnings);
                world.storage.put(key.clone(), whole[key].clone());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn missing_objects_manifests_and_lists_are_found_in_the_copy() {
    let (world, near) = world(false, Workload::default()).await;
    let whole = world.storage.contents();
    // The list of shared content is a prune's: a restore does without it.
    let needed = |key: &Key| !key.name().starts_with("shared.");
    let of_backups =
        |key: &&Key| (key.as_str().starts_with("backups/") && needed(key)) || key.as_str().starts_with("content/");
    for key in whole.keys().filter(of_backups) {
        drop(world.storage.take(key).unwrap());
        let (target, result) = restored(&world, world.storage.clone(), &near, Proof::Check).await;
        let summary = result.unwrap_or_else(|error| panic!("{key}: {error:?}"));
        assert_eq!(target.contents(), world.expected(&summary.parts), "{key}");
        let told: Vec<_> = summary.warnings.iter().filter(|warning| warning.contains("'home'")).collect();
        assert!(!told.is_empty(), "{key}: {:?}", summary.warnings);
        world.storage.put(key.clone(), whole[key].clone());
    }
}

#[tokio::test(start_paused = true)]
async fn when_every_copy_is_damaged_the_restore_stops_and_goes_on_once_one_is_put_back() {
    for fold in [false, true] {
        let (world, near) = world(fold, Workload::default()).await;
        let whole = world.storage.contents();
        let last = whole.iter().filter(|(key, _)| is_data(key)).max_by_key(|(_, body)| body.len()).unwrap().0;
        flip(&world.storage, last);
        flip(&near, last);
        let journal = Journal::new(Arc::new(MemoryStorage::new()));
        let request = || RestoreRequest {
            journal: Some(journal.clone()),
            session: Some(SessionId::from_u128(1)),
            ..request(&near, Proof::Check)
        };
        let (plan, target) = (world.latest().await, world.target());
        let error = world.restore(plan.clone(), &target, request()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains(last.as_str()), "{error}");
        near.put(last.clone(), whole[last].clone());
        let summary = world.restore(plan, &target, request()).await.unwrap();
        assert_eq!(target.contents(), world.expected(&summary.parts));
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_reads_elsewhere_needs_that_storage() {
    let (world, near) = world(false, few()).await;
    let request = strongroom_core::planner::Request {
        storages: Some([NEAR.to_owned()].into()),
        ..strongroom_core::planner::Request::default()
    };
    let plan = world.plan(&request).await;
    let target = world.target();
    let error = world.restore(plan.clone(), &target, RestoreRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("no storage named 'near' is open"), "{error}");
    let summary = world.restore(plan, &target, self::request(&near, Proof::Hash)).await.unwrap();
    assert_eq!(target.contents(), world.expected(&summary.parts));
}
