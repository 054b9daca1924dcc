//! Every call of a repository with its options as data and its answer as JSON: what other languages are made of. Each
//! future owns what it needs, so it may run anywhere.

mod jobs;
mod party;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json as value;
use strongroom_core::id::BackupId;
use strongroom_core::planner::{PinKind, Target};
use strongroom_core::{Error, Result};

pub use self::jobs::Restoring;
pub use self::party::{Party, Place};
use crate::options::{Choice, Pinning, Subject};
use crate::{Listing, OpenRepository, Strongroom};

/// An open repository, and where it was opened. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Calls {
    strongroom: Strongroom,
    repository: OpenRepository,
    place: Place,
}

/// As JSON.
///
/// # Errors
/// `Internal`: what we tell can be written.
pub fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a result can't be written as JSON").because(error))
}

impl Calls {
    /// Makes a repository, with reader keys by their names in the profiles.
    ///
    /// # Errors
    /// As [`Strongroom::init`].
    pub async fn init(strongroom: Strongroom, place: Place, codecs: Option<String>, keys: Vec<String>) -> Result<Self> {
        let repository = match &place {
            Place::Named(name) => strongroom.init(name, codecs.as_deref(), &keys).await?,
            Place::Opened(storage) => {
                let readers = keys.iter().map(|name| strongroom.reader_key(name)).collect::<Result<Vec<_>>>()?;
                strongroom.init_in(storage.clone(), codecs.as_deref().unwrap_or_default(), &readers).await?
            }
        };
        Ok(Self { strongroom, repository, place })
    }

    /// Opens a repository. `codecs` are those of new backups; `keys` are those of its profile where none is named.
    ///
    /// # Errors
    /// As [`Strongroom::repository`].
    pub async fn open(strongroom: Strongroom, place: Place, codecs: Option<String>, keys: Vec<String>) -> Result<Self> {
        let repository = match &place {
            Place::Named(name) if keys.is_empty() => {
                let opened = strongroom.repository(name).await?;
                match &codecs {
                    Some(codecs) => opened.with_codecs(codecs)?,
                    None => opened,
                }
            }
            _ => {
                let readers = keys.iter().map(|name| strongroom.reader_key(name)).collect::<Result<Vec<_>>>()?;
                strongroom.repository_in(place.open(&strongroom)?, codecs.as_deref(), &readers).await?
            }
        };
        Ok(Self { strongroom, repository, place })
    }

    /// What the repository is: its id, when it was made, and the codecs of new backups.
    #[must_use]
    pub fn info(&self) -> String {
        let (info, stack) = (self.repository.core().info(), self.repository.stack());
        let codecs: Vec<String> = stack.ids().iter().map(ToString::to_string).collect();
        value!({ "repository": info.id, "created": info.created, "codecs": codecs }).to_string()
    }

    /// Its backups, as a [`Listing`].
    ///
    /// # Errors
    /// As [`OpenRepository::load`] and [`OpenRepository::cluster_id`].
    pub async fn catalogue(self, of: Subject) -> Result<String> {
        let cluster = match &of.cluster {
            Some(cluster) => Some(self.repository.cluster_id(cluster).await?),
            None => None,
        };
        let loaded = self.repository.load().await?;
        json(&Listing::of(&loaded, |entry| {
            cluster.is_none_or(|cluster| entry.cluster == cluster)
                && (of.parts.is_empty() || of.parts.contains(&entry.part))
        }))
    }

    /// The clusters whose backups are here.
    ///
    /// # Errors
    /// As the storage's.
    pub async fn clusters(self) -> Result<String> {
        let known = self.repository.core().clusters().await?;
        json(&known.iter().map(|known| &known.cluster).collect::<Vec<_>>())
    }

    /// A plan.
    ///
    /// # Errors
    /// As [`Choice::plan`].
    pub async fn plan(self, choice: Choice) -> Result<String> {
        json(&choice.plan(&self.repository).await?)
    }

    /// Why a plan is as it is: the explanation and its text, as an array.
    ///
    /// # Errors
    /// As [`Choice::request`].
    pub async fn explain(self, choice: Choice) -> Result<String> {
        let loaded = self.repository.load().await?;
        let request = choice.request(&self.repository, loaded.catalogue()).await?;
        let explanation = loaded.catalogue().explain(&request);
        json(&(&explanation, explanation.to_string()))
    }

    /// Whether a moment can be restored: the answer and its text, as an array.
    ///
    /// # Errors
    /// As [`Choice::request`].
    pub async fn check(self, choice: Choice) -> Result<String> {
        let loaded = self.repository.load().await?;
        let request = choice.request(&self.repository, loaded.catalogue()).await?;
        let check = loaded.catalogue().check(&request);
        json(&(&check, check.to_string()))
    }

    /// Which moments can be restored: the windows and their text, as an array.
    ///
    /// # Errors
    /// As [`Subject::request`].
    pub async fn windows(self, of: Subject) -> Result<String> {
        let loaded = self.repository.load().await?;
        let request = of.request(&self.repository, loaded.catalogue(), Target::Latest).await?;
        let windows = loaded.catalogue().windows(&request)?;
        json(&(&windows, windows.to_string()))
    }

    /// Sets pins or holds, and gives what was set.
    ///
    /// # Errors
    /// As [`Pinning::pin`] and the storage's.
    pub async fn pin(self, pinning: Pinning) -> Result<String> {
        let pin = pinning.pin(self.strongroom.environment().now())?;
        for backup in &pinning.backups {
            self.repository.core().pin(*backup, pin.clone()).await?;
        }
        json(&pin)
    }

    /// Takes pins or holds off, and gives those that were.
    ///
    /// # Errors
    /// `Denied` for a hold that somebody else set; as the storage's.
    pub async fn unpin(self, backups: BTreeSet<BackupId>, hold: bool, by: String) -> Result<String> {
        let kind = if hold { PinKind::Hold } else { PinKind::Pin };
        let mut removed = Vec::new();
        for backup in backups {
            removed.extend(self.repository.core().unpin(backup, kind, &by).await?);
        }
        json(&removed)
    }

    /// With other codecs for new backups, if they are named.
    fn coded(self, codecs: Option<&str>) -> Result<Self> {
        let Some(codecs) = codecs else { return Ok(self) };
        Ok(Self { repository: self.repository.with_codecs(codecs)?, ..self })
    }
}
