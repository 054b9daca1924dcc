//! An Aerospike cluster for tests: several nodes in one process, over real TCP, with faults.
//!
//! ```text
//!   Fake ──▶ node listeners ──▶ info │ query │ read, write, delete │ batch      the protocol, server's side
//!     └────▶ Store: namespaces → partitions → records, raw particles            shared by all nodes
//!     └────▶ Faults: cut a stream, refuse writes, move a partition, kill a node
//! ```
//!
//! No registry ships a server, so this stands for one. It has readers and writers of its own for the server's side, so that
//! an error in the client's encoders does not hide behind the same error here. What it answers is held to recorded
//! conversations with a server, community 8.1.2.0; what it can't do is an error of the protocol, never a guess.

mod answer;
mod batch;
mod faults;
mod filter;
mod info;
mod login;
mod node;
mod pack;
mod query;
mod record;
mod request;
mod serve;
mod single;
mod store;

pub use faults::{Faults, Login};
pub use node::{Fake, Layout};
pub use record::{Bin, Digest, Record};
pub use store::{Index, NamespaceSettings, Store};

/// How many partitions every namespace has.
pub const PARTITIONS: u16 = 4096;
