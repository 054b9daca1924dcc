//! Copies: the same backup of the same repository on another storage, under the same names.

use super::catalogue::{Begun, Record};
use super::lease::Lease;
use super::manifests::{Found, folder_of};
use super::objects::{SMALL, list_all, put};
use super::{Repository, layout};
use crate::manifest::Manifest;
use crate::planner::Entry;
use crate::{Error, ErrorKind, Result, StorageExt as _};

impl Repository {
    /// Makes this place another storage of the repository that `from` is: its identity, registered clusters and wrapped
    /// keys. Twice is once.
    ///
    /// # Errors
    /// `Invalid` when another repository is here already; as the storages otherwise.
    pub async fn join(&self, from: &Self) -> Result<()> {
        let name = layout::repository()?;
        let identity = from.storage.get(&name, SMALL).await?;
        put(&*self.storage, &name, identity).await.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                Error::invalid("another repository is at the destination").because(error).hint("copy to another place")
            }
            _ => error,
        })?;
        for folder in [layout::CLUSTERS, layout::KEYS] {
            for object in list_all(&*from.storage, folder).await? {
                if !self.storage.exists(&object.key).await? {
                    put(&*self.storage, &object.key, from.storage.get(&object.key, SMALL).await?).await?;
                }
            }
        }
        Ok(())
    }

    /// Begins to copy the backup of `manifest` to this place, which is another storage of the repository it comes from.
    /// Its objects follow, then [`Repository::commit_copy`].
    ///
    /// # Errors
    /// `AlreadyExists` when it is here already; `Invalid` when it is of another repository; `Unavailable` while a prune
    /// is about to delete here what the copy would bring; `Cancelled` when the lease is lost; as the storage otherwise.
    pub async fn begin_copy(&self, lease: &Lease, manifest: &Manifest) -> Result<Begun> {
        if manifest.repository != self.id() {
            return Err(Error::invalid("a copy of a backup of another repository can't be made here"));
        }
        let folder = folder_of(manifest)?;
        let key = folder.manifest()?;
        let condemned = self.condemned().await?;
        if condemned.has_backup(manifest.backup) {
            return Err(condemned_here(key.as_str()));
        }
        match self.find_manifest(&key).await? {
            Found::Missing => {}
            Found::Manifest(..) => return Err(Error::already_exists(format!("{key} is here already"))),
            Found::Void => return Err(Error::cancelled(format!("{key} was given up here, and can't come back"))),
        }
        lease.check().await?;
        let begun = Begun {
            backup: manifest.backup,
            folder: folder.prefix().to_owned(),
            lease: lease.name().to_owned(),
            condemned: condemned.newest,
            at: self.environment.now(),
        };
        self.record(&[Record::Begin(begun.clone())]).await?;
        Ok(begun)
    }

    /// Commits a copy, all of whose objects are here: puts the manifest of `from`, byte for byte, and records it.
    ///
    /// # Errors
    /// As [`Repository::begin_copy`], and `Corrupt` when the manifest of `from` is damaged.
    pub async fn commit_copy(&self, begun: &Begun, lease: &Lease, from: &Self) -> Result<()> {
        let key = begun.folder()?.manifest()?;
        let bytes = from.storage.get(&key, super::manifests::LARGEST).await?;
        let Found::Manifest(manifest, _) = from.parse_manifest(&key, &bytes)? else {
            return Err(Error::not_found(format!("{begun} was given up where it is to be copied from")));
        };
        let shared = self.shared_parts(&manifest).await?;
        lease.check().await?;
        let condemned = self.condemned().await?;
        // A name that was deleted here comes back with a copy, which is why nothing of a list that is done is deleted.
        if let Some(name) = condemned.pending(shared.iter().map(|shared| &shared.part.object.key)) {
            return Err(condemned_here(name.as_str()));
        }
        if condemned.has_backup(begun.backup) || !condemned.damaged.is_empty() && !shared.is_empty() {
            return Err(condemned_here(key.as_str()));
        }
        put(&*self.storage, &key, bytes).await.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Error::cancelled(format!("{begun} was given up here")).because(error),
            _ => error,
        })?;
        self.record(&[Record::End { entry: Box::new(Entry::of(&manifest, &key)) }]).await.map(drop)
    }
}

fn condemned_here(what: &str) -> Error {
    Error::unavailable(format!("a prune of this storage is about to delete {what}"))
        .hint("let that prune end, then copy again")
}
