//! The list of a backup's pieces, and the names of shared content in it.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::catalogue::Begun;
use super::document::{self, Kind};
use super::objects::put;
use super::{Repository, layout};
use crate::manifest::{Blake3, Manifest, ObjectRef, StoredPart, StoredPiece};
use crate::{Error, Key, Result, Storage, StorageExt as _};

/// The bytes of a list, made as they are asked for: a long list never rests in memory.
pub type Chunks<'a> = Box<dyn Iterator<Item = Result<Bytes>> + Send + 'a>;

/// Takes the bytes of a list as they come.
pub type Sink<'a> = dyn FnMut(&[u8]) -> Result<()> + Send + 'a;

/// How lists of pieces are packed and locked: they name tables, so they are as secret as the data.
#[async_trait]
pub trait ListForm: std::fmt::Debug + Send + Sync {
    /// Stores the bytes of a list as one object that does not exist yet.
    ///
    /// # Errors
    /// As the storage; the error of a chunk.
    async fn store(&self, storage: &dyn Storage, key: &Key, chunks: Chunks<'_>) -> Result<ObjectRef>;

    /// Gives the bytes that were stored to `sink`, chunk by chunk.
    ///
    /// # Errors
    /// `Corrupt` when they are damaged; `Denied` when a key is missing; that of `sink`; as the storage otherwise.
    async fn load(&self, storage: &dyn Storage, object: &ObjectRef, sink: &mut Sink<'_>) -> Result<()>;
}

/// Lists as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainList;

#[async_trait]
impl ListForm for PlainList {
    async fn store(&self, storage: &dyn Storage, key: &Key, chunks: Chunks<'_>) -> Result<ObjectRef> {
        let mut plain = BytesMut::new();
        for chunk in chunks {
            plain.extend_from_slice(&chunk?);
        }
        let plain = plain.freeze();
        let object = ObjectRef { key: key.clone(), size: plain.len() as u64, blake3: Blake3::of(&plain) };
        put(storage, key, plain).await?;
        Ok(object)
    }

    async fn load(&self, storage: &dyn Storage, object: &ObjectRef, sink: &mut Sink<'_>) -> Result<()> {
        let bytes = storage.get(&object.key, object.size).await?;
        if bytes.len() as u64 != object.size || Blake3::of(&bytes) != object.blake3 {
            return Err(Error::corrupt(format!(
                "{} is damaged: its bytes are not those that were written",
                object.key
            ))
            .hint("use another copy, or an earlier backup"));
        }
        sink(&bytes)
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
    pub async fn store_pieces<I>(&self, begun: &Begun, form: &dyn ListForm, pieces: I) -> Result<StoredList>
    where
        I: IntoIterator<Item: Borrow<StoredPiece> + Serialize, IntoIter: Send>,
    {
        let folder = begun.folder()?;
        let nonce: [u8; 8] = self.environment.random()?;
        let mut shared: BTreeMap<Key, SharedPart> = BTreeMap::new();
        let lines = pieces.into_iter().inspect(|piece| {
            for part in &piece.borrow().parts {
                if let Some(content) = layout::content_hash(&part.object.key) {
                    shared.entry(part.object.key.clone()).or_insert_with(|| SharedPart { content, part: part.clone() });
                }
            }
        });
        let key = folder.pieces(nonce)?;
        let chunks = document::chunks(Kind::Pieces, self.id(), &key, self.environment.random()?, lines);
        let list = form.store(&*self.storage, &key, Box::new(chunks)).await?;
        let mut stored = StoredList { pieces: list, shared: None, content: shared.keys().cloned().collect() };
        if !shared.is_empty() {
            let (key, shared) = (folder.shared(nonce)?, shared.into_values());
            let chunks = document::chunks(Kind::Shared, self.id(), &key, self.environment.random()?, shared);
            stored.shared = Some(PlainList.store(&*self.storage, &key, Box::new(chunks)).await?);
        }
        Ok(stored)
    }

    /// Reads the list of a backup's pieces.
    ///
    /// # Errors
    /// As [`ListForm::load`].
    pub async fn pieces(&self, manifest: &Manifest, form: &dyn ListForm) -> Result<Vec<StoredPiece>> {
        let key = &manifest.pieces.key;
        // Room for as many as a usual backup has, so that growing does not take half as much again.
        let room = usize::try_from(manifest.totals.pieces.min(1 << 17)).unwrap_or_default();
        let mut pieces: Vec<StoredPiece> = Vec::with_capacity(room);
        let mut before: Option<Key> = None;
        let mut opening = document::Opening::new(key, &[Kind::Pieces], self.id(), |line: &[u8]| {
            let mut piece: StoredPiece = document::parse(line, key)?;
            // Most pieces have one part, and a list is read with room for four.
            piece.parts.shrink_to_fit();
            // Neighbours share objects, and then the text of their names, too: there may be a hundred thousand.
            for part in &mut piece.parts {
                match &before {
                    Some(before) if *before == part.object.key => part.object.key = before.clone(),
                    _ => before = Some(part.object.key.clone()),
                }
            }
            pieces.push(piece);
            Ok(())
        });
        form.load(&*self.storage, &manifest.pieces, &mut |chunk| opening.push(chunk)).await?;
        opening.finish()?;
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
        let mut bytes = Vec::new();
        let mut take = |chunk: &[u8]| {
            bytes.extend_from_slice(chunk);
            Ok(())
        };
        PlainList.load(&*self.storage, object, &mut take).await?;
        let opened = document::open(&object.key, &bytes, &[Kind::Shared], Some(self.id()))?;
        opened.lines().map(|line| document::parse(line, &object.key)).collect()
    }
}
