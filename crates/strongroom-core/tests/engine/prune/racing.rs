//! A whole prune between any two steps of a restore, copy or backup; and a pin between any two steps of a prune.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{
    CopyRequest, PartOutcome, PruneReport, PruneRequest, Removal, RestoreRequest, VerifyRequest, backup, copy, restore,
    verify,
};
use strongroom_core::id::BackupId;
use strongroom_core::model::Scope;
use strongroom_core::planner::{Pin, PinKind, Request, Target};
use strongroom_core::repository::Repository;
use strongroom_core::{ErrorKind, Result, Timestamp};
use strongroom_testkit::{MemoryStorage, SimulatedOptions, Workload};

use super::meanwhile::Meanwhile;
use super::support::{at_once, keep_last, nothing_is_left_over, points};
use crate::support::{World, committed, reached, request, settings};
use crate::toy::Codecs;

const FEW: Workload = Workload { steps: 14, records: 10, value: 40, files: true };

async fn world() -> World {
    let options = SimulatedOptions { pieces: 2, ..SimulatedOptions::default() };
    let world = World::with(options, 6, FEW).await;
    world.two_chains_by(2, FEW).await;
    world
}

pub(super) type Outcome = Arc<Mutex<Option<Result<PruneReport>>>>;

/// The storage of a process; right before its operation `at` another one prunes. And what came of it.
pub(super) fn pruned_at(world: &World, at: u64, request: PruneRequest) -> (Meanwhile<MemoryStorage>, Outcome) {
    let outcome = Outcome::default();
    let (storage, environment, told) = (world.storage.clone(), world.environment(), Arc::clone(&outcome));
    let act = async move {
        let repository = Repository::open(Arc::new(storage), environment).await.unwrap();
        let done = strongroom_core::engine::prune(repository, request).await;
        *told.lock().unwrap() = Some(done);
    };
    (Meanwhile::at(world.storage.clone(), at, act), outcome)
}

/// What a policy deletes at once.
pub(super) fn deleted(outcome: &Outcome) -> BTreeSet<BackupId> {
    let outcome = outcome.lock().unwrap();
    outcome.as_ref().map(|done| done.as_ref().unwrap().deleted.backups.iter().copied().collect()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_restore_ends_well_or_is_refused_before_anything_is_destroyed() {
    let first = world().await;
    // The end of the older chain, which the policy does not keep.
    let last = first.catalogue().await.entries().filter(|entry| entry.part == "a").nth(1).unwrap().id;
    let plan = first.plan(&Request::at(Target::Backup(last)).of(Scope::of_parts(["a"]))).await;
    let expected = first.expected(&reached(&plan));
    let (mut refused, mut restored) = (0, 0);
    for at in 1.. {
        let world = first.duplicate();
        let (storage, outcome) = pruned_at(&world, at, at_once(keep_last(1)));
        let target = world.target();
        target.change(&["a"], 77, FEW);
        let before = target.contents();
        let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
        let request = RestoreRequest { options, settings: settings(), ..RestoreRequest::default() };
        let repository = world.open_on(storage.clone()).await;
        let done = restore(repository, Arc::new(Codecs), plan.clone(), Arc::new(target.clone()), request).await;
        let gone = deleted(&outcome);
        match done {
            Ok(_) => {
                restored += 1;
                assert_eq!(target.contents(), expected, "{at}");
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind(), ErrorKind::NotFound, "{at}: {error:?}");
                assert_eq!(target.contents(), before, "{at}: refused before anything is destroyed");
                assert!(plan.steps().all(|(_, step)| gone.contains(&step.backup)), "{at}");
            }
        }
        if !storage.happened() {
            break;
        }
        // What was spared for the restore goes with the next prune.
        world.prune(at_once(keep_last(1))).await;
        nothing_is_left_over(&world).await;
        assert!(plan.steps().all(|(_, step)| !world.storage.keys().contains(&step.manifest)), "{at}");
    }
    assert!(refused > 3 && restored > 10, "{refused} refused, {restored} restored");
}

#[tokio::test(start_paused = true)]
async fn a_copy_ends_well_or_is_refused() {
    let first = world().await;
    let all = first.usable().await;
    let (mut refused, mut copied) = (0, 0);
    for at in 1.. {
        let world = first.duplicate();
        let (storage, outcome) = pruned_at(&world, at, at_once(keep_last(1)));
        let there = MemoryStorage::new();
        let repository = world.open_on(storage.clone()).await;
        let request = CopyRequest { settings: settings(), ..CopyRequest::default() };
        let done = copy(repository, Arc::new(Codecs), Arc::new(there.clone()), request).await;
        let gone = deleted(&outcome);
        if let Ok(report) = &done {
            copied += 1;
            let there_now: BTreeSet<BackupId> = report.backups.iter().copied().collect();
            // What went after the copy had given its lease back is there all the same.
            let kept: BTreeSet<BackupId> = all.difference(&gone).copied().collect();
            assert!(there_now == kept || there_now == all, "{at}: {there_now:?}");
            let repository = Repository::open(Arc::new(there), world.environment()).await.unwrap();
            let checked = verify(repository, Arc::new(Codecs), VerifyRequest::default()).await.unwrap();
            assert!(checked.is_whole() && checked.backups.len() == there_now.len(), "{at}: {checked:?}");
        } else {
            refused += 1;
            assert!(!gone.is_empty(), "{at}: {:?}", done.unwrap_err());
        }
        if !storage.happened() {
            break;
        }
    }
    assert!(copied > 10, "{copied} copied, {refused} refused");
}

#[tokio::test(start_paused = true)]
async fn a_backup_never_continues_what_a_prune_takes_away() {
    let first = world().await;
    let everything = Removal::Backups { backups: first.usable().await, cascade: true, allow_last: true };
    let (mut bases, mut incrementals) = (0, 0);
    for at in 1.. {
        let world = first.duplicate();
        let prune = at_once(PruneRequest { what: everything.clone(), ..PruneRequest::default() });
        let (storage, outcome) = pruned_at(&world, at, prune);
        let repository = world.open_on(storage.clone()).await;
        let report = backup(repository, Arc::new(Codecs), world.cluster(), request()).await.unwrap();
        for part in &report.parts {
            let PartOutcome::Committed(done) = &part.outcome else { panic!("{at}: {part:?}") };
            assert!(done.restorable.is_some() && part.warnings.is_empty(), "{at}: {part:?}");
        }
        let kind = committed(&report, "a").kind;
        if kind.starts_a_chain() {
            bases += 1;
        } else {
            incrementals += 1;
        }
        if let Some(Err(error)) = outcome.lock().unwrap().take() {
            assert_eq!(error.kind(), ErrorKind::Denied, "{at}: {error:?}");
        }
        if at.is_multiple_of(7) {
            world.every_point_restores().await;
        }
        if !storage.happened() {
            break;
        }
    }
    assert!(bases > 3 && incrementals > 10, "{bases} bases, {incrementals} incrementals");
}

#[tokio::test(start_paused = true)]
async fn a_pin_that_is_told_as_set_holds() {
    let first = world().await;
    let made = first.catalogue().await;
    // The newest of the older chain needs its base.
    let wanted = made.entries().filter(|entry| entry.part == "a").nth(1).unwrap().id;
    let (mut held, mut late) = (0, 0);
    for at in 1.. {
        let world = first.duplicate();
        let outcome: Arc<Mutex<Option<Result<()>>>> = Arc::default();
        let (storage, environment, told) = (world.storage.clone(), world.environment(), Arc::clone(&outcome));
        let act = async move {
            let repository = Repository::open(Arc::new(storage), environment).await.unwrap();
            let pin = Pin::new(PinKind::Pin, "wanted").by("a test", Timestamp::EPOCH);
            *told.lock().unwrap() = Some(repository.pin(wanted, pin).await);
        };
        let storage = Meanwhile::at(world.storage.clone(), at, act);
        world.prune_on(storage.clone(), at_once(keep_last(1))).await.unwrap();
        world.prune(at_once(keep_last(1))).await;
        let there = points(&world.catalogue().await);
        if at.is_multiple_of(25) {
            world.every_point_restores().await;
        }
        let pinned = outcome.lock().unwrap().take();
        match pinned {
            None => break,
            Some(Ok(())) => {
                held += 1;
                assert!(there.contains_key(&wanted), "{at}");
            }
            Some(Err(error)) => {
                late += 1;
                let kinds = [ErrorKind::NotFound, ErrorKind::Unavailable];
                assert!(kinds.contains(&error.kind()), "{at}: {error:?}");
            }
        }
        nothing_is_left_over(&world).await;
    }
    assert!(held > 10 && late > 10, "{held} held, {late} too late");
}
