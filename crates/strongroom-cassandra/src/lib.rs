//! Apache Cassandra nodes as something that is backed up and restored into.
//!
//! ```text
//!   freeze ── snapshot by the node itself, files known by their content ──▶ read ── the snapshot's files ──▶ pieces
//!   pieces ──▶ write ── staged beside the data, proven ──▶ finish_restore ── schema, truncate, import ──▶ node
//! ```
//!
//! - **Nothing is installed on a node**: it is managed by JMX over RMI, which every stock node speaks.
//! - **Files, not rows.** SSTables never change, so each is stored once however many backups hold it.
//! - **Nothing is touched until everything is there.** A restore brings all files to the node and proves them; only its
//!   end makes what is missing, empties tables, and lets the node take the files in.
//! - One node, seen from its own machine: paths are made of checked names and stay within its data folders. Several nodes are
//!   one cluster through an [`Agent`] on each.

mod agent;
mod cluster;
mod component;
mod config;
mod cql;
mod describe;
mod files;
mod freeze;
mod held;
mod java;
mod jmx;
mod jmx_node;
mod load;
mod locator;
mod memory;
mod node;
mod piece;
mod preflight;
mod read;
mod replay;
mod schema;
mod script;
mod session;
mod stage;

pub use agent::{Agent, CassandraAgents};
pub use cluster::CassandraCluster;
pub use config::{CassandraConfig, JmxConfig, Load, Login, ReplayConfig, RestoreConfig};
pub use jmx::JmxAddress;
pub use jmx_node::{JmxLogin, JmxNode};
pub use locator::SCHEME;
pub use node::{Import, NodeControl, NodeFacts, SnapshotFacts};
pub use replay::{ArchivedSegment, archive_segment};
