//! Random lives of a repository: whatever stays is reached as before, and is what the cluster held.

use std::collections::BTreeMap;
use std::time::Duration;

use strongroom_core::engine::{PruneRequest, Removal};
use strongroom_core::id::BackupId;
use strongroom_core::planner::{Pin, PinKind, Reached, RetentionPolicy};
use strongroom_core::units::Span;
use strongroom_core::{ErrorKind, Timestamp};
use strongroom_testkit::{SeedGuard, SimulatedOptions, Workload, seeds};

use super::support::{at_once, nothing_is_left_over, points};
use crate::support::World;

const FEW: Workload = Workload { steps: 14, records: 10, value: 40, files: true };

fn policy(rng: &mut fastrand::Rng) -> RetentionPolicy {
    let count = |rng: &mut fastrand::Rng| rng.bool().then(|| rng.u32(0..3));
    RetentionPolicy {
        keep_last: count(rng),
        keep_within: rng.bool().then(|| Span::secs(rng.u64(0..200_000))),
        keep_hourly: count(rng),
        keep_daily: count(rng),
        min_redundancy: rng.u32(0..3),
        ..RetentionPolicy::default()
    }
}

/// What a prune said that it keeps is reached as it said, and of what was there nothing else has moved.
async fn holds(world: &World, before: &BTreeMap<BackupId, Reached>, report: &strongroom_core::engine::PruneReport) {
    let now: BTreeMap<BackupId, Reached> =
        points(&world.catalogue().await).into_iter().map(|(backup, (_, reached))| (backup, reached)).collect();
    for part in &report.retention.as_ref().unwrap().parts {
        for point in part.kept.iter().filter(|point| !point.partial) {
            assert_eq!(now.get(&point.backup), Some(&point.reached), "'{}' {}", part.part, point.backup);
        }
    }
    let loaded = world.open().await.load().await.unwrap();
    for entry in loaded.entries().filter(|entry| !entry.pins.is_empty() && !loaded.condemned.contains_key(&entry.id)) {
        assert!(now.contains_key(&entry.id), "{} is pinned and can't be restored", entry.id);
    }
    for (backup, reached) in &now {
        assert!(before.get(backup).is_none_or(|before| before == reached), "{backup} has moved");
    }
}

async fn live(seed: u64) -> (u64, u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let options = SimulatedOptions { pieces: 2, ..SimulatedOptions::default() };
    let world = World::with(options, seed, FEW).await;
    let (mut deleted, mut restored) = (0, 0);
    for step in 0..40 {
        let backups: Vec<BackupId> = world.usable().await.into_iter().collect();
        match rng.u8(..10) {
            0..4 => {
                world.change_by(seed * 1000 + step, FEW);
                let _ = if rng.u8(..4) == 0 { world.base().await } else { world.backup().await };
            }
            4 => tokio::time::advance(Duration::from_secs(rng.u64(0..100_000))).await,
            5 => {
                // Of what is condemned too: that brings it back.
                let all: Vec<BackupId> = world.catalogue().await.entries().map(|entry| entry.id).collect();
                let Some(backup) = rng.choice(all) else { continue };
                let repository = world.open().await;
                if rng.bool() {
                    let kind = if rng.bool() { PinKind::Pin } else { PinKind::Hold };
                    repository.pin(backup, Pin::new(kind, "random").by("ann", Timestamp::EPOCH)).await.unwrap();
                } else {
                    repository.unpin(backup, PinKind::Pin, "ann").await.unwrap();
                    repository.unpin(backup, PinKind::Hold, "ann").await.unwrap();
                }
            }
            roll => {
                let what = if roll == 6 {
                    let chosen = backups.into_iter().filter(|_| rng.u8(..4) == 0).collect();
                    Removal::Backups { backups: chosen, cascade: rng.bool(), allow_last: false }
                } else {
                    Removal::Policy { policy: policy(&mut rng), parts: BTreeMap::new(), cluster: None }
                };
                let request = PruneRequest { what, ..PruneRequest::default() };
                let request = if rng.bool() { at_once(request) } else { request };
                let before = points(&world.catalogue().await);
                let before = before.into_iter().map(|(backup, (_, reached))| (backup, reached)).collect();
                match world.try_prune(request).await {
                    Ok(report) => {
                        deleted += report.deleted.backups.len() as u64;
                        holds(&world, &before, &report).await;
                        if rng.u8(..3) == 0 {
                            restored += world.every_point_restores().await.len() as u64;
                        }
                    }
                    // What was named is needed, pinned, or the last.
                    Err(error) => {
                        let kinds = [ErrorKind::BrokenChain, ErrorKind::Denied];
                        assert!(kinds.contains(&error.kind()), "{error:?}");
                    }
                }
            }
        }
    }
    nothing_is_left_over(&world).await;
    restored += world.every_point_restores().await.len() as u64;
    (deleted, restored)
}

#[tokio::test(start_paused = true)]
async fn whatever_stays_is_what_the_cluster_held() {
    let (mut deleted, mut restored) = (0, 0);
    let seeds = seeds(12);
    for seed in &seeds {
        let _guard = SeedGuard::new(*seed);
        let (gone, there) = live(*seed).await;
        (deleted, restored) = (deleted + gone, restored + there);
    }
    let many = seeds.len() as u64;
    assert!(many < 5 || deleted > many && restored > many, "{deleted} deleted, {restored} restored");
}
