//! Backs up and restores database clusters: opens anything from a URL, a profile or a config, and re-exports what
//! the other crates offer, so that programs name this crate alone.

pub mod adopt;
pub mod calls;
pub mod doctor;
pub mod environment;
mod fetched;
mod folders;
pub mod handle;
pub mod inspect;
mod keys;
pub mod listing;
mod open;
pub mod options;
pub mod profile;
mod repository;
pub mod service_folder;

pub use environment::system_environment;
pub use fetched::FetchedFolder;
pub use handle::JobHandle;
pub use listing::Listing;
pub use open::{Access, Strongroom};
pub use repository::OpenRepository;
pub use strongroom_aerospike as aerospike;
pub use strongroom_cassandra as cassandra;
pub use strongroom_codec as codec;
pub use strongroom_core as core;
pub use strongroom_core::engine::{
    BackupKindWish, BackupReport, BackupRequest, CopyRequest, Job, Journal, PartOutcome, Proof, PruneReport,
    PruneRequest, Removal, RestoreRequest, RestoreSummary, SynthesizeReport, SynthesizeRequest, VerifyRequest,
};
pub use strongroom_core::planner::{Explanation, Plan, Request, Target};
pub use strongroom_core::{Cluster, Codec, Error, ErrorKind, Key, Result, Storage, StorageExt, Timestamp};
pub use strongroom_embedded as embedded;
pub use strongroom_record as record;
pub use strongroom_storage as storage;

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
