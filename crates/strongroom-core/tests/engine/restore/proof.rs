//! The three depths of proof: each ends before the target is touched, and finds what it is there to find.

use std::collections::BTreeSet;
use std::sync::Arc;

use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{Proof, RestoreRequest, RestoreSummary, restore};
use strongroom_core::repository::Repository;
use strongroom_core::{ErrorKind, Key, Result};
use strongroom_testkit::{Call, MemoryStorage, Recording, SimulatedCluster, SimulatedOptions, Traffic};

use crate::support::{World, settings};
use crate::toy::Codecs;

fn proving(proof: Option<Proof>, truncate: bool) -> RestoreRequest {
    let options = RestoreOptions { truncate, ..RestoreOptions::default() };
    RestoreRequest { options, proof, settings: settings(), ..RestoreRequest::default() }
}

/// A restore of the latest point whose calls to repository, staging and target stand in one record.
struct Watched {
    home: Recording<MemoryStorage>,
    staging: MemoryStorage,
    target: SimulatedCluster,
    result: Result<RestoreSummary>,
}

async fn watched(world: &World, mut request: RestoreRequest) -> Watched {
    let home = Recording::new(world.storage.clone());
    let (staging, target) = (MemoryStorage::new(), world.target());
    target.put("a", "table-1", "before", "what was there before");
    if request.proof == Some(Proof::Stage) {
        request.staging = Some(Arc::new(home.beside(staging.clone())));
    }
    let plan = world.latest().await;
    let repository: Repository = world.open_on(home.clone()).await;
    let _ = home.take();
    let seen = Arc::new(home.cluster(Arc::new(target.clone())));
    let result = restore(repository, Arc::new(Codecs), plan, seen, request).await;
    Watched { home, staging, target, result }
}

impl Watched {
    /// The calls before the target was touched for the first time, and those after.
    fn around_begin(&self) -> (Traffic, Traffic) {
        let calls = self.home.traffic().calls;
        let begin = calls.iter().position(|call| *call == Call::Cluster("begin_restore")).unwrap();
        let of = |calls: &[Call]| Traffic { calls: calls.to_vec(), ..Traffic::default() };
        (of(&calls[..begin]), of(&calls[begin..]))
    }

    fn untouched(&self) -> bool {
        let calls = self.home.traffic().calls;
        let touching = ["begin_restore", "write", "seal_step", "finish_restore"];
        !calls.iter().any(|call| touching.iter().any(|name| *call == Call::Cluster(name)))
            && self.target.contents().len() == 1
            && self.target.open_sessions() == 0
    }
}

fn is_data(key: &Key) -> bool {
    key.as_str().contains("/data/") || key.as_str().starts_with("content/")
}

fn data(world: &World) -> BTreeSet<Key> {
    world.storage.keys().into_iter().filter(is_data).collect()
}

fn read(traffic: &Traffic) -> BTreeSet<Key> {
    let of = |call: &Call| if let Call::Read(key, _) = call { Some(key.clone()) } else { None };
    traffic.calls.iter().filter_map(of).filter(is_data).collect()
}

async fn world() -> World {
    let world = World::new(SimulatedOptions::default(), 4).await;
    world.chain(2).await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_check_looks_for_everything_and_reads_a_sample_before_the_target_is_touched() {
    let world = world().await;
    let seen = watched(&world, proving(None, false)).await;
    assert_eq!(seen.result.as_ref().unwrap().proof, Proof::Check);
    let (before, after) = seen.around_begin();
    let looked: BTreeSet<Key> = before
        .calls
        .iter()
        .filter_map(|call| if let Call::Stat(key) = call { Some(key.clone()) } else { None })
        .collect();
    assert!(data(&world).is_subset(&looked), "every object was looked for");
    let sample = read(&before);
    assert!((1..=6).contains(&sample.len()), "one piece of each step was read: {sample:?}");
    assert_eq!(read(&after), data(&world));
}

#[tokio::test(start_paused = true)]
async fn a_hash_reads_everything_before_the_target_is_emptied() {
    let world = world().await;
    // The default when truncating.
    for request in [proving(None, true), proving(Some(Proof::Hash), false)] {
        let seen = watched(&world, request).await;
        assert_eq!(seen.result.as_ref().unwrap().proof, Proof::Hash);
        let (before, after) = seen.around_begin();
        assert_eq!(read(&before), data(&world), "everything was read");
        assert_eq!(before.finished().filter(|key| is_data(key)).count(), 0, "and nothing of it stored");
        assert_eq!(read(&after), data(&world));
    }
}

#[tokio::test(start_paused = true)]
async fn staging_brings_everything_near_before_the_target_is_emptied_and_clears_up_afterwards() {
    let world = world().await;
    let seen = watched(&world, proving(Some(Proof::Stage), true)).await;
    assert_eq!(seen.result.as_ref().unwrap().proof, Proof::Stage);
    let (before, _) = seen.around_begin();
    let staged: BTreeSet<Key> = before.finished().filter(|key| is_data(key)).cloned().collect();
    assert_eq!(staged, data(&world));
    assert!(seen.staging.keys().is_empty(), "what was staged is deleted");
    assert_eq!(seen.target.contents(), world.expected(&seen.result.unwrap().parts));
}

#[tokio::test(start_paused = true)]
async fn once_staged_the_repository_is_not_needed_any_more() {
    let world = world().await;
    let (target, staging) = (world.target(), MemoryStorage::new());
    let request = RestoreRequest { staging: Some(Arc::new(staging.clone())), ..proving(Some(Proof::Stage), true) };
    // The target's first call after the proof takes the data away.
    let home = Recording::new(world.storage.clone());
    let seen = Arc::new(home.cluster(Arc::new(target.clone())));
    let (repository, plan) = (world.open().await, world.latest().await);
    let job = restore(repository, Arc::new(Codecs), plan, seen, request);
    let progress = job.counters();
    let storage = world.storage.clone();
    let thief = async move {
        while progress.snapshot().phase == strongroom_core::pipeline::Phase::Preparing {
            tokio::task::yield_now().await;
        }
        let stolen: Vec<Key> = storage.keys().into_iter().filter(is_data).collect();
        assert!(!stolen.is_empty());
        for key in stolen {
            drop(storage.take(&key).unwrap());
        }
    };
    let (summary, ()) = futures::future::join(job.wait(), thief).await;
    assert_eq!(target.contents(), world.expected(&summary.unwrap().parts));
}

#[tokio::test(start_paused = true)]
async fn each_depth_finds_its_damage_before_anything_is_destroyed() {
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Damage {
        Missing,
        Shorter,
        Flipped,
    }
    let all = [Proof::Check, Proof::Hash, Proof::Stage];
    for (proof, damage) in all
        .into_iter()
        .flat_map(|proof| [Damage::Missing, Damage::Shorter, Damage::Flipped].map(|damage| (proof, damage)))
    {
        for truncate in [false, true] {
            let world = world().await;
            // The largest object is in no sample.
            let contents = world.storage.contents();
            let (key, body) =
                contents.iter().filter(|(key, _)| is_data(key)).max_by_key(|(_, body)| body.len()).unwrap();
            match damage {
                Damage::Missing => drop(world.storage.take(key).unwrap()),
                Damage::Shorter => world.storage.put(key.clone(), body.slice(..body.len() - 1)),
                Damage::Flipped => {
                    let mut body = body.to_vec();
                    *body.last_mut().unwrap() ^= 1;
                    world.storage.put(key.clone(), body);
                }
            }
            let seen = watched(&world, proving(Some(proof), truncate)).await;
            let error = seen.result.as_ref().unwrap_err();
            let kind = if damage == Damage::Missing { ErrorKind::NotFound } else { ErrorKind::Corrupt };
            assert_eq!(error.kind(), kind, "{proof:?} {damage:?}: {error:?}");
            assert!(error.message().contains(key.as_str()), "{proof:?} {damage:?}: {error}");
            if (proof, damage) == (Proof::Check, Damage::Flipped) {
                assert!(!seen.untouched(), "a check reads only a sample: that is the difference");
                assert!(error.to_string().contains("half restored"), "{error}");
                assert_eq!(seen.target.open_sessions(), 0, "without a journal the session is given up");
            } else {
                assert!(seen.untouched(), "{proof:?} {damage:?}");
            }
            assert!(!world.is_leased().await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_attempt_staged_is_proven_and_brought_again_where_it_is_damaged() {
    let world = world().await;
    let staging = MemoryStorage::new();
    let contents = world.storage.contents();
    for (number, (key, body)) in contents.iter().filter(|(key, _)| is_data(key)).enumerate() {
        match number % 3 {
            0 => staging.put(key.clone(), body.clone()),
            1 => staging.put(key.clone(), vec![0; body.len()]),
            _ => staging.put(key.clone(), "half of it"),
        }
    }
    let request = RestoreRequest { staging: Some(Arc::new(staging.clone())), ..proving(Some(Proof::Stage), true) };
    let target = world.target();
    let summary = world.restore(world.latest().await, &target, request).await.unwrap();
    assert_eq!(target.contents(), world.expected(&summary.parts));
    assert!(staging.keys().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_staging_place_that_is_none_is_refused() {
    let world = world().await;
    let target = world.target();
    let nowhere = world.restore(world.latest().await, &target, proving(Some(Proof::Stage), true)).await.unwrap_err();
    assert_eq!((nowhere.kind(), nowhere.to_string().contains("name a staging folder")), (ErrorKind::Invalid, true));
    let before = world.storage.contents();
    let own = Some(Arc::new(world.storage.clone()) as Arc<dyn strongroom_core::Storage>);
    let request = RestoreRequest { staging: own, ..proving(Some(Proof::Stage), true) };
    let error = world.restore(world.latest().await, &target, request).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Invalid, "the staging place is a repository"));
    let lost: Vec<_> = before.keys().filter(|key| !world.storage.contents().contains_key(*key)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(target.contents().is_empty());
}
