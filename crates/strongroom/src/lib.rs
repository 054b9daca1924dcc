//! Backs up and restores database clusters: opens anything from a URL, a profile or a config, and re-exports what
//! the other crates offer, so that programs name this crate alone.

pub mod environment;
pub mod profile;
pub mod service_folder;

pub use environment::system_environment;
pub use strongroom_codec as codec;
pub use strongroom_core as core;
pub use strongroom_core::{Cluster, Codec, Error, ErrorKind, Key, Result, Storage, StorageExt, Timestamp};
pub use strongroom_storage as storage;
