//! What can be chosen besides: nodes, racks, how many, what of it; and what becomes of lifetimes and bins.

use strongroom_aerospike::{AerospikeConfig, BackupConfig, RestoreConfig};
use strongroom_aerospike_fake::{Bin, Record};
use strongroom_core::Cluster as _;
use strongroom_core::Timestamp;
use strongroom_core::cluster::{FreezeRequest, FrozenPart, PieceKind, RestoreOptions};
use strongroom_core::engine::{BackupKindWish, RestoreRequest};
use strongroom_core::planner::Target;
use strongroom_core::units::Span;

use crate::common::{START, World, config, open, record};
use crate::engine::{bring_back, plan, repository, store};

async fn filled() -> World {
    let world = World::new(&["test"]).await;
    for key in 0..300 {
        world.put("test", "a", key, key);
    }
    world
}

/// Freezes and counts the records of all pieces.
async fn taken(world: &World, backup: BackupConfig, since: Option<Timestamp>) -> (FrozenPart, u64) {
    let cluster = open(AerospikeConfig { backup, ..config(&world.fake) });
    let since = since.map(|since| ("test".to_owned(), since)).into_iter().collect();
    let frozen = cluster.freeze(&FreezeRequest { since, ..FreezeRequest::default() }).await.unwrap();
    let part = frozen.parts.into_iter().next().unwrap();
    let mut records = 0;
    for piece in &part.pieces {
        let reader = cluster.read(piece).await.unwrap();
        futures::StreamExt::for_each(reader.body, |chunk| {
            chunk.unwrap();
            std::future::ready(())
        })
        .await;
        records += reader.summary.await.unwrap().records;
    }
    (part, records)
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_and_racks_are_chosen_and_the_rest_is_missing() {
    let world = filled().await;
    let (mut sum, mut last) = (0, String::new());
    for (node, rack) in [("A1", "1"), ("A2", "2"), ("A3", "3")] {
        let by_node = BackupConfig { nodes: vec![node.to_owned()], ..BackupConfig::default() };
        let (part, records) = taken(&world, by_node, None).await;
        assert_eq!(part.missing.len(), 1, "{:?}", part.missing);
        assert!(part.missing[0].contains("partitions of other nodes"), "{:?}", part.missing);
        let by_rack = BackupConfig { racks: vec![rack.to_owned()], ..BackupConfig::default() };
        assert_eq!(taken(&world, by_rack, None).await.1, records);
        sum += records;
        last = world.fake.addresses()[0].1.to_string();
    }
    assert_eq!(sum, 300);
    let all = BackupConfig { nodes: ["A1", "A2", "A3"].map(str::to_owned).to_vec(), ..BackupConfig::default() };
    let (part, records) = taken(&world, all, None).await;
    assert!(part.missing.is_empty() && records == 300);
    let by_address = BackupConfig { nodes: vec![format!("127.0.0.1:{last}")], ..BackupConfig::default() };
    assert!(taken(&world, by_address, None).await.1 > 0);
    for backup in [
        BackupConfig { nodes: vec!["Z9".to_owned()], ..BackupConfig::default() },
        BackupConfig { racks: vec!["9".to_owned()], ..BackupConfig::default() },
    ] {
        let cluster = open(AerospikeConfig { backup, ..config(&world.fake) });
        let error = cluster.freeze(&FreezeRequest::default()).await.unwrap_err();
        assert_eq!(error.kind(), strongroom_core::ErrorKind::NotFound);
        assert!(error.advice().is_some(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_records_no_expiring_ones_no_records_and_no_definitions() {
    let world = filled().await;
    let (digest, kept) = record("a", 1000, 1);
    world.fake.store().put("test", digest, Record { void_time: u32::MAX, ..kept });
    for (most, count) in [(1, 1), (37, 37), (301, 301), (1000, 301)] {
        let backup = BackupConfig { max_records: most, ..BackupConfig::default() };
        let (part, records) = taken(&world, backup, None).await;
        assert_eq!((records, part.missing.len()), (count, 1));
    }
    let backup = BackupConfig { only_without_expiry: true, ..BackupConfig::default() };
    let (part, records) = taken(&world, backup, None).await;
    assert_eq!((records, part.missing.len()), (300, 1));
    let (part, records) = taken(&world, BackupConfig { no_records: true, ..BackupConfig::default() }, None).await;
    assert_eq!((records, part.pieces.len(), part.missing.len()), (0, 1, 1));
    let backup = BackupConfig { no_indexes: true, no_functions: true, ..BackupConfig::default() };
    let (part, _) = taken(&world, backup, None).await;
    assert!(part.pieces.iter().all(|piece| piece.kind == PieceKind::Data));
    assert_eq!((part.missing.len(), part.notes.len()), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_leaves_out_what_is_written_later_and_says_what_that_costs() {
    let world = filled().await;
    world.fake.store().tick_by(0);
    let at = |seconds: i64| Timestamp::from_millis(START + seconds * 1000);
    for (key, seconds) in [(1, 5), (2, 8), (3, 12)] {
        let (digest, kept) = record("a", key, -1);
        let last_update_millis = START + seconds * 1000;
        world.fake.store().put("test", digest, Record { last_update_millis, ..kept });
    }
    world.fake.store().set_now(START + 10_000);
    let (part, open_ended) = taken(&world, BackupConfig::default(), Some(at(2))).await;
    assert_eq!((part.window.until, open_ended), (at(9), 3));
    assert!(part.window.settled > at(9) && part.notes.is_empty());
    let (part, sealed) = taken(&world, BackupConfig { sealed: true, ..BackupConfig::default() }, Some(at(2))).await;
    assert_eq!((part.window.until, part.window.settled, sealed), (at(9), at(9), 2));
    assert!(part.notes[0].contains("is in no backup"), "{:?}", part.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incremental_begins_at_the_millisecond() {
    let world = filled().await;
    world.fake.store().tick_by(0);
    world.fake.store().set_now(START + 100_000);
    for (key, millis) in [(1, 49_999), (2, 50_000), (3, 50_001)] {
        let (digest, kept) = record("a", key, -1);
        world.fake.store().put("test", digest, Record { last_update_millis: START + millis, ..kept });
    }
    let since = Timestamp::from_millis(START + 50_000).plus_micros(999);
    let (part, records) = taken(&world, BackupConfig::default(), Some(since)).await;
    assert_eq!((part.window.from, records), (Some(Timestamp::from_millis(START + 50_000)), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn lifetimes_are_exact_longer_or_over() {
    let source = World::new(&["test"]).await;
    source.fake.store().tick_by(0);
    let now = u32::try_from(START / 1000 - 1_262_304_000).unwrap();
    for (key, left) in [(1, 10_u32), (2, 1000), (3, 100_000)] {
        let (digest, kept) = record("a", key, key);
        source.fake.store().put("test", digest, Record { void_time: now + left, ..kept });
    }
    source.put("test", "a", 4, 4);
    let repository = repository().await;
    let committed = store(&repository, &source.cluster, BackupKindWish::Base).await;
    let point = plan(&repository, Target::Backup(committed.backup)).await;
    let later = |seconds: i64| Some(Timestamp::from_millis(START + seconds * 1000));
    // The server's clock at the restore, the caller's "now", extra lifetime; then who is there with which void time.
    for (server, asked, extra, expected) in [
        (0, None, 0, vec![(1, now + 10), (2, now + 1000), (3, now + 100_000), (4, 0)]),
        (500, None, 0, vec![(2, now + 1000), (3, now + 100_000), (4, 0)]),
        (0, later(5000), 0, vec![(3, now + 100_000), (4, 0)]),
        (500, None, 86_400, vec![(1, now + 10 + 86_400), (2, now + 1000 + 86_400), (3, now + 186_400), (4, 0)]),
    ] {
        let mut target = World::new(&["test"]).await;
        target.fake.store().tick_by(0);
        target.fake.store().set_now(START + server * 1000);
        let restore = RestoreConfig { extra_ttl: Span::secs(extra), ..RestoreConfig::default() };
        target.cluster = open(AerospikeConfig { restore, ..config(&target.fake) });
        let options = RestoreOptions { now: asked, ..RestoreOptions::default() };
        let request = RestoreRequest { options, ..RestoreRequest::default() };
        let summary = bring_back(&repository, point.clone(), &target.cluster, request).await.unwrap();
        assert_eq!(summary.applied.expired, 4 - expected.len() as u64);
        let found = target.contents("test");
        let found: Vec<_> =
            (1..=4).filter_map(|key| Some((key, found.get(&record("a", key, 0).0)?.void_time))).collect();
        assert_eq!(found, expected, "server {server}, now {asked:?}, extra {extra}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_single_writes_and_merged_bins_give_the_same_records() {
    let source = filled().await;
    let repository = repository().await;
    let committed = store(&repository, &source.cluster, BackupKindWish::Base).await;
    let point = plan(&repository, Target::Backup(committed.backup)).await;
    for batch_records in [1, 7, 1000] {
        let mut target = World::new(&["test"]).await;
        let restore = RestoreConfig { batch_records, batches_in_flight: 2, ..RestoreConfig::default() };
        target.cluster = open(AerospikeConfig { restore, ..config(&target.fake) });
        bring_back(&repository, point.clone(), &target.cluster, RestoreRequest::default()).await.unwrap();
        assert_eq!(target.contents("test"), source.contents("test"), "{batch_records}");
    }
    for merge_bins in [false, true] {
        let mut target = World::new(&["test"]).await;
        let (digest, mut there) = record("a", 5, -5);
        there.bins.push(Bin { name: b"other".to_vec(), particle: 3, value: b"kept?".to_vec() });
        target.fake.store().put("test", digest, there);
        let restore = RestoreConfig { merge_bins, ..RestoreConfig::default() };
        target.cluster = open(AerospikeConfig { restore, ..config(&target.fake) });
        bring_back(&repository, point.clone(), &target.cluster, RestoreRequest::default()).await.unwrap();
        assert_eq!(target.contents("test")[&digest].bins.len(), if merge_bins { 2 } else { 1 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_restored_under_another_name() {
    let source = filled().await;
    let repository = repository().await;
    let committed = store(&repository, &source.cluster, BackupKindWish::Base).await;
    let target = World::new(&["other"]).await;
    let rename = [("test".to_owned(), "other".to_owned())].into();
    let options = RestoreOptions { rename, truncate: true, ..RestoreOptions::default() };
    let point = plan(&repository, Target::Backup(committed.backup)).await;
    bring_back(&repository, point, &target.cluster, RestoreRequest { options, ..RestoreRequest::default() })
        .await
        .unwrap();
    assert_eq!(target.contents("other"), source.contents("test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incremental_misses_nothing_that_changes_while_it_is_read() {
    let world = filled().await;
    world.fake.store().tick_by(0);
    world.fake.store().set_now(START + 10_000);
    let changed = record("a", 7, 0).0;
    for sealed in [false, true] {
        let update = |millis: i64| {
            let kept = record("a", 7, millis).1;
            world.fake.store().put("test", changed, Record { last_update_millis: START + millis, ..kept });
        };
        update(5000);
        let cluster =
            open(AerospikeConfig { backup: BackupConfig { sealed, ..BackupConfig::default() }, ..config(&world.fake) });
        let since = [("test".to_owned(), Timestamp::from_millis(START + 4000))].into();
        let frozen = cluster.freeze(&FreezeRequest { since, ..FreezeRequest::default() }).await.unwrap();
        // Written again before it is read.
        update(9500);
        let mut records = 0;
        for piece in &frozen.parts[0].pieces {
            let reader = cluster.read(piece).await.unwrap();
            let chunks: Vec<_> = futures::StreamExt::collect(reader.body).await;
            assert!(chunks.iter().all(Result::is_ok));
            records += reader.summary.await.unwrap().records;
        }
        assert_eq!(records, u64::from(!sealed), "a sealed one has lost it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_cut_a_backup_at_the_millisecond_and_make_it_partial() {
    let world = World::new(&["test"]).await;
    world.fake.store().set_now(START + 100_000);
    for (key, millis) in [(1, 9_999), (2, 10_000), (3, 19_999), (4, 20_000)] {
        let (digest, kept) = record("a", key, -1);
        world.fake.store().put("test", digest, Record { last_update_millis: START + millis, ..kept });
    }
    let at = |millis: i64| Some(Timestamp::from_millis(START + millis));
    for (modified_after, modified_before, since, records, missing) in [
        (at(10_000), None, None, 3, 1),
        (None, at(20_000), None, 3, 1),
        (at(10_000), at(20_000), None, 2, 2),
        // Of an incremental, the later beginning counts, and one that began later anyway is whole.
        (at(10_000), None, at(20_000), 1, 0),
        (at(20_000), None, at(10_000), 1, 1),
    ] {
        let backup = BackupConfig { modified_after, modified_before, ..BackupConfig::default() };
        let (part, found) = taken(&world, backup, since).await;
        assert_eq!((found, part.missing.len()), (records, missing), "{modified_after:?} {modified_before:?} {since:?}");
    }
    let backup = BackupConfig { modified_after: at(5), modified_before: at(5), ..BackupConfig::default() };
    assert!(AerospikeConfig { backup, ..config(&world.fake) }.check().unwrap_err().advice().is_some());
    let url = "aerospike://a/?modified-after=2026-11-22T00:00:10Z&modified-before=2026-11-22T00:00:20Z";
    let read = AerospikeConfig::from_url(url).unwrap();
    assert_eq!((read.backup.modified_after, read.backup.modified_before), (at(10_000), at(20_000)));
    let error = AerospikeConfig::from_url("aerospike://a/?modified-after=yesterday").unwrap_err();
    assert!(error.to_string().contains("'yesterday' is not a moment"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_begins_after_digests() {
    let world = World::new(&["test"]).await;
    for key in 0..20_000 {
        world.put("test", "a", key, key);
    }
    // In the order of the server: from the highest digest of a partition down.
    let digests: Vec<_> =
        world.fake.store().records("test").map(|(digest, _)| strongroom_record::Digest(digest)).collect();
    let of = |partition: u16| digests.iter().filter(move |digest| digest.partition() == partition).collect::<Vec<_>>();
    let (first, second) = (of(7), of(4001));
    assert!(first.len() > 2 && second.len() > 2);
    let begin = [first[0].to_string(), second.last().unwrap().to_string()];
    let backup = BackupConfig { after_digests: begin.to_vec(), ..BackupConfig::default() };
    let (part, records) = taken(&world, backup.clone(), None).await;
    assert_eq!(
        records,
        first.len() as u64 - 1,
        "all but the first of one partition, and nothing after the last of the other"
    );
    assert!(part.missing[0].starts_with("4094 partitions"), "{:?}", part.missing);
    // A cut stream begins after the last digest that came, not after the first.
    world.fake.faults().cut_after = Some((1, 2));
    assert_eq!(taken(&world, backup, None).await.1, records);
    for backup in [
        BackupConfig { after_digests: vec!["xyz".to_owned()], ..BackupConfig::default() },
        BackupConfig { after_digests: begin.to_vec(), nodes: vec!["A1".to_owned()], ..BackupConfig::default() },
        BackupConfig { after_digests: begin.to_vec(), digest_census: true, ..BackupConfig::default() },
        BackupConfig { after_digests: vec![begin[0].clone(), first[1].to_string()], ..BackupConfig::default() },
    ] {
        assert!(AerospikeConfig { backup, ..config(&world.fake) }.check().unwrap_err().advice().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_compressed_when_that_is_asked_for() {
    let world = filled().await;
    for compressed in [false, true] {
        let (_, records) = taken(&world, BackupConfig { compressed, ..BackupConfig::default() }, None).await;
        assert_eq!((records, world.fake.faults().compressed_queries > 0), (300, compressed));
    }
}
