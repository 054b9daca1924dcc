//! Copies: the same backup of the same repository on another storage, under the same names.

use std::time::Duration;

use super::catalogue::{Begun, Record};
use super::condemned::Condemned;
use super::lease::{Lease, LeaseTerms, Purpose};
use super::manifests::{Found, folder_of};
use super::objects::{SMALL, found, list_all, put};
use super::{Repository, layout};
use crate::manifest::Manifest;
use crate::planner::Entry;
use crate::{Error, ErrorKind, Key, Result, StorageExt as _};

/// What came of beginning a copy.
#[derive(Debug)]
#[must_use]
pub enum CopyBegun {
    /// Its objects may be brought, then [`Repository::commit_copy`].
    Begun(OpenCopy),
    /// The backup is here already.
    Present,
    /// A prune is about to delete this here, a backup's folder or shared content: copy again when it has ended.
    Condemned(String),
}

/// A copy that was begun.
#[derive(Debug)]
pub struct OpenCopy {
    begun: Begun,
    shared: Vec<Key>,
    /// An earlier copy was given up here: its mark is in the manifest's place until this one commits.
    revives: bool,
}

/// What came of committing a copy.
#[derive(Debug)]
#[must_use]
pub enum CopyCommit {
    /// The backup is here.
    Done {
        /// Why the catalogue could not be told, if so: readers look for the manifest.
        unrecorded: Option<Error>,
    },
    /// As [`CopyBegun::Condemned`]: nothing was committed. To be given up.
    Condemned(String),
}

impl Repository {
    /// Makes this place another storage of the repository that `from` is: its identity, registered clusters and wrapped
    /// keys. Twice is once.
    ///
    /// # Errors
    /// `Invalid` when another repository is here already: then nothing was written; as the storages otherwise.
    pub async fn join(&self, from: &Self) -> Result<()> {
        let name = layout::repository()?;
        let identity = from.storage.get(&name, SMALL).await?;
        let another = || Error::invalid("another repository is at the destination").hint("copy to another place");
        if found(self.storage.get(&name, SMALL).await)?.is_some_and(|there| there != identity) {
            return Err(another());
        }
        // The identity comes last: a place that has it, and no keys yet, would pass for a repository that is not sealed.
        for folder in [layout::CLUSTERS, layout::KEYS] {
            for object in list_all(&*from.storage, folder).await? {
                if !self.storage.exists(&object.key).await? {
                    put(&*self.storage, &object.key, from.storage.get(&object.key, SMALL).await?).await?;
                }
            }
        }
        put(&*self.storage, &name, identity).await.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => another().because(error),
            _ => error,
        })
    }

    /// Takes the lease of which each copy to this place needs the only one: two that bring the same backup could not tell
    /// what a prune waits for.
    ///
    /// # Errors
    /// As [`Repository::lease`].
    pub async fn copy_lease(&self, note: &str, patience: Duration) -> Result<Lease> {
        self.lease("copy", LeaseTerms::new(Purpose::Backup, note), patience).await
    }

    /// Begins to copy the backup of `manifest` from `from`, another storage of this repository, to this place, under
    /// [`Repository::copy_lease`]. Its objects follow, then [`Repository::commit_copy`] or
    /// [`Repository::give_up_copy`].
    ///
    /// # Errors
    /// `Invalid` when it is of another repository; `Corrupt` when what lies here at its manifest's name, or its list of
    /// shared content there, is damaged; `Cancelled` when the lease is lost; as the storages otherwise.
    pub async fn begin_copy(&self, lease: &Lease, manifest: &Manifest, from: &Self) -> Result<CopyBegun> {
        if manifest.repository != self.id() {
            return Err(Error::invalid("a copy of a backup of another repository can't be made here"));
        }
        let folder = folder_of(manifest)?;
        let key = folder.manifest()?;
        let shared: Vec<Key> =
            from.shared_parts(manifest).await?.into_iter().map(|shared| shared.part.object.key).collect();
        let condemned = self.condemned().await?;
        let begun = Begun {
            backup: manifest.backup,
            folder: folder.prefix().to_owned(),
            lease: lease.name().to_owned(),
            condemned: condemned.newest,
            at: self.environment.now(),
        };
        if let Some(what) = in_the_way(&condemned, &begun, &shared) {
            // An earlier copy that was cut off would keep the prune waiting, and the prune this copy.
            if self.load().await?.in_progress.iter().any(|open| open.backup == begun.backup) {
                self.close_copy(lease, &begun).await?;
            }
            return Ok(CopyBegun::Condemned(what));
        }
        let revives = match self.find_manifest(&key).await? {
            Found::Missing => false,
            Found::Manifest(..) => return Ok(CopyBegun::Present),
            Found::Void => true,
        };
        lease.check().await?;
        self.record(&[Record::Begin(begun.clone())]).await?;
        // Once more: a list that is written from now on has a higher number than the one that was noted, so a prune waits
        // for this copy before it works that off. One that came in between might not.
        if let Some(what) = in_the_way(&self.condemned().await?, &begun, &shared) {
            self.close_copy(lease, &begun).await?;
            return Ok(CopyBegun::Condemned(what));
        }
        Ok(CopyBegun::Begun(OpenCopy { begun, shared, revives }))
    }

    /// Gives up a copy that was begun and will not be committed, so that no prune waits for it. What was brought stays for
    /// the next copy, until a prune collects it.
    ///
    /// # Errors
    /// `Cancelled` when the lease is lost; as the storage otherwise.
    pub async fn give_up_copy(&self, copy: OpenCopy, lease: &Lease) -> Result<()> {
        self.close_copy(lease, &copy.begun).await
    }

    async fn close_copy(&self, lease: &Lease, begun: &Begun) -> Result<()> {
        lease.check().await?;
        self.record(&[Record::Voided { backup: begun.backup }]).await.map(drop)
    }

    /// Commits a copy, all of whose objects are here: puts the manifest of `from`, byte for byte, and records it.
    ///
    /// # Errors
    /// `Corrupt` or `NotFound` when the manifest of `from` is damaged or gone; `Cancelled` when the lease is lost, or a
    /// prune took this copy for dead; as the storages otherwise.
    pub async fn commit_copy(&self, copy: &OpenCopy, lease: &Lease, from: &Self) -> Result<CopyCommit> {
        let OpenCopy { begun, shared, revives } = copy;
        let key = begun.folder()?.manifest()?;
        let bytes = from.storage.get(&key, super::manifests::LARGEST).await?;
        let Found::Manifest(manifest, _) = from.parse_manifest(&key, &bytes)? else {
            return Err(Error::not_found(format!("{begun} was given up where it is to be copied from")));
        };
        lease.check().await?;
        let condemned = self.condemned().await?;
        // A name that was deleted here comes back with a copy, which is why nothing of a list that is done is deleted.
        if let Some(what) = in_the_way(&condemned, begun, shared) {
            return Ok(CopyCommit::Condemned(what));
        }
        if let Some((_, list, _)) = condemned.damaged.first().filter(|_| !shared.is_empty()) {
            return Ok(CopyCommit::Condemned(format!("what {list} names, which can't be read")));
        }
        let mut written = put(&*self.storage, &key, bytes.clone()).await;
        if *revives && written.as_ref().is_err_and(|error| error.kind() == ErrorKind::AlreadyExists) {
            // All objects are here by now. Should the one whose copy was given up wake up between these two, it puts the
            // same bytes.
            if matches!(self.find_manifest(&key).await?, Found::Void) {
                self.storage.delete(&key).await?;
            }
            written = put(&*self.storage, &key, bytes).await;
        }
        written.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Error::cancelled(format!("{begun} was given up here")).because(error),
            _ => error,
        })?;
        let unrecorded = self.record(&[Record::End { entry: Box::new(Entry::of(&manifest, &key)) }]).await.err();
        Ok(CopyCommit::Done { unrecorded })
    }
}

/// What a prune of this storage is about to delete of a copy.
fn in_the_way(condemned: &Condemned, begun: &Begun, shared: &[Key]) -> Option<String> {
    if condemned.has_backup(begun.backup) {
        return Some(begun.folder.clone());
    }
    condemned.pending(shared.iter()).map(ToString::to_string)
}
