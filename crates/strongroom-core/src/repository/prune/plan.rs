//! Phase 1: what goes is written down, and nothing is deleted.

use std::collections::{BTreeMap, BTreeSet};

use super::super::condemned::{Condemned, Doom};
use super::super::document::Kind;
use super::super::layout::BackupFolder;
use super::super::lease::{Lease, micros};
use super::super::objects::put;
use super::super::{Repository, layout};
use super::evidence::{Evidence, Folder};
use super::report::{Doomed, PrunePlan, Spared, Why};
use super::{Guard, PruneTerms};
use crate::id::BackupId;
use crate::{ErrorKind, Key, Result, Timestamp};

/// Names in one list, so that a list is never large.
const LINES: usize = 50_000;

impl Repository {
    /// What [`Repository::condemn`] would condemn: a dry run that needs no lease and writes nothing.
    ///
    /// # Errors
    /// `Corrupt` when the catalogue is damaged; the guard's; as the storage otherwise, above all when a listing is not
    /// complete.
    pub async fn plan_prune(&self, terms: &PruneTerms, guard: &Guard<'_>) -> Result<PrunePlan> {
        let evidence = self.evidence(None, terms).await?;
        self.plan_prune_by(&evidence, terms, guard).await
    }

    /// The same by evidence that was gathered right before.
    ///
    /// # Errors
    /// As [`Repository::plan_prune`].
    pub async fn plan_prune_by(&self, evidence: &Evidence, terms: &PruneTerms, guard: &Guard<'_>) -> Result<PrunePlan> {
        self.judge(evidence, &self.condemned().await?, terms, guard).await
    }

    /// Phase 1: condemns the backups that `terms` name, backups that will never be committed, and shared content that
    /// nothing uses. Readers and writers keep off them from now on; [`Repository::sweep`] deletes them after the grace
    /// time.
    ///
    /// # Errors
    /// As [`Repository::plan_prune`]; `Cancelled` when the lease is lost.
    pub async fn condemn(&self, lease: &Lease, terms: &PruneTerms, guard: &Guard<'_>) -> Result<PrunePlan> {
        let evidence = lease.during(self.evidence(Some(lease), terms)).await?;
        self.condemn_by(lease, &evidence, terms, guard).await
    }

    /// The same by evidence that was gathered right before, under this lease: so that what goes can be decided by it.
    ///
    /// # Errors
    /// As [`Repository::condemn`].
    pub async fn condemn_by(
        &self,
        lease: &Lease,
        evidence: &Evidence,
        terms: &PruneTerms,
        guard: &Guard<'_>,
    ) -> Result<PrunePlan> {
        lease.during(self.condemn_under(lease, evidence, terms, guard)).await
    }

    async fn condemn_under(
        &self,
        lease: &Lease,
        evidence: &Evidence,
        terms: &PruneTerms,
        guard: &Guard<'_>,
    ) -> Result<PrunePlan> {
        lease.check().await?;
        let condemned = self.condemned().await?;
        let plan = self.judge(evidence, &condemned, terms, guard).await?;
        let lines: Vec<Doom> = lines_of(&plan);
        let mut number = condemned.newest;
        for chunk in lines.chunks(LINES) {
            number = self.put_list(lease, number, chunk, terms).await?;
        }
        Ok(plan)
    }

    async fn put_list(&self, lease: &Lease, newest: u64, chunk: &[Doom], terms: &PruneTerms) -> Result<u64> {
        lease.check().await?;
        let head = Doom::List { at: self.environment.now(), grace_micros: micros(terms.grace) };
        let mut number = newest + 1;
        loop {
            let key = layout::numbered(layout::CONDEMNED, number)?;
            let body = self.seal(Kind::Condemned, &key, std::iter::once(&head).chain(chunk))?;
            match put(&*self.storage, &key, body).await {
                Ok(()) => return Ok(number),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error.within("the condemned list could not be written")),
            }
        }
    }

    async fn judge(
        &self,
        evidence: &Evidence,
        condemned: &Condemned,
        terms: &PruneTerms,
        guard: &Guard<'_>,
    ) -> Result<PrunePlan> {
        let mut plan = PrunePlan::default();
        let now = self.environment.now();
        let gone = doomed_backups(evidence, terms, now, &mut plan.spared);
        guard(&evidence.kept(&gone))?;
        for (folder, content) in &evidence.folders {
            let named = folder.name().map(|name| name.backup).filter(|backup| gone.contains(backup));
            if let Some(backup) = named.filter(|backup| !condemned.has_backup(*backup)) {
                plan.backups.push(doomed(backup, folder, Some(content)));
            }
        }
        let before = now.plus_micros(-i64::try_from(micros(terms.unfinished_after)).unwrap_or(i64::MAX));
        for (folder, begun) in evidence.unfinished() {
            let Some(name) = folder.name() else { continue };
            if evidence.is_abandoned(&folder, begun, before) && !condemned.has_backup(name.backup) {
                plan.unfinished.push(doomed(name.backup, &folder, evidence.folders.get(&folder)));
            }
        }
        plan.content = self.unused_content(evidence, condemned, &gone, &mut plan.spared).await?;
        let folders = plan.backups.iter().chain(&plan.unfinished).map(|doomed| doomed.bytes);
        plan.bytes = folders.chain(plan.content.values().copied()).sum();
        if !plan.is_empty() {
            plan.due = Some(now.plus_micros(i64::try_from(micros(terms.grace)).unwrap_or(i64::MAX)));
        }
        Ok(plan)
    }

    /// Shared content that no kept backup uses, and that no running one may just have stored.
    async fn unused_content(
        &self,
        evidence: &Evidence,
        condemned: &Condemned,
        gone: &BTreeSet<BackupId>,
        spared: &mut Vec<Spared>,
    ) -> Result<BTreeMap<Key, u64>> {
        let mut unused: BTreeMap<Key, u64> = BTreeMap::new();
        for (key, meta) in &evidence.content {
            if layout::content_hash(key).is_some()
                && !condemned.lists.iter().any(|list| !list.done && list.content.contains(key))
            {
                unused.insert(key.clone(), meta.size);
            }
        }
        if unused.is_empty() {
            return Ok(unused);
        }
        // Of content that a running backup stored, no manifest knows yet. What a backup that goes has used is older.
        let oldest = evidence.loaded.in_progress.iter().map(|begun| begun.at).min();
        if let Some(oldest) = oldest {
            let mut used_before = BTreeSet::new();
            for entry in evidence.loaded.entries().filter(|entry| gone.contains(&entry.id)) {
                match self.content_of(&entry.manifest).await {
                    Ok(names) => used_before.extend(names.into_iter().flatten()),
                    Err(error) if super::evidence::is_unreadable(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            let settled = |key: &Key| {
                let modified = evidence.content.get(key).and_then(|meta| meta.modified);
                used_before.contains(key) || modified.is_some_and(|at| at < oldest.plus_micros(-CLOCKS_DIFFER))
            };
            unused.retain(|key, _| settled(key));
        }
        let asked: BTreeSet<Key> = unused.keys().cloned().collect();
        match self.used_content(evidence, gone, &asked).await? {
            Ok(used) => unused.retain(|key, _| !used.contains(key)),
            Err(by) => {
                spared.push(Spared::new(format!("{} names of shared content", unused.len()), Why::Unclear, by));
                unused.clear();
            }
        }
        Ok(unused)
    }
}

/// How far the storage's clock may be from the writers' clocks, in microseconds.
const CLOCKS_DIFFER: i64 = 3_600_000_000;

/// Everything that goes: what is condemned already, and of the asked backups those that may go.
fn doomed_backups(
    evidence: &Evidence,
    terms: &PruneTerms,
    now: Timestamp,
    spared: &mut Vec<Spared>,
) -> BTreeSet<BackupId> {
    let pending = evidence.loaded.condemned.keys().copied();
    let mut gone: BTreeSet<BackupId> =
        pending.filter(|backup| evidence.reason_to_stay(*backup, now).is_none()).collect();
    for backup in &terms.delete {
        match evidence.reason_to_stay(*backup, now) {
            None => drop(gone.insert(*backup)),
            Some(reason) => spared.push(Spared::because(backup.to_string(), reason)),
        }
    }
    for (backup, by) in evidence.spare_needed(&mut gone) {
        if terms.delete.contains(&backup) {
            spared.push(Spared::new(backup.to_string(), Why::Needed, by.to_string()));
        }
    }
    gone
}

fn doomed(backup: BackupId, folder: &BackupFolder, content: Option<&Folder>) -> Doomed {
    let (objects, bytes) = content.map_or((0, 0), |content| (content.objects.len() as u64, content.bytes()));
    Doomed { backup, folder: folder.prefix().to_owned(), objects, bytes }
}

fn lines_of(plan: &PrunePlan) -> Vec<Doom> {
    let backups = plan.backups.iter().map(|one| Doom::Backup { backup: one.backup, folder: one.folder.clone() });
    let unfinished =
        plan.unfinished.iter().map(|one| Doom::Unfinished { backup: one.backup, folder: one.folder.clone() });
    backups.chain(unfinished).chain(plan.content.keys().cloned().map(Doom::Content)).collect()
}
