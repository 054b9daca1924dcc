//! Condemned lists: what a prune will delete after the grace time, told beforehand. A writer uses nothing that stands in
//! one, so that a prune and a backup need not wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::document::{self, Kind};
use super::objects::{SMALL, found, list_all};
use super::{Repository, layout};
use crate::id::BackupId;
use crate::{ErrorKind, Key, Result, StorageExt as _, Timestamp};

/// One line of a condemned list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Doom {
    /// First line.
    List { at: Timestamp, grace_micros: u64 },
    /// A committed backup and its folder.
    Backup { backup: BackupId, folder: String },
    /// A backup that was never committed, and its folder.
    Unfinished { backup: BackupId, folder: String },
    /// The name of shared content.
    Content(Key),
}

/// A condemned list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CondemnedList {
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) grace_micros: u64,
    pub(super) backups: BTreeMap<BackupId, String>,
    pub(super) unfinished: BTreeMap<BackupId, String>,
    pub(super) content: BTreeSet<Key>,
    /// Everything in it is deleted, or was spared.
    pub(super) done: bool,
}

impl CondemnedList {
    /// When it may be worked off.
    pub(super) fn due(&self) -> Timestamp {
        self.at.plus_micros(i64::try_from(self.grace_micros).unwrap_or(i64::MAX))
    }

    /// Whether its grace time is over. A clock that went back before the list makes it wait.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        now >= self.due()
    }
}

/// All condemned lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Condemned {
    pub(super) lists: Vec<CondemnedList>,
    /// Lists that can't be read, with the reason: what stands in them is not known.
    pub(super) damaged: Vec<(u64, Key, String)>,
    /// The highest number; 0 = none.
    pub(super) newest: u64,
}

impl Condemned {
    /// Of `names`, those that must not be used. What stands in a damaged list is not known.
    pub(super) fn among<'a>(&self, names: impl IntoIterator<Item = &'a Key>) -> Vec<Key> {
        let condemned = |name: &Key| self.lists.iter().any(|list| list.content.contains(name));
        names.into_iter().filter(|name| condemned(name)).cloned().collect()
    }

    /// Of `names`, one that is still to be deleted.
    pub(super) fn pending<'a>(&self, mut names: impl Iterator<Item = &'a Key>) -> Option<&'a Key> {
        names.find(|name| self.lists.iter().any(|list| !list.done && list.content.contains(*name)))
    }

    /// Whether a backup is to be deleted, or is deleted.
    pub(super) fn has_backup(&self, backup: BackupId) -> bool {
        let pending = self.lists.iter().filter(|list| !list.done);
        pending.into_iter().any(|list| list.backups.contains_key(&backup) || list.unfinished.contains_key(&backup))
    }
}

impl Repository {
    pub(super) async fn condemned(&self) -> Result<Condemned> {
        let mut all = Condemned::default();
        let listed = list_all(&*self.storage, layout::CONDEMNED).await?;
        let done: BTreeSet<u64> = listed
            .iter()
            .filter_map(|meta| layout::number_of(&meta.key).filter(|(_, rest)| *rest == ".done"))
            .map(|(number, _)| number)
            .collect();
        for meta in listed {
            let Some((number, "")) = layout::number_of(&meta.key) else { continue };
            all.newest = all.newest.max(number);
            let body = match found(self.storage.get(&meta.key, SMALL).await) {
                Ok(Some(body)) => Ok(body),
                // Worked off and cleaned away since it was listed.
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            match body.and_then(|body| self.parse_condemned(number, &meta.key, &body)) {
                Ok(list) => all.lists.push(CondemnedList { done: done.contains(&number), ..list }),
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    all.damaged.push((number, meta.key, error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        all.newest = all.newest.max(done.last().copied().unwrap_or(0));
        Ok(all)
    }

    /// The committed backups that a prune is going to delete.
    ///
    /// # Errors
    /// As the storage.
    pub async fn condemned_backups(&self) -> Result<BTreeSet<BackupId>> {
        let lists = self.condemned().await?.lists;
        Ok(lists.into_iter().filter(|list| !list.done).flat_map(|list| list.backups.into_keys()).collect())
    }

    fn parse_condemned(&self, number: u64, key: &Key, body: &[u8]) -> Result<CondemnedList> {
        let mut list = CondemnedList {
            number,
            at: Timestamp::MAX,
            grace_micros: u64::MAX,
            backups: BTreeMap::new(),
            unfinished: BTreeMap::new(),
            content: BTreeSet::new(),
            done: false,
        };
        for line in document::open(key, body, &[Kind::Condemned], Some(self.id()))?.lines() {
            match document::parse(line, key)? {
                Doom::List { at, grace_micros } => (list.at, list.grace_micros) = (at, grace_micros),
                Doom::Backup { backup, folder } => drop(list.backups.insert(backup, folder)),
                Doom::Unfinished { backup, folder } => drop(list.unfinished.insert(backup, folder)),
                Doom::Content(name) => drop(list.content.insert(name)),
            }
        }
        Ok(list)
    }
}
