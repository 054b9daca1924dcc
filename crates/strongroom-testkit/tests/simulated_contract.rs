//! The simulated cluster keeps the contract, in every form it can take.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::Cluster;
use strongroom_core::model::{Applies, Deletes};
use strongroom_testkit::{
    ClusterContents, ClusterFixture, SimulatedCluster, SimulatedOptions, TestEnvironment, Workload, cluster_contract,
};

struct Fixture {
    cluster: SimulatedCluster,
    environment: TestEnvironment,
    options: SimulatedOptions,
}

impl Fixture {
    fn new(options: SimulatedOptions) -> Self {
        let environment = TestEnvironment::new(1);
        let cluster = SimulatedCluster::new("contract", Arc::new(environment.clock.clone()), options.clone());
        Self { cluster, environment, options }
    }
}

#[async_trait]
impl ClusterFixture for Fixture {
    fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::new(self.cluster.clone())
    }
    async fn change(&self, seed: u64) {
        self.cluster.change(&["one", "two"], seed, Workload { files: !self.options.fold, ..Workload::default() });
        self.cluster.create_part("empty");
    }
    async fn contents(&self) -> ClusterContents {
        self.cluster.contents()
    }
    async fn fresh_target(&self) -> Box<dyn ClusterFixture> {
        let clock = Arc::new(self.environment.clock.clone());
        let cluster = SimulatedCluster::new("target", clock, self.options.clone());
        Box::new(Self { cluster, environment: self.environment.clone(), options: self.options.clone() })
    }
}

#[tokio::test]
async fn with_snapshots() {
    cluster_contract(&Fixture::new(SimulatedOptions::default())).await;
}

#[tokio::test]
async fn living() {
    cluster_contract(&Fixture::new(SimulatedOptions { live: true, ..SimulatedOptions::default() })).await;
}

#[tokio::test]
async fn folding() {
    let options = SimulatedOptions { fold: true, zero_byte_piece: true, ..SimulatedOptions::default() };
    cluster_contract(&Fixture::new(options)).await;
    let options = SimulatedOptions { fold: true, live: true, pieces: 7, ..SimulatedOptions::default() };
    cluster_contract(&Fixture::new(options)).await;
}

#[tokio::test]
async fn with_unseen_deletes_on_many_nodes() {
    let options = SimulatedOptions {
        deletes: Deletes::Unseen,
        nodes: 3,
        empty_pieces: true,
        zero_byte_piece: true,
        chunk: 7,
        ..SimulatedOptions::default()
    };
    cluster_contract(&Fixture::new(options)).await;
}

#[tokio::test]
async fn with_bases_only_or_exact_incrementals() {
    let options = SimulatedOptions { incremental: false, truncate: false, pieces: 1, ..SimulatedOptions::default() };
    cluster_contract(&Fixture::new(options)).await;
    let options = SimulatedOptions { applies: Applies::Exact, pieces: 64, ..SimulatedOptions::default() };
    cluster_contract(&Fixture::new(options)).await;
}
