//! The list of a backup's pieces, and the names of shared content in it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::catalogue::Begun;
use super::document::{self, Kind};
use super::objects::put;
use super::{Repository, layout};
use crate::manifest::{Blake3, Manifest, ObjectRef, StoredPart, StoredPiece};
use crate::{Error, Key, Result, Storage, StorageExt as _};

/// How lists of pieces are packed and locked: they name tables, so they are as secret as the data.
#[async_trait]
pub trait ListForm: std::fmt::Debug + Send + Sync {
    /// Stores the bytes of a list as one object that does not exist yet.
    ///
    /// # Errors
    /// As the storage.
    async fn store(&self, storage: &dyn Storage, key: &Key, plain: Bytes) -> Result<ObjectRef>;

    /// The bytes that were stored.
    ///
    /// # Errors
    /// `Corrupt` when they are damaged; `Denied` when a key is missing; as the storage otherwise.
    async fn load(&self, storage: &dyn Storage, object: &ObjectRef) -> Result<Bytes>;
}

/// Lists as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainList;

#[async_trait]
impl ListForm for PlainList {
    async fn store(&self, storage: &dyn Storage, key: &Key, plain: Bytes) -> Result<ObjectRef> {
        let object = ObjectRef { key: key.clone(), size: plain.len() as u64, blake3: Blake3::of(&plain) };
        put(storage, key, plain).await?;
        Ok(object)
    }

    async fn load(&self, storage: &dyn Storage, object: &ObjectRef) -> Result<Bytes> {
        let bytes = storage.get(&object.key, object.size).await?;
        if bytes.len() as u64 != object.size || Blake3::of(&bytes) != object.blake3 {
            return Err(Error::corrupt(format!(
                "{} is damaged: its bytes are not those that were written",
                object.key
            ))
            .hint("use another copy, or an earlier backup"));
        }
        Ok(bytes)
    }
}

/// A stored list of pieces: what goes into the manifest, and what is checked before that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredList {
    /// For [`Manifest::pieces`].
    pub pieces: ObjectRef,
    /// For [`Manifest::shared`].
    pub shared: Option<ObjectRef>,
    pub(super) content: BTreeSet<Key>,
}

/// One line of the list of shared content: enough to use it again in another backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SharedPart {
    pub(super) content: Blake3,
    pub(super) part: StoredPart,
}

impl Repository {
    /// Stores the list of a backup's pieces, and beside it in the clear the names of the shared content they use.
    ///
    /// # Errors
    /// As the storage.
    pub async fn store_pieces(&self, begun: &Begun, form: &dyn ListForm, pieces: &[StoredPiece]) -> Result<StoredList> {
        let folder = begun.folder()?;
        let nonce: [u8; 8] = self.environment.random()?;
        let mut shared: BTreeMap<Key, SharedPart> = BTreeMap::new();
        for part in pieces.iter().flat_map(|piece| &piece.parts) {
            if let Some(content) = layout::content_hash(&part.object.key) {
                shared.entry(part.object.key.clone()).or_insert_with(|| SharedPart { content, part: part.clone() });
            }
        }
        let mut stored = StoredList {
            pieces: form.store(&*self.storage, &folder.pieces(nonce)?, self.seal(Kind::Pieces, pieces)?).await?,
            shared: None,
            content: shared.keys().cloned().collect(),
        };
        if !shared.is_empty() {
            let body = self.seal(Kind::Shared, shared.values())?;
            stored.shared = Some(PlainList.store(&*self.storage, &folder.shared(nonce)?, body).await?);
        }
        Ok(stored)
    }

    /// Reads the list of a backup's pieces.
    ///
    /// # Errors
    /// As [`ListForm::load`].
    pub async fn pieces(&self, manifest: &Manifest, form: &dyn ListForm) -> Result<Vec<StoredPiece>> {
        let key = &manifest.pieces.key;
        let bytes = form.load(&*self.storage, &manifest.pieces).await?;
        let opened = document::open(key, &bytes, &[Kind::Pieces], Some(self.id()))?;
        let pieces: Vec<StoredPiece> = opened.lines().map(|line| document::parse(line, key)).collect::<Result<_>>()?;
        if pieces.len() as u64 != manifest.totals.pieces {
            return Err(Error::corrupt(format!(
                "{key} names {} pieces, and the manifest {}",
                pieces.len(),
                manifest.totals.pieces
            )));
        }
        Ok(pieces)
    }

    /// The shared content that a backup uses.
    pub(super) async fn shared_parts(&self, manifest: &Manifest) -> Result<Vec<SharedPart>> {
        let Some(object) = &manifest.shared else { return Ok(Vec::new()) };
        let bytes = PlainList.load(&*self.storage, object).await?;
        let opened = document::open(&object.key, &bytes, &[Kind::Shared], Some(self.id()))?;
        opened.lines().map(|line| document::parse(line, &object.key)).collect()
    }
}
