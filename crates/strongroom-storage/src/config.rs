//! Where a storage is and how it is used: what a profile says, and what a URL is turned into.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom_core::{Result, Storage};

use crate::Secret;
use crate::cloud::CloudStorage;
use crate::local::{LocalStorage, Space, space_at};
use crate::memory::MemoryStorage;
use crate::throttle::Throttled;
use crate::{ByteSize, Span};

/// A storage, typed. `type` chooses the variant in a configuration file; unknown fields are refused.
///
/// `Debug` and `Serialize` never show a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum StorageConfig {
    /// A folder of this machine.
    Local(LocalConfig),
    /// This process's memory.
    Memory(MemoryConfig),
    /// A bucket of Amazon S3 or a compatible service.
    S3(S3Config),
    /// A container of Azure Blob Storage.
    AzBlob(AzBlobConfig),
    /// A bucket of Google Cloud Storage.
    Gcs(GcsConfig),
}

/// A folder of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalConfig {
    /// The folder; created at the first write.
    pub path: PathBuf,
    /// Bytes per second.
    #[serde(default)]
    pub limits: Limits,
}

/// This process's memory, shared by everything that opens the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryConfig {
    /// The name.
    pub name: String,
    /// Bytes per second.
    #[serde(default)]
    pub limits: Limits,
}

/// A bucket of Amazon S3 or a compatible service.
///
/// Credentials: `anonymous`, else the given keys, else the provider's own chain (environment, profile files, SSO,
/// web identity, process, container, instance metadata).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// The folder within the bucket; empty for the whole bucket.
    #[serde(default)]
    pub prefix: String,
    /// The service's address, with scheme; Amazon's own of that region when not given.
    pub endpoint: Option<String>,
    /// The region that requests are signed for; from `AWS_REGION` when not given.
    pub region: Option<String>,
    /// Address the bucket as `bucket.host` instead of `host/bucket`.
    #[serde(default)]
    pub virtual_host_style: bool,
    /// The access key id, together with `secret_access_key`.
    pub access_key_id: Option<String>,
    /// The secret access key.
    pub secret_access_key: Option<Secret>,
    /// The session token of temporary keys.
    pub session_token: Option<Secret>,
    /// The profile of the shared configuration files.
    pub profile: Option<String>,
    /// A role to assume with the credentials found.
    pub role_arn: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// Ask the machine's metadata service for credentials, the last link of the chain. On when not given.
    pub instance_metadata: Option<bool>,
    /// Send requests unsigned.
    #[serde(default)]
    pub anonymous: bool,
    /// The storage class of what is written, as the service names it (`STANDARD_IA`, `GLACIER_IR`, …).
    pub storage_class: Option<String>,
    /// How the service encrypts what is written: `AES256` or `aws:kms`.
    pub server_side_encryption: Option<String>,
    /// The key for `aws:kms`; the account's default key when not given.
    pub kms_key_id: Option<String>,
    /// 32 bytes in base64: the service encrypts with this key and forgets it. Needs https. Without it nothing can be read.
    pub customer_key: Option<Secret>,
    /// The checksum sent along and verified by the service: `crc32c` (when not given) or `none`.
    pub checksum: Option<String>,
    /// How requests are made.
    #[serde(default)]
    pub network: Network,
    /// Bytes per second.
    #[serde(default)]
    pub limits: Limits,
}

/// A container of Azure Blob Storage.
///
/// Credentials: `anonymous`, else the key or SAS token given, else the provider's own chain (environment, workload
/// identity, command line login, managed identity).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AzBlobConfig {
    /// The container.
    pub container: String,
    /// The folder within the container; empty for the whole container.
    #[serde(default)]
    pub prefix: String,
    /// The account.
    pub account: Option<String>,
    /// The service's address; the account's public one when not given.
    pub endpoint: Option<String>,
    /// The account's key, base64.
    pub account_key: Option<Secret>,
    /// A shared access signature.
    pub sas_token: Option<Secret>,
    /// Send requests unsigned.
    #[serde(default)]
    pub anonymous: bool,
    /// How requests are made.
    #[serde(default)]
    pub network: Network,
    /// Bytes per second.
    #[serde(default)]
    pub limits: Limits,
}

/// A bucket of Google Cloud Storage.
///
/// Credentials: `anonymous`, else the token, key or file given, else the provider's own chain (application default
/// credentials, metadata service).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcsConfig {
    /// The bucket.
    pub bucket: String,
    /// The folder within the bucket; empty for the whole bucket.
    #[serde(default)]
    pub prefix: String,
    /// The service's address; Google's own when not given.
    pub endpoint: Option<String>,
    /// An `OAuth2` access token. It ends after an hour: for tests and short jobs.
    pub token: Option<Secret>,
    /// A service account's key: its JSON in base64.
    pub credential: Option<Secret>,
    /// A file with a service account's key or other credentials, JSON.
    pub credential_file: Option<PathBuf>,
    /// Ask the machine's metadata service for credentials, the last link of the chain. On when not given.
    pub instance_metadata: Option<bool>,
    /// Send requests unsigned.
    #[serde(default)]
    pub anonymous: bool,
    /// The storage class of what is written (`NEARLINE`, `COLDLINE`, …).
    pub storage_class: Option<String>,
    /// How requests are made.
    #[serde(default)]
    pub network: Network,
    /// Bytes per second.
    #[serde(default)]
    pub limits: Limits,
}

/// How requests to a cloud are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Bytes per uploaded part and per read request. A stream holds `part_size × (concurrency + 1)` of them at most.
    /// A service takes 10 000 parts: with 8 MiB an object may have 78 GiB.
    pub part_size: ByteSize,
    /// Parts of one object that are on their way at once.
    pub concurrency: usize,
    /// Requests that are on their way at once, over all objects.
    pub requests: usize,
    /// How often what failed temporarily is tried again; each time after twice the wait.
    pub retries: usize,
    /// The wait before the first retry; at most 20 s later on, plus a random part.
    pub retry_delay: Span,
    /// How long a connection may take to be made.
    pub connect_timeout: Span,
    /// How long a request without a body may take, and how long sent bytes may stay unacknowledged.
    pub timeout: Span,
    /// How long one part may take.
    pub part_timeout: Span,
    /// Certificates (PEM) that are trusted beside the system's, for a service with its own authority.
    pub ca_file: Option<PathBuf>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            part_size: ByteSize::mib(8),
            concurrency: 4,
            requests: 32,
            retries: 4,
            retry_delay: Span(std::time::Duration::from_millis(500)),
            connect_timeout: Span::secs(5),
            timeout: Span::secs(60),
            part_timeout: Span::secs(180),
            ca_file: None,
        }
    }
}

/// How fast a storage may be read and written, in bytes per second; unlimited when not given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Of all reads together.
    pub read: Option<ByteSize>,
    /// Of all writes together.
    pub write: Option<ByteSize>,
}

/// What a URL's own options are put on top of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// How requests are made.
    pub network: Network,
    /// Bytes per second.
    pub limits: Limits,
}

impl StorageConfig {
    /// Makes the storage. Nothing is asked of the network yet: use [`crate::probe`] to see whether it answers.
    ///
    /// # Errors
    /// `Invalid` when the configuration makes no sense; `Denied` when a secret that it refers to isn't there.
    pub fn open(&self) -> Result<Arc<dyn Storage>> {
        let (storage, limits): (Arc<dyn Storage>, _) = match self {
            Self::Local(config) => (Arc::new(LocalStorage::new(&config.path)?), config.limits),
            Self::Memory(config) => (MemoryStorage::named(&config.name), config.limits),
            Self::S3(config) => (Arc::new(CloudStorage::s3(config)?), config.limits),
            Self::AzBlob(config) => (Arc::new(CloudStorage::azblob(config)?), config.limits),
            Self::Gcs(config) => (Arc::new(CloudStorage::gcs(config)?), config.limits),
        };
        Ok(if limits == Limits::default() { storage } else { Arc::new(Throttled::new(storage, limits)?) })
    }
}

impl StorageConfig {
    /// How much room there is. `None`: the storage does not tell, or has no limit of its own.
    ///
    /// # Errors
    /// What the file system says.
    pub fn space(&self) -> Result<Option<Space>> {
        if let Self::Local(config) = self { space_at(&config.path) } else { Ok(None) }
    }
}

impl fmt::Display for StorageConfig {
    /// The place, without options or secrets: fit for logs and reports.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, place, prefix) = match self {
            Self::Local(config) => return write!(f, "file:{}", config.path.display()),
            Self::Memory(config) => return write!(f, "memory:{}", config.name),
            Self::S3(config) => ("s3", &config.bucket, &config.prefix),
            Self::AzBlob(config) => ("azblob", &config.container, &config.prefix),
            Self::Gcs(config) => ("gcs", &config.bucket, &config.prefix),
        };
        let slash = if prefix.is_empty() { "" } else { "/" };
        write!(f, "{scheme}://{place}{slash}{prefix}")
    }
}
