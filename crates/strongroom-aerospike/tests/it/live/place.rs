//! A place to test in: the in-process cluster, or a real one.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use strongroom_aerospike::{AerospikeCluster, AerospikeConfig};
use strongroom_aerospike_fake::{Fake, NamespaceSettings};
use strongroom_aerospike_wire::client::{Client, ClientOptions};
use strongroom_aerospike_wire::message::{Bin, Messages};
use strongroom_aerospike_wire::query::Query;
use strongroom_aerospike_wire::write::{Expiry, RecordName, Write, WritePolicy, delete, geo_json_text};
use strongroom_aerospike_wire::{Digest, ResultCode};
use strongroom_record::{Entity, Particle};
use tokio::sync::{Mutex, MutexGuard};

use crate::common::{START, config, open_seeded};
use crate::fixtures::{entities, kept};

/// A record as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Row {
    pub(crate) set: Vec<u8>,
    /// Kind and value of the user key.
    pub(crate) key: Option<(u8, Vec<u8>)>,
    /// Name, particle type and value of each, sorted.
    pub(crate) bins: Vec<(Vec<u8>, u8, Vec<u8>)>,
    /// When it expires, in seconds since 2010; 0 = never.
    pub(crate) void_time: u32,
}

/// Everything of a namespace.
pub(crate) type Rows = BTreeMap<Digest, Row>;

/// A real cluster has two namespaces for all tests.
static ONE_AT_A_TIME: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

pub(crate) struct Place {
    pub(crate) client: Client,
    pub(crate) cluster: AerospikeCluster,
    pub(crate) namespaces: [String; 2],
    fake: Option<Fake>,
    _turn: MutexGuard<'static, ()>,
}

impl Place {
    pub(crate) async fn find() -> Self {
        let turn = ONE_AT_A_TIME.lock().await;
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
        let place = Self { client, cluster: open_seeded(config, fresh_id()), namespaces, fake, _turn: turn };
        place.empty().await;
        place
    }

    /// Lets a moment pass where the clock is ours.
    pub(crate) fn pass(&self) {
        if let Some(fake) = &self.fake {
            let mut store = fake.store();
            let now = store.now();
            store.set_now(now + 5000);
        }
    }

    /// What a node says to a command.
    pub(crate) async fn say(&self, command: &str) -> String {
        self.client.nodes()[0].info(&[command]).await.unwrap().get(command).to_owned()
    }

    pub(crate) async fn empty(&self) {
        for namespace in &self.namespaces {
            let command = format!("truncate-namespace:namespace={namespace}");
            // A server empties in the background, and only what is older than its clock: it is asked until that has gone on.
            loop {
                let node = &self.client.nodes()[0];
                assert_eq!(node.info(&[&command]).await.unwrap().get(&command), "ok");
                if self.scan(namespace).await.is_empty() {
                    break;
                }
                self.say(&format!("namespace/{namespace}")).await;
            }
        }
    }

    /// Waits until nothing of a namespace is read any more.
    pub(crate) async fn gone(&self, namespace: &str) {
        while !self.scan(namespace).await.is_empty() {
            self.say(&format!("namespace/{namespace}")).await;
        }
    }

    /// Deletes a record that may be there.
    pub(crate) async fn delete_if_there(&self, namespace: &str, digest: &Digest) {
        let name = RecordName { namespace: namespace.as_bytes(), set: None, digest };
        let result = self.ask(namespace, digest, &delete(&name, false, 1000).unwrap()).await;
        assert!([ResultCode::OK, ResultCode::KEY_NOT_FOUND].contains(&result), "{result:?}");
    }

    async fn ask(&self, namespace: &str, digest: &Digest, request: &[u8]) -> ResultCode {
        let maps = self.client.partition_maps();
        let owner = maps[namespace].owner(0, strongroom_record::Digest(*digest).partition()).unwrap().to_owned();
        let body = self.client.node(&owner).unwrap().one(request).await.unwrap();
        Messages::of(&body).next().unwrap().unwrap().head.result
    }

    pub(crate) async fn write(&self, namespace: &str, digest: &Digest, row: &Row, expiry: Expiry) {
        let set = Some(row.set.as_slice()).filter(|set| !set.is_empty());
        let bins: Vec<Bin<'_>> =
            row.bins.iter().map(|(name, particle, value)| Bin { name, particle: *particle, value }).collect();
        let write = Write {
            name: RecordName { namespace: namespace.as_bytes(), set, digest },
            key: row.key.as_ref().map(|(kind, value)| (*kind, value.as_slice())),
            generation: 0,
            expiry,
            bins: &bins,
        };
        let request = write.encode(WritePolicy::default(), 1000).unwrap();
        assert_eq!(self.ask(namespace, digest, &request).await, ResultCode::OK);
    }

    pub(crate) async fn delete(&self, namespace: &str, digest: &Digest) {
        let name = RecordName { namespace: namespace.as_bytes(), set: None, digest };
        assert_eq!(self.ask(namespace, digest, &delete(&name, false, 1000).unwrap()).await, ResultCode::OK);
    }

    /// All records of a namespace, read past our adapter.
    pub(crate) async fn scan(&self, namespace: &str) -> Rows {
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
                    let (set, void_time) = (message.set.unwrap_or_default().to_vec(), message.head.void_time);
                    found.insert(*message.digest.unwrap(), Row { set, key, bins, void_time });
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
pub(crate) fn samples() -> Rows {
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
            (digest, Row { set: raw.set, key, bins, void_time: 0 })
        })
        .collect()
}
