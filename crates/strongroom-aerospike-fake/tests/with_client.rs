//! The fake under our own client: what is written comes back raw, partitions have masters, and faults show.
#![expect(clippy::unwrap_used, reason = "a fixture that is wrong shall stop the test")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use strongroom_aerospike_fake::{Fake, NamespaceSettings, PARTITIONS, Record};
use strongroom_aerospike_wire::batch::Batch;
use strongroom_aerospike_wire::client::{Client, ClientOptions};
use strongroom_aerospike_wire::expression::Expression;
use strongroom_aerospike_wire::message::{Bin, Messages};
use strongroom_aerospike_wire::query::Query;
use strongroom_aerospike_wire::write::{Exists, Expiry, RecordName, Write, WritePolicy, delete, geo_json_text, read};
use strongroom_aerospike_wire::{Digest, ResultCode, WireError, info};

const NOW: i64 = 1_795_388_512_000;

async fn cluster(nodes: usize) -> (Fake, Client) {
    let fake = Fake::start(nodes).await.unwrap();
    fake.store().create_namespace("test", NamespaceSettings::default());
    fake.store().set_now(NOW);
    let client = Client::connect(ClientOptions::new(fake.addresses())).await.unwrap();
    (fake, client)
}

fn digest(number: u16) -> Digest {
    let mut digest = [7; 20];
    digest[..2].copy_from_slice(&(number.wrapping_mul(2654)).to_le_bytes());
    digest[2..4].copy_from_slice(&number.to_be_bytes());
    digest
}

fn partition(digest: &Digest) -> u16 {
    u16::from_le_bytes([digest[0], digest[1]]) % PARTITIONS
}

fn name(digest: &Digest) -> RecordName<'_> {
    RecordName { namespace: b"test", set: Some(b"users"), digest }
}

async fn ask(client: &Client, digest: &Digest, request: &[u8]) -> Answered {
    let owner = client.partition_maps()["test"].owner(0, partition(digest)).unwrap().to_owned();
    Answered(client.node(&owner).unwrap().one(request).await.unwrap().to_vec())
}

/// The only message of an answer.
struct Answered(Vec<u8>);

impl Answered {
    fn result(&self) -> ResultCode {
        Messages::of(&self.0).next().unwrap().unwrap().head.result
    }

    fn bins(&self) -> Vec<(Vec<u8>, u8, Vec<u8>)> {
        let message = Messages::of(&self.0).next().unwrap().unwrap();
        message.bins().map(|bin| (bin.name.to_vec(), bin.particle, bin.value.to_vec())).collect()
    }
}

/// Reads all partitions of every node; gives the digests in the order they came, and the partitions that were refused.
async fn scan(client: &Client, filter: Option<&Expression>) -> Result<(Vec<Digest>, BTreeSet<u16>), WireError> {
    let maps = client.partition_maps();
    let (owned, _) = maps["test"].by_master();
    let (mut digests, mut refused) = (Vec::new(), BTreeSet::new());
    for (node, partitions) in owned {
        static ID: AtomicU64 = AtomicU64::new(1000);
        let id = ID.fetch_add(1, Ordering::Relaxed);
        let query = Query { namespace: b"test", partitions: &partitions, filter, id, ..Query::default() };
        let mut stream = client.node(node).unwrap().query(&query.encode().unwrap()).await?;
        while let Some(body) = stream.next().await? {
            for message in Messages::of(&body).map(Result::unwrap) {
                refused.extend(message.partition());
                digests.extend(message.digest.copied());
            }
        }
    }
    Ok((digests, refused))
}

#[tokio::test]
async fn raw_particles_come_back_as_they_were_written() {
    let (_fake, client) = cluster(2).await;
    let bins = [
        Bin { name: b"i", particle: 1, value: &[0, 0, 0, 0, 0, 0, 0, 5] },
        Bin { name: b"s", particle: 3, value: b"\xff not utf-8" },
        Bin { name: b"l", particle: 20, value: &[0x94, 0xc7, 0x00, 0x01, 3, 5, 9] },
        Bin { name: b"g", particle: 23, value: b"{\"type\":\"Point\"}" },
    ];
    let record = digest(1);
    let write = Write { name: name(&record), key: Some((3, b"k1")), generation: 0, expiry: Expiry::Never, bins: &bins };
    let answer = ask(&client, &record, &write.encode(WritePolicy::default(), 1000).unwrap()).await;
    assert_eq!(answer.result(), ResultCode::OK);
    let answer = ask(&client, &record, &read(&name(&record), 1000).unwrap()).await;
    let mut found = answer.bins();
    let last = found.last_mut().unwrap();
    last.2 = geo_json_text(&last.2).unwrap().to_vec();
    let expected: Vec<_> = bins.iter().map(|bin| (bin.name.to_vec(), bin.particle, bin.value.to_vec())).collect();
    assert_eq!(found, expected);
    let answer = ask(&client, &record, &delete(&name(&record), false, 1000).unwrap()).await;
    assert_eq!(answer.result(), ResultCode::OK);
    let answer = ask(&client, &record, &read(&name(&record), 1000).unwrap()).await;
    assert_eq!(answer.result(), ResultCode::KEY_NOT_FOUND);
}

#[tokio::test]
async fn policies_are_kept() {
    let (fake, client) = cluster(1).await;
    let (record, bins) = (digest(3), [Bin { name: b"a", particle: 1, value: &[0; 8] }]);
    let write = |generation, expiry| Write { name: name(&record), key: None, generation, expiry, bins: &bins };
    let with = |exists, only_newer_generation| WritePolicy { exists, only_newer_generation };
    let cases = [
        (with(Exists::ReplaceOnly, false), 0, ResultCode::KEY_NOT_FOUND),
        (with(Exists::CreateOnly, false), 0, ResultCode::OK),
        (with(Exists::CreateOnly, false), 0, ResultCode::KEY_EXISTS),
        (with(Exists::Update, true), 1, ResultCode::GENERATION),
        (with(Exists::Update, true), 2, ResultCode::OK),
        (with(Exists::ReplaceOnly, false), 0, ResultCode::OK),
    ];
    for (policy, generation, expected) in cases {
        let request = write(generation, Expiry::Seconds(100)).encode(policy, 1000).unwrap();
        assert_eq!(ask(&client, &record, &request).await.result(), expected, "{policy:?}");
    }
    assert_eq!(fake.store().get("test", &record).unwrap().generation, 3);
    fake.store().settings("test").unwrap().expires = false;
    let request = write(0, Expiry::Seconds(100)).encode(WritePolicy::default(), 1000).unwrap();
    assert_eq!(ask(&client, &record, &request).await.result(), ResultCode::FORBIDDEN);
    fake.store().settings("test").unwrap().stop_writes = true;
    let request = write(0, Expiry::Never).encode(WritePolicy::default(), 1000).unwrap();
    assert_eq!(ask(&client, &record, &request).await.result(), ResultCode::OUT_OF_SPACE);
}

#[tokio::test]
async fn a_batch_is_answered_row_by_row_and_a_scan_finds_it_from_the_highest_digest_down() {
    let (_fake, client) = cluster(3).await;
    let maps = client.partition_maps();
    let digests: Vec<Digest> = (0..500).map(digest).collect();
    let bins = [Bin { name: b"a", particle: 1, value: &[0; 8] }];
    for node in client.nodes() {
        let mine = |digest: &&Digest| maps["test"].owner(0, partition(digest)) == Some(node.id());
        let mut batch = Batch::new(WritePolicy::default());
        for digest in digests.iter().filter(mine) {
            let write = Write { name: name(digest), key: None, generation: 1, expiry: Expiry::Never, bins: &bins };
            batch.push(&write).unwrap();
        }
        let mut stream = node.batch(&batch.encode(true, 1000).unwrap()).await.unwrap();
        let mut rows = 0;
        while let Some(body) = stream.next().await.unwrap() {
            for message in Messages::of(&body).map(Result::unwrap) {
                assert_eq!(message.head.result, ResultCode::OK);
                rows += u32::from(!message.is_last());
            }
        }
        assert_eq!(rows, batch.len());
    }
    let (found, refused) = scan(&client, None).await.unwrap();
    assert!(refused.is_empty());
    assert_eq!(found.iter().collect::<BTreeSet<_>>(), digests.iter().collect());
    for pair in found.windows(2).filter(|pair| partition(&pair[0]) == partition(&pair[1])) {
        assert!(pair[0] > pair[1]);
    }
    let none = scan(&client, Some(&Expression::updated_since((NOW + 1) * 1_000_000))).await.unwrap();
    assert!(none.0.is_empty());
}

#[tokio::test]
async fn a_query_goes_on_after_a_digest() {
    let (fake, client) = cluster(1).await;
    let same: Vec<Digest> = (0..5)
        .map(|last| {
            let mut one = digest(8);
            one[19] = last;
            one
        })
        .collect();
    for digest in &same {
        fake.store().put("test", *digest, Record::default());
    }
    let node = client.nodes().remove(0);
    let query =
        Query { namespace: b"test", after: &same[3..4], id: 3, max_records: 2, no_bins: true, ..Query::default() };
    let mut stream = node.query(&query.encode().unwrap()).await.unwrap();
    let body = stream.next().await.unwrap().unwrap();
    let found: Vec<Digest> = Messages::of(&body).filter_map(|message| message.unwrap().digest.copied()).collect();
    assert_eq!(found, [same[2], same[1]]);
}

#[tokio::test]
async fn faults_show_as_a_server_shows_them() {
    let (mut fake, client) = cluster(2).await;
    for number in 0..50 {
        fake.store().put("test", digest(number), Record::default());
    }
    fake.faults().cut_after = Some((3, 1));
    let error = scan(&client, None).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
    fake.faults().unavailable.insert(partition(&digest(4)), 1);
    let (found, refused) = scan(&client, None).await.unwrap();
    assert_eq!(refused, BTreeSet::from([partition(&digest(4))]));
    assert!(found.len() < 50);
    fake.move_partition("test", partition(&digest(4)), "A2");
    fake.move_partition("test", partition(&digest(5)), "A1");
    let (_, refused) = scan(&client, None).await.unwrap();
    assert_eq!(refused.len(), 1, "the map is old: one of the two has really moved");
    client.refresh().await.unwrap();
    assert_eq!(scan(&client, None).await.unwrap().0.len(), 50);
    fake.kill("A1");
    client.refresh().await.unwrap();
    assert_eq!((client.nodes().len(), scan(&client, None).await.unwrap().0.len()), (1, 50));
    fake.faults().end_with = Some((211, 1));
    let node = client.nodes().remove(0);
    let query = Query { namespace: b"test", partitions: &[1], id: 3, ..Query::default() };
    let mut stream = node.query(&query.encode().unwrap()).await.unwrap();
    let body = stream.next().await.unwrap().unwrap();
    let last = Messages::of(&body).last().unwrap().unwrap();
    assert!(last.is_last() && last.head.result == ResultCode(211));
    assert_eq!(stream.next().await.unwrap(), None);
    // The id of a query that a server still remembers is not taken again.
    let mut stream = node.query(&query.encode().unwrap()).await.unwrap();
    let body = stream.next().await.unwrap().unwrap();
    assert_eq!(Messages::of(&body).last().unwrap().unwrap().head.result, ResultCode::PARAMETER);
    // A refusal of the whole query is one message that is not marked as the last.
    let nowhere = Query { namespace: b"nowhere", partitions: &[1], id: 4, ..Query::default() };
    let mut stream = node.query(&nowhere.encode().unwrap()).await.unwrap();
    let body = stream.next().await.unwrap().unwrap();
    let refusal = Messages::of(&body).last().unwrap().unwrap();
    assert!(refusal.ends_query() && !refusal.is_last() && refusal.head.result == ResultCode(20));
    assert_eq!(stream.next().await.unwrap(), None);
}

#[tokio::test]
async fn indexes_functions_and_sets_are_told() {
    let (fake, client) = cluster(1).await;
    let node = client.nodes().remove(0);
    let create = "sindex-create:namespace=test;set=users;indexname=idx;context=lCKnA25lc3RlZCKiA3g=;indextype=LIST;bin=attrs;type=NUMERIC";
    assert_eq!(node.info(&[create]).await.unwrap().get(create), "ok");
    let list = "sindex-list:namespace=test;b64=true";
    let answer = node.info(&[list]).await.unwrap();
    let indexes = info::indexes(answer.get(list)).unwrap();
    assert_eq!((indexes[0].index_type.as_str(), indexes[0].data_type.as_str()), ("list", "numeric"));
    assert_eq!(indexes[0].context.as_deref(), Some("lCKnA25lc3RlZCKiA3g="));
    let put = "udf-put:filename=a.lua;content=bG9jYWw=;content-len=8;udf-type=LUA;";
    assert_eq!(node.info(&[put]).await.unwrap().get(put), "ok");
    let answer = node.info(&["udf-get:filename=a.lua", "udf-list"]).await.unwrap();
    assert_eq!(info::FunctionBody::of(answer.get("udf-get:filename=a.lua")).unwrap().content, b"local");
    assert_eq!(info::functions(answer.get("udf-list")).unwrap()[0].name, "a.lua");
    fake.store().put("test", digest(1), Record { set: b"users".to_vec(), ..Record::default() });
    let answer = node.info(&["sets/test", "namespace/test", "namespace/nope", "nonsense"]).await.unwrap();
    assert_eq!(info::sets(answer.get("sets/test")).unwrap()[0].objects, 1);
    assert_eq!(info::Namespace::of(answer.get("namespace/test")).unwrap().number("objects"), Some(1));
    assert!(info::Namespace::of(answer.get("namespace/nope")).is_none());
    assert!(info::refusal(answer.get("nonsense")).is_some());
    let cut = format!("truncate-namespace:namespace=test;lut={}", NOW * 1_000_000);
    let future = format!("truncate-namespace:namespace=test;lut={}", (NOW + 1) * 1_000_000);
    let no_set = format!("truncate:namespace=test;lut={}", NOW * 1_000_000);
    let answer = node.info(&[&future, &no_set]).await.unwrap();
    assert!(info::refusal(answer.get(&future)).is_some() && info::refusal(answer.get(&no_set)).is_some());
    assert_eq!(node.info(&[&cut]).await.unwrap().get(&cut), "ok");
    assert_eq!(fake.store().records("test").count(), 0);
}
