//! Phase 2, second half: deleting. What the storage refuses stays known to the catalogue, and its list waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};

use super::super::catalogue::Record;
use super::super::condemned::CondemnedList;
use super::super::document::Kind;
use super::super::layout::BackupFolder;
use super::super::lease::Lease;
use super::super::{Repository, layout};
use super::evidence::Evidence;
use super::report::{Spared, SweepReport, Why};
use super::sweep::Round;
use crate::id::BackupId;
use crate::pipeline::Progress;
use crate::{Error, ErrorKind, Key, Result};

/// Deletes between two looks at one's own lease.
const BATCH: usize = 64;
/// Deletes at once.
const AT_ONCE: usize = 16;

/// A round at work.
struct Deletion<'a> {
    repository: &'a Repository,
    lease: &'a Lease,
    evidence: &'a Evidence,
    progress: Option<&'a Arc<Progress>>,
    /// Lists of which something waits.
    waiting: BTreeSet<u64>,
    /// A backup that was to be given up is committed after all.
    committed: bool,
    report: &'a mut SweepReport,
}

impl Repository {
    pub(super) async fn carry_out(
        &self,
        lease: &Lease,
        evidence: &Evidence,
        mut round: Round,
        due: &[&CondemnedList],
        progress: Option<&Arc<Progress>>,
        report: &mut SweepReport,
    ) -> Result<()> {
        if let Some(progress) = progress {
            let (objects, bytes) = round.sizes(evidence);
            progress.expect(objects, bytes);
        }
        let waiting = std::mem::take(&mut round.waiting);
        let mut deletion = Deletion { repository: self, lease, evidence, progress, waiting, committed: false, report };
        deletion.backups(&round.backups).await?;
        let voided = deletion.unfinished(&round.unfinished).await?;
        deletion.content(&round).await?;
        deletion.record(voided).await?;
        deletion.finish_lists(due).await
    }
}

impl Deletion<'_> {
    async fn backups(&mut self, backups: &[(BackupId, BackupFolder, u64)]) -> Result<()> {
        for (backup, folder, list) in backups {
            // The manifest first: from then on the backup does not exist, and its data is garbage.
            let manifest = folder.manifest()?;
            let mut data = objects_of(self.evidence, folder);
            let size = data.remove(&manifest).flatten();
            let mut refused = self.delete_all([(manifest, size)]).await?;
            if refused.is_none() {
                refused = self.delete_all(data).await?;
            }
            match refused {
                None => self.report.backups.push(*backup),
                Some(error) => self.refused(*list, backup.to_string(), &error),
            }
        }
        Ok(())
    }

    /// Gives backups up; the records of it.
    async fn unfinished(&mut self, unfinished: &[(BackupId, BackupFolder, u64)]) -> Result<Vec<Record>> {
        let mut voided = Vec::new();
        for (backup, folder, list) in unfinished {
            self.lease.check().await?;
            let mark = folder.manifest()?;
            if !self.repository.void(folder).await? {
                self.committed = true;
                self.waiting.insert(*list);
                self.report.spared.push(Spared::new(backup.to_string(), Why::Committed, mark.to_string()));
                continue;
            }
            // The mark stays: a writer that wakes up finds it.
            let mut data = objects_of(self.evidence, folder);
            data.remove(&mark);
            if let Some(error) = self.delete_all(data).await? {
                self.refused(*list, backup.to_string(), &error);
                continue;
            }
            self.report.unfinished.push(*backup);
            voided.push(Record::Voided { backup: *backup });
        }
        Ok(voided)
    }

    async fn content(&mut self, round: &Round) -> Result<()> {
        // A backup that committed just before it was given up may use what was to go: the next round sees it.
        if self.committed {
            self.waiting.extend(round.content.values());
            return Ok(());
        }
        let mut by_list: BTreeMap<u64, Vec<(Key, Option<u64>)>> = BTreeMap::new();
        for (key, list) in &round.content {
            let size = self.evidence.content.get(key).map(|meta| meta.size);
            by_list.entry(*list).or_default().push((key.clone(), size));
        }
        for (list, names) in by_list {
            let (what, before) = (format!("{} names of shared content", names.len()), self.report.objects);
            let refused = self.delete_all(names).await?;
            self.report.content += self.report.objects - before;
            if let Some(error) = refused {
                self.refused(list, what, &error);
            }
        }
        Ok(())
    }

    async fn record(&mut self, mut records: Vec<Record>) -> Result<()> {
        if !self.report.backups.is_empty() {
            let at = self.repository.environment.now();
            records.push(Record::Deleted { backups: self.report.backups.clone(), at });
        }
        if !records.is_empty() {
            self.lease.check().await?;
            self.repository.record(&records).await?;
        }
        Ok(())
    }

    async fn finish_lists(&mut self, due: &[&CondemnedList]) -> Result<()> {
        for list in due.iter().filter(|list| !self.waiting.contains(&list.number)) {
            self.lease.check().await?;
            let done = layout::condemned_done(list.number)?;
            match self.repository.put_document(&done, Kind::Done, &list.number).await {
                Ok(()) => self.report.lists.push(list.number),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn refused(&mut self, list: u64, what: String, error: &Error) {
        self.waiting.insert(list);
        self.report.spared.push(Spared::new(what, Why::Refused, error.to_string()));
    }

    fn deleted(&mut self, size: u64) {
        self.report.objects += 1;
        self.report.bytes += size;
        if let Some(progress) = self.progress {
            let mut share = progress.begin();
            share.plain(size);
            share.piece(size, size, 0);
            share.keep();
        }
    }

    /// Deletes objects, several at once; those without a size are gone already, and only made sure of. Gives the first refusal of the storage; then some of them are still there.
    async fn delete_all(&mut self, objects: impl IntoIterator<Item = (Key, Option<u64>)>) -> Result<Option<Error>> {
        let objects: Vec<(Key, Option<u64>)> = objects.into_iter().collect();
        let storage = &self.repository.storage;
        let mut refused = None;
        for batch in objects.chunks(BATCH) {
            self.lease.check().await?;
            let deletes = batch.iter().map(|(key, size)| async move { (*size, storage.delete(key).await) });
            let mut deletes = stream::iter(deletes.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
            while let Some((size, outcome)) = deletes.next().await {
                match outcome {
                    Ok(()) => size.into_iter().for_each(|size| self.deleted(size)),
                    Err(error) if error.kind() == ErrorKind::Denied => drop(refused.get_or_insert(error)),
                    Err(error) => return Err(error.within("the sweep stopped and can be repeated")),
                }
            }
            // What refuses one object of a backup refuses the others.
            if refused.is_some() {
                break;
            }
        }
        Ok(refused)
    }
}

impl Round {
    /// Objects and bytes that go.
    pub(super) fn sizes(&self, evidence: &Evidence) -> (u64, u64) {
        let folders = self.backups.iter().chain(&self.unfinished);
        let folders = folders.flat_map(|(_, folder, _)| objects_of(evidence, folder).into_values().flatten());
        let content = self.content.keys().filter_map(|key| Some(evidence.content.get(key)?.size));
        folders.chain(content).fold((0, 0), |(objects, bytes), size| (objects + 1, bytes + size))
    }
}

fn objects_of(evidence: &Evidence, folder: &BackupFolder) -> BTreeMap<Key, Option<u64>> {
    let objects = evidence.folders.get(folder).map(|content| content.objects.as_slice()).unwrap_or_default();
    objects.iter().map(|meta| (meta.key.clone(), Some(meta.size))).collect()
}
