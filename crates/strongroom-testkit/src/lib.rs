//! Memory storage, simulated cluster, fault wrappers and contract tests for strongroom adapters.
//!
//! Everything here is deterministic: chance comes from one seed, time from a clock that the test sets.
//! A contract test is one call in an adapter's own tests, and panics with the clause that is broken:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use std::sync::Arc;
//! use strongroom_testkit::{MemoryStorage, storage_contract};
//!
//! storage_contract(Arc::new(MemoryStorage::new()), "contract/").await;
//! # }
//! ```

mod cluster;
mod contract;
pub mod document;
mod environment;
mod seed;
mod storage;

pub use cluster::crashing::CrashingCluster;
pub use cluster::recording::RecordingCluster;
pub use cluster::{
    ClusterContents, PARTITIONS, PartFault, SimulatedCluster, SimulatedFold, SimulatedOptions, Workload,
};
pub use contract::cluster::{ClusterFixture, cluster_contract};
pub use contract::codec::{Binding, codec_contract};
pub use contract::polls::{Polls, poll_at_most};
pub use contract::storage::storage_contract;
pub use environment::{SeededEntropy, TestClock, TestEnvironment};
pub use seed::{SeedGuard, seeds};
pub use storage::crashing::{Crashing, Death};
pub use storage::faulty::{Faults, Faulty};
pub use storage::latency::Latency;
pub use storage::memory::{Contents, ListOrder, MemoryStorage};
pub use storage::recording::{Call, Recording, Traffic};
