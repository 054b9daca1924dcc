//! A live Aerospike cluster as something that is backed up and restored into.
//!
//! ```text
//!   freeze ── the nodes' clocks, partitions cut into pieces ──▶ read ── queries by partition, resumed after the last digest ──▶ .asb text
//!   .asb text ──▶ write ── batches to the masters, by error class again or not ──▶ server
//!                  begin_restore ── truncates up to the session's own moment
//! ```
//!
//! - **Nothing is decoded.** Particles go from the server into the text and back as they are: order marks of lists and maps,
//!   strings that are not UTF-8, types of clients long gone.
//! - **A window, not an instant.** A live cluster can't be frozen. `until` is the slowest node's clock at the start less a margin,
//!   `settled` the fastest at the end and a margin. An incremental has no upper filter: what changes while it is read is in it.
//! - **Deletes are unseen**: a server tells what was written, not what is gone. The plan warns.

mod clocks;
mod cluster;
mod config;
mod convert;
mod deliver;
mod describe;
mod fault;
mod freeze;
mod group;
mod locator;
mod login;
mod patience;
mod piece;
mod preflight;
mod read;
mod schema;
mod selection;
mod send;
mod session;
mod tally;
mod truncate;
mod write;

pub use cluster::AerospikeCluster;
pub use config::{AerospikeConfig, BackupConfig, RestoreConfig};
pub use locator::SCHEME;
pub use login::{Auth, LoginConfig, TlsConfig};
