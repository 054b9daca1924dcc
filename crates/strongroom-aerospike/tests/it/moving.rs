//! A cluster that changes in the middle: partitions move and nodes are lost while records are on their way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt as _;
use strongroom_aerospike::AerospikeConfig;
use strongroom_aerospike_fake::{Bin, Digest, Fake, Record};
use strongroom_core::Cluster as _;
use strongroom_core::cluster::{
    Applied, FreezeRequest, PartOutline, PieceKind, PieceSpec, RestoreOptions, RestoreOutline,
};
use strongroom_core::id::SessionId;
use strongroom_core::model::Filter;
use strongroom_core::units::ByteSize;
use strongroom_record::Entity;
use strongroom_record::asb::Decoder;

use crate::common::{World, config, open, record};

/// So many records of 5 kB: a piece of them comes in many chunks.
const RECORDS: i64 = 400;

/// A cluster whose records are all read as one piece, a few partitions at a time.
async fn large() -> World {
    let mut world = World::new(&["test"]).await;
    let mut config = config(&world.fake);
    config.backup.parallelism = 1;
    config.backup.piece_bytes = ByteSize::mib(1 << 10);
    // What a partition is thought to hold is far less than it does.
    config.backup.gathered_bytes = ByteSize::mib(1);
    world.cluster = open(config);
    for key in 0..RECORDS {
        let (digest, kept) = record("a", key, key);
        let value = vec![u8::try_from(key % 251).unwrap(); 5000];
        let bins = vec![Bin { name: b"blob".to_vec(), particle: 4, value }];
        world.fake.store().put("test", digest, Record { bins, ..kept });
    }
    world
}

async fn piece(world: &World) -> PieceSpec {
    let frozen = world.cluster.freeze(&FreezeRequest::default()).await.unwrap();
    let mut pieces = frozen.parts[0].pieces.iter().filter(|piece| piece.kind == PieceKind::Data);
    let only = pieces.next().unwrap().clone();
    assert!(pieces.next().is_none());
    only
}

/// The text of the piece; `meanwhile` happens once so many bytes have come.
async fn text(world: &mut World, after: usize, meanwhile: impl FnOnce(&mut Fake)) -> Vec<u8> {
    let mut body = world.cluster.read(&piece(world).await).await.unwrap().body;
    let (mut text, mut meanwhile) = (Vec::new(), Some(meanwhile));
    while let Some(chunk) = body.next().await {
        text.extend_from_slice(&chunk.unwrap());
        if text.len() >= after
            && let Some(meanwhile) = meanwhile.take()
        {
            meanwhile(&mut world.fake);
        }
    }
    assert!(meanwhile.is_none(), "it was over before anything happened");
    text
}

/// How often each record is in a text.
fn counted(text: &[u8]) -> BTreeMap<Digest, u64> {
    let mut decoder = Decoder::default();
    decoder.push(Bytes::copy_from_slice(text));
    let mut found = BTreeMap::new();
    while let Some(entity) = decoder.next_entity().unwrap() {
        assert!(matches!(entity, Entity::Record(_)), "{entity:?}");
        if let Entity::Record(record) = entity {
            *found.entry(*record.digest.as_bytes()).or_default() += 1;
        }
    }
    decoder.finish().unwrap();
    found
}

fn each_once(world: &World) -> BTreeMap<Digest, u64> {
    world.fake.store().records("test").map(|(digest, _)| (digest, 1)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_moves_while_it_is_read_is_gone_on_with_elsewhere() {
    for after in [1, 500_000, 1_500_000] {
        let mut world = large().await;
        let text = text(&mut world, after, |fake| {
            for partition in 0..4096_u16 {
                let to = ["A2", "A3", "A1"][usize::from(partition % 3)];
                fake.move_partition("test", partition, to);
                if partition % 5 == 0 {
                    // For a while nobody has it.
                    fake.faults().unavailable.insert(partition, 1);
                }
            }
        })
        .await;
        assert_eq!(counted(&text), each_once(&world), "after {after} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_lost_while_it_is_read_loses_and_doubles_no_record() {
    for after in [1, 1_000_000] {
        for node in ["A1", "A2", "A3"] {
            let mut world = large().await;
            let text = text(&mut world, after, |fake| fake.kill(node)).await;
            assert_eq!(counted(&text), each_once(&world), "{node} after {after} bytes");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_lost_while_it_is_written_to_loses_no_record() {
    let mut source = large().await;
    let text = text(&mut source, 0, |_| {}).await;
    for batch_records in [1, 64] {
        let target = World::new(&["test"]).await;
        let mut config = config(&target.fake);
        config.restore.batch_records = batch_records;
        config.restore.batches_in_flight = 4;
        let applied = written_while(target, config, &text, |fake| fake.kill("A2"), &source).await;
        assert_eq!((applied.written, applied.kept), (RECORDS as u64, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_move_while_they_are_written_get_every_record() {
    let mut source = large().await;
    let text = text(&mut source, 0, |_| {}).await;
    let target = World::new(&["test"]).await;
    let config = config(&target.fake);
    let move_all = |fake: &mut Fake| {
        for partition in 0..4096_u16 {
            fake.move_partition("test", partition, ["A2", "A3", "A1"][usize::from(partition % 3)]);
        }
    };
    let applied = written_while(target, config, &text, move_all, &source).await;
    assert_eq!((applied.written, applied.in_doubt), (RECORDS as u64, 0));
}

/// Writes a text into a cluster of which something becomes in the middle.
async fn written_while(
    target: World,
    config: AerospikeConfig,
    text: &[u8],
    meanwhile: impl FnOnce(&mut Fake) + Send + 'static,
    source: &World,
) -> Applied {
    let cluster = open(config);
    let identity = source.cluster.describe().await.unwrap().identity;
    let reached = strongroom_core::Timestamp::from_millis(crate::common::START);
    let part = PartOutline { filter: Filter::default(), bytes: text.len() as u64, records: 400, reached };
    let parts = [("test".to_owned(), part)].into();
    let outline = RestoreOutline { parts, source: identity, source_version: "8.1.2.0".to_owned() };
    let session = cluster.begin_restore(SessionId::from_u128(3), &outline, &RestoreOptions::default()).await.unwrap();
    let fake = Arc::new(Mutex::new(target.fake));
    let (inside, mut meanwhile) = (Arc::clone(&fake), Some(meanwhile));
    let chunks: Vec<Bytes> = text.chunks(100_000).map(Bytes::copy_from_slice).collect();
    let middle = chunks.len() / 2;
    let body = futures::stream::iter(chunks.into_iter().enumerate()).map(move |(number, chunk)| {
        if number == middle
            && let Some(meanwhile) = meanwhile.take()
        {
            meanwhile(&mut inside.lock().unwrap());
        }
        Ok(chunk)
    });
    let piece = piece(source).await;
    let applied = cluster.write(&session, 0, "test", &piece, body.boxed()).await.unwrap();
    cluster.finish_restore(session).await.unwrap();
    let fake = Arc::try_unwrap(fake).unwrap().into_inner().unwrap();
    let world = World { fake, cluster };
    assert_eq!(world.contents("test"), source.contents("test"));
    applied
}
