//! One suite for every cluster: it goes through the protocol alone, so it runs on the in-process one and on a real one. With
//! `AEROSPIKE_HOST`, `AEROSPIKE_NAMESPACE` and `AEROSPIKE_SECOND_NAMESPACE` it runs on that, and **empties both namespaces**.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use strongroom_aerospike::{AerospikeCluster, AerospikeConfig};
use strongroom_aerospike_fake::{Fake, NamespaceSettings};
use strongroom_aerospike_wire::client::{Client, ClientOptions};
use strongroom_aerospike_wire::message::{Bin, Messages};
use strongroom_aerospike_wire::query::Query;
use strongroom_aerospike_wire::write::{Expiry, RecordName, Write, WritePolicy, delete, geo_json_text};
use strongroom_aerospike_wire::{Digest, ResultCode};
use strongroom_core::Cluster as _;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{BackupKindWish, RestoreRequest};
use strongroom_core::model::{BackupKind, Scope};
use strongroom_core::planner::{Request, Target};
use strongroom_record::{Entity, Particle};

use crate::common::{START, config, open};
use crate::engine::{bring_back, repository, store_scope};
use crate::fixtures::{entities, kept};

/// Set, user key and sorted bins of a record, as bytes.
type Raw = (Vec<u8>, Option<(u8, Vec<u8>)>, Vec<(Vec<u8>, u8, Vec<u8>)>);

struct Place {
    client: Client,
    cluster: AerospikeCluster,
    namespaces: [String; 2],
    _fake: Option<Fake>,
}

impl Place {
    async fn find() -> Self {
        let name = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (fake, namespaces, mut config) = if let Some(host) = name("AEROSPIKE_HOST") {
            let (first, second) = (name("AEROSPIKE_NAMESPACE"), name("AEROSPIKE_SECOND_NAMESPACE"));
            let namespaces =
                [first, second].map(|name| name.expect("AEROSPIKE_NAMESPACE and AEROSPIKE_SECOND_NAMESPACE"));
            (None, namespaces, AerospikeConfig::of_seeds([host]))
        } else {
            let fake = Fake::start(3).await.unwrap();
            fake.store().set_now(START);
            fake.store().tick_by(400);
            for namespace in ["first", "second"] {
                fake.store().create_namespace(namespace, NamespaceSettings::default());
            }
            let config = config(&fake);
            (Some(fake), ["first", "second"].map(str::to_owned), config)
        };
        config.backup.digest_census = true;
        let seeds = config.seeds.iter().map(|seed| match seed.split_once(':') {
            Some((host, port)) => (host.to_owned(), port.parse().unwrap()),
            None => (seed.clone(), 3000),
        });
        let client = Client::connect(ClientOptions::new(seeds)).await.unwrap();
        Self { client, cluster: open(config), namespaces, _fake: fake }
    }

    async fn empty(&self) {
        for namespace in &self.namespaces {
            let command = format!("truncate-namespace:namespace={namespace}");
            // A server empties in the background, and only what is older than its clock: it is asked until that has gone on.
            loop {
                let node = &self.client.nodes()[0];
                assert_eq!(node.info(&[&command]).await.unwrap().get(&command), "ok");
                if self.scan(namespace).await.is_empty() {
                    break;
                }
                node.info(&["statistics"]).await.unwrap();
            }
        }
    }

    async fn ask(&self, namespace: &str, digest: &Digest, request: &[u8]) -> ResultCode {
        let maps = self.client.partition_maps();
        let owner = maps[namespace].owner(0, strongroom_record::Digest(*digest).partition()).unwrap().to_owned();
        let body = self.client.node(&owner).unwrap().one(request).await.unwrap();
        Messages::of(&body).next().unwrap().unwrap().head.result
    }

    async fn write(&self, namespace: &str, digest: &Digest, raw: &Raw) {
        let set = Some(raw.0.as_slice()).filter(|set| !set.is_empty());
        let bins: Vec<Bin<'_>> =
            raw.2.iter().map(|(name, particle, value)| Bin { name, particle: *particle, value }).collect();
        let write = Write {
            name: RecordName { namespace: namespace.as_bytes(), set, digest },
            key: raw.1.as_ref().map(|(kind, value)| (*kind, value.as_slice())),
            generation: 0,
            expiry: Expiry::Never,
            bins: &bins,
        };
        let request = write.encode(WritePolicy::default(), 1000).unwrap();
        assert_eq!(self.ask(namespace, digest, &request).await, ResultCode::OK);
    }

    async fn delete(&self, namespace: &str, digest: &Digest) {
        let name = RecordName { namespace: namespace.as_bytes(), set: None, digest };
        assert_eq!(self.ask(namespace, digest, &delete(&name, false, 1000).unwrap()).await, ResultCode::OK);
    }

    /// All records of a namespace, read past our adapter.
    async fn scan(&self, namespace: &str) -> BTreeMap<Digest, Raw> {
        let maps = self.client.partition_maps();
        let mut found = BTreeMap::new();
        for (node, partitions) in maps[namespace].by_master().0 {
            let query =
                Query { namespace: namespace.as_bytes(), partitions: &partitions, id: fresh_id(), ..Query::default() };
            let mut stream = self.client.node(node).unwrap().query(&query.encode().unwrap()).await.unwrap();
            while let Some(body) = stream.next().await.unwrap() {
                for message in Messages::of(&body).map(Result::unwrap).filter(|message| message.digest.is_some()) {
                    let mut bins: Vec<_> = message
                        .bins()
                        .map(|bin| {
                            let value = if bin.particle == 23 { geo_json_text(bin.value).unwrap() } else { bin.value };
                            (bin.name.to_vec(), bin.particle, value.to_vec())
                        })
                        .collect();
                    bins.sort();
                    let key = message.key.map(|(kind, value)| (kind, value.to_vec()));
                    found.insert(*message.digest.unwrap(), (message.set.unwrap_or_default().to_vec(), key, bins));
                }
            }
        }
        found
    }
}

/// A number for a query. A server remembers that of the last for a moment, and refuses it.
fn fresh_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos()).unwrap().wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)).max(1)
}

/// The records of every particle type, as raw bytes.
fn samples() -> BTreeMap<Digest, Raw> {
    let records = entities("t0-base").into_iter().filter_map(Entity::into_record);
    records
        .map(|record| {
            let (digest, raw) = kept(&record);
            let key = raw.key.map(|key| (key[0], key[1..].to_vec()));
            let geo = |name: &[u8]| {
                record.bins.iter().any(|bin| bin.name.as_bytes() == name && matches!(bin.value, Particle::Geo(_)))
            };
            // The client puts the head of `GeoJSON` there itself.
            let text = |bin: &strongroom_aerospike_fake::Bin| bin.value[if geo(&bin.name) { 3 } else { 0 }..].to_vec();
            let mut bins: Vec<_> = raw.bins.iter().map(|bin| (bin.name.clone(), bin.particle, text(bin))).collect();
            bins.sort();
            (digest, (raw.set, key, bins))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_and_an_incremental_go_from_one_namespace_to_another() {
    let place = Place::find().await;
    let [first, second] = &place.namespaces;
    place.empty().await;
    let samples = samples();
    for (digest, raw) in &samples {
        place.write(first, digest, raw).await;
    }
    assert_eq!(place.scan(first).await, samples, "what was written is what is read");
    let repository = repository().await;
    let scope = || Scope::of_parts([first.as_str()]);
    let base = store_scope(&repository, &place.cluster, BackupKindWish::Base, scope()).await.unwrap();
    assert_eq!(base.totals.records, samples.len() as u64);

    for (digest, raw) in samples.iter().step_by(50) {
        place
            .write(first, digest, &(raw.0.clone(), raw.1.clone(), vec![(b"changed".to_vec(), 3, b"\xff!".to_vec())]))
            .await;
    }
    for digest in samples.keys().skip(1).step_by(50) {
        place.delete(first, digest).await;
    }
    let truth = place.scan(first).await;
    assert!(truth.len() < samples.len());
    let incremental = store_scope(&repository, &place.cluster, BackupKindWish::Incremental, scope()).await.unwrap();
    assert_eq!(incremental.kind, BackupKind::Incremental);

    for (backup, truth) in [(base.backup, &samples), (incremental.backup, &truth)] {
        let request = Request::at(Target::Backup(backup)).of(scope());
        let plan = repository.load().await.unwrap().into_catalogue().plan(&request).unwrap();
        let rename = [(first.clone(), second.clone())].into();
        let options = RestoreOptions { rename, truncate: true, ..RestoreOptions::default() };
        let request = RestoreRequest { options, ..RestoreRequest::default() };
        let summary = bring_back(&repository, plan, &place.cluster, request).await.unwrap();
        assert_eq!(summary.applied.written, truth.len() as u64);
        assert_eq!(place.scan(second).await, *truth);
    }
    let topology = place.cluster.describe().await.unwrap();
    assert_eq!(topology.parts[second].records, Some(truth.len() as u64));
    place.empty().await;
}
