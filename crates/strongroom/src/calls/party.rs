//! Storages and clusters, opened or by name.

use std::sync::Arc;

use strongroom_core::{Cluster, Error, Result, Storage};
use tokio::task::spawn_blocking;

use crate::{Access, Strongroom};

/// A storage, opened or by its name in the profiles, its URL or its folder.
#[derive(Debug, Clone)]
pub enum Place {
    /// By name, URL or folder.
    Named(String),
    /// Opened, or written by the caller.
    Opened(Arc<dyn Storage>),
}

impl Place {
    /// The storage itself.
    ///
    /// # Errors
    /// As [`Strongroom::storage`].
    pub fn open(&self, strongroom: &Strongroom) -> Result<Arc<dyn Storage>> {
        match self {
            Self::Named(name) => strongroom.storage(name),
            Self::Opened(storage) => Ok(Arc::clone(storage)),
        }
    }

    /// Its name in the profiles, which alone means something to whoever looks it up later: a URL may hold secrets.
    #[must_use]
    pub fn profile(&self, strongroom: &Strongroom) -> Option<String> {
        match self {
            Self::Named(name) => strongroom.profiles().repositories.contains_key(name).then(|| name.clone()),
            Self::Opened(_) => None,
        }
    }
}

/// A cluster, opened or by its name in the profiles or its URL.
#[derive(Debug, Clone)]
pub enum Party {
    /// By name or URL.
    Named(String),
    /// Opened, or written by the caller.
    Opened(Arc<dyn Cluster>),
}

impl Party {
    /// The cluster itself; an embedded one that is not there is made if `access` says so.
    ///
    /// # Errors
    /// As [`Strongroom::look_at`], [`Strongroom::cluster`] and [`Strongroom::target`].
    pub async fn open(self, strongroom: &Strongroom, access: Access) -> Result<Arc<dyn Cluster>> {
        let name = match self {
            Self::Named(name) => name,
            Self::Opened(cluster) => return Ok(cluster),
        };
        let strongroom = strongroom.clone();
        // Opening an embedded one reads its whole file.
        let opened = spawn_blocking(move || match access {
            Access::Read => strongroom.look_at(&name),
            Access::Write => strongroom.cluster(&name),
            Access::Create => strongroom.target(&name),
        });
        opened.await.map_err(|error| Error::internal("opening a cluster panicked").because(error))?
    }
}
