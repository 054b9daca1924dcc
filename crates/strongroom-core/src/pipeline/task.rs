//! What a worker is told and what it answers: plain data, so that it may run in any process that reaches cluster and
//! storage. Tasks name storages, clusters and codecs; whoever runs one resolves the secrets.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::part::Origin;
use super::writer::NumberedPiece;
use crate::cluster::{Applied, RestoreSession, StepId};
use crate::codec::{CodecId, CodecRegistry};
use crate::id::RepositoryId;
use crate::manifest::{ObjectRef, StoredPiece};
use crate::model::PartName;
use crate::{Cluster, Error, Key, Result, Storage};

/// Read some pieces of a cluster and store them. Small ones share objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoreTask {
    /// The storage, by name.
    pub storage: String,
    /// The cluster, by name.
    pub cluster: String,
    /// The repository on the storage.
    pub repository: RepositoryId,
    /// The codecs, in the order of encoding.
    pub codecs: Vec<CodecId>,
    /// What the parts belong to.
    pub origin: Origin,
    /// The beginning of the objects' names.
    pub stem: Key,
    /// The pieces. All with the same place.
    pub pieces: Vec<NumberedPiece>,
}

/// What a [`StoreTask`] left on storage.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StoreReceipt {
    /// The pieces, in the order of the task.
    pub pieces: Vec<StoredPiece>,
    /// The objects they rest in.
    pub objects: Vec<ObjectRef>,
}

/// Read some stored pieces and write them into a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApplyTask {
    /// The storages that hold a copy, by name, best first: the next one is used when one fails.
    pub sources: Vec<String>,
    /// The cluster, by name.
    pub cluster: String,
    /// The repository that the parts belong to.
    pub repository: RepositoryId,
    /// The codecs of the backup, as its manifest has them.
    pub codecs: Vec<CodecId>,
    /// The restore.
    pub session: RestoreSession,
    /// The step of the restore.
    pub step: StepId,
    /// The part, by its name in the backup.
    pub part: PartName,
    /// The pieces. All with the same place. Neighbours in one object share a request.
    pub pieces: Vec<StoredPiece>,
}

/// What an [`ApplyTask`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ApplyReceipt {
    /// For each piece, in the order of the task.
    pub applied: Vec<Applied>,
    /// What went wrong with sources before another one served, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failovers: Vec<String>,
}

/// Turns the names in tasks into things, with the secrets they need.
#[async_trait]
pub trait Resolver: Debug + Send + Sync + 'static {
    /// The storage of that name.
    ///
    /// # Errors
    /// `NotFound` for an unknown name; `Denied`, `Unavailable`.
    async fn storage(&self, name: &str) -> Result<Arc<dyn Storage>>;

    /// The cluster of that name.
    ///
    /// # Errors
    /// As [`Resolver::storage`].
    async fn cluster(&self, name: &str) -> Result<Arc<dyn Cluster>>;

    /// The codecs of a repository, with its keys.
    ///
    /// # Errors
    /// As [`Resolver::storage`].
    async fn codecs(&self, repository: RepositoryId) -> Result<Arc<dyn CodecRegistry>>;
}

/// A resolver of what is at hand in this process.
#[derive(Debug, Clone)]
pub struct AtHand {
    storages: Vec<(String, Arc<dyn Storage>)>,
    clusters: Vec<(String, Arc<dyn Cluster>)>,
    codecs: Arc<dyn CodecRegistry>,
}

impl AtHand {
    /// Nothing but codecs.
    #[must_use]
    pub fn new(codecs: Arc<dyn CodecRegistry>) -> Self {
        Self { storages: Vec::new(), clusters: Vec::new(), codecs }
    }

    /// The same with a storage.
    #[must_use]
    pub fn with_storage(mut self, name: impl Into<String>, storage: Arc<dyn Storage>) -> Self {
        self.storages.push((name.into(), storage));
        self
    }

    /// The same with a cluster.
    #[must_use]
    pub fn with_cluster(mut self, name: impl Into<String>, cluster: Arc<dyn Cluster>) -> Self {
        self.clusters.push((name.into(), cluster));
        self
    }
}

fn named<T: Clone>(all: &[(String, T)], kind: &str, name: &str) -> Result<T> {
    let found = all.iter().find(|(known, _)| known == name).map(|(_, thing)| thing.clone());
    found.ok_or_else(|| Error::not_found(format!("this worker knows no {kind} '{}'", name.escape_debug())))
}

#[async_trait]
impl Resolver for AtHand {
    async fn storage(&self, name: &str) -> Result<Arc<dyn Storage>> {
        named(&self.storages, "storage", name)
    }

    async fn cluster(&self, name: &str) -> Result<Arc<dyn Cluster>> {
        named(&self.clusters, "cluster", name)
    }

    async fn codecs(&self, _: RepositoryId) -> Result<Arc<dyn CodecRegistry>> {
        Ok(Arc::clone(&self.codecs))
    }
}
