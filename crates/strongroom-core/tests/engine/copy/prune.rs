//! A prune of either place at every step of a copy: what is in sight at the destination is whole, whatever is deleted.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use strongroom_core::ErrorKind;
use strongroom_core::engine::{CopyRequest, copy};
use strongroom_core::id::BackupId;
use strongroom_testkit::{Crashing, Death, Faults, Faulty, Latency, MemoryStorage};

use super::{all, copied, is_leased, is_repository, whole, world};
use crate::meddled::Meddler;
use crate::support::{World, condemn_all, prune_all, sound};
use crate::toy::Codecs;

async fn bases(world: &World) -> CopyRequest {
    let loaded = world.open().await.load().await.unwrap();
    let bases: Vec<BackupId> =
        loaded.entries().filter(|entry| entry.kind.starts_a_chain()).map(|entry| entry.id).collect();
    CopyRequest { backups: Some(bases.into_iter().collect()), ..all() }
}

/// Copies while a prune of one of the places happens right before operation `at`; `false`: it never came to that.
async fn disturbed(world: World, there: MemoryStorage, at: u64, prunes_source: bool, grace: Duration) -> bool {
    let pruned = if prunes_source { world.storage.clone() } else { there.clone() };
    let other = world.open_on(world.storage.clone()).await;
    let meddler = Meddler::at(at, move || {
        let place = other.at(Arc::new(pruned.clone()));
        let is_there = is_repository(&pruned);
        async move {
            if is_there {
                prune_all(&place, grace).await;
            }
        }
        .boxed()
    });
    let repository = world.open_on(meddler.before(world.storage.clone())).await;
    let job = copy(repository, Arc::new(Codecs), Arc::new(meddler.before(there.clone())), all());
    let result = job.await;
    let what = format!("{at}, source {prunes_source}, {grace:?}: {result:?}");
    match &result {
        Ok(report) => assert!(report.backups.len() + report.left_out.len() <= 4, "{what}"),
        // Its own lease was due just when it stood still.
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::NotFound), "{what}"),
    }
    // A lease is given back, or it is told that the storage stood still just then.
    let told =
        result.as_ref().map_or(true, |report| report.warnings.iter().any(|told| told.contains("ends by itself")));
    assert!(told || !world.is_leased().await, "{what}");
    if is_repository(&there) {
        assert!(told || !is_leased(&world, &there).await, "{what}");
        sound(&world, &there, &what).await;
    }
    meddler.did()
}

#[tokio::test(start_paused = true)]
async fn a_prune_of_the_source_at_every_step() {
    let world = world().await;
    // Every step, with one of the two.
    for grace in [Duration::ZERO, Duration::from_hours(1)] {
        let mut at = if grace.is_zero() { 1 } else { 2 };
        while disturbed(world.duplicate(), MemoryStorage::new(), at, true, grace).await {
            at += 2;
        }
        assert!(at > 80, "only {at} operations");
    }
}

#[tokio::test(start_paused = true)]
async fn a_prune_of_the_destination_at_every_step() {
    let world = world().await;
    let before = MemoryStorage::new();
    assert!(copied(&world, before.clone(), bases(&world).await).await.unwrap().is_whole());
    // Every step, with one of the two.
    for grace in [Duration::ZERO, Duration::from_hours(1)] {
        let mut at = if grace.is_zero() { 1 } else { 2 };
        loop {
            let there = MemoryStorage::holding(before.contents());
            if !disturbed(world.duplicate(), there.clone(), at, false, grace).await {
                break;
            }
            // Whatever was deleted there comes back when it is named, once the prune has ended.
            tokio::time::sleep(Duration::from_hours(2)).await;
            prune_all(&world.open_on(there.clone()).await, grace).await;
            tokio::time::sleep(Duration::from_hours(2)).await;
            prune_all(&world.open_on(there.clone()).await, grace).await;
            let everything: Vec<BackupId> =
                world.open().await.load().await.unwrap().entries().map(|entry| entry.id).collect();
            let named = CopyRequest { backups: Some(everything.into_iter().collect()), ..all() };
            let report = copied(&world, there.clone(), named).await.unwrap();
            assert!(report.is_whole(), "{at}: {report:?}");
            assert_eq!(whole(&world, &there).await, 4, "{at}");
            at += 2;
        }
        assert!(at > 60, "only {at} operations");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_destination_deleted_comes_back_only_when_it_is_named() {
    let (world, there) = (world().await, MemoryStorage::new());
    copied(&world, there.clone(), all()).await.unwrap();
    let repository = world.open_on(there.clone()).await;
    condemn_all(&repository, Duration::from_hours(1)).await;
    let named = || async {
        let chain = world.latest().await.parts["a"].steps.iter().map(|step| step.backup).collect();
        CopyRequest { backups: Some(chain), ..all() }
    };
    let report = copied(&world, there.clone(), named().await).await.unwrap();
    assert_eq!((report.left_out.len(), report.backups.len()), (2, 0), "{report:?}");
    let left = &report.left_out[0];
    assert_eq!(left.kind, ErrorKind::Unavailable);
    assert!(left.why.starts_with("a prune of the destination is about to delete backups/"), "{}", left.why);
    tokio::time::sleep(Duration::from_hours(2)).await;
    prune_all(&repository, Duration::ZERO).await;
    let report = copied(&world, there.clone(), all()).await.unwrap();
    assert_eq!((report.deleted, report.backups.len(), report.is_whole()), (4, 0, true), "{report:?}");
    let report = copied(&world, there.clone(), named().await).await.unwrap();
    assert_eq!((report.copied, report.is_whole()), (2, true), "{report:?}");
    assert_eq!(whole(&world, &there).await, 2);
}

/// A copy that was cut off and given up by a prune of the destination: the next one brings the backup all the same.
#[tokio::test(start_paused = true)]
async fn a_copy_that_was_given_up_is_made_anew() {
    let world = world().await;
    let count = {
        let process = Crashing::never(world.storage.clone());
        let repository = world.open_on(process.clone()).await;
        let job = copy(repository, Arc::new(Codecs), Arc::new(process.beside(MemoryStorage::new())), all());
        job.await.unwrap();
        process.operations()
    };
    for at in (count / 4..count).step_by(7) {
        let there = MemoryStorage::new();
        let process = Crashing::at(world.storage.clone(), at, Death::Before);
        let work = async {
            let repository = world.open_on(process.clone()).await;
            copy(repository, Arc::new(Codecs), Arc::new(process.beside(there.clone())), all()).await
        };
        assert!(process.run(work).await.is_none());
        if !is_repository(&there) {
            continue;
        }
        let repository = world.open_on(there.clone()).await;
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_hours(24 * 8)).await;
            let lease = repository.prune_lease("a test", Duration::from_mins(10)).await.unwrap();
            let request = strongroom_core::repository::PruneTerms::default();
            repository.prune(&lease, &request, &|_| Ok(())).await.unwrap();
            lease.release().await.unwrap();
        }
        assert!(repository.load().await.unwrap().in_progress.is_empty(), "{at}");
        let report = copied(&world, there.clone(), all()).await.unwrap();
        assert!(report.is_whole() && report.backups.len() == 4, "{at}: {report:?}");
        assert_eq!(whole(&world, &there).await, 4, "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_can_only_be_read_is_copied_and_that_it_gives_no_lease_is_told() {
    let (world, there) = (world().await, MemoryStorage::new());
    let read_only = Faulty::new(world.storage.clone(), 5, Faults { room: Some(0), ..Faults::NONE });
    let repository = world.open_on(read_only).await;
    let report = copy(repository, Arc::new(Codecs), Arc::new(there.clone()), all()).await.unwrap();
    assert!(report.warnings[0].contains("no lease keeps a prune away from what is read"), "{:?}", report.warnings);
    assert_eq!(whole(&world, &there).await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_prune_spares_what_is_being_copied_and_says_so() {
    let world = world().await;
    let slow = Latency::new(MemoryStorage::new(), Duration::from_secs(5));
    let job = copy(world.open().await, Arc::new(Codecs), Arc::new(slow), all());
    tokio::time::sleep(Duration::from_mins(1)).await;
    let plan = condemn_all(&world.open().await, Duration::ZERO).await;
    assert!(plan.backups.is_empty() && plan.spared.len() == 4, "{plan:?}");
    assert!(plan.spared.iter().all(|spared| spared.by.starts_with("copy-")), "{plan:?}");
    assert_eq!(job.await.unwrap().backups.len(), 4);
}
