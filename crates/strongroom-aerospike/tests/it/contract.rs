//! The promises that every cluster makes.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::Cluster;
use strongroom_testkit::{ClusterContents, ClusterFixture, cluster_contract};

use crate::common::{World, record, shared};

struct Fixture(World);

#[async_trait]
impl ClusterFixture for Fixture {
    fn cluster(&self) -> Arc<dyn Cluster> {
        shared(&self.0)
    }

    async fn change(&self, seed: u64) {
        let number = i64::try_from(seed).unwrap();
        let now = self.0.fake.store().now();
        self.0.fake.store().set_now(now + 3000);
        for namespace in ["one", "two"] {
            for key in 0..30 {
                let set = ["", "a", "b"][usize::try_from(key % 3).unwrap()];
                if seed > 1 && (key * 7 + number) % 5 == 0 {
                    let (digest, _) = record(set, key, number);
                    self.0.fake.store().remove(namespace, &digest);
                } else if seed == 1 || (key + number) % 2 == 0 {
                    self.0.put(namespace, set, key, number);
                }
            }
            self.0.put(namespace, "new", number, number);
        }
    }

    async fn contents(&self) -> ClusterContents {
        let mut contents = ClusterContents::new();
        for namespace in ["one", "two"] {
            for (digest, record) in self.0.contents(namespace) {
                contents.insert(format!("{namespace}/{digest:?}"), format!("{record:?}").into());
            }
        }
        contents
    }

    async fn fresh_target(&self) -> Box<dyn ClusterFixture> {
        Box::new(Self(World::new(&["one", "two"]).await))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_cluster_keeps_the_contract() {
    cluster_contract(&Fixture(World::new(&["one", "two"]).await)).await;
}
