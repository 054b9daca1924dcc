//! Bases, incrementals and deletes, taken as pieces and written again.

use strongroom_core::cluster::{FreezeRequest, Frozen, PieceSpec, PieceSummary, RestoreOptions};
use strongroom_core::model::{Filter, Scope};
use strongroom_core::{Cluster as _, ErrorKind};
use strongroom_embedded::{EmbeddedCluster, Emptying, LookIn, PutOptions};
use strongroom_record::canonical::{Covers, SetHash};

use crate::common::{Taken, environment, in_memory, outline, read, record, restore, take, take_scope};

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

#[tokio::test]
async fn a_frozen_state_is_exact_whatever_is_written_until_it_is_released() {
    let (source, _) = in_memory();
    put(&source, 0..100, 1);
    let truth = hash(&source);
    let frozen =
        source.freeze(&FreezeRequest { scope: Scope::of_parts(["test"]), ..FreezeRequest::default() }).await.unwrap();
    put(&source, 50..150, 2);
    delete(&source, 0..10);
    source.empty("test", &Filter::default(), Emptying::Cut).unwrap();
    let part = &frozen.parts[0];
    assert_eq!(part.window.until, part.window.settled);
    let mut pieces = Vec::new();
    for piece in &part.pieces {
        let (bytes, summary) = read(&source, piece).await.unwrap();
        assert_eq!(summary.settled, Some(part.window.until));
        pieces.push((piece.clone(), bytes, summary));
    }
    source.release(&frozen).await.unwrap();
    source.release(&frozen).await.unwrap();
    let (target, _) = in_memory();
    let taken = Taken { part: part.clone(), pieces };
    restore(&target, &[&taken], &RestoreOptions::default(), 1).await.unwrap();
    assert_eq!(hash(&target), truth);
    let error = read(&source, &part.pieces[1]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("emptied or restored"), "{error}");
}

/// What another process may still read of a frozen state, by what changed since.
#[tokio::test]
async fn pieces_are_read_by_another_process_if_they_still_fit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let source = EmbeddedCluster::create(&path, environment().0).unwrap();
    put(&source, 0..100, 1);
    let base = take(&source, None).await.unwrap();
    put(&source, 100..110, 1);
    delete(&source, 0..5);
    let scope = Scope::of_parts(["test"]);
    let base_request = FreezeRequest { scope: scope.clone(), ..FreezeRequest::default() };
    let since = [("test".to_owned(), base.until())].into();
    let frozen = [base_request, FreezeRequest { scope, since }];
    let [whole, next] = [source.freeze(&frozen[0]).await.unwrap(), source.freeze(&frozen[1]).await.unwrap()];
    drop(source);

    let reopened = EmbeddedCluster::open(&path, environment().0).unwrap();
    let all = async |cluster: &EmbeddedCluster, frozen: &Frozen| {
        let mut total = PieceSummary::default();
        for piece in &frozen.parts[0].pieces {
            let (_, summary) = read(cluster, piece).await?;
            total.records += summary.records;
            total.deletes += summary.deletes;
            total.settled = total.settled.max(summary.settled);
        }
        Ok::<_, strongroom_core::Error>(total)
    };
    let total = all(&reopened, &next).await.unwrap();
    assert_eq!((total.records, total.deletes), (10, 5));
    put(&reopened, 110..120, 1);
    let error = all(&reopened, &next).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("freeze the part again"), "{error}");
    let total = all(&reopened, &whole).await.unwrap();
    assert_eq!(total.records, 115);
    assert!(total.settled.unwrap() > whole.parts[0].window.until);

    let foreign = PieceSpec { detail: serde_json::json!({"file": 1}), ..whole.parts[0].pieces[0].clone() };
    assert_eq!(read(&reopened, &foreign).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_read_only_file_gives_a_base_and_what_changed_but_no_new_window() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let source = EmbeddedCluster::create(&path, environment().0).unwrap();
    put(&source, 0..100, 1);
    let base = take(&source, None).await.unwrap();
    put(&source, 50..60, 2);
    drop(source);
    let source = EmbeddedCluster::open_read_only(&path, environment().0).unwrap();
    assert_eq!(take(&source, None).await.unwrap().records(), 100);
    let next = take(&source, Some(base.until())).await.unwrap();
    assert_eq!(next.records(), 10);
    let error = take(&source, Some(next.until())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("open it for writing"), "{error}");
}

#[tokio::test]
async fn an_older_copy_of_the_file_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("x"), folder.path().join("y"));
    let source = EmbeddedCluster::create(&path, environment().0).unwrap();
    put(&source, 0..10, 1);
    drop(source);
    std::fs::copy(&path, &copy).unwrap();
    let (environment, clock) = environment();
    let source = EmbeddedCluster::open(&path, environment.clone()).unwrap();
    clock.advance(5_000_000);
    put(&source, 10..20, 1);
    let base = take(&source, None).await.unwrap();
    drop(source);
    clock.advance(-4_000_000);
    let older = EmbeddedCluster::open(&copy, environment).unwrap();
    let error = take(&older, Some(base.until())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenChain);
    assert!(error.to_string().contains("older copy"), "{error}");
    let error = read(&older, &base.pieces[1].0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn filters_narrow_data_deletes_and_definitions() {
    let (source, _) = in_memory();
    let write = |keys: std::ops::Range<i64>, value| {
        let put = |set: &'static str| keys.clone().map(move |key| record(set, key, value));
        source
            .write_batch(|batch| {
                ["a", "b", ""]
                    .into_iter()
                    .flat_map(put)
                    .try_for_each(|record| batch.put(record, PutOptions::default()).map(drop))
            })
            .unwrap();
    };
    write(0..40, 1);
    let scope = |filter| Scope { parts: Some([("test".to_owned(), filter)].into()) };
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let sets = Filter { tables: names(&["a", ""]), ..Filter::default() };
    let low = Filter { partitions: Some((0..2048).collect()), ..Filter::default() };
    let bins = Filter { bins: names(&["other"]), ..Filter::default() };
    let base = take_scope(&source, scope(sets.clone()), None).await.unwrap();
    assert_eq!((base.records(), &base.part.filter), (80, &sets));
    write(0..10, 2);
    source
        .write_batch(|batch| {
            ["a", "b"].into_iter().try_for_each(|set| {
                (30..40).try_for_each(|key| batch.delete("test", record(set, key, 0).digest).map(drop))
            })
        })
        .unwrap();
    let next = take_scope(&source, scope(sets), Some(base.until())).await.unwrap();
    assert_eq!((next.records(), next.deletes()), (20, 10));
    let all = take(&source, Some(base.until())).await.unwrap();
    let half = take_scope(&source, scope(low), Some(base.until())).await.unwrap();
    assert!(half.records() < all.records() && half.records() > 0 && half.deletes() < all.deletes());
    let binless = take_scope(&source, scope(bins), None).await.unwrap();
    assert_eq!(binless.records(), 100);
    assert!(binless.pieces.iter().all(|(_, bytes, _)| !bytes.windows(4).any(|text| text == b"- I ")));

    let expression = Filter { expression: Some("x".into()), ..Filter::default() };
    assert_eq!(take_scope(&source, scope(expression), None).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let missing = Scope::of_parts(["other"]);
    assert_eq!(take_scope(&source, missing, None).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_empty_namespace_and_a_cluster_without_any() {
    let (source, _) = in_memory();
    assert!(source.freeze(&FreezeRequest::default()).await.unwrap().parts.is_empty());
    source.create_namespace("test").unwrap();
    let base = take(&source, None).await.unwrap();
    assert_eq!((base.records(), base.pieces.len()), (0, 2));
    let (target, _) = in_memory();
    restore(&target, &[&base], &RestoreOptions::default(), 1).await.unwrap();
    assert_eq!(target.count("test").unwrap().records, 0);
    assert_eq!(target.describe().await.unwrap().parts["test"].records, Some(0));
}

/// Two files that were one have an identity and a past in common, and nothing else.
#[tokio::test]
async fn a_copy_of_the_file_remembers_the_past_and_not_the_other_ones_future() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("x"), folder.path().join("y"));
    let (environment, clock) = environment();
    let source = EmbeddedCluster::create(&path, environment.clone()).unwrap();
    put(&source, 0..10, 1);
    let shared = take(&source, None).await.unwrap().until();
    drop(source);
    std::fs::copy(&path, &copy).unwrap();
    let one = EmbeddedCluster::open(&path, environment.clone()).unwrap();
    let two = EmbeddedCluster::open(&copy, environment.clone()).unwrap();
    assert_eq!(one.describe().await.unwrap().identity, two.describe().await.unwrap().identity);
    clock.advance(1_000_000);
    put(&one, 10..20, 1);
    let of_one = take(&one, None).await.unwrap().until();
    clock.advance(1_000_000);
    put(&two, 20..30, 1);
    let of_two = take(&two, Some(shared)).await.unwrap().until();
    for (cluster, own, other) in [(&one, of_one, of_two), (&two, of_two, of_one)] {
        assert_eq!(cluster.remembers("test", shared).await.unwrap(), Some(true));
        assert_eq!(cluster.remembers("test", own).await.unwrap(), Some(true));
        assert_eq!(cluster.remembers("test", other).await.unwrap(), Some(false));
        assert_eq!(cluster.remembers("nowhere", own).await.unwrap(), Some(false));
    }
    drop(two);
    let two = EmbeddedCluster::open_read_only(&copy, environment).unwrap();
    assert_eq!(two.remembers("test", of_two).await.unwrap(), Some(true), "it is kept in the file");
    let unnoted = take(&two, None).await.unwrap().until();
    assert_eq!(unnoted, of_two, "nothing changed");
    one.write_batch(|batch| batch.drop_namespace("test")).unwrap();
    put(&one, 0..10, 1);
    assert_eq!(one.remembers("test", of_one).await.unwrap(), Some(false), "a namespace made anew");
}

#[tokio::test]
async fn begun_or_ended_a_restore_ends_what_is_remembered() {
    let (source, _) = in_memory();
    put(&source, 0..10, 1);
    let base = take(&source, None).await.unwrap();
    for finish in [true, false] {
        let (target, _) = in_memory();
        put(&target, 0..10, 1);
        let before = take(&target, None).await.unwrap().until();
        let id = strongroom_core::id::SessionId::from_u128(1);
        let session = target.begin_restore(id, &outline(&[&base]), &RestoreOptions::default()).await.unwrap();
        assert_eq!(target.remembers("test", before).await.unwrap(), Some(false));
        let between = take(&target, None).await.unwrap().until();
        if finish {
            target.finish_restore(session.clone()).await.unwrap();
            let after = take(&target, None).await.unwrap().until();
            target.finish_restore(session).await.unwrap();
            assert_eq!(target.remembers("test", after).await.unwrap(), Some(true), "the second end changes nothing");
        } else {
            target.abort_restore(session).await.unwrap();
        }
        assert_eq!(target.remembers("test", between).await.unwrap(), Some(false));
    }
}
