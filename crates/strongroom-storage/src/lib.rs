//! Storage for strongroom: local folder, memory, S3, Azure Blob and GCS.
//!
//! ```text
//!   URL ──▶ StorageConfig ──open──▶ Throttled ──▶ LocalStorage   temp file, flush, link
//!             ▲                     (if limited)   MemoryStorage
//!   profile ──┘                                    CloudStorage   OpenDAL: S3, Azure Blob, GCS
//! ```
//!
//! All of them keep [`strongroom_core::Storage`]'s contract: nothing is visible before `finish`, `CreateNew` never
//! replaces, an upload that is dropped never existed. What each provider guarantees beyond that is in `docs/storage.md`.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use strongroom_core::{Key, StorageExt as _};
//! let storage = strongroom_storage::open("memory:example", &Default::default())?;
//! let key = Key::new("greetings/1")?;
//! storage.put_new(&key, "hello".into()).await?;
//! assert_eq!(storage.get(&key, 100).await?, "hello");
//! # Ok::<(), strongroom_core::Error>(()) }).unwrap();
//! ```

mod cloud;
mod config;
mod local;
mod locator;
mod memory;
mod probe;
mod rules;
mod throttle;

use std::sync::Arc;

use strongroom_core::{Result, Storage};

pub use cloud::CloudStorage;
pub use config::{
    AzBlobConfig, GcsConfig, Limits, LocalConfig, MemoryConfig, Network, Options, S3Config, StorageConfig,
};
pub use local::{LocalStorage, Space, space_at};
pub use locator::{path_of_url, redact_url};
pub use memory::MemoryStorage;
pub use probe::{ProbeReport, probe};
pub use strongroom_core::units::{ByteSize, Span};
pub use strongroom_secret::{REDACTED, Secret};
pub use throttle::Throttled;

/// Opens the storage at a URL or path; see [`StorageConfig::from_url`] for the forms. Nothing is asked of the network yet.
///
/// # Errors
/// `Invalid` when the URL makes no sense; `Denied` when a secret that it refers to isn't there.
pub fn open(url: &str, options: &Options) -> Result<Arc<dyn Storage>> {
    StorageConfig::from_url(url, options)?.open()
}
