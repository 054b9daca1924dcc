//! Histories of a file through the engine: copies that go their own way, restores of a part, restores that were given up.

use std::sync::Arc;

use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{
    BackupReport, BackupRequest, Committed, Journal, PartOutcome, RestoreRequest, abort_restore, backup, restore,
};
use strongroom_core::model::{BackupKind, Scope};
use strongroom_core::planner::{Plan, Request, Target};
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_core::{Cluster as _, ErrorKind};
use strongroom_embedded::{EmbeddedCluster, LookIn, PutOptions};
use strongroom_record::Name;
use strongroom_record::canonical::{Covers, SetHash};
use strongroom_testkit::{Crashing, Death, MemoryStorage, TestEnvironment};

use crate::common::record;
use crate::engine::None as NoCodecs;

fn put(cluster: &EmbeddedCluster, namespace: &str, keys: std::ops::Range<i64>, value: i64) {
    let put = |key| {
        let mut record = record("s", key, value);
        record.namespace = Name::namespace(namespace.to_owned()).unwrap();
        record
    };
    cluster
        .write_batch(|batch| keys.clone().try_for_each(|key| batch.put(put(key), PutOptions::default()).map(drop)))
        .unwrap();
}

fn hash(cluster: &EmbeddedCluster, namespace: &str) -> SetHash {
    cluster.canonical_hash(namespace, Covers::ALL, LookIn::default()).unwrap()
}

async fn repository(world: &TestEnvironment) -> Repository {
    Repository::init(Arc::new(MemoryStorage::new()), world.environment(), InitOptions::default()).await.unwrap()
}

async fn store(repository: &Repository, cluster: &EmbeddedCluster) -> BackupReport {
    let job = backup(repository.clone(), Arc::new(NoCodecs), Arc::new(cluster.clone()), BackupRequest::default());
    let report = job.await.unwrap();
    assert!(report.is_success(), "{report:?}");
    report
}

fn of<'a>(report: &'a BackupReport, part: &str) -> &'a Committed {
    match report.parts.iter().find(|found| found.part == part).map(|found| &found.outcome) {
        Some(PartOutcome::Committed(committed)) => committed,
        other => panic!("{other:?}"),
    }
}

async fn plan(repository: &Repository, request: &Request) -> Plan {
    repository.load().await.unwrap().catalogue().plan(request).unwrap()
}

/// The hash of what a restore of this very backup brings back.
async fn restored(repository: &Repository, world: &TestEnvironment, part: &str, done: &Committed) -> SetHash {
    let target = EmbeddedCluster::in_memory(world.environment()).unwrap();
    let plan = plan(repository, &Request::at(Target::Backup(done.backup)).of(Scope::of_parts([part]))).await;
    let into = Arc::new(target.clone());
    restore(repository.clone(), Arc::new(NoCodecs), plan, into, RestoreRequest::default()).await.unwrap();
    hash(&target, part)
}

#[tokio::test]
async fn a_copied_file_starts_with_a_base_and_its_chains_never_meet_those_of_the_other() {
    let world = TestEnvironment::new(1);
    let repository = repository(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("x"), folder.path().join("y"));
    let source = EmbeddedCluster::create(&path, world.environment()).unwrap();
    put(&source, "test", 0..50, 1);
    store(&repository, &source).await;
    drop(source);
    std::fs::copy(&path, &copy).unwrap();
    let files = [path, copy].map(|path| EmbeddedCluster::open(path, world.environment()).unwrap());
    let mut points = Vec::new();
    for round in 0..3 {
        for (number, file) in (0..).zip(&files) {
            // Two freezes at the very same microsecond can't be told apart.
            world.clock.advance(std::time::Duration::from_secs(1));
            put(file, "test", number * 100 + round..number * 100 + round + 20, round);
            file.write_batch(|batch| batch.delete("test", record("s", round + number * 5, 0).digest)).unwrap();
            points.push((of(&store(&repository, file).await, "test").clone(), hash(file, "test")));
        }
    }
    let kinds: Vec<_> = points.iter().map(|(done, _)| done.kind).collect();
    assert_eq!(kinds[0], BackupKind::Incremental, "the first one goes on where both were one");
    assert!(kinds[1..].iter().all(|kind| *kind == BackupKind::Base), "{kinds:?}");
    for (done, truth) in &points {
        assert_eq!(restored(&repository, &world, "test", done).await, *truth, "{}", done.backup);
    }
    // Once the other one is not backed up any more, incrementals go on.
    put(&files[1], "test", 0..3, 9);
    let next = store(&repository, &files[1]).await;
    assert_eq!((of(&next, "test").kind, of(&next, "test").bridges), (BackupKind::Incremental, None));
    assert_eq!(restored(&repository, &world, "test", of(&next, "test")).await, hash(&files[1], "test"));
}

#[tokio::test]
async fn a_restore_of_one_part_begins_a_history_of_that_part_alone() {
    let world = TestEnvironment::new(2);
    let (home, elsewhere) = (repository(&world).await, repository(&world).await);
    let source = EmbeddedCluster::in_memory(world.environment()).unwrap();
    put(&source, "test", 0..50, 1);
    put(&source, "other", 0..50, 1);
    for repository in [&home, &elsewhere] {
        store(repository, &source).await;
    }
    put(&source, "test", 40..60, 2);
    put(&source, "other", 40..60, 2);
    let points: Vec<_> = [("test", hash(&source, "test")), ("other", hash(&source, "other"))].into();
    let report = store(&home, &source).await;
    let first = plan(&elsewhere, &Request::at(Target::Latest).of(Scope::of_parts(["test"]))).await;
    let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
    let request = RestoreRequest { options, ..RestoreRequest::default() };
    restore(elsewhere, Arc::new(NoCodecs), first, Arc::new(source.clone()), request).await.unwrap();
    let next = store(&home, &source).await;
    assert_eq!((of(&next, "test").kind, of(&next, "other").kind), (BackupKind::Base, BackupKind::Incremental));
    for (part, truth) in points {
        assert_eq!(restored(&home, &world, part, of(&report, part)).await, truth);
        assert_eq!(restored(&home, &world, part, of(&next, part)).await, hash(&source, part));
    }
}

/// Whatever became of a restore, what it left is backed up as what it is.
#[tokio::test]
async fn a_restore_that_broke_off_begins_a_history_too() {
    let world = TestEnvironment::new(3);
    for give_up in [true, false] {
        let (home, elsewhere) = (repository(&world).await, repository(&world).await);
        let source = EmbeddedCluster::in_memory(world.environment()).unwrap();
        put(&source, "test", 0..50, 1);
        store(&elsewhere, &source).await;
        put(&source, "test", 20..70, 2);
        store(&home, &source).await;
        let plan = plan(&elsewhere, &Request::at(Target::Latest)).await;
        let crashing = Crashing::at(MemoryStorage::new(), 6, Death::After);
        let target = crashing.cluster(Arc::new(source.clone()));
        let journal = Journal::new(Arc::new(MemoryStorage::new()));
        let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
        let request = RestoreRequest { options, journal: Some(journal.clone()), ..RestoreRequest::default() };
        let job = restore(elsewhere, Arc::new(NoCodecs), plan, Arc::new(target), request);
        assert!(crashing.run(job.wait()).await.is_none(), "the process dies while it restores");
        let session = *journal.unfinished().await.unwrap().keys().next().unwrap();
        if give_up {
            abort_restore(&journal, session, &source).await.unwrap();
        }
        assert_ne!(source.describe().await.unwrap().parts["test"].records, Some(70));
        let next = store(&home, &source).await;
        assert_eq!(of(&next, "test").kind, BackupKind::Base, "given up: {give_up}");
        assert_eq!(restored(&home, &world, "test", of(&next, "test")).await, hash(&source, "test"));
        let wish = BackupRequest { kind: strongroom_core::engine::BackupKindWish::Incremental, ..Default::default() };
        put(&source, "test", 0..1, 5);
        let next = backup(home.clone(), Arc::new(NoCodecs), Arc::new(source.clone()), wish).await.unwrap();
        assert!(!matches!(next.parts[0].outcome, PartOutcome::Failed { kind: ErrorKind::BrokenChain, .. }));
    }
}
