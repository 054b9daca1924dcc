//! Defects that the reference tools have, or had, in public: we do not have them.

use std::collections::BTreeMap;

use serde_json::Value;
use strongroom_aerospike::{AerospikeConfig, BackupConfig};
use strongroom_core::cluster::FreezeRequest;
use strongroom_core::engine::{BackupKindWish, BackupRequest, PartOutcome};
use strongroom_core::model::Scope;
use strongroom_core::pipeline::Settings;
use strongroom_core::{Cluster as _, ErrorKind};

use crate::common::{World, config, open};
use crate::engine::{NoCodecs, repository, settings, store, store_scope};

async fn filled(namespaces: &[&str]) -> World {
    let world = World::new(namespaces).await;
    for namespace in namespaces {
        for key in 0..300 {
            world.put(namespace, "a", key, key);
        }
    }
    world
}

/// A retry moved the moment that a backup claims to begin at, while its upper end stayed: the next one missed what lay between.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_moves_no_window_and_the_next_backup_begins_where_this_one_ends() {
    for sealed in [false, true] {
        let mut world = filled(&["test"]).await;
        let backup = BackupConfig { sealed, ..BackupConfig::default() };
        world.cluster = open(AerospikeConfig { backup, ..config(&world.fake) });
        let repository = repository().await;
        store(&repository, &world.cluster, BackupKindWish::Base).await;
        let mut last = store(&repository, &world.cluster, BackupKindWish::Incremental).await;
        for round in 0..3 {
            for key in 0..100 {
                world.put("test", "a", key, round);
            }
            // The clock goes on while what was cut off is read again.
            world.fake.faults().cut_after = Some((1, 9));
            let before = world.fake.store().now();
            let next = store(&repository, &world.cluster, BackupKindWish::Incremental).await;
            assert!(world.fake.faults().cut_after.is_none(), "all cuts have happened");
            assert_eq!(next.window.from, Some(last.window.until), "sealed: {sealed}");
            assert!(next.window.until.millis() <= before + 3 * 400 * 3, "told of the start, not of the last try");
            last = next;
        }
    }
}

/// A backup that could not begin told nobody, and its place was never free again.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_can_not_begin_says_so_and_keeps_no_place() {
    let world = filled(&["test"]).await;
    let repository = repository().await;
    for _ in 0..3 {
        let scope = Scope::of_parts(["test", "nope"]);
        let error = store_scope(&repository, &world.cluster, BackupKindWish::Base, scope).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    store(&repository, &world.cluster, BackupKindWish::Base).await;
}

/// More queries ran at a server than the user had allowed.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_queries_run_at_once_than_were_allowed() {
    let world = filled(&["test"]).await;
    // What the job says, and what the cluster's configuration says: the smaller counts.
    for (parallel, parallelism, most_allowed) in [(1, 6, 1), (3, 6, 3), (8, 2, 2)] {
        world.fake.faults().slow =
            (0..4096).map(|partition| (partition, std::time::Duration::from_millis(2))).collect();
        world.fake.faults().most_queries = 0;
        let settings = Settings { parallel, ..settings() };
        let request = BackupRequest { scope: Scope::of_parts(["test"]), settings, ..BackupRequest::default() };
        let backup = BackupConfig { parallelism, ..BackupConfig::default() };
        let cluster = std::sync::Arc::new(open(AerospikeConfig { backup, ..config(&world.fake) }));
        let job = strongroom_core::engine::backup(repository().await, std::sync::Arc::new(NoCodecs), cluster, request);
        let report = job.await.unwrap();
        assert!(report.parts.iter().all(|part| matches!(part.outcome, PartOutcome::Committed(_))));
        let most = world.fake.faults().most_queries;
        assert!((1..=most_allowed).contains(&most), "{most} at once, {most_allowed} allowed");
    }
}

/// A node that is no longer part of the cluster's plan broke the whole backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_master_of_nothing_is_no_trouble() {
    let world = filled(&["test"]).await;
    for partition in 0..4096 {
        world.fake.move_partition("test", partition, ["A1", "A2"][usize::from(partition % 2)]);
    }
    let committed = store(&repository().await, &world.cluster, BackupKindWish::Base).await;
    assert_eq!(committed.totals.records, 300);
    let nodes = vec!["A3".to_owned()];
    let cluster =
        open(AerospikeConfig { backup: BackupConfig { nodes, ..BackupConfig::default() }, ..config(&world.fake) });
    let error = cluster.freeze(&FreezeRequest::default()).await.unwrap_err();
    assert!(error.to_string().contains("master of no partition"), "{error}");
}

/// Published defaults differed from those that were applied.
#[test]
fn documented_options_and_defaults_are_the_applied_ones() {
    let text = include_str!("../../../../docs/aerospike.md");
    let whole = serde_json::to_value(AerospikeConfig::default()).unwrap();
    let mut applied: BTreeMap<String, Value> = BTreeMap::new();
    for (name, value) in whole.as_object().unwrap() {
        match value.as_object() {
            Some(group) => applied.extend(group.clone()),
            None => drop(applied.insert(name.clone(), value.clone())),
        }
    }
    let options = text.split_once("## Options").unwrap().1.split("\n## ").next().unwrap();
    let mut compared = 0;
    for row in options.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let names: Vec<&str> = cells[1].split(", ").map(|name| name.trim_matches('`')).collect();
        let defaults: Vec<&str> = cells[2].split(", ").filter(|text| !text.is_empty()).collect();
        for (at, name) in names.iter().enumerate() {
            let told = if defaults.len() == 1 { defaults.first() } else { defaults.get(at) };
            let Some(told) = told else { continue };
            // What is absent by default is told in words.
            let Some(value) = applied.remove(*name).filter(|value| !value.is_null()) else { continue };
            let value = value.as_str().map_or_else(|| value.to_string(), |text| text.replace(' ', ""));
            assert_eq!(&value, told, "`{name}`");
            compared += 1;
        }
        applied.retain(|name, _| !names.contains(&name.as_str()));
    }
    assert!(compared > 20, "{compared}");
    // A cluster has its addresses in the URL.
    applied.retain(|name, _| !["seeds", "login", "tls"].contains(&name.as_str()));
    assert!(applied.is_empty(), "not documented: {:?}", applied.keys());
}
