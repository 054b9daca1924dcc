//! Snapshots that a cluster keeps on its own nodes: taken now, and backed up later, or never.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Cluster;
use crate::Result;
use crate::model::{PartName, Scope, Window};

/// A snapshot that a cluster keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldSnapshot {
    /// Its name on the cluster.
    pub id: String,
    /// What is in it, in time.
    pub window: Window,
    /// The parts in it.
    pub parts: BTreeSet<PartName>,
    /// What its files have in all, in bytes. They take room of their own only once the cluster has let go of them.
    pub bytes: u64,
}

/// The snapshots that a cluster keeps until they are deleted.
#[async_trait]
pub trait HeldSnapshots: Debug + Send + Sync + 'static {
    /// All of them, oldest first.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`.
    async fn list(&self) -> Result<Vec<HeldSnapshot>>;

    /// Takes one of whole parts.
    ///
    /// # Errors
    /// `NotFound` for a part that does not exist; `Unsupported` for a scope with filters.
    async fn take(&self, scope: &Scope) -> Result<HeldSnapshot>;

    /// Deletes one. Twice is no error.
    ///
    /// # Errors
    /// `Invalid` for a name that no held snapshot has; `Unavailable`.
    async fn delete(&self, id: &str) -> Result<()>;

    /// The cluster as it was then: its freeze gives that state and takes nothing, its release keeps the snapshot. Whether it is
    /// there is found out by the freeze, which says `NotFound`.
    ///
    /// # Errors
    /// `Invalid` for a name that no held snapshot has.
    fn open(&self, id: &str) -> Result<Arc<dyn Cluster>>;
}
