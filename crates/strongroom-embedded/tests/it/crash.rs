//! A file as a killed process leaves it: a copy made in the middle of writing.

use std::fs;
use std::path::Path;

use strongroom_core::cluster::RestoreOptions;
use strongroom_core::model::Filter;
use strongroom_embedded::{EmbeddedCluster, LookIn, OpenOptions, PutOptions};
use strongroom_record::canonical::Covers;

use crate::common::{environment, in_memory, record, restore, take, take_scope};

/// Little memory, so that a large batch reaches the file before it is committed.
const SMALL: OpenOptions = OpenOptions { cache_bytes: 256 << 10, check: true };

fn put(cluster: &EmbeddedCluster, keys: std::ops::Range<i64>, value: i64) {
    cluster
        .write_batch(|batch| {
            keys.clone().try_for_each(|key| batch.put(record("s", key, value), PutOptions::default()).map(drop))
        })
        .unwrap();
}

fn hash(cluster: &EmbeddedCluster) -> strongroom_record::canonical::SetHash {
    cluster.canonical_hash("test", Covers::ALL, LookIn::default()).unwrap()
}

fn opened(path: &Path) -> [EmbeddedCluster; 2] {
    // Reading only comes first: it must not need the repair that opening for writing would do.
    let read_only = EmbeddedCluster::open_read_only(path, environment().0).unwrap();
    let (before, count) = (hash(&read_only), read_only.count("test").unwrap());
    drop(read_only);
    let writable = EmbeddedCluster::open(path, environment().0).unwrap();
    assert_eq!((hash(&writable), writable.count("test").unwrap()), (before, count));
    drop(writable);
    [
        EmbeddedCluster::open_read_only(path, environment().0).unwrap(),
        EmbeddedCluster::open_read_only(path, environment().0).unwrap(),
    ]
}

#[test]
fn a_batch_that_was_being_written_is_not_there_and_all_before_it_are() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("x"), folder.path().join("copy"));
    let cluster = EmbeddedCluster::create_with(&path, environment().0, SMALL).unwrap();
    put(&cluster, 0..1000, 1);
    put(&cluster, 500..1500, 2);
    let truth = hash(&cluster);
    let size = fs::metadata(&path).unwrap().len();
    cluster
        .write_batch(|batch| {
            for key in 0..20_000 {
                batch.put(record("s", key, 3), PutOptions::default())?;
            }
            batch.delete("test", record("s", 7, 0).digest)?;
            fs::copy(&path, &copy).unwrap();
            Ok(())
        })
        .unwrap();
    assert!(fs::metadata(&copy).unwrap().len() > size, "nothing of the batch had reached the file: no test");
    assert_eq!(cluster.count("test").unwrap().records, 19_999);
    for reopened in opened(&copy) {
        assert_eq!(hash(&reopened), truth);
        assert_eq!(reopened.count("test").unwrap().records, 1500);
        assert_eq!(reopened.scan("test", &Filter::default(), LookIn::default()).unwrap().count(), 1500);
    }
}

#[test]
fn what_was_written_is_there_although_nobody_closed_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("x"), folder.path().join("copy"));
    let cluster = EmbeddedCluster::create(&path, environment().0).unwrap();
    for round in 0..5 {
        put(&cluster, round * 10..round * 10 + 10, 1);
        fs::copy(&path, &copy).unwrap();
        for reopened in opened(&copy) {
            assert_eq!(hash(&reopened), hash(&cluster));
        }
    }
}

#[tokio::test]
async fn a_restore_killed_between_batches_is_resumed() {
    let (source, _) = in_memory();
    put(&source, 0..1000, 1);
    let base = take(&source, None).await.unwrap();
    put(&source, 900..1100, 2);
    let next =
        take_scope(&source, strongroom_core::model::Scope::of_parts(["test"]), Some(base.until())).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("x"), folder.path().join("copy"));
    let target = EmbeddedCluster::create(&path, environment().0).unwrap();
    put(&target, 5000..5010, 1);
    let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
    let outline = crate::common::outline(&[&base, &next]);
    let id = strongroom_core::id::SessionId::from_u128(1);
    let session = strongroom_core::Cluster::begin_restore(&target, id, &outline, &options).await.unwrap();
    crate::common::write_step(&target, &session, 0, &base).await.unwrap();
    fs::copy(&path, &copy).unwrap();
    drop(target);
    let resumed = EmbeddedCluster::open(&copy, environment().0).unwrap();
    restore(&resumed, &[&base, &next], &options, 1).await.unwrap();
    assert_eq!(hash(&resumed), hash(&source));
}
