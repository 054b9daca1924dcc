//! Sessions: begun once, resumed anywhere, idempotent, with every option.

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, stream};
use strongroom_core::cluster::{Applied, Conflict, PieceKind, RestoreOptions, RestoreOutline, RestoreSession};
use strongroom_core::id::SessionId;
use strongroom_core::model::Filter;
use strongroom_core::{Cluster, Error, ErrorKind, Timestamp};
use strongroom_embedded::{EmbeddedCluster, LookIn, PutOptions};
use strongroom_record::canonical::{Covers, SetHash};
use strongroom_record::model::{CITRUSLEAF_EPOCH, IndexCollection, IndexType};
use strongroom_record::{Function, Name, Record, SecondaryIndex};

use crate::common::{Taken, body, environment, in_memory, outline, record, restore, take, write_folded, write_step};

fn put(cluster: &EmbeddedCluster, record: Record) {
    cluster.write_batch(|batch| batch.put(record, PutOptions::AS_GIVEN)).unwrap();
}

fn put_some(cluster: &EmbeddedCluster, keys: std::ops::Range<i64>, value: i64) {
    keys.for_each(|key| put(cluster, record("s", key, value)));
}

fn delete(cluster: &EmbeddedCluster, key: i64) {
    assert!(cluster.write_batch(|batch| batch.delete("test", record("s", key, 0).digest)).unwrap());
}

fn hash(cluster: &EmbeddedCluster) -> SetHash {
    cluster.canonical_hash("test", Covers::ALL, LookIn::default()).unwrap()
}

/// The one integer of a record; `None` if it is not there.
fn value(cluster: &EmbeddedCluster, key: i64) -> Option<i64> {
    let found = cluster.get("test", record("s", key, 0).digest, LookIn::default()).unwrap()?;
    match found.record.bins[0].value {
        strongroom_record::Particle::Integer(value) => Some(value),
        _ => None,
    }
}

fn index(set: &str, name: &str) -> SecondaryIndex {
    SecondaryIndex {
        namespace: Name::namespace("test").unwrap(),
        set: (!set.is_empty()).then(|| Name::set(set.to_owned()).unwrap()),
        name: Name::index(name.to_owned()).unwrap(),
        collection: IndexCollection::Scalar,
        path: "v".into(),
        data_type: IndexType::Numeric,
        context: None,
        expression: None,
    }
}

fn function(name: &str, body: &str) -> Function {
    Function { name: Name::function(name.to_owned()).unwrap(), body: body.to_owned().into() }
}

async fn begin(target: &EmbeddedCluster, taken: &Taken, options: &RestoreOptions, id: u128) -> RestoreSession {
    target.begin_restore(SessionId::from_u128(id), &outline(&[taken]), options).await.unwrap()
}

async fn a_base_of(keys: std::ops::Range<i64>) -> Taken {
    let (source, _) = in_memory();
    put_some(&source, keys, 1);
    take(&source, None).await.unwrap()
}

const TRUNCATE: RestoreOptions = RestoreOptions {
    truncate: true,
    conflict: Conflict::Replace,
    rename: std::collections::BTreeMap::new(),
    now: None,
    no_definitions: false,
    no_data: false,
    definitions_last: false,
};

#[tokio::test]
async fn everything_twice_is_the_same_as_once() {
    let base = a_base_of(0..50).await;
    let (target, _) = in_memory();
    put_some(&target, 40..60, 9);
    let session = begin(&target, &base, &TRUNCATE, 1).await;
    write_step(&target, &session, 0, &base).await.unwrap();
    let once = hash(&target);
    // The same begin again must not empty again.
    let again = begin(&target, &base, &TRUNCATE, 1).await;
    assert_eq!(again, session);
    assert_eq!(hash(&target), once);
    let twice = write_step(&target, &again, 0, &base).await.unwrap();
    assert_eq!((twice.written, hash(&target)), (50, once));
    for _ in 0..2 {
        target.seal_step(&again, 0).await.unwrap();
    }
    for _ in 0..2 {
        target.finish_restore(again.clone()).await.unwrap();
    }
    assert_eq!(target.namespaces().unwrap()["test"].timeline, 1);
    let error = write_step(&target, &again, 0, &base).await.unwrap_err();
    assert!(error.to_string().contains("has been finished"), "{error}");
    assert_eq!(begin(&target, &base, &TRUNCATE, 1).await, session);
    assert_eq!(hash(&target), once);
    let other = target.begin_restore(session.id, &outline(&[&base]), &RestoreOptions::default()).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_restore_goes_on_in_another_process() {
    let base = a_base_of(0..50).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let target = EmbeddedCluster::create(&path, environment().0).unwrap();
    put_some(&target, 90..99, 1);
    let session = begin(&target, &base, &TRUNCATE, 1).await;
    let journalled = serde_json::to_string(&session).unwrap();
    let data = base.pieces.iter().find(|(piece, ..)| piece.kind == PieceKind::Data).unwrap();
    target.write(&session, 0, "test", &data.0, body(&data.1)).await.unwrap();
    drop(target);

    let target = EmbeddedCluster::open(&path, environment().0).unwrap();
    let session: RestoreSession = serde_json::from_str(&journalled).unwrap();
    assert_eq!(begin(&target, &base, &TRUNCATE, 1).await, session);
    assert_eq!(target.count("test").unwrap().records, 50);
    write_step(&target, &session, 0, &base).await.unwrap();
    target.finish_restore(session.clone()).await.unwrap();

    let (other, _) = in_memory();
    assert_eq!(other.seal_step(&session, 0).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn giving_up_keeps_what_was_written_and_begins_a_new_timeline() {
    let base = a_base_of(0..50).await;
    let (target, _) = in_memory();
    put_some(&target, 90..99, 1);
    let before = take(&target, None).await.unwrap();
    let session = begin(&target, &base, &RestoreOptions::default(), 1).await;
    write_step(&target, &session, 0, &base).await.unwrap();
    for _ in 0..2 {
        target.abort_restore(session.clone()).await.unwrap();
    }
    assert_eq!(target.count("test").unwrap().records, 59);
    assert!(write_step(&target, &session, 0, &base).await.unwrap_err().to_string().contains("given up"));
    assert!(target.finish_restore(session).await.is_err());
    assert_eq!(take(&target, Some(before.until())).await.unwrap_err().kind(), ErrorKind::BrokenChain);
}

#[tokio::test]
async fn a_restore_keeps_generation_and_void_time_and_breaks_the_chain() {
    let (source, _) = in_memory();
    let mortal = Record { generation: 7, void_time: 99, ..record("s", 1, 1) };
    put(&source, mortal.clone());
    let base = take(&source, None).await.unwrap();
    let (target, clock) = in_memory();
    put_some(&target, 5..6, 1);
    let before = take(&target, None).await.unwrap();
    clock.advance(1_000_000);
    restore(&target, &[&base], &RestoreOptions::default(), 1).await.unwrap();
    let found = target.get("test", mortal.digest, LookIn::default()).unwrap().unwrap();
    assert_eq!(found.record, mortal);
    assert!(found.changed > before.until());
    assert_eq!(take(&target, Some(before.until())).await.unwrap_err().kind(), ErrorKind::BrokenChain);
    let after = take(&target, None).await.unwrap();
    take(&target, Some(after.until())).await.unwrap();
}

/// Both ways of a restore: backup by backup, and folded first.
async fn both_ways(chain: &[&Taken], options: &RestoreOptions, prepare: impl Fn(&EmbeddedCluster)) -> SetHash {
    let (target, _) = in_memory();
    prepare(&target);
    restore(&target, chain, options, 1).await.unwrap();
    let one_by_one = hash(&target);

    let (target, _) = in_memory();
    prepare(&target);
    write_folded(&target, chain, options, 2).await;
    assert_eq!(hash(&target), one_by_one, "{options:?}");
    one_by_one
}

#[tokio::test]
async fn conflict_policy_is_about_what_was_there_before() {
    let (source, _) = in_memory();
    let generation = |key, value, generation| Record { generation, ..record("s", key, value) };
    put(&source, generation(1, 10, 5));
    put(&source, generation(2, 20, 5));
    put(&source, generation(3, 30, 5));
    let base = take(&source, None).await.unwrap();
    // Written anew with a lower generation, and deleted.
    put(&source, generation(1, 11, 1));
    delete(&source, 2);
    put(&source, generation(4, 40, 2));
    let next = take(&source, Some(base.until())).await.unwrap();
    let there = |target: &EmbeddedCluster| {
        target.create_namespace("test").unwrap();
        put(target, generation(3, 99, 6));
        put(target, generation(4, 99, 1));
    };
    for (conflict, expected) in [
        (Conflict::Replace, [Some(11), None, Some(30), Some(40)]),
        (Conflict::Keep, [Some(11), None, Some(99), Some(99)]),
        (Conflict::Newer, [Some(11), None, Some(99), Some(40)]),
    ] {
        let options = RestoreOptions { conflict, ..RestoreOptions::default() };
        both_ways(&[&base, &next], &options, there).await;
        let (target, _) = in_memory();
        there(&target);
        restore(&target, &[&base, &next], &options, 3).await.unwrap();
        assert_eq!([1, 2, 3, 4].map(|key| value(&target, key)), expected, "{conflict:?}");
    }
}

#[tokio::test]
async fn what_has_expired_does_not_come_back_in_an_older_form() {
    let (source, _) = in_memory();
    put(&source, Record { void_time: 0, ..record("s", 1, 1) });
    put(&source, Record { void_time: 500, ..record("s", 2, 1) });
    let base = take(&source, None).await.unwrap();
    put(&source, Record { void_time: 100, ..record("s", 1, 2) });
    let next = take(&source, Some(base.until())).await.unwrap();
    let epoch = i64::try_from(CITRUSLEAF_EPOCH).unwrap();
    for (now, records) in [(None, 2), (Some(99), 2), (Some(100), 1), (Some(500), 0)] {
        let now = now.map(|seconds| Timestamp::from_secs(epoch + seconds));
        let options = RestoreOptions { now, ..RestoreOptions::default() };
        let nothing = |target: &EmbeddedCluster| target.create_namespace("test").unwrap();
        assert_eq!(both_ways(&[&base, &next], &options, nothing).await.records, records, "{now:?}");
    }
}

#[tokio::test]
async fn parts_are_renamed() {
    let (source, _) = in_memory();
    put_some(&source, 0..10, 1);
    source.create_index(index("s", "by-v")).unwrap();
    let base = take(&source, None).await.unwrap();
    let (target, _) = in_memory();
    let rename = [("test".to_owned(), "copy".to_owned())].into();
    restore(&target, &[&base], &RestoreOptions { rename, ..RestoreOptions::default() }, 1).await.unwrap();
    assert_eq!(target.namespaces().unwrap().into_keys().collect::<Vec<_>>(), ["copy"]);
    assert_eq!(target.count("copy").unwrap().records, 10);
    assert_eq!(target.indexes("copy").unwrap()[0].namespace.to_string(), "copy");

    let two = RestoreOutline {
        parts: ["a", "b"].map(|part| (part.to_owned(), outline(&[&base]).parts["test"].clone())).into(),
        ..outline(&[&base])
    };
    let rename = ["a", "b"].map(|part| (part.to_owned(), "copy".to_owned())).into();
    let options = RestoreOptions { rename, ..RestoreOptions::default() };
    let error = target.begin_restore(SessionId::from_u128(2), &two, &options).await.unwrap_err();
    assert!(error.to_string().contains("would both be restored as 'copy'"), "{error}");
    assert_eq!(target.check_restore(&two, &options).await.unwrap().refusals.len(), 1);
}

#[tokio::test]
async fn a_narrower_plan_takes_and_empties_only_what_it_names() {
    let (source, _) = in_memory();
    (0..30).for_each(|key| put(&source, record(["a", "b", ""][usize::try_from(key % 3).unwrap()], key, 1)));
    source.create_index(index("a", "on-a")).unwrap();
    source.create_index(index("b", "on-b")).unwrap();
    let base = take(&source, None).await.unwrap();
    let (target, _) = in_memory();
    for set in ["a", "b"] {
        (100..105).for_each(|key| put(&target, record(set, key, 1)));
    }
    target.create_index(index("a", "old-on-a")).unwrap();
    target.create_index(index("b", "old-on-b")).unwrap();
    let mut plan = outline(&[&base]);
    let filter = Filter { tables: Some(["a".to_owned()].into()), ..Filter::default() };
    plan.parts.get_mut("test").unwrap().filter = filter;
    let session = target.begin_restore(SessionId::from_u128(1), &plan, &TRUNCATE).await.unwrap();
    let applied = write_step(&target, &session, 0, &base).await.unwrap();
    assert_eq!((applied.written, applied.filtered, applied.definitions), (10, 20 + 1, 1));
    target.finish_restore(session).await.unwrap();
    let count = |set| target.count_set("test", set).unwrap().records;
    assert_eq!((count("a"), count("b"), count("")), (10, 5, 0));
    let names: Vec<_> = target.indexes("test").unwrap().iter().map(|index| index.name.to_string()).collect();
    assert_eq!(names, ["old-on-b", "on-a"]);
}

#[tokio::test]
async fn definitions_or_data_alone() {
    let (source, _) = in_memory();
    put_some(&source, 0..10, 1);
    source.create_index(index("s", "new")).unwrap();
    source.put_function(function("f.lua", "return 1")).unwrap();
    let base = take(&source, None).await.unwrap();
    for (no_data, no_definitions, records, indexes) in
        [(true, false, 3, "new"), (false, true, 10, "old"), (true, true, 3, "old")]
    {
        let (target, _) = in_memory();
        put_some(&target, 20..23, 1);
        target.create_index(index("s", "old")).unwrap();
        let options = RestoreOptions { no_data, no_definitions, ..TRUNCATE };
        restore(&target, &[&base], &options, 1).await.unwrap();
        assert_eq!(target.count("test").unwrap().records, records);
        assert_eq!(target.indexes("test").unwrap()[0].name.to_string(), indexes);
        assert_eq!(target.functions().unwrap().len(), usize::from(!no_definitions));
    }
}

#[tokio::test]
async fn a_later_step_takes_definitions_away_again() {
    let (source, _) = in_memory();
    put_some(&source, 0..1, 1);
    source.create_index(index("s", "stays")).unwrap();
    source.create_index(index("s", "goes")).unwrap();
    source.put_function(function("goes.lua", "x")).unwrap();
    source.put_function(function("changes.lua", "old")).unwrap();
    let base = take(&source, None).await.unwrap();
    source.drop_index("test", "goes").unwrap();
    source.drop_function("goes.lua").unwrap();
    source.put_function(function("changes.lua", "new")).unwrap();
    let next = take(&source, Some(base.until())).await.unwrap();
    let (target, _) = in_memory();
    target.create_index(index("s", "its-own")).unwrap();
    restore(&target, &[&base, &next], &RestoreOptions::default(), 1).await.unwrap();
    let names: Vec<_> = target.indexes("test").unwrap().iter().map(|index| index.name.to_string()).collect();
    assert_eq!(names, ["its-own", "stays"]);
    assert_eq!(target.functions().unwrap(), [function("changes.lua", "new")]);

    let (target, _) = in_memory();
    target.put_function(function("changes.lua", "mine")).unwrap();
    let keep = RestoreOptions { conflict: Conflict::Keep, ..RestoreOptions::default() };
    restore(&target, &[&next], &keep, 1).await.unwrap();
    assert_eq!(target.functions().unwrap(), [function("changes.lua", "mine")]);
}

#[tokio::test]
async fn pieces_that_are_not_what_they_should_be_are_told() {
    let base = a_base_of(0..50).await;
    let (target, _) = in_memory();
    let session = begin(&target, &base, &RestoreOptions::default(), 1).await;
    let [schema, data] = [PieceKind::Schema, PieceKind::Data]
        .map(|kind| base.pieces.iter().find(|(piece, ..)| piece.kind == kind).unwrap());
    let cut = data.1.slice(..data.1.len() - 5);
    let mixed = String::from_utf8(data.1.to_vec()).unwrap().replace("+ n test", "+ n tost");
    let deletes = {
        let mut piece = data.0.clone();
        piece.kind = PieceKind::Deletes;
        piece
    };
    let log = {
        let mut piece = data.0.clone();
        piece.kind = PieceKind::Log;
        piece
    };
    for (piece, bytes, kind, text) in [
        (&data.0, cut, ErrorKind::Corrupt, "piece 'records-0000-4095' of part 'test'"),
        (&data.0, Bytes::new(), ErrorKind::Corrupt, "empty"),
        (&data.0, Bytes::from(mixed), ErrorKind::Corrupt, "belongs to namespace 'tost', not 'test'"),
        (&schema.0, data.1.clone(), ErrorKind::Corrupt, "only indexes and functions"),
        (&deletes, data.1.clone(), ErrorKind::Corrupt, "expected"),
        (&log, Bytes::new(), ErrorKind::Unsupported, "commit log"),
    ] {
        let error = target.write(&session, 0, "test", piece, body(&bytes)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().contains(text), "{error}");
    }
    let error = target.write(&session, 0, "other", &data.0, body(&data.1)).await.unwrap_err();
    assert!(error.to_string().contains("not in the plan"), "{error}");
    // An error of the source comes through as it is.
    let broken = stream::iter([Ok(data.1.slice(..100)), Err(Error::no_space("the source said so"))]).boxed();
    let error = target.write(&session, 0, "test", &data.0, broken).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::NoSpace, "the source said so".to_owned()));
    // After all this the piece is still taken.
    let applied = target.write(&session, 0, "test", &data.0, body(&data.1)).await.unwrap();
    assert_eq!(applied, Applied { written: 50, ..Applied::default() });
}

#[test]
fn a_piece_dropped_half_way_writes_nothing_more() {
    // More than a batch, so that there is something to be written before the piece ends.
    let (source, _) = in_memory();
    source
        .write_batch(|batch| {
            (0..20_000).try_for_each(|key| batch.put(record("s", key, 1), PutOptions::AS_GIVEN).map(drop))
        })
        .unwrap();
    let (target, _) = in_memory();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let base = take(&source, None).await.unwrap();
        let session = begin(&target, &base, &RestoreOptions::default(), 1).await;
        let data = base.pieces.iter().find(|(piece, ..)| piece.kind == PieceKind::Data).unwrap();
        // More chunks than may wait: when all are taken, the writer is at work.
        let chunks: Vec<_> = data.1.chunks(data.1.len() / 8).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let (taken, all_taken) = tokio::sync::oneshot::channel();
        let end = async move {
            taken.send(()).unwrap();
            std::future::pending().await
        };
        let stuck = stream::iter(chunks).chain(end.into_stream()).boxed();
        // While this batch is open the piece's own can't begin.
        let (held, is_held) = tokio::sync::oneshot::channel();
        let (release, released) = std::sync::mpsc::channel();
        let holder = {
            let target = target.clone();
            std::thread::spawn(move || {
                target.write_batch(|_| {
                    held.send(()).unwrap();
                    released.recv().unwrap();
                    Ok(())
                })
            })
        };
        is_held.await.unwrap();
        tokio::select! {
            biased;
            applied = target.write(&session, 0, "test", &data.0, stuck) => panic!("it can't end: {applied:?}"),
            taken = all_taken => taken.unwrap(),
        }
        release.send(()).unwrap();
        holder.join().unwrap().unwrap();
    });
    // Waits for what still runs.
    drop(runtime);
    assert_eq!(target.count("test").unwrap().records, 0);
}

#[tokio::test]
async fn while_a_restore_goes_on_no_incremental_reaches_behind_it() {
    let base = a_base_of(0..50).await;
    let (target, _) = in_memory();
    put_some(&target, 90..99, 1);
    let before = take(&target, None).await.unwrap();
    begin(&target, &base, &RestoreOptions::default(), 1).await;
    assert_eq!(take(&target, Some(before.until())).await.unwrap_err().kind(), ErrorKind::BrokenChain);
}

#[tokio::test]
async fn what_speaks_against_a_restore_is_known_before() {
    let base = a_base_of(0..50).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let target = EmbeddedCluster::create(&path, environment().0).unwrap();
    let options = RestoreOptions::default();
    let found = target.check_restore(&outline(&[&base]), &options).await.unwrap();
    assert_eq!((found.refusals.len(), found.warnings.len()), (0, 0), "{found:?}");
    put_some(&target, 0..3, 1);
    let found = target.check_restore(&outline(&[&base]), &options).await.unwrap();
    assert!(found.warnings[0].contains("already holds 3 records"), "{found:?}");
    assert!(target.check_restore(&outline(&[&base]), &TRUNCATE).await.unwrap().warnings.is_empty());

    let mut plan = outline(&[&base]);
    plan.parts.get_mut("test").unwrap().bytes = u64::MAX / 4;
    plan.parts.get_mut("test").unwrap().filter.expression = Some("x".into());
    let found = target.check_restore(&plan, &options).await.unwrap();
    assert_eq!(found.refusals.len(), 2, "{found:?}");
    assert!(found.refusals[1].contains("are free where"), "{found:?}");
    let error = target.begin_restore(SessionId::from_u128(1), &plan, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    drop(target);

    let target = EmbeddedCluster::open_read_only(&path, environment().0).unwrap();
    let found = target.check_restore(&outline(&[&base]), &options).await.unwrap();
    assert!(found.refusals[0].contains("for reading only"), "{found:?}");
    let error = target.begin_restore(SessionId::from_u128(1), &outline(&[&base]), &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(!target.capabilities().truncate);
}
