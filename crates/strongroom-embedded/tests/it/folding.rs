//! Random histories through the engine: merged first, or one backup after the other, every point is what was there.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use strongroom_core::cluster::{Conflict, RestoreOptions};
use strongroom_core::engine::{
    BackupKindWish, BackupRequest, PartOutcome, RestoreRequest, RestoreSummary, backup, restore,
};
use strongroom_core::model::{Filter, Scope};
use strongroom_core::pipeline::Settings;
use strongroom_core::planner::{Plan, Request, Target};
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_embedded::{EmbeddedCluster, LookIn, PutOptions};
use strongroom_record::{Digest, Record};
use strongroom_testkit::{MemoryStorage, TestEnvironment};

use crate::common::record;
use crate::engine::None as NoCodecs;

const SETS: [&str; 2] = ["s", ""];

type Contents = BTreeMap<Digest, Record>;

#[derive(Debug, Clone)]
enum Step {
    Put { set: usize, key: i64, value: i64 },
    Delete { set: usize, key: i64 },
    Backup { base: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2_usize, 0..12_i64, 0..1000_i64).prop_map(|(set, key, value)| Step::Put { set, key, value }),
        3 => (0..2_usize, 0..12_i64).prop_map(|(set, key)| Step::Delete { set, key }),
        2 => prop::bool::weighted(0.2).prop_map(|base| Step::Backup { base }),
    ]
}

fn play(cluster: &EmbeddedCluster, step: &Step) {
    let changed = cluster.write_batch(|batch| match step {
        Step::Put { set, key, value } => batch.put(record(SETS[*set], *key, *value), PutOptions::default()).map(drop),
        Step::Delete { set, key } => batch.delete("test", record(SETS[*set], *key, 0).digest).map(drop),
        Step::Backup { .. } => Ok(()),
    });
    changed.unwrap();
}

fn contents(cluster: &EmbeddedCluster, filter: &Filter) -> Contents {
    let scan = cluster.scan("test", filter, LookIn::default()).unwrap();
    scan.map(|found| found.unwrap().record).map(|record| (record.digest, record)).collect()
}

async fn store(repository: &Repository, cluster: &EmbeddedCluster, base: bool) -> strongroom_core::engine::Committed {
    let kind = if base { BackupKindWish::Base } else { BackupKindWish::Auto };
    let request = BackupRequest { kind, ..BackupRequest::default() };
    let report = backup(repository.clone(), Arc::new(NoCodecs), Arc::new(cluster.clone()), request).await.unwrap();
    match report.parts.into_iter().next().map(|part| part.outcome) {
        Some(PartOutcome::Committed(committed)) => *committed,
        other => panic!("{other:?}"),
    }
}

async fn restored(
    repository: &Repository,
    plan: &Plan,
    target: &EmbeddedCluster,
    options: RestoreOptions,
    no_fold: bool,
) -> RestoreSummary {
    // Stretches of a few records.
    let settings = Settings { pack_bytes: 1200, ..Settings::default() };
    let request = RestoreRequest { options, no_fold, settings, ..RestoreRequest::default() };
    let into = Arc::new(target.clone());
    restore(repository.clone(), Arc::new(NoCodecs), plan.clone(), into, request).await.unwrap()
}

/// A file with some of the history's keys in it, with other values.
fn occupied(world: &TestEnvironment, keys: &[i64]) -> EmbeddedCluster {
    let target = EmbeddedCluster::in_memory(world.environment()).unwrap();
    target.create_namespace("test").unwrap();
    for key in keys {
        play(&target, &Step::Put { set: 0, key: *key, value: -1 });
    }
    target
}

/// What is there with what is restored: of two records the one with the higher generation, and what is there if they are equal.
fn newer_of(there: Contents, restored: &Contents) -> Contents {
    let mut both = there;
    for (digest, record) in restored {
        if both.get(digest).is_none_or(|kept| kept.generation < record.generation) {
            both.insert(*digest, record.clone());
        }
    }
    both
}

async fn check(steps: &[Step], keys: &[i64]) {
    let world = TestEnvironment::new(1);
    let source = EmbeddedCluster::in_memory(world.environment()).unwrap();
    source.create_namespace("test").unwrap();
    let storage = Arc::new(MemoryStorage::new());
    let repository = Repository::init(storage, world.environment(), InitOptions::default()).await.unwrap();
    let set = Filter { tables: Some(["s".to_owned()].into()), ..Filter::default() };
    let partitions = Filter { partitions: Some((0..2000).collect()), ..Filter::default() };
    let filters = [Filter::default(), set, partitions];
    let mut points = Vec::new();
    for step in steps {
        play(&source, step);
        if let Step::Backup { base } = step {
            let done = store(&repository, &source, *base).await;
            let truths: Vec<Contents> = filters.iter().map(|filter| contents(&source, filter)).collect();
            points.push((done, truths));
        }
    }
    let loaded = repository.load().await.unwrap();
    for (done, truths) in points.iter().rev().take(3) {
        for (filter, truth) in filters.iter().zip(truths) {
            let scope = Scope { parts: Some([("test".to_owned(), filter.clone())].into()) };
            let plan = loaded.catalogue().plan(&Request::at(Target::Backup(done.backup)).of(scope)).unwrap();
            for conflict in [Conflict::Replace, Conflict::Keep, Conflict::Newer] {
                let options = RestoreOptions { conflict, ..RestoreOptions::default() };
                let targets = [occupied(&world, keys), occupied(&world, keys)];
                let merged = restored(&repository, &plan, &targets[0], options.clone(), false).await;
                restored(&repository, &plan, &targets[1], options, true).await;
                let found = contents(&targets[0], &Filter::default());
                let mut one_by_one = contents(&targets[1], &Filter::default());
                if conflict == Conflict::Newer {
                    let there = contents(&occupied(&world, keys), &Filter::default());
                    assert_eq!(found, newer_of(there.clone(), truth), "each point's own record is what is compared");
                    // One by one, a record that was deleted or begun anew later may have won with its own generation.
                    let lost = found.iter().filter(|(digest, record)| there.get(digest) == Some(record));
                    for (digest, record) in lost {
                        let won = one_by_one.insert(*digest, record.clone());
                        assert!(won.is_none() || won.as_ref() == Some(record) || truth.get(digest) == won.as_ref());
                    }
                }
                assert_eq!(found, one_by_one, "{conflict:?}");
                if plan.totals.steps > 1 {
                    let written = merged.applied.written + merged.applied.kept + merged.applied.filtered;
                    assert!(written >= truth.len() as u64, "{written}");
                    assert!(merged.applied.written <= truth.len() as u64, "each record is written once at most");
                }
            }
            let emptied = RestoreOptions { truncate: true, ..RestoreOptions::default() };
            let target = EmbeddedCluster::in_memory(world.environment()).unwrap();
            restored(&repository, &plan, &target, emptied, false).await;
            assert_eq!(contents(&target, &Filter::default()), *truth);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn merged_or_one_by_one_it_is_the_same(
        steps in prop::collection::vec(step(), 10..50),
        keys in prop::collection::vec(0..14_i64, 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        runtime.block_on(check(&steps, &keys));
    }
}
