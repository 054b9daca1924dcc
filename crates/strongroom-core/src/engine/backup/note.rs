//! The notes of a running backup, beside its data: what makes it resume. Coded like the data, since they name tables.
//!
//! `receipts/begun` says what was begun; `receipts/<nonce>` holds the receipts of one task each. A backup that was cut
//! off is gone on with from these alone.

use bytes::Bytes;
use futures::TryStreamExt as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::choice::BackupKindWish;
use crate::codec::CodecId;
use crate::engine::CodedList;
use crate::environment::Environment;
use crate::id::{BackupId, ClusterId, RunId, TimelineId};
use crate::manifest::StoredPiece;
use crate::model::{Applies, BackupKind, Filter, PartName, Scope, Window};
use crate::repository::{Begun, ListForm as _, Repository};
use crate::{Error, ErrorKind, Key, Result, StorageExt as _, Timestamp};

/// The most bytes of a note: a thousand pieces in hundreds of parts each.
const LARGEST: u64 = 256 << 20;

/// What was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BegunNote {
    pub(super) run: RunId,
    /// What the whole run was asked for.
    pub(super) scope: Scope,
    pub(super) wish: BackupKindWish,
    pub(super) cluster: ClusterId,
    pub(super) part: PartName,
    pub(super) filter: Filter,
    pub(super) timeline: TimelineId,
    pub(super) kind: BackupKind,
    pub(super) since: Option<Timestamp>,
    pub(super) parent: Option<BackupId>,
    #[serde(default)]
    pub(super) bridges: Option<BackupId>,
    /// As first frozen.
    pub(super) window: Window,
    pub(super) applies: Applies,
    pub(super) codecs: Vec<CodecId>,
    pub(super) reason: Option<String>,
    pub(super) started: Timestamp,
}

/// Reads and writes the notes of one backup.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Notes {
    repository: Repository,
    form: CodedList,
    folder: String,
}

impl Notes {
    pub(in crate::engine) fn new(repository: &Repository, form: CodedList, begun: &Begun) -> Self {
        Self { repository: repository.clone(), form, folder: format!("{}receipts/", begun.folder) }
    }

    fn environment(&self) -> &Environment {
        self.repository.environment()
    }

    fn begun_key(&self) -> Result<Key> {
        Key::new(format!("{}begun", self.folder))
    }

    pub(in crate::engine) async fn begin<T: Serialize + Sync>(&self, note: &T) -> Result<()> {
        self.store(&self.begun_key()?, note).await
    }

    /// Remembers what a task stored.
    pub(in crate::engine) async fn stored(&self, pieces: impl Iterator<Item = &StoredPiece>) -> Result<()> {
        let pieces: Vec<&StoredPiece> = pieces.collect();
        let nonce = u64::from_le_bytes(self.environment().random()?);
        self.store(&Key::new(format!("{}{nonce:016x}", self.folder))?, &pieces).await
    }

    /// What was begun; `None` when the note was never written: then nothing else was, either.
    pub(in crate::engine) async fn begun<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        match self.load(&self.begun_key()?).await {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything that is remembered as stored, and a line for each receipt that can't be read.
    pub(in crate::engine) async fn receipts(&self) -> Result<(Vec<StoredPiece>, Vec<String>)> {
        let listed: Vec<_> = self.repository.storage().list(&self.folder).try_collect().await?;
        let begun = self.begun_key()?;
        let (mut pieces, mut damaged) = (Vec::new(), Vec::new());
        for meta in listed.into_iter().filter(|meta| meta.key != begun) {
            match self.load::<Vec<StoredPiece>>(&meta.key).await {
                Ok(stored) => pieces.extend(stored),
                Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
                    damaged.push(format!("a receipt can't be read, so its pieces are stored again: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((pieces, damaged))
    }

    /// Deletes the notes of a committed backup, as far as one is allowed to: backing up needs no right to delete.
    pub(in crate::engine) async fn clear(&self) {
        let storage = self.repository.storage();
        let Ok(listed) = storage.list(&self.folder).try_collect::<Vec<_>>().await else { return };
        for meta in listed {
            if storage.delete(&meta.key).await.is_err() {
                return;
            }
        }
    }

    async fn store<T: Serialize + Sync>(&self, key: &Key, value: &T) -> Result<()> {
        let body = serde_json::to_vec(value)
            .map_err(|error| Error::internal("a note can't be written as JSON").because(error))?;
        let chunks = Box::new(std::iter::once(Ok(Bytes::from(body))));
        self.form.store(&**self.repository.storage(), key, chunks).await.map(drop)
    }

    async fn load<T: DeserializeOwned>(&self, key: &Key) -> Result<T> {
        let bytes: Bytes = self.repository.storage().get(key, LARGEST).await?;
        let mut plain = Vec::new();
        let mut take = |chunk: &[u8]| {
            plain.extend_from_slice(chunk);
            Ok(())
        };
        self.form.decode(key, &bytes, &mut take).await?;
        serde_json::from_slice(&plain)
            .map_err(|error| Error::corrupt(format!("{key} holds no note of a backup")).because(error))
    }
}
