//! The promises that every cluster makes.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::Cluster;
use strongroom_core::model::Filter;
use strongroom_embedded::{EmbeddedCluster, LookIn, PutOptions};
use strongroom_record::asb::Encoder;
use strongroom_record::{Name, Record};
use strongroom_testkit::{ClusterContents, ClusterFixture, cluster_contract};

use crate::common::{TestClock, environment, record};

/// A cluster in a file of its own, or in memory.
struct Fixture {
    cluster: EmbeddedCluster,
    clock: Arc<TestClock>,
    folder: Option<tempfile::TempDir>,
}

impl Fixture {
    fn new(in_file: bool) -> Self {
        let (environment, clock) = environment();
        if in_file {
            let folder = tempfile::tempdir().unwrap();
            let cluster = EmbeddedCluster::create(folder.path().join("x"), environment).unwrap();
            Self { cluster, clock, folder: Some(folder) }
        } else {
            Self { cluster: EmbeddedCluster::in_memory(environment).unwrap(), clock, folder: None }
        }
    }
}

#[async_trait]
impl ClusterFixture for Fixture {
    fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::new(self.cluster.clone())
    }

    async fn change(&self, seed: u64) {
        // The clock goes back every other time.
        self.clock.advance(if seed.is_multiple_of(2) { 1_000_000 } else { -700_000 });
        let seed = i64::try_from(seed).unwrap();
        for namespace in ["one", "two"] {
            self.cluster
                .write_batch(|batch| {
                    batch.create_namespace(namespace)?;
                    for key in 0..30 {
                        let there = record(["", "a", "b"][usize::try_from(key % 3).unwrap()], key, seed);
                        let there = Record { namespace: Name::namespace(namespace)?, ..there };
                        let deletes = seed > 1 && (key * 7 + seed) % 5 == 0;
                        if deletes {
                            batch.delete(namespace, there.digest)?;
                        } else if seed == 1 || (key + seed) % 2 == 0 {
                            batch.put(there, PutOptions::default())?;
                        }
                    }
                    let new = Record { namespace: Name::namespace(namespace)?, ..record("new", seed, seed) };
                    batch.put(new, PutOptions::default()).map(drop)
                })
                .unwrap();
        }
    }

    async fn contents(&self) -> ClusterContents {
        let mut contents = ClusterContents::new();
        for namespace in self.cluster.namespaces().unwrap().into_keys() {
            for found in self.cluster.scan(&namespace, &Filter::default(), LookIn::default()).unwrap() {
                // The namespace is in the name; a renamed part has the same records.
                let record = Record { namespace: Name::namespace("-").unwrap(), ..found.unwrap().record };
                let mut text = Vec::new();
                Encoder::COMPACT.record(&mut text, &record).unwrap();
                contents.insert(format!("{namespace}/{}", record.digest), text.into());
            }
        }
        contents
    }

    async fn fresh_target(&self) -> Box<dyn ClusterFixture> {
        Box::new(Self::new(self.folder.is_some()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_cluster_in_memory_keeps_the_contract() {
    cluster_contract(&Fixture::new(false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_cluster_in_a_file_keeps_the_contract() {
    cluster_contract(&Fixture::new(true)).await;
}
