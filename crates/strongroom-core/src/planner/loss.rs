//! What may get lost, and which backups are lost with it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;
use super::entry::HOME;
use super::reason::{PlanError, Reason};
use super::target::Request;
use crate::Key;
use crate::id::BackupId;

/// Something that may get lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// A backup with all its copies.
    Backup(BackupId),
    /// An object of a backup in every storage: its manifest, or anything beside it. Shared content belongs to many
    /// backups, and only their manifests tell to which: name those backups instead.
    Object(Key),
    /// A storage with all that it holds.
    Storage(String),
}

/// What losses take away.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) rows: BTreeSet<u32>,
    storages: BTreeSet<String>,
}

impl Taken {
    /// The request without the lost storages.
    pub(super) fn request(&self, catalogue: &Catalogue, request: &Request) -> Request {
        if self.storages.is_empty() {
            return request.clone();
        }
        let allowed = request.storages.clone().unwrap_or_else(|| catalogue.storages());
        Request { storages: Some(allowed.difference(&self.storages).cloned().collect()), ..request.clone() }
    }
}

impl Catalogue {
    /// The names of all storages that hold a copy of some backup.
    #[must_use]
    pub fn storages(&self) -> BTreeSet<String> {
        let classes = &self.rows.classes.list;
        let home = classes.iter().any(|class| class.copies.is_empty()).then(|| HOME.to_owned());
        let held = classes.iter().flat_map(|class| &class.copies).map(|copy| copy.storage.clone());
        held.chain(home).collect()
    }

    pub(super) fn taken(&self, losses: &[Loss]) -> Result<Taken, Box<PlanError>> {
        let unknown = |message: String| PlanError::new(Reason::Unknown, message);
        let mut taken = Taken::default();
        for loss in losses {
            match loss {
                Loss::Backup(id) => {
                    let row = self.ids.find(&self.rows, *id);
                    taken.rows.insert(row.ok_or_else(|| unknown(format!("there is no backup {id}")))?);
                }
                Loss::Object(key) => {
                    taken.rows.insert(self.owner(key).ok_or_else(|| {
                        unknown(format!(
                            "no backup is known to own '{key}'; of shared content, name the backups that use it"
                        ))
                    })?);
                }
                Loss::Storage(name) => {
                    let known = self.storages();
                    if !known.contains(name) {
                        let known: Vec<String> = known.into_iter().collect();
                        let message = format!("no backup is in a storage '{name}'; there are: {}", known.join(", "));
                        return Err(unknown(message));
                    }
                    taken.storages.insert(name.clone());
                }
            }
        }
        Ok(taken)
    }

    /// The backup whose manifest is `key`, or lies in the same folder or above.
    fn owner(&self, key: &Key) -> Option<u32> {
        let owns = |row: u32| {
            let name = self.rows.name(row, self.rows.counts(row).shape, &mut Vec::new()).ok()?;
            let folder = name.as_str().rsplit_once('/').map(|(folder, _)| folder);
            let inside =
                folder.and_then(|folder| key.as_str().strip_prefix(folder)).is_some_and(|it| it.starts_with('/'));
            (name == *key || inside).then_some(row)
        };
        // Names usually hold the id of their backup.
        let text = key.as_str();
        let ids = (0..text.len()).filter_map(|at| text.get(at..at + 32)?.parse::<BackupId>().ok());
        let mut named = ids.filter_map(|id| self.ids.find(&self.rows, id));
        named.find_map(owns).or_else(|| self.rows.all().find_map(owns))
    }
}
