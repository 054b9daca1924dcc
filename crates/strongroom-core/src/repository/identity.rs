//! `strongroom.json`: what makes a folder a repository.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::document::{self, Kind};
use super::objects::{SMALL, found, is_empty, put};
use super::{Repository, layout};
use crate::environment::Environment;
use crate::id::RepositoryId;
use crate::{Error, ErrorKind, Result, Storage, StorageExt as _, Timestamp};

/// What is fixed when a repository is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryInfo {
    /// Its id, part of every object in it.
    pub id: RepositoryId,
    /// When it was made, by the clock of whoever made it.
    pub created: Timestamp,
    /// The codecs of backups that ask for none, as text such as `zstd:3,seal`. Core hands it on unread.
    #[serde(default)]
    pub codecs: String,
    /// The program that made it, such as `strongroom 0.1.0`.
    #[serde(default)]
    pub tool: String,
}

/// How a new repository shall be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InitOptions {
    /// See [`RepositoryInfo::codecs`].
    pub codecs: String,
    /// Its id, where keys had to be bound to it before; `None`: a fresh one.
    pub id: Option<RepositoryId>,
}

impl Repository {
    /// Makes a repository on `storage`.
    ///
    /// # Errors
    /// `AlreadyExists` when one is there; `Corrupt` when backups are there without the object that names them; as the
    /// storage otherwise.
    pub async fn init(storage: Arc<dyn Storage>, environment: Environment, options: InitOptions) -> Result<Self> {
        let key = layout::repository()?;
        let already = || {
            Error::already_exists("a repository is here already")
                .hint("open it, or choose another folder for a new one")
        };
        if storage.exists(&key).await? {
            return Err(already());
        }
        if !is_empty(&*storage, layout::BACKUPS).await? {
            return Err(orphaned());
        }
        let info = RepositoryInfo {
            id: options.id.map_or_else(|| RepositoryId::fresh(&environment), Ok)?,
            created: environment.now(),
            codecs: options.codecs,
            tool: concat!("strongroom ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let body = document::seal(Kind::Repository, info.id, &key, environment.random()?, [&info])?;
        put(&*storage, &key, body).await.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => already().because(error),
            _ => error.within("the repository could not be made"),
        })?;
        Ok(Self { storage, environment, info: Arc::new(info) })
    }

    /// Opens the repository on `storage`.
    ///
    /// # Errors
    /// `NotFound` when none is there; `Corrupt` when it is damaged; `Unsupported` when a newer version made it; as the
    /// storage otherwise.
    pub async fn open(storage: Arc<dyn Storage>, environment: Environment) -> Result<Self> {
        let key = layout::repository()?;
        let Some(bytes) = found(storage.get(&key, SMALL).await)? else {
            return Err(why_missing(&*storage).await);
        };
        let opened = document::open(&key, &bytes, &[Kind::Repository], None)?;
        let info: RepositoryInfo = opened.one(&key)?;
        if info.id != opened.repository {
            return Err(Error::corrupt(format!("{key} names two repositories")));
        }
        Ok(Self { storage, environment, info: Arc::new(info) })
    }
}

fn orphaned() -> Error {
    Error::corrupt("strongroom.json is missing, yet backups are here")
        .hint("put strongroom.json back from a copy of this repository; the backups were made under its id")
}

async fn why_missing(storage: &dyn Storage) -> Error {
    match (is_empty(storage, "").await, is_empty(storage, layout::BACKUPS).await) {
        (Ok(true), _) => Error::not_found("the folder is empty: there is no repository in it")
            .hint("make one with 'init', or check the address"),
        (_, Ok(false)) => orphaned(),
        _ => Error::not_found("this is not a repository: strongroom.json is missing")
            .hint("check the address, or make a repository with 'init' in an empty folder"),
    }
}
