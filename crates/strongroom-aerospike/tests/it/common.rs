//! A cluster of three nodes with a clock that goes on whenever somebody asks for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use strongroom_aerospike::{AerospikeCluster, AerospikeConfig};
use strongroom_aerospike_fake::{Bin, Digest, Fake, NamespaceSettings, Record};
use strongroom_core::units::Span;
use strongroom_record::UserKey;
use strongroom_testkit::TestEnvironment;

/// 2026-11-22T00:00:00Z in milliseconds, when nothing of these tests happened.
pub(crate) const START: i64 = 1_795_305_600_000;

/// A fake cluster and ours on it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) fake: Fake,
    pub(crate) cluster: AerospikeCluster,
}

pub(crate) fn config(fake: &Fake) -> AerospikeConfig {
    let seeds = fake.addresses().into_iter().map(|(host, port)| format!("{host}:{port}"));
    AerospikeConfig { backoff: Span(std::time::Duration::from_millis(1)), ..AerospikeConfig::of_seeds(seeds) }
}

pub(crate) fn open(config: AerospikeConfig) -> AerospikeCluster {
    // Servers tell queries apart by numbers, which begin at random: each cluster has another seed.
    static SEED: AtomicU64 = AtomicU64::new(1);
    open_seeded(config, SEED.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn open_seeded(config: AerospikeConfig, seed: u64) -> AerospikeCluster {
    AerospikeCluster::open(config, &TestEnvironment::new(seed).environment()).unwrap()
}

impl World {
    pub(crate) async fn new(namespaces: &[&str]) -> Self {
        let fake = Fake::start(3).await.unwrap();
        {
            let mut store = fake.store();
            store.set_now(START);
            store.tick_by(400);
            for namespace in namespaces {
                store.create_namespace(namespace, NamespaceSettings::default());
            }
        }
        let cluster = open(config(&fake));
        Self { fake, cluster }
    }

    /// Puts a record with one integer bin, as an application would.
    pub(crate) fn put(&self, namespace: &str, set: &str, key: i64, value: i64) -> Digest {
        let (digest, record) = record(set, key, value);
        let mut store = self.fake.store();
        let now = store.now();
        store.put(namespace, digest, Record { last_update_millis: now, ..record });
        digest
    }

    /// What the cluster holds, but for what a restore does not bring back: generations and last-update times.
    pub(crate) fn contents(&self, namespace: &str) -> BTreeMap<Digest, Record> {
        let plain = |record: &Record| {
            let mut record = Record { generation: 0, last_update_millis: 0, ..record.clone() };
            record.bins.sort_by(|one, other| one.name.cmp(&other.name));
            record
        };
        self.fake.store().records(namespace).map(|(digest, record)| (digest, plain(record))).collect()
    }
}

/// A record with one integer bin and its user key.
pub(crate) fn record(set: &str, key: i64, value: i64) -> (Digest, Record) {
    let digest = strongroom_record::Digest::of_key(Some(set.as_bytes()), &UserKey::Integer(key)).0;
    let user_key = [&[1][..], &key.to_be_bytes()].concat();
    let bins = vec![Bin { name: b"v".to_vec(), particle: 1, value: value.to_be_bytes().to_vec() }];
    (digest, Record { set: set.as_bytes().to_vec(), key: Some(user_key), generation: 1, bins, ..Record::default() })
}

pub(crate) fn shared(world: &World) -> Arc<dyn strongroom_core::Cluster> {
    Arc::new(world.cluster.clone())
}
