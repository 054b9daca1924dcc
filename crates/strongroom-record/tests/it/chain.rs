//! The chain that the real tools made of a real server, against the truth taken at the same moments.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::executor::block_on;
use strongroom_core::ByteStream;
use strongroom_record::asb::{Encoder, GlobalsVersion, Limits};
use strongroom_record::canonical::{CanonicalHash, Covers, SetHash, SortedCanonicalHash};
use strongroom_record::fold::{Change, Deletes, Layer, Sorted, Sorter, fold};
use strongroom_record::folder::{FolderReader, Kind, list_service_folder};
use strongroom_record::model::PartitionKey;
use strongroom_record::{Digest, Entity, Record};

use super::common::{self, testdata};

fn entities(folder: &str) -> Vec<Entity> {
    let reader = FolderReader::open(testdata(folder), None, Limits::default()).unwrap();
    reader.map(Result::unwrap).collect()
}

fn records(folder: &str) -> Vec<Record> {
    entities(folder).into_iter().filter_map(Entity::into_record).collect()
}

fn hash<'a>(covers: Covers, records: impl IntoIterator<Item = &'a Record>) -> SetHash {
    let mut hash = CanonicalHash::new(covers);
    for record in records {
        hash.push(record).unwrap();
    }
    hash.finish().unwrap()
}

/// The folder's records, sorted with little memory.
fn sorted(folder: &str) -> Sorted {
    let scratch = tempfile::tempdir().unwrap();
    let mut sorter = Sorter::new(200_000, scratch.path());
    for record in records(folder) {
        sorter.push(record).unwrap();
    }
    sorter.finish().unwrap()
}

/// The folder as a sorted piece.
fn piece(folder: &str) -> ByteStream {
    let ordered: Vec<_> = sorted(folder).map(Result::unwrap).collect();
    let mut text = Vec::new();
    Encoder::COMPACT.header(&mut text, &ordered[0].namespace, false);
    for record in &ordered {
        Encoder::COMPACT.record(&mut text, record).unwrap();
    }
    futures::stream::iter([Ok(Bytes::from(text))]).boxed()
}

/// Folds what is not sorted, by way of pieces and right out of the sort.
fn folded(newest_first: &[&str]) -> BTreeMap<PartitionKey, Record> {
    let layers = newest_first.iter().map(|folder| Layer::new(vec![piece(folder)], vec![], Limits::default()));
    let changes = block_on(fold(layers.collect(), Deletes::Drop).map(Result::unwrap).concat());
    let layers = newest_first.iter().map(|folder| Layer::of_sorted(sorted(folder)));
    let direct = block_on(fold(layers.collect(), Deletes::Drop).map(Result::unwrap).concat());
    // Pieces have their bins by name.
    let by_name = |change| match change {
        Change::Put(mut record) => {
            record.sort_bins();
            Change::Put(record)
        }
        gone @ Change::Delete(_) => gone,
    };
    assert!(direct.into_iter().map(by_name).eq(changes.iter().cloned()));
    let record = |change| match change {
        Change::Put(record) => (record.order(), record),
        Change::Delete(tombstone) => panic!("{tombstone:?}"),
    };
    changes.into_iter().map(record).collect()
}

#[test]
fn the_folders_hold_what_their_readme_says() {
    let count = |folder: &str| {
        let entities = entities(folder);
        let count = |kind: fn(&Entity) -> bool| entities.iter().filter(|entity| kind(entity)).count();
        (
            count(|entity| matches!(entity, Entity::Record(_))),
            count(|entity| matches!(entity, Entity::Index(_))),
            count(|entity| matches!(entity, Entity::Function(_))),
        )
    };
    assert_eq!(count("t0-base"), (5006, 6, 1));
    assert_eq!(count("t1-incremental"), (500, 0, 0));
    assert_eq!(count("t2-incremental"), (209, 0, 0));
    assert_eq!(count("t1-truth"), (5106, 6, 1));
    assert_eq!(count("t2-truth"), (5138, 6, 1));
}

#[test]
fn the_service_folder_lists_its_chain_with_true_counts() {
    let backups = list_service_folder(testdata("abs-storage")).unwrap();
    assert_eq!(list_service_folder(testdata("abs-storage/daily")).unwrap(), backups);
    let seen: Vec<_> = backups
        .iter()
        .map(|backup| {
            let metadata = backup.metadata().unwrap();
            let entities: Vec<_> = backup.read(None, Limits::default()).unwrap().map(Result::unwrap).collect();
            let records = entities.iter().filter(|entity| entity.as_record().is_some()).count();
            assert_eq!(records as u64, metadata.record_count);
            let indexes = entities.iter().filter(|entity| matches!(entity, Entity::Index(_))).count();
            assert_eq!(indexes as u64, metadata.secondary_index_count);
            assert_eq!((entities.len() - records - indexes) as u64, metadata.udf_count);
            assert_eq!((&backup.routine[..], &backup.namespace[..], backup.attempt), ("daily", "test", 1));
            assert_eq!(backup.started, Some(metadata.created));
            (backup.kind, metadata.from.map(|from| from.to_string()), metadata.created.to_string(), records)
        })
        .collect();
    let moments =
        ["2026-11-22T23:01:52.693Z", "2026-11-22T23:01:58.506Z", "2026-11-22T23:02:05.276Z"].map(str::to_owned);
    let [t0, t1, t2] = moments;
    assert_eq!(
        seen,
        [
            (Kind::Full, None, t0.clone(), 5006),
            (Kind::Incremental, Some(t0), t1.clone(), 500),
            (Kind::Incremental, Some(t1), t2, 209),
        ]
    );
}

#[test]
fn base_and_incrementals_are_the_truth_plus_exactly_the_deleted() {
    let base: BTreeMap<PartitionKey, Record> = records("t0-base").into_iter().map(|r| (r.order(), r)).collect();
    let mut before = base;
    let mut back_before = Vec::new();
    for (chain, truth, deleted) in [
        (&["t1-incremental", "t0-base"][..], "t1-truth", 100),
        (&["t2-incremental", "t1-incremental", "t0-base"], "t2-truth", 58),
    ] {
        let mut restored = folded(chain);
        let truth: BTreeMap<PartitionKey, Record> = records(truth).into_iter().map(|r| (r.order(), r)).collect();
        let back: Vec<_> = restored.keys().filter(|key| !truth.contains_key(key)).copied().collect();
        let new = back.iter().filter(|key| !back_before.contains(*key)).count();
        assert_eq!(new, deleted, "{chain:?}");
        // What is back was there at the moment before, or is back since then.
        assert!(back.iter().all(|key| before.contains_key(key) || back_before.contains(key)));
        restored.retain(|key, _| truth.contains_key(key));
        // The tool works void times out from the time to live and its own clock: one second up or down.
        for (record, truth) in restored.values().zip(truth.values()) {
            assert_eq!(record.digest, truth.digest);
            assert_eq!(record.void_time == 0, truth.void_time == 0);
            assert!(record.void_time.abs_diff(truth.void_time) <= 1, "{record:?}");
        }
        let covers = Covers::NO_VOID_TIME;
        assert_eq!(hash(covers, restored.values()), hash(covers, truth.values()), "{chain:?}");
        before = truth;
        back_before = back;
    }
}

#[test]
fn every_stored_key_has_the_digest_that_the_server_computed() {
    let mut keys = 0;
    for record in records("t2-truth") {
        if let Some(key) = &record.key {
            assert_eq!(Digest::of_key(record.set.as_ref().map(AsRef::as_ref), key), record.digest, "{key:?}");
            keys += 1;
        }
    }
    assert!(keys > 2000, "{keys}");
}

#[test]
fn read_write_read_is_the_same_and_written_text_is_stable() {
    for compact in [false, true] {
        let encoder = Encoder { compact, version: GlobalsVersion::V3_2 };
        for folder in ["t0-base", "t1-truth", "forms/plain", "forms/compact"] {
            let first = entities(folder);
            let namespace = first.iter().find_map(Entity::as_record).unwrap().namespace.clone();
            let write = |entities: &[Entity]| {
                let mut text = Vec::new();
                encoder.header(&mut text, &namespace, true);
                for entity in entities {
                    encoder.entity(&mut text, entity).unwrap();
                }
                text
            };
            let text = write(&first);
            let second = common::decode(&text, 50_000).unwrap();
            let sorted: Vec<_> = first
                .into_iter()
                .map(|mut entity| {
                    if let Entity::Record(record) = &mut entity {
                        record.sort_bins();
                    }
                    entity
                })
                .collect();
            assert_eq!(second, sorted, "{folder}");
            assert_eq!(write(&second), text, "{folder}");
        }
    }
}

#[test]
fn the_canonical_hash_is_the_same_sorted_and_unsorted() {
    let mut records = records("t0-base");
    let expected = hash(Covers::ALL, &records);
    records.sort_by_key(Record::order);
    let mut sorted = SortedCanonicalHash::new(Covers::ALL);
    for record in &records {
        sorted.push(record).unwrap();
    }
    assert_eq!(sorted.finish(), expected);
    assert_eq!(expected.records, 5006);
    // Pinned: the canonical form is a promise.
    assert_eq!(expected.to_string(), "573c5da27bcb68448157b4931e331aa6b00f3200ec65a99e01dc6be5cf217474");
}
