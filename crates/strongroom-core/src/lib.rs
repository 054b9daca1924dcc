//! The core of strongroom: what a backup is, how a chain of backups is planned, and the engine that moves bytes.
//!
//! ```text
//!   Cluster ──pieces──▶ frames ──Codec──▶ parts ──▶ Storage          backup
//!   Cluster ◀──pieces── frames ◀──Codec── parts ◀── Storage          restore
//!                          plan: which backups, in what order (pure)
//! ```
//!
//! Three traits open it to the world: [`Storage`] (where objects rest), [`Cluster`] (what is backed up) and
//! [`Codec`] (how bytes are packed and locked). This crate names no database, no cloud and no HTTP.

pub mod cluster;
pub mod codec;
pub mod engine;
pub mod environment;
pub mod error;
pub mod id;
pub mod key;
pub mod manifest;
pub mod model;
pub mod pipeline;
pub mod planner;
pub mod repository;
pub mod storage;
pub mod time;
pub mod units;

pub use cluster::Cluster;
pub use codec::{Codec, FrameCoder};
pub use error::{Error, ErrorKind, Result};
pub use key::Key;
pub use storage::{ByteStream, PutMode, Storage, StorageExt, Upload};
pub use time::Timestamp;
