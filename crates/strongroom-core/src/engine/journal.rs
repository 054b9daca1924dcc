//! The journal of a restore: what makes it resume in another process, also from a read-only repository.
//!
//! It lives in a storage that the caller names (a local folder, as a rule), apart from the repository. Below
//! `<session>/` rest `intended.json` before anything of the target changes, `begun.json` once the target accepted the
//! restore, `done-<n>.json` for what was written since, and at the end `finished.json` or `aborted.json`. Writing a
//! piece twice is the same as once, so the marks may lag behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::cluster::{Applied, RestoreOptions, RestoreSession, StepId};
use crate::id::SessionId;
use crate::manifest::Blake3;
use crate::planner::Plan;
use crate::{Error, ErrorKind, Key, Result, Storage, StorageExt as _, Timestamp};

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
    /// What was about to begin.
    pub intended: Option<Intended>,
    /// The target's session, once begun.
    pub begun: Option<RestoreSession>,
    /// Pieces that were written, as (step, piece) numbers.
    pub written: BTreeSet<(StepId, u32)>,
    /// Stretches of merges that were written, by the hash of their content.
    pub folded: BTreeSet<Blake3>,
    /// Steps that were sealed.
    pub sealed: BTreeSet<StepId>,
    /// What the written pieces did.
    pub applied: Applied,
    /// How the restore ended, if it has.
    pub end: Option<End>,
    /// The number of the next mark.
    next: u32,
}

/// How a restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything was restored.
    Finished,
    /// It was given up.
    Aborted,
}

/// The first entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intended {
    /// The plan that is being restored: another one cannot go on with this journal, and a repository that got more
    /// backups since would give another one.
    pub plan: Plan,
    /// What happens in the target.
    pub options: RestoreOptions,
    /// When it began, by the engine's clock.
    pub at: Timestamp,
}

/// What was done since the mark before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Pieces written, as (step, piece) numbers.
    pub written: Vec<(StepId, u32)>,
    /// Stretches of merges written, by the hash of their content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folded: Vec<Blake3>,
    /// Steps sealed.
    pub sealed: Vec<StepId>,
    /// What the pieces did.
    pub applied: Applied,
}

impl Remembered {
    /// Takes a mark in.
    pub(super) fn note(&mut self, mark: Mark) {
        self.written.extend(mark.written);
        self.folded.extend(mark.folded);
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
                "intended.json" => memory.intended = Some(self.entry(&key).await?),
                "begun.json" => memory.begun = Some(self.entry(&key).await?),
                "finished.json" => memory.end = Some(End::Finished),
                "aborted.json" => memory.end = Some(End::Aborted),
                name => {
                    let number = name.strip_prefix("done-").and_then(|rest| rest.strip_suffix(".json"));
                    if let Some(number) = number.and_then(|number| number.parse::<u32>().ok()) {
                        memory.note(self.entry(&key).await?);
                        memory.next = memory.next.max(number.saturating_add(1));
                    }
                }
            }
        }
        Ok(memory)
    }

    /// The restores that have begun and not ended, each with what it is about: what a process that was killed left.
    ///
    /// # Errors
    /// As [`Journal::remember`].
    pub async fn unfinished(&self) -> Result<BTreeMap<SessionId, Intended>> {
        let (mut open, mut ended) = (BTreeMap::new(), BTreeSet::new());
        let mut listing = self.storage.list("");
        while let Some(object) = listing.next().await {
            let key = object?.key;
            let Some(session) = key.folder().parse::<SessionId>().ok() else { continue };
            match key.name() {
                "intended.json" => drop(open.insert(session, self.entry(&key).await?)),
                "finished.json" | "aborted.json" => drop(ended.insert(session)),
                _ => {}
            }
        }
        open.retain(|session, _| !ended.contains(session));
        Ok(open)
    }

    /// The unfinished restore to go on with: `session`, or the only one. It goes on with its plan and its options.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Invalid` when there are several and none is named; as [`Journal::remember`].
    pub async fn to_resume(&self, session: Option<SessionId>) -> Result<(SessionId, Intended)> {
        let mut open = self.unfinished().await?;
        if let Some(session) = session {
            let intended = open.remove(&session).ok_or_else(|| {
                Error::not_found(format!("the journal holds no unfinished restore {session}"))
                    .hint("it may have ended, or its journal may be elsewhere")
            })?;
            return Ok((session, intended));
        }
        let ids: Vec<String> = open.keys().map(ToString::to_string).collect();
        match (open.pop_first(), open.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(_), false) => Err(Error::invalid("the journal holds several unfinished restores")
                .hint(format!("name the one that is meant: {}", ids.join(", ")))),
            (None, _) => Err(Error::not_found("the journal holds no unfinished restore")
                .hint("begin a restore with it, or check where the journal is")),
        }
    }

    /// Records that `session` is about to begin.
    ///
    /// # Errors
    /// As [`StorageExt::put_new`](crate::StorageExt::put_new).
    pub async fn intend(&self, session: SessionId, intended: &Intended) -> Result<()> {
        self.put(session, "intended.json", intended).await
    }

    /// Records that the target has begun `session`.
    ///
    /// # Errors
    /// As [`StorageExt::put_new`](crate::StorageExt::put_new).
    pub async fn begin(&self, session: &RestoreSession) -> Result<()> {
        self.put(session.id, "begun.json", session).await
    }

    /// Records a mark.
    ///
    /// # Errors
    /// As [`StorageExt::put_new`](crate::StorageExt::put_new).
    pub async fn mark(&self, session: SessionId, memory: &mut Remembered, mark: Mark) -> Result<()> {
        self.put(session, &format!("done-{:08}.json", memory.next), &mark).await?;
        memory.next = memory.next.saturating_add(1);
        memory.note(mark);
        Ok(())
    }

    /// Records the end.
    ///
    /// # Errors
    /// As [`StorageExt::put_new`](crate::StorageExt::put_new).
    pub async fn end(&self, session: SessionId, end: End) -> Result<()> {
        let name = match end {
            End::Finished => "finished.json",
            End::Aborted => "aborted.json",
        };
        self.put(session, name, &()).await
    }

    async fn entry<T: for<'de> Deserialize<'de>>(&self, key: &Key) -> Result<T> {
        let body = self.storage.get(key, LIMIT).await?;
        serde_json::from_slice(&body).map_err(|error| {
            Error::corrupt(format!("the journal's entry {key} can't be read"))
                .because(error)
                .hint("remove the journal of this restore, and begin the restore anew")
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
