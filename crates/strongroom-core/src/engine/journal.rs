//! The journal of a restore: what makes it resume in another process, also from a read-only repository.
//!
//! It lives in a storage that the caller names (a local folder, as a rule), apart from the repository:
//! `<session>/begun.json` once the target accepted the restore, `<session>/done-<n>.json` for what was written since,
//! `<session>/finished.json` at the end. Writing a piece twice is the same as once, so the marks may lag behind.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::cluster::{Applied, RestoreSession, StepId};
use crate::id::SessionId;
use crate::{Error, ErrorKind, Key, Result, Storage, StorageExt as _};

/// No journal object is larger: a mark names at most a few thousand pieces.
const LIMIT: u64 = 64 << 20;

/// A journal in a storage.
#[derive(Debug, Clone)]
pub struct Journal {
    storage: Arc<dyn Storage>,
}

/// What a journal remembers of one restore.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Remembered {
    /// The session, once begun.
    pub begun: Option<Begun>,
    /// Pieces that were written, as (step, piece) numbers.
    pub written: BTreeSet<(StepId, u32)>,
    /// Steps that were sealed.
    pub sealed: BTreeSet<StepId>,
    /// What the written pieces did.
    pub applied: Applied,
    /// Whether the restore has ended.
    pub finished: bool,
    marks: u32,
}

/// The first entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// The hash of the plan that is being restored: another plan cannot go on with this journal.
    pub plan: String,
    /// The target's session.
    pub session: RestoreSession,
}

/// What was done since the mark before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Pieces written, as (step, piece) numbers.
    pub written: Vec<(StepId, u32)>,
    /// Steps sealed.
    pub sealed: Vec<StepId>,
    /// What the pieces did.
    pub applied: Applied,
}

impl Remembered {
    /// Takes a mark in.
    pub(super) fn note(&mut self, mark: Mark) {
        self.written.extend(mark.written);
        self.sealed.extend(mark.sealed);
        self.applied += mark.applied;
    }
}

impl Journal {
    /// A journal in `storage`.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }

    /// What is remembered of `session`; nothing for one that never began.
    ///
    /// # Errors
    /// `Corrupt` when an entry cannot be read; else as [`Storage::list`] and [`Storage::read`].
    pub async fn remember(&self, session: SessionId) -> Result<Remembered> {
        let mut memory = Remembered::default();
        let mut listing = self.storage.list(&format!("{session}/"));
        while let Some(object) = listing.next().await {
            let key = object?.key;
            match key.name() {
                "begun.json" => memory.begun = Some(self.entry(&key).await?),
                "finished.json" => memory.finished = true,
                name if name.starts_with("done-") => {
                    memory.note(self.entry(&key).await?);
                    memory.marks += 1;
                }
                _ => {}
            }
        }
        Ok(memory)
    }

    /// Records that `session` has begun.
    ///
    /// # Errors
    /// As [`StorageExt::put_new`](crate::StorageExt::put_new).
    pub async fn begin(&self, begun: &Begun) -> Result<()> {
        self.put(begun.session.id, "begun.json", begun).await
    }

    /// Records a mark.
    ///
    /// # Errors
    /// As [`StorageExt::put_new`](crate::StorageExt::put_new).
    pub async fn mark(&self, session: SessionId, memory: &mut Remembered, mark: Mark) -> Result<()> {
        self.put(session, &format!("done-{:08}.json", memory.marks), &mark).await?;
        memory.marks += 1;
        memory.note(mark);
        Ok(())
    }

    /// Records the end.
    ///
    /// # Errors
    /// As [`StorageExt::put_new`](crate::StorageExt::put_new).
    pub async fn finish(&self, session: SessionId) -> Result<()> {
        self.put(session, "finished.json", &()).await
    }

    async fn entry<T: for<'de> Deserialize<'de>>(&self, key: &Key) -> Result<T> {
        let body = self.storage.get(key, LIMIT).await?;
        serde_json::from_slice(&body).map_err(|error| {
            Error::corrupt(format!("journal entry {key}"))
                .because(error)
                .hint("remove the journal of this restore and begin it anew")
        })
    }

    async fn put<T: Serialize + Sync>(&self, session: SessionId, name: &str, entry: &T) -> Result<()> {
        let key = Key::new(format!("{session}/{name}"))?;
        let body = serde_json::to_vec(entry).map_err(|error| Error::internal("journal entry").because(error))?;
        self.storage.put_new(&key, Bytes::from(body)).await.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                error.within("another process works on this restore").hint("let it end, or stop it before you resume")
            }
            _ => error.within("journal of the restore"),
        })
    }
}
