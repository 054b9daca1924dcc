//! What the catalogue alone does not tell: the manifests of open backups, and all manifests when records were lost.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _};

use super::super::Repository;
use super::super::layout::{self, BackupFolder};
use super::super::manifests::Found;
use super::super::objects::list_all;
use super::load::{AT_ONCE, Broken, LoadReport};
use super::record::{Mended, Record};
use super::state::State;
use crate::id::BackupId;
use crate::planner::Entry;
use crate::{ErrorKind, Key, Result};

impl Repository {
    /// Looks for the manifests of backups whose end was not recorded.
    pub(super) async fn look_after_open(&self, state: &mut State, report: &mut LoadReport) -> Result<()> {
        let open: Vec<(BackupId, Key)> = state
            .open
            .values()
            .filter_map(|begun| Some((begun.backup, begun.folder().ok()?.manifest().ok()?)))
            .collect();
        self.take_manifests(open, state, report).await
    }

    /// Completes a state of which records are lost by listing all manifests.
    pub(super) async fn rescue(&self, state: &mut State, report: &mut LoadReport) -> Result<()> {
        let mut listed: BTreeMap<BackupId, Key> = BTreeMap::new();
        for meta in list_all(&*self.storage, layout::BACKUPS).await? {
            if layout::is_manifest(&meta.key)
                && let Some(name) = BackupFolder::of(&meta.key).and_then(|folder| folder.name())
            {
                listed.insert(name.backup, meta.key);
            }
        }
        let unlisted: Vec<(BackupId, Key)> = state
            .entries()
            .filter(|entry| !listed.contains_key(&entry.id))
            .map(|entry| (entry.id, entry.manifest))
            .collect();
        for (backup, manifest) in unlisted {
            if !self.has(&manifest).await? {
                state.forget(backup);
                report.vanished.push(backup);
            }
        }
        listed.retain(|backup, _| !state.contains(*backup) && !state.deleted.contains_key(backup));
        self.take_manifests(listed.into_iter().collect(), state, report).await?;
        report.unrecorded.clear();
        Ok(())
    }

    async fn take_manifests(
        &self,
        manifests: Vec<(BackupId, Key)>,
        state: &mut State,
        report: &mut LoadReport,
    ) -> Result<()> {
        let mut found = stream::iter(manifests)
            .map(|(backup, key)| async move { (backup, self.find_manifest(&key).await, key) })
            .buffered(AT_ONCE);
        while let Some((backup, result, key)) = found.next().await {
            match result {
                Ok(Found::Missing) => {}
                Ok(Found::Void) => drop(state.open.remove(&backup)),
                Ok(Found::Manifest(manifest, _)) => {
                    state.end(Entry::of(&manifest, &key));
                    report.unrecorded.push(backup);
                }
                Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => {
                    state.open.remove(&backup);
                    report.quarantined.push(Broken { key, kind: error.kind(), why: error.to_string() });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes damage of the catalogue good: what all manifests say is recorded, and that records were lost. Does nothing
    /// when nothing is lost. Gives what it found.
    ///
    /// # Errors
    /// As [`Repository::load`] and [`Repository::record`].
    pub async fn mend(&self) -> Result<LoadReport> {
        let (mut state, newest, mut report) = self.read_whole().await?;
        if report.rebuilt {
            self.look_after_open(&mut state, &mut report).await?;
            let at = self.environment.now();
            let mut records = vec![Record::Mended(Mended { through: newest, lost: report.damaged.clone(), at })];
            if !report.vanished.is_empty() {
                records.push(Record::Deleted { backups: report.vanished.clone(), at });
            }
            records.extend(state.entries().map(|entry| Record::End { entry: Box::new(entry) }));
            self.record(&records).await?;
        }
        Ok(report)
    }
}
