//! Chains of a live cluster through the engine, restored to each of their moments.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_aerospike_fake::{Digest, Record};
use strongroom_core::cluster::{Conflict, RestoreOptions};
use strongroom_core::engine::{BackupKindWish, Committed, RestoreRequest};
use strongroom_core::model::BackupKind;
use strongroom_core::planner::{Target, WarningCode};
use strongroom_core::repository::Repository;

use crate::common::World;
use crate::engine::{bring_back, plan, repository, store};

type Contents = BTreeMap<Digest, Record>;

/// One round of an application's work: updates, new records, deletes, records that expire, and moves to another set.
fn work(world: &World, round: i64) {
    let now = world.fake.store().now();
    world.fake.store().set_now(now + 5000);
    for key in 0..200 {
        match (key + round) % 7 {
            0 => drop(world.put("test", "users", key, round)),
            1 if round > 0 => {
                let gone = crate::common::record("users", key, 0).0;
                world.fake.store().remove("test", &gone);
            }
            2 if round > 0 => {
                // Moved to another set: for the server a delete and another record.
                let gone = crate::common::record("users", key, 0).0;
                world.fake.store().remove("test", &gone);
                world.put("test", "archive", key, round);
            }
            3 => {
                let digest = world.put("test", "sessions", key, round);
                let mut store = world.fake.store();
                let record = store.get("test", &digest).unwrap().clone();
                // Some live for less than a round.
                let void_time = u32::try_from(store.now() / 1000 - 1_262_304_000 + 3 + key % 9).unwrap();
                store.put("test", digest, Record { void_time, ..record });
            }
            _ if round == 0 => drop(world.put("test", "users", key, round)),
            _ => {}
        }
    }
    world.put("test", "users", 1000 + round, round);
}

/// What is alive at a moment in milliseconds.
fn alive(contents: Contents, now: i64) -> Contents {
    let now = now / 1000 - 1_262_304_000;
    contents.into_iter().filter(|(_, record)| record.void_time == 0 || i64::from(record.void_time) > now).collect()
}

/// A base and five incrementals, with what the cluster held at each; nothing changes while one is taken.
async fn history(world: &World, repository: &Repository) -> Vec<(Committed, Contents)> {
    let mut points = Vec::new();
    for round in 0..6 {
        work(world, round);
        let kind = if round == 0 { BackupKindWish::Base } else { BackupKindWish::Incremental };
        let committed = store(repository, &world.cluster, kind).await;
        points.push((committed, world.contents("test")));
    }
    points
}

#[tokio::test]
async fn each_moment_of_a_chain_comes_back_but_for_deletes() {
    let world = World::new(&["test"]).await;
    let repository = repository().await;
    let points = history(&world, &repository).await;
    let kinds: Vec<_> = points.iter().map(|(committed, _)| committed.kind).collect();
    assert_eq!(kinds[0], BackupKind::Base);
    assert!(kinds[1..].iter().all(|kind| *kind == BackupKind::Incremental), "{kinds:?}");
    let mut seen = BTreeSet::new();
    for (committed, truth) in &points {
        seen.extend(truth.keys().copied());
        let point = plan(&repository, Target::Backup(committed.backup)).await;
        assert!(!point.warnings.is_empty() || committed.kind == BackupKind::Base, "deletes are unseen: the plan warns");
        for no_fold in [false, true] {
            let target = World::new(&["test"]).await;
            let now = world.fake.store().now();
            target.fake.store().set_now(now);
            target.fake.store().tick_by(0);
            let request = RestoreRequest { no_fold, ..RestoreRequest::default() };
            bring_back(&repository, point.clone(), &target.cluster, request).await.unwrap();
            let mut found = target.contents("test");
            let truth = alive(truth.clone(), now);
            // What was deleted is back: a server does not tell what is gone. Nothing else is.
            found.retain(|digest, _| truth.contains_key(digest) || !seen.contains(digest));
            assert_eq!(found, truth, "{}, unfolded: {no_fold}", committed.kind);
        }
    }
}

#[tokio::test]
async fn a_restore_that_broke_off_goes_on_in_another_process_and_truncates_nothing_again() {
    let world = World::new(&["test"]).await;
    let repository = repository().await;
    let points = history(&world, &repository).await;
    let (committed, truth) = points.last().unwrap();
    let target = World::new(&["test"]).await;
    let now = world.fake.store().now();
    target.fake.store().set_now(now);
    target.put("test", "users", 9999, 1);
    let journal = strongroom_core::engine::Journal::new(std::sync::Arc::new(strongroom_testkit::MemoryStorage::new()));
    let session = strongroom_core::id::SessionId::from_u128(5);
    let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
    let request = RestoreRequest {
        options,
        journal: Some(journal),
        session: Some(session),
        take_over: true,
        no_fold: true,
        ..RestoreRequest::default()
    };
    let point = plan(&repository, Target::Backup(committed.backup)).await;
    // The third write or so is refused for good.
    target.fake.faults().refuse_writes = vec![13];
    let error = bring_back(&repository, point.clone(), &target.cluster, request.clone()).await.unwrap_err();
    assert!(error.to_string().contains("too big"), "{error}");
    let there = crate::common::record("users", 9999, 1).0;
    assert!(!target.contents("test").contains_key(&there), "it was truncated");
    let before = target.contents("test");
    let again = crate::common::open(crate::common::config(&target.fake));
    bring_back(&repository, point, &again, request).await.unwrap();
    let found = target.contents("test");
    assert!(before.keys().all(|digest| found.contains_key(digest)), "what the first process wrote is still there");
    let later = target.fake.store().now();
    assert!(alive(truth.clone(), later).keys().all(|digest| found.contains_key(digest)));
}

#[tokio::test]
async fn keep_and_newer_leave_what_is_there() {
    let world = World::new(&["test"]).await;
    let repository = repository().await;
    work(&world, 0);
    let committed = store(&repository, &world.cluster, BackupKindWish::Base).await;
    for (conflict, generation, stays) in [
        (Conflict::Keep, 1, true),
        (Conflict::Newer, 1, true),
        (Conflict::Newer, 0, false),
        (Conflict::Replace, 7, false),
    ] {
        let target = World::new(&["test"]).await;
        let (digest, there) = crate::common::record("users", 4, -1);
        target.fake.store().put("test", digest, Record { generation, ..there });
        let options = RestoreOptions { conflict, ..RestoreOptions::default() };
        let point = plan(&repository, Target::Backup(committed.backup)).await;
        let request = RestoreRequest { options, ..RestoreRequest::default() };
        let summary = bring_back(&repository, point, &target.cluster, request).await.unwrap();
        let value = target.fake.store().get("test", &digest).unwrap().bins[0].value.clone();
        assert_eq!(value == (-1_i64).to_be_bytes(), stays, "{conflict:?} over generation {generation}");
        assert_eq!(summary.applied.kept, u64::from(stays));
        let all = summary.applied.written + summary.applied.kept + summary.applied.expired;
        assert_eq!(all, committed.totals.records, "every record is accounted for");
    }
}

/// The same cluster with a census in its incrementals.
fn counting(world: &World) -> strongroom_aerospike::AerospikeCluster {
    let mut config = crate::common::config(&world.fake);
    config.backup.digest_census = true;
    // So that each partition's digests come in pieces of their own.
    config.backup.gathered_bytes = strongroom_core::units::ByteSize(1);
    crate::common::open(config)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_census_keeps_deleted_records_away() {
    let mut world = World::new(&["test"]).await;
    world.cluster = counting(&world);
    let repository = repository().await;
    let points = history(&world, &repository).await;
    let now = world.fake.store().now();
    for (committed, truth) in &points {
        let point = plan(&repository, Target::Backup(committed.backup)).await;
        let unseen = point.warnings.iter().any(|warning| warning.code == WarningCode::DeletesUnseen);
        assert!(!unseen, "{:?}", point.warnings);
        for truncate in [false, true] {
            let target = World::new(&["test"]).await;
            target.fake.store().set_now(now);
            // It holds what the first backups held, and something of its own.
            for (digest, record) in &points[0].1 {
                target.fake.store().put("test", *digest, record.clone());
            }
            let own = target.put("test", "own", 1, 1);
            let options = RestoreOptions { truncate, ..RestoreOptions::default() };
            let request = RestoreRequest { options, ..RestoreRequest::default() };
            if !truncate {
                target.fake.store().tick_by(0);
            }
            bring_back(&repository, point.clone(), &target.cluster, request).await.unwrap();
            let later = target.fake.store().now();
            let (mut found, truth) = (alive(target.contents("test"), later), alive(truth.clone(), later));
            assert_eq!(found.remove(&own).is_some(), !truncate, "what the chain never knew is not its business");
            let keys = |contents: &Contents| contents.keys().copied().collect::<Vec<_>>();
            if committed.kind != BackupKind::Base || truncate {
                assert_eq!(keys(&found), keys(&truth), "{}, truncated: {truncate}", committed.kind);
            }
            if !truncate && committed.kind != BackupKind::Base {
                assert_eq!(found, truth);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_namespace_fails_alone_and_each_part_goes_on_from_its_own_backup() {
    use std::sync::Arc;
    use strongroom_core::engine::{BackupRequest, PartOutcome, backup};
    let world = World::new(&["bad", "test"]).await;
    let repository = repository().await;
    let all = || async {
        let cluster = Arc::new(world.cluster.clone());
        let request = BackupRequest { settings: crate::engine::settings(), ..BackupRequest::default() };
        let report = backup(repository.clone(), Arc::new(crate::engine::NoCodecs), cluster, request).await.unwrap();
        report.parts.into_iter().map(|part| (part.part, part.outcome)).collect::<BTreeMap<_, _>>()
    };
    for namespace in ["bad", "test"] {
        world.put(namespace, "a", 1, 1);
    }
    let first = all().await;
    assert!(first.values().all(|outcome| matches!(outcome, PartOutcome::Committed(_))), "{first:?}");
    // From here on one record of `bad` can't be read.
    world.put("bad", "a", 2, 2);
    let broken = world.put("bad", "a", 3, 3);
    let mut record = world.fake.store().get("bad", &broken).unwrap().clone();
    record.bins[0].particle = 99;
    world.fake.store().put("bad", broken, record.clone());
    world.put("test", "a", 2, 2);
    let second = all().await;
    assert!(matches!(&second["test"], PartOutcome::Committed(committed) if committed.kind == BackupKind::Incremental));
    assert!(!matches!(&second["bad"], PartOutcome::Committed(_)), "{second:?}");
    record.bins[0].particle = 1;
    let now = world.fake.store().now();
    world.fake.store().set_now(now + 60_000);
    world.fake.store().put("bad", broken, record);
    let third = all().await;
    let PartOutcome::Committed(committed) = &third["bad"] else { panic!("{third:?}") };
    assert_eq!(committed.kind, BackupKind::Incremental);
    // What changed before the backup that failed is in this one.
    let target = World::new(&["bad"]).await;
    target.fake.store().set_now(now + 60_000);
    let request = strongroom_core::planner::Request::at(Target::Backup(committed.backup));
    let request = request.of(strongroom_core::model::Scope::of_parts(["bad"]));
    let point = repository.load().await.unwrap().into_catalogue().plan(&request).unwrap();
    bring_back(&repository, point, &target.cluster, RestoreRequest::default()).await.unwrap();
    assert_eq!(target.contents("bad"), world.contents("bad"));
}
