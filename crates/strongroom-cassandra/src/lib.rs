//! Apache Cassandra nodes as something that is backed up and restored into.
//!
//! - **Nothing is installed on a node**: it is managed by JMX over RMI, which every stock node speaks.

mod java;
mod jmx;
mod jmx_node;
mod node;

pub use jmx::JmxAddress;
pub use jmx_node::{JmxLogin, JmxNode};
pub use node::{Import, NodeControl, NodeFacts, SnapshotFacts};
