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

mod contract;
mod storage;

pub use contract::codec::{Binding, codec_contract};
pub use contract::polls::{Polls, poll_at_most};
pub use contract::storage::storage_contract;
pub use storage::memory::{Contents, ListOrder, MemoryStorage};
