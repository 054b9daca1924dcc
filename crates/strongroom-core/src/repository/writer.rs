//! Beginning and committing a backup.

use std::fmt;

use super::Repository;
use super::catalogue::{Begun, Record};
use super::document::Kind;
use super::layout::BackupFolder;
use super::lease::Lease;
use super::manifests::{Found, folder_of};
use super::objects::put;
use super::pieces::StoredList;
use crate::id::{BackupId, ClusterId, TimelineId};
use crate::manifest::{Blake3, FORMAT, Manifest, ObjectRef};
use crate::model::{BackupKind, Window};
use crate::planner::Entry;
use crate::{Error, ErrorKind, Key, Result};

/// What must be known to begin a backup: all that stands in its folder's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupDraft {
    /// The cluster.
    pub cluster: ClusterId,
    /// The part.
    pub part: String,
    /// The history it belongs to.
    pub timeline: TimelineId,
    /// Its window; `settled` may still move.
    pub window: Window,
    /// What it will be.
    pub kind: BackupKind,
}

/// What a commit came to.
#[derive(Debug)]
#[must_use]
pub enum Commit {
    /// The backup exists.
    Done {
        /// Its manifest.
        manifest: ObjectRef,
        /// Why the catalogue could not be told, if so. Nothing is lost by it: readers look for the manifest.
        unrecorded: Option<Error>,
    },
    /// A prune condemned shared content that the backup uses: store these anew under other names, and commit again.
    Condemned(Vec<Key>),
}

impl fmt::Display for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "backup {} in {}", self.backup, self.folder)
    }
}

impl Repository {
    /// Begins a backup under `lease`: the catalogue knows of it before its first object is written.
    ///
    /// # Errors
    /// `Invalid` when its window can't be named; `Cancelled` when the lease is lost; as the storage otherwise.
    pub async fn begin(&self, lease: &Lease, draft: &BackupDraft) -> Result<Begun> {
        let backup = BackupId::fresh(&self.environment)?;
        let folder = BackupFolder::new(draft.cluster, &draft.part, draft.timeline, &draft.window, draft.kind, backup)?;
        lease.check().await?;
        let begun = Begun {
            backup,
            folder: folder.prefix().to_owned(),
            lease: lease.name().to_owned(),
            condemned: self.condemned().await?.newest,
            at: self.environment.now(),
        };
        self.record(&[Record::Begin(begun.clone())]).await?;
        Ok(begun)
    }

    /// Goes on with a backup that another process began, under a lease of one's own.
    ///
    /// # Errors
    /// `AlreadyExists` when it was committed after all; `Cancelled` when it was given up or its remains are condemned;
    /// as [`Repository::begin`] otherwise.
    pub async fn resume(&self, lease: &Lease, begun: &Begun) -> Result<Begun> {
        lease.check().await?;
        match self.find_manifest(&begun.folder()?.manifest()?).await? {
            Found::Missing => {}
            Found::Void => return Err(given_up(begun)),
            Found::Manifest(..) => return Err(Error::already_exists(format!("{begun} is committed already"))),
        }
        if self.condemned().await?.has_backup(begun.backup) {
            return Err(given_up(begun));
        }
        // By now the catalogue may have forgotten it: committed, pruned, and its manifest gone again.
        let open = self.load().await?.in_progress;
        let Some(begun) = open.iter().find(|open| open.backup == begun.backup) else {
            return Err(given_up(begun));
        };
        // What it knew of condemned lists stays: it may use names that it chose then.
        let begun = Begun { lease: lease.name().to_owned(), at: self.environment.now(), ..begun.clone() };
        self.record(&[Record::Begin(begun.clone())]).await?;
        Ok(begun)
    }

    /// Commits a backup: writes its manifest, whose existence is the backup's. `list` is what
    /// [`Repository::store_pieces`] gave for it.
    ///
    /// # Errors
    /// `Cancelled` when the lease is lost or a prune gave the backup up; `AlreadyExists` when it was committed by
    /// another process; `Invalid` when the manifest is not of this backup; as the storage otherwise.
    pub async fn commit(&self, begun: &Begun, lease: &Lease, manifest: &Manifest, list: &StoredList) -> Result<Commit> {
        let key = self.check_manifest(begun, manifest, list)?;
        let body = self.seal(Kind::Manifest, &key, [manifest])?;
        let object = ObjectRef { key: key.clone(), size: body.len() as u64, blake3: Blake3::of(&body) };
        lease.check().await?;
        let condemned = self.condemned().await?;
        if condemned.has_backup(begun.backup) {
            return Err(given_up(begun));
        }
        // Of lists that it could not read when it began it has used nothing: see `SharedContent`.
        let unread = condemned.damaged.iter().find(|(number, ..)| *number > begun.condemned);
        if let Some((_, list_key, _)) = unread.filter(|_| !list.content.is_empty()) {
            return Err(Error::corrupt(format!("{list_key} is damaged, and may condemn content that {begun} uses"))
                .hint("run a prune, which clears the list away, then resume the backup"));
        }
        let doomed = condemned.among(&list.content);
        if !doomed.is_empty() {
            return Ok(Commit::Condemned(doomed));
        }
        let object = match put(&*self.storage, &key, body).await {
            Ok(()) => object,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => match self.find_manifest(&key).await? {
                Found::Void => return Err(given_up(begun).because(error)),
                // An earlier try of this very commit, whose reply never came.
                Found::Manifest(there, object) if *there == *manifest => object,
                _ => {
                    return Err(
                        Error::already_exists(format!("{begun} was committed by another process")).because(error)
                    );
                }
            },
            Err(error) => return Err(error.within(format!("the manifest of {begun} could not be written"))),
        };
        let record = Record::End { entry: Box::new(Entry::of(manifest, &key)) };
        let unrecorded = self.record(&[record]).await.err();
        Ok(Commit::Done { manifest: object, unrecorded })
    }

    fn check_manifest(&self, begun: &Begun, manifest: &Manifest, list: &StoredList) -> Result<Key> {
        let folder = begun.folder()?;
        let wrong = |why: &str| Err(Error::invalid(format!("the manifest is not that of {begun}: {why}")));
        if manifest.format != FORMAT {
            return wrong("it has another format than this version writes");
        }
        if manifest.repository != self.id() || manifest.backup != begun.backup || folder_of(manifest)? != folder {
            return wrong("repository, id, part, timeline, kind or window differ from what was begun");
        }
        if manifest.pieces != list.pieces || manifest.shared != list.shared {
            return wrong("it names another list of pieces");
        }
        folder.manifest()
    }

    /// Gives a begun backup up for good, unless it is committed: takes its manifest's name with a mark, so that its
    /// writer, should it still live, can't commit any more. True: it is given up. False: it is committed.
    ///
    /// # Errors
    /// As the storage; `Corrupt` when what is there can't be read.
    pub(super) async fn void(&self, folder: &BackupFolder) -> Result<bool> {
        let key = folder.manifest()?;
        let body = self.seal(Kind::Void, &key, [folder.prefix()])?;
        match put(&*self.storage, &key, body).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => match self.find_manifest(&key).await? {
                Found::Void => Ok(true),
                Found::Manifest(..) => Ok(false),
                Found::Missing => Err(error),
            },
            Err(error) => Err(error),
        }
    }
}

fn given_up(begun: &Begun) -> Error {
    Error::cancelled(format!("{begun} was given up: a prune took it for dead and collects what it stored"))
        .hint("start the backup again; a backup must renew its lease while it runs")
}
