//! A prune that dies, is cancelled, or hears lies at any moment: what it was to keep stays whole, and the next one ends it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use strongroom_core::ErrorKind;
use strongroom_core::engine::{PruneRequest, prune};
use strongroom_core::id::BackupId;
use strongroom_core::planner::Reached;
use strongroom_core::repository::Repository;
use strongroom_testkit::{Crashing, Death, Faults, Faulty, Latency, SeedGuard, SimulatedOptions, Workload, seeds};

use super::support::{at_once, keep_last, nothing_is_left_over, points};
use crate::support::World;

const FEW: Workload = Workload { steps: 14, records: 10, value: 40, files: true };

/// Two chains; the policy keeps the second one. And the points that it keeps.
async fn world() -> (World, PruneRequest, BTreeMap<BackupId, Reached>) {
    let options = SimulatedOptions { pieces: 2, ..SimulatedOptions::default() };
    let world = World::with(options, 6, FEW).await;
    world.two_chains_by(2, FEW).await;
    let request = at_once(keep_last(1));
    let told = world.prune(PruneRequest { dry_run: true, ..request.clone() }).await.retention.unwrap();
    let kept = told.parts.iter().flat_map(|part| &part.kept).map(|point| (point.backup, point.reached)).collect();
    assert!(told.totals.going > 0);
    (world, request, kept)
}

/// What must be true whatever became of a prune: every kept point is reached as before.
async fn kept_are_reached(world: &World, kept: &BTreeMap<BackupId, Reached>, what: &str) {
    let now = points(&world.catalogue().await);
    for (backup, reached) in kept {
        assert_eq!(now.get(backup).map(|(_, reached)| reached), Some(reached), "{what}: {backup}");
    }
}

/// The next prune ends it; nothing is left over.
async fn the_next_ends_it(world: &World, request: &PruneRequest, kept: &BTreeMap<BackupId, Reached>, what: &str) {
    kept_are_reached(world, kept, what).await;
    world.prune(request.clone()).await;
    kept_are_reached(world, kept, what).await;
    nothing_is_left_over(world).await;
    let loaded = world.open().await.load().await.unwrap();
    assert!(loaded.condemned.is_empty(), "{what}");
    assert!(!world.is_leased().await, "{what}");
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_operation() {
    let (world, request, kept) = world().await;
    for death in [Death::Before, Death::After] {
        for at in 1.. {
            let what = format!("{at} {death:?}");
            let world = world.duplicate();
            let process = Crashing::at(world.storage.clone(), at, death);
            let done = process.run(async { world.prune_on(process.clone(), request.clone()).await }).await;
            the_next_ends_it(&world, &request, &kept, &what).await;
            if at.is_multiple_of(40) {
                let left = world.every_point_restores().await;
                assert_eq!(left.keys().collect::<BTreeSet<_>>(), world.usable().await.iter().collect(), "{what}");
            }
            if let Some(done) = done {
                done.unwrap();
                assert!(at > 150, "only {at} operations");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cancelled_at_any_moment() {
    let (world, request, kept) = world().await;
    let mut moments = 0;
    loop {
        let what = format!("after {moments} ms");
        let world = world.duplicate();
        let slow = Latency::new(world.storage.clone(), Duration::from_millis(2));
        let job = prune(world.open_on(slow).await, request.clone());
        tokio::time::sleep(Duration::from_millis(moments)).await;
        job.cancel();
        let result = job.await;
        assert!(!world.is_leased().await, "{what}: the lease is given back");
        the_next_ends_it(&world, &request, &kept, &what).await;
        match result {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Cancelled, "{what}: {error:?}"),
        }
        moments += 3;
    }
    assert!(moments > 200, "only {moments} ms");
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_moment() {
    let (world, request, kept) = world().await;
    for moments in (0..400).step_by(20) {
        let world = world.duplicate();
        let slow = Latency::new(world.storage.clone(), Duration::from_millis(2));
        let job = prune(world.open_on(slow).await, request.clone());
        tokio::time::sleep(Duration::from_millis(moments)).await;
        drop(job);
        tokio::time::sleep(Duration::from_secs(10)).await;
        the_next_ends_it(&world, &request, &kept, &format!("after {moments} ms")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn replies_that_are_lost_and_calls_that_fail_lose_nothing() {
    let (world, request, kept) = world().await;
    for seed in seeds(20) {
        let _guard = SeedGuard::new(seed);
        let world = world.duplicate();
        let faults = Faults { fail: 3, lost_reply: 60, cut_read: 3, failing_page: 3, ..Faults::NONE };
        let shaken = Faulty::new(world.storage.clone(), seed, faults);
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < 200, "it never gets through");
            let opened = Repository::open(Arc::new(shaken.clone()), world.environment()).await;
            let Ok(repository) = opened else { continue };
            match prune(repository, request.clone()).await {
                Ok(_) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
            }
            kept_are_reached(&world, &kept, "in between").await;
        }
        assert!(shaken.injected() > 0);
        shaken.set(Faults::NONE);
        the_next_ends_it(&world, &request, &kept, "in the end").await;
    }
}
