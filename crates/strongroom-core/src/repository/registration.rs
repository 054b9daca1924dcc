//! Clusters known to a repository: an id is bound to what the server says of itself.

use serde::{Deserialize, Serialize};

use super::document::Kind;
use super::objects::{found, list_all};
use super::{Repository, layout};
use crate::cluster::ClusterIdentity;
use crate::id::ClusterId;
use crate::{Error, ErrorKind, Key, Result, Timestamp};

/// A cluster as a repository knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Who it is. A later registration of the same id replaces an earlier one.
    pub cluster: ClusterIdentity,
    /// When it was registered.
    pub registered: Timestamp,
}

/// What a check of a cluster's identity did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationOutcome {
    /// It was known, and is the same.
    Known,
    /// It was not known, and is now.
    Registered,
    /// Its fingerprint had changed, and the new one was accepted.
    Accepted,
}

/// What to do about a registration that can't be read.
const REGISTER_ANEW: &str = "if the cluster is the right one, accept it, which registers it anew";

impl Repository {
    /// Makes sure that `cluster` is the one that this repository knows under its id; registers it the first time.
    /// With `accept` a changed fingerprint is taken on.
    ///
    /// # Errors
    /// `Invalid` when the fingerprint differs and `accept` is false: another cluster answers under this id; `Corrupt` when
    /// its registration is damaged and `accept` is false.
    pub async fn register_cluster(&self, cluster: &ClusterIdentity, accept: bool) -> Result<RegistrationOutcome> {
        loop {
            let (number, newest) = match self.registrations(cluster.id).await?.pop() {
                Some((number, key)) => match self.get_document::<Registration>(&key, Kind::Cluster).await {
                    Ok(newest) => (number, Some(newest)),
                    // What it said is lost. Whoever accepts the cluster registers it anew.
                    Err(error) if error.kind() == ErrorKind::Corrupt && accept => (number, None),
                    Err(error) => return Err(error.hint(REGISTER_ANEW)),
                },
                None => (0, None),
            };
            let outcome = match &newest {
                Some(known) if known.cluster.fingerprint == cluster.fingerprint => {
                    return Ok(RegistrationOutcome::Known);
                }
                Some(known) if !accept => return Err(mismatch(&known.cluster, cluster)),
                None if number == 0 => RegistrationOutcome::Registered,
                _ => RegistrationOutcome::Accepted,
            };
            let value = Registration { cluster: cluster.clone(), registered: self.environment.now() };
            let key = layout::numbered(&layout::cluster_folder(cluster.id), number + 1)?;
            match self.put_document(&key, Kind::Cluster, &value).await {
                Ok(()) => return Ok(outcome),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.within("the cluster could not be registered")),
            }
        }
    }

    /// Makes sure that `cluster` is the one that this repository knows under its id, if it knows one. Writes nothing.
    ///
    /// # Errors
    /// `Invalid` when the fingerprint differs: another cluster answers under this id; as the storage otherwise.
    pub async fn check_cluster(&self, cluster: &ClusterIdentity) -> Result<()> {
        let known = found(self.registration(cluster.id).await).map_err(|error| error.hint(REGISTER_ANEW))?;
        match known {
            Some(known) if known.cluster.fingerprint != cluster.fingerprint => Err(mismatch(&known.cluster, cluster)),
            _ => Ok(()),
        }
    }

    /// The registration of a cluster.
    ///
    /// # Errors
    /// `NotFound` when it was never registered here; as the storage otherwise.
    pub async fn registration(&self, cluster: ClusterId) -> Result<Registration> {
        match self.registrations(cluster).await?.pop() {
            Some((_, key)) => self.get_document(&key, Kind::Cluster).await,
            None => Err(Error::not_found(format!("the cluster {cluster} is not registered in this repository"))),
        }
    }

    /// Every registered cluster.
    ///
    /// # Errors
    /// As the storage; `Corrupt` for a damaged registration.
    pub async fn clusters(&self) -> Result<Vec<Registration>> {
        let mut newest: Vec<Key> = Vec::new();
        for meta in list_all(&*self.storage, layout::CLUSTERS).await? {
            if newest.last().is_some_and(|last| last.folder() == meta.key.folder()) {
                newest.pop();
            }
            newest.push(meta.key);
        }
        let mut all = Vec::with_capacity(newest.len());
        for key in newest {
            // Registrations are never deleted, so one that is gone was listed in error.
            all.extend(found(self.get_document(&key, Kind::Cluster).await)?);
        }
        Ok(all)
    }

    async fn registrations(&self, cluster: ClusterId) -> Result<Vec<(u64, Key)>> {
        let listed = list_all(&*self.storage, &layout::cluster_folder(cluster)).await?;
        Ok(listed
            .into_iter()
            .filter_map(|meta| match layout::number_of(&meta.key) {
                Some((number, "")) => Some((number, meta.key)),
                _ => None,
            })
            .collect())
    }
}

fn mismatch(known: &ClusterIdentity, found: &ClusterIdentity) -> Error {
    Error::invalid(format!(
        "the cluster that answers is not the one known as '{}' ({}): its fingerprint is '{}', and '{}' was registered",
        known.name, known.id, found.fingerprint, known.fingerprint
    ))
    .hint("check the address; if it is the right cluster, accept its new fingerprint")
}
