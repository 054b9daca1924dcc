//! Records put, found, scanned, counted and deleted without any backup.

use proptest::prelude::*;
use strongroom_core::cluster::Conflict;
use strongroom_core::model::Filter;
use strongroom_core::{ErrorKind, Timestamp};
use strongroom_embedded::{Count, EmbeddedCluster, Emptying, Generation, LookIn, Put, PutOptions};
use strongroom_record::model::CITRUSLEAF_EPOCH;
use strongroom_record::{Bin, BinName, Particle, Record, UserKey};

use crate::common::{START, in_memory, record};
use crate::samples::any_record;

const LOOK: LookIn = LookIn { now: None };

fn put(cluster: &EmbeddedCluster, record: Record) -> Put {
    cluster.write_batch(|batch| batch.put(record, PutOptions::default())).unwrap()
}

fn all(cluster: &EmbeddedCluster, filter: &Filter) -> Vec<Record> {
    cluster.scan("test", filter, LOOK).unwrap().map(|found| found.unwrap().record).collect()
}

#[test]
fn a_record_is_found_by_key_and_by_digest() {
    let (cluster, _) = in_memory();
    let one = record("users", 1, 10);
    assert_eq!(put(&cluster, one.clone()), Put::Written { generation: 1 });
    assert_eq!(cluster.get("test", one.digest, LOOK).unwrap().unwrap().record, one);
    let by_key = cluster.get_by_key("test", Some("users"), &UserKey::Integer(1), LOOK).unwrap().unwrap();
    assert_eq!(by_key.record, one);
    assert!(by_key.changed.micros() > START);
    assert_eq!(cluster.get_by_key("test", None, &UserKey::Integer(1), LOOK).unwrap(), None);
    assert_eq!(cluster.get("other", one.digest, LOOK).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn generations_count_up_and_start_again_at_one() {
    let (cluster, _) = in_memory();
    let one = record("", 1, 10);
    assert_eq!(put(&cluster, one.clone()), Put::Written { generation: 1 });
    assert_eq!(put(&cluster, one.clone()), Put::Written { generation: 2 });
    let full = Record { generation: u16::MAX, ..one.clone() };
    cluster.write_batch(|batch| batch.put(full, PutOptions::AS_GIVEN)).unwrap();
    assert_eq!(put(&cluster, one.clone()), Put::Written { generation: 1 });
    cluster.write_batch(|batch| batch.delete("test", one.digest)).unwrap();
    assert_eq!(put(&cluster, one), Put::Written { generation: 1 });
}

#[test]
fn conflict_policies() {
    let (cluster, _) = in_memory();
    let there = Record { generation: 5, ..record("", 1, 10) };
    let given = |conflict| PutOptions { generation: Generation::Given, conflict };
    cluster.write_batch(|batch| batch.put(there.clone(), given(Conflict::Keep))).unwrap();
    for (conflict, generation, written) in [
        (Conflict::Keep, 9, false),
        (Conflict::Newer, 5, false),
        (Conflict::Newer, 4, false),
        (Conflict::Newer, 6, true),
        (Conflict::Replace, 2, true),
    ] {
        let next = Record { generation, ..record("", 1, 20) };
        let put = cluster.write_batch(|batch| batch.put(next, given(conflict))).unwrap();
        assert_eq!(put != Put::Kept, written, "{conflict:?} {generation}");
    }
}

#[test]
fn void_times_count_only_when_a_now_is_given() {
    let (cluster, _) = in_memory();
    let at = Timestamp::from_secs;
    let base = i64::try_from(CITRUSLEAF_EPOCH).unwrap();
    let mortal = Record { void_time: 100, ..record("", 1, 10) };
    put(&cluster, mortal.clone());
    put(&cluster, record("", 2, 20));
    for (now, count) in [(at(base + 99), 2), (at(base + 100), 1), (at(-5), 2)] {
        assert_eq!(cluster.count_where("test", &Filter::default(), LookIn::at(now)).unwrap(), count, "{now}");
        assert_eq!(cluster.get("test", mortal.digest, LookIn::at(now)).unwrap().is_some(), count == 2, "{now}");
    }
    assert_eq!(cluster.count("test").unwrap().records, 2);
    assert_eq!(cluster.delete_expired("test", at(base + 99)).unwrap(), 0);
    assert_eq!(cluster.delete_expired("test", at(base + 100)).unwrap(), 1);
    assert_eq!(cluster.count("test").unwrap().records, 1);
}

#[test]
fn filters_by_set_bin_and_partition() {
    let (cluster, _) = in_memory();
    for key in 0..100 {
        put(&cluster, record(["", "a", "b"][usize::try_from(key % 3).unwrap()], key, key));
    }
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(all(&cluster, &Filter { tables: names(&["a"]), ..Filter::default() }).len(), 33);
    assert_eq!(all(&cluster, &Filter { tables: names(&["", "b"]), ..Filter::default() }).len(), 67);
    assert_eq!(cluster.count_set("test", "").unwrap().records, 34);
    assert_eq!(cluster.count_set("test", "nothing").unwrap(), Count::default());
    let whole = all(&cluster, &Filter::default());
    assert!(whole.is_sorted_by_key(Record::order) && whole.len() == 100);
    let half: Vec<u16> = (0..4096).step_by(2).collect();
    let even = all(&cluster, &Filter { partitions: Some(half.into_iter().collect()), ..Filter::default() });
    let expected: Vec<_> = whole.iter().filter(|record| record.digest.partition() % 2 == 0).cloned().collect();
    assert_eq!(even, expected);
    let bare = all(&cluster, &Filter { bins: names(&["other"]), ..Filter::default() });
    assert!(bare.len() == 100 && bare.iter().all(|record| record.bins.is_empty()));

    let bad = Filter { expression: Some("x > 1".into()), ..Filter::default() };
    assert_eq!(cluster.scan("test", &bad, LOOK).unwrap_err().kind(), ErrorKind::Unsupported);
    let bad = Filter { partitions: Some([4096].into()), ..Filter::default() };
    assert_eq!(cluster.scan("test", &bad, LOOK).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_batch_is_whole_or_nothing() {
    let (cluster, _) = in_memory();
    put(&cluster, record("", 1, 10));
    let before = cluster.namespaces().unwrap();
    let failed = cluster.write_batch(|batch| {
        batch.put(record("", 2, 20), PutOptions::default())?;
        batch.delete("test", record("", 1, 10).digest)?;
        batch.create_namespace("other")?;
        batch.delete("missing", record("", 1, 10).digest)
    });
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(cluster.namespaces().unwrap(), before);
    assert_eq!(all(&cluster, &Filter::default()).len(), 1);
}

#[test]
fn a_scan_sees_one_state_whatever_is_written_meanwhile() {
    let (cluster, _) = in_memory();
    for key in 0..50 {
        put(&cluster, record("", key, 1));
    }
    let mut scan = cluster.scan("test", &Filter::default(), LOOK).unwrap();
    let first = scan.next().unwrap().unwrap();
    cluster.empty("test", &Filter::default(), Emptying::Cut).unwrap();
    assert_eq!(cluster.count("test").unwrap().records, 0);
    assert_eq!(scan.count() + 1, 50);
    assert_eq!(cluster.get("test", first.record.digest, LOOK).unwrap(), None);
}

#[test]
fn emptying_a_large_set_leaves_the_others() {
    let (cluster, _) = in_memory();
    let count = |set| cluster.count_set("test", set).unwrap().records;
    cluster
        .write_batch(|batch| {
            (0..40_000).try_for_each(|key| {
                let set = if key % 8 == 0 { "stays" } else { "goes" };
                batch.put(record(set, key, 1), PutOptions::default()).map(drop)
            })
        })
        .unwrap();
    let goes = Filter { tables: Some(["goes".to_owned()].into()), ..Filter::default() };
    assert_eq!(cluster.empty("test", &goes, Emptying::Tombstones).unwrap(), 35_000);
    assert_eq!((count("goes"), count("stays")), (0, 5_000));
    assert_eq!(cluster.count_where("test", &Filter::default(), LOOK).unwrap(), 5_000);
    assert_eq!(cluster.empty("test", &Filter::default(), Emptying::Cut).unwrap(), 5_000);
}

#[test]
fn last_update_times_go_up_although_the_clock_goes_back() {
    let (cluster, clock) = in_memory();
    let changed = |key| cluster.get_by_key("test", None, &UserKey::Integer(key), LOOK).unwrap().unwrap().changed;
    put(&cluster, record("", 1, 1));
    clock.advance(-3_600_000_000);
    put(&cluster, record("", 2, 1));
    cluster
        .write_batch(|batch| (3..10).try_for_each(|key| batch.put(record("", key, 1), PutOptions::default()).map(drop)))
        .unwrap();
    clock.advance(7_200_000_000);
    put(&cluster, record("", 10, 1));
    let times: Vec<_> = (1..=10).map(changed).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert_eq!(times[9].micros(), START + 3_600_000_000);
}

#[test]
fn limits_of_names_and_bins() {
    let (cluster, _) = in_memory();
    let bin = |name: &str| Bin { name: BinName::new(name).unwrap(), value: Particle::Nil };
    let longest = Record { bins: vec![bin("123456789012345"), bin("")], ..record("", 1, 1) };
    put(&cluster, longest.clone());
    let names: Vec<_> = cluster.get("test", longest.digest, LOOK).unwrap().unwrap().record.bins;
    assert_eq!(names, [bin(""), bin("123456789012345")]);
    let twice = Record { bins: vec![bin("a"), bin("b"), bin("a")], ..record("", 2, 1) };
    let error = cluster.write_batch(|batch| batch.put(twice, PutOptions::default())).unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("two bins named 'a'"), "{error}");
    assert!(cluster.create_namespace("").is_err());
    assert!(cluster.create_namespace(&"n".repeat(32)).is_err());
    cluster.create_namespace(&"n".repeat(31)).unwrap();
    assert_eq!(cluster.namespaces().unwrap().len(), 2);
    cluster.drop_namespace("test").unwrap();
    assert_eq!(cluster.drop_namespace("test").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(cluster.namespaces().unwrap().len(), 1);
}

proptest! {
    #[test]
    fn any_record_is_kept_as_it_is(records in proptest::collection::vec(any_record(), 1..20)) {
        let (cluster, _) = in_memory();
        cluster.write_batch(|batch| {
            records.iter().cloned().try_for_each(|record| batch.put(record, PutOptions::AS_GIVEN).map(drop))
        }).unwrap();
        let mut expected = records;
        expected.reverse();
        expected.sort_by_key(Record::order);
        expected.dedup_by_key(|record| record.digest);
        prop_assert_eq!(all(&cluster, &Filter::default()), expected);
    }
}
