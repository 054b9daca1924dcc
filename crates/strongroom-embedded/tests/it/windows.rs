//! Bases, incrementals and deletes, taken as pieces and written again.

use strongroom_core::ErrorKind;
use strongroom_core::cluster::RestoreOptions;
use strongroom_embedded::{EmbeddedCluster, LookIn, PutOptions};
use strongroom_record::canonical::{Covers, SetHash};

use crate::common::{in_memory, record, restore, take};

fn put(cluster: &EmbeddedCluster, keys: std::ops::Range<i64>, value: i64) {
    cluster
        .write_batch(|batch| {
            for key in keys {
                batch.put(record("s", key, value), PutOptions::default())?;
            }
            Ok(())
        })
        .unwrap();
}

fn delete(cluster: &EmbeddedCluster, keys: std::ops::Range<i64>) {
    cluster
        .write_batch(|batch| {
            for key in keys {
                assert!(batch.delete("test", record("s", key, 0).digest)?);
            }
            Ok(())
        })
        .unwrap();
}

fn hash(cluster: &EmbeddedCluster) -> SetHash {
    cluster.canonical_hash("test", Covers::ALL, LookIn::default()).unwrap()
}

#[tokio::test]
async fn a_chain_with_deletes_ends_in_the_state_of_its_last_backup() {
    let (source, clock) = in_memory();
    put(&source, 0..100, 1);
    let base = take(&source, None).await.unwrap();
    let mut truths = vec![hash(&source)];
    clock.advance(1_000_000);
    put(&source, 90..110, 2);
    delete(&source, 0..10);
    let first = take(&source, Some(base.until())).await.unwrap();
    truths.push(hash(&source));
    assert_eq!((first.records(), first.deletes()), (20, 10));
    clock.advance(1_000_000);
    put(&source, 5..8, 3);
    delete(&source, 105..110);
    let second = take(&source, Some(first.until())).await.unwrap();
    truths.push(hash(&source));
    assert_eq!((second.records(), second.deletes()), (3, 5));
    assert_eq!(second.part.window.from, Some(first.until()));

    for (length, truth) in truths.iter().enumerate() {
        let (target, _) = in_memory();
        let chain = [&base, &first, &second];
        restore(&target, &chain[..=length], &RestoreOptions::default(), 7).await.unwrap();
        assert_eq!(hash(&target), *truth, "after {length} incrementals");
    }
}

#[tokio::test]
async fn nothing_changed_is_an_empty_incremental() {
    let (source, _) = in_memory();
    put(&source, 0..10, 1);
    let base = take(&source, None).await.unwrap();
    let next = take(&source, Some(base.until())).await.unwrap();
    assert_eq!((next.records(), next.deletes()), (0, 0));
    assert!(next.until() > base.until());
}

#[tokio::test]
async fn a_moment_before_the_horizon_needs_a_base() {
    let (source, _) = in_memory();
    put(&source, 0..10, 1);
    let base = take(&source, None).await.unwrap();
    delete(&source, 0..2);
    let next = take(&source, Some(base.until())).await.unwrap();
    assert_eq!(source.forget_deletes("test", next.until()).unwrap(), 2);
    let error = take(&source, Some(base.until())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenChain);
    assert!(error.to_string().contains("part 'test'") && error.to_string().contains("take a base"), "{error}");
    take(&source, Some(next.until())).await.unwrap();
}
