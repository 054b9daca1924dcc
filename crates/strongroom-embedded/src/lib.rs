//! An embedded record cluster in one redb file: for a quick start, for looking into backups, for restore drills.
//!
//! It keeps what a server keeps: namespaces, sets, records with digest, user key, generation, void time and bins of
//! every type, secondary-index definitions and functions; and tombstones, so that its incrementals see deletes. It
//! answers no queries by index and expires nothing by itself: "now" is always an input ([`LookIn`]).
//!
//! ```text
//!   put, delete, empty ──▶ Batch ──one transaction──▶ records/N  changes/N  tombstones/N  deletions/N
//!                                                        │           │           │           │
//!   get, scan, count, canonical_hash ◀────────────── by partition  by moment   by digest   by moment
//!   Cluster::freeze ── a moment of the file's clock      │           │           │           │
//!   Cluster::read  ◀─── base ────────────────────────────┘           │           │           │
//!                  ◀─── incremental since a moment ──────────────────┴───────────┴───────────┘
//! ```
//!
//! **Its clock** is the wall clock, but never goes back: each change gets a moment of its own, in microseconds, after
//! all earlier ones. A backup's window is in moments of this clock.
//!
//! **A restored record** has the generation and void time of the backup; its last-update time is that of the restore.
//! So a restore begins a new timeline, and an incremental since an earlier moment is refused.
//!
//! ```
//! use std::sync::Arc;
//! use strongroom_core::environment::{Clock, Entropy, Environment};
//! use strongroom_core::{Result, Timestamp};
//! use strongroom_embedded::{EmbeddedCluster, LookIn, PutOptions};
//! use strongroom_record::{Bin, BinName, Digest, Name, Particle, Record, UserKey};
//!
//! # #[derive(Debug)]
//! # struct Fixed;
//! # impl Clock for Fixed {
//! #     fn now(&self) -> Timestamp { Timestamp::from_secs(1_795_305_600) }
//! #     fn monotonic_micros(&self) -> u64 { 0 }
//! # }
//! # impl Entropy for Fixed {
//! #     fn fill(&self, bytes: &mut [u8]) -> Result<()> { bytes.fill(7); Ok(()) }
//! # }
//! # let environment = Environment { clock: Arc::new(Fixed), entropy: Arc::new(Fixed) };
//! let cluster = EmbeddedCluster::in_memory(environment)?;
//! let key = UserKey::String("alice".into());
//! let record = Record {
//!     namespace: Name::namespace("test")?,
//!     set: Some(Name::set("users")?),
//!     digest: Digest::of_key(Some(b"users"), &key),
//!     key: Some(key.clone()),
//!     generation: 0,
//!     void_time: 0,
//!     bins: vec![Bin { name: BinName::new("age")?, value: Particle::Integer(42) }],
//! };
//! cluster.write_batch(|batch| batch.put(record, PutOptions::default()))?;
//! let found = cluster.get_by_key("test", Some("users"), &key, LookIn::default())?;
//! assert_eq!(found.unwrap().record.generation, 1);
//! # Ok::<(), strongroom_core::Error>(())
//! ```

mod batch;
mod cluster;
mod definitions;
mod empty;
mod export;
mod fault;
mod file;
mod freeze;
mod freezes;
mod import;
mod look;
mod namespace;
mod options;
mod overlay;
mod piece;
mod preflight;
mod read;
mod row;
mod session;
mod snapshot;
mod tables;
mod write;

#[cfg(test)]
mod full_disk;
#[cfg(test)]
#[path = "../tests/it/samples.rs"]
mod samples;

pub use batch::Batch;
pub use export::ExportOptions;
pub use file::EmbeddedCluster;
pub use import::{ImportOptions, ImportReport};
pub use look::{Found, Scan};
pub use namespace::{Count, NamespaceInfo};
pub use options::{Emptying, Generation, LookIn, OpenOptions, Put, PutOptions};
