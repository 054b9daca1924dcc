//! Reading manifests.

use bytes::Bytes;

use super::Repository;
use super::document::{self, Kind};
use super::layout::BackupFolder;
use super::objects::found;
use crate::manifest::{Blake3, FORMAT, Manifest, ObjectRef};
use crate::{Error, Key, Result, StorageExt as _};

/// The most bytes of a manifest. A thousand nodes with 256 tokens each need about 6 MiB.
pub(super) const LARGEST: u64 = 64 << 20;

/// What lies at the name of a manifest.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing: the backup is not committed.
    Missing,
    /// The mark that it never will be.
    Void,
    /// It is committed.
    Manifest(Box<Manifest>, ObjectRef),
}

impl Repository {
    /// Reads the manifest of a committed backup.
    ///
    /// # Errors
    /// `NotFound` when the backup is not committed, or deleted; `Corrupt` when its manifest is damaged; `Unsupported`
    /// when a newer version wrote it; as the storage otherwise.
    pub async fn manifest(&self, key: &Key) -> Result<Manifest> {
        match self.find_manifest(key).await? {
            Found::Manifest(manifest, _) => Ok(*manifest),
            Found::Missing => Err(Error::not_found(format!("there is no backup with the manifest {key}"))),
            Found::Void => Err(Error::not_found(format!("the backup with the manifest {key} was given up"))),
        }
    }

    pub(super) async fn find_manifest(&self, key: &Key) -> Result<Found> {
        match found(self.storage.get(key, LARGEST).await)? {
            Some(bytes) => self.parse_manifest(key, &bytes),
            None => Ok(Found::Missing),
        }
    }

    /// Reads a manifest's bytes and checks that it is the one that its name says.
    pub(super) fn parse_manifest(&self, key: &Key, bytes: &Bytes) -> Result<Found> {
        let opened = document::open(key, bytes, &[Kind::Manifest, Kind::Void], Some(self.id()))?;
        if opened.kind == Kind::Void {
            return Ok(Found::Void);
        }
        let manifest: Manifest = opened.one(key)?;
        let wrong = |why: &str| Err(Error::corrupt(format!("{key} is no manifest of this place: {why}")));
        let folder = BackupFolder::of(key).filter(|folder| folder.manifest().is_ok_and(|own| own == *key));
        let Some(folder) = folder else { return wrong("its name is none of a manifest") };
        if manifest.format > FORMAT || manifest.repository != self.id() {
            return wrong("format or repository differ from its head");
        }
        match folder_of(&manifest) {
            Ok(named) if named == folder => {}
            _ => return wrong("it describes another backup"),
        }
        let object = ObjectRef { key: key.clone(), size: bytes.len() as u64, blake3: Blake3::of(bytes) };
        Ok(Found::Manifest(Box::new(manifest), object))
    }

    /// Whether an object exists.
    pub(super) async fn has(&self, key: &Key) -> Result<bool> {
        self.storage.exists(key).await
    }
}

/// Where the backup of a manifest lies.
///
/// # Errors
/// As [`BackupFolder::new`].
pub fn folder_of(manifest: &Manifest) -> Result<BackupFolder> {
    let Manifest { cluster, part, timeline, window, kind, backup, .. } = manifest;
    BackupFolder::new(cluster.id, part, *timeline, window, *kind, *backup)
}
