//! Phase 2: what was condemned a grace time ago is looked at again, and deleted if nothing needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::catalogue::Record;
use super::super::condemned::{Condemned, CondemnedList};
use super::super::document::Kind;
use super::super::layout::BackupFolder;
use super::super::lease::Lease;
use super::super::{Repository, layout};
use super::Guard;
use super::evidence::{Evidence, Mark};
use super::report::{Spared, SweepReport, Why};
use crate::id::BackupId;
use crate::model::Status;
use crate::{ErrorKind, Key, Result, Timestamp};

/// Deletes between two looks at one's own lease.
const BATCH: usize = 64;

/// What this round deletes.
#[derive(Debug, Default)]
struct Round {
    /// Committed backups, dependents first.
    backups: Vec<(BackupId, BackupFolder)>,
    /// Backups to be given up.
    unfinished: Vec<(BackupId, BackupFolder)>,
    content: BTreeSet<Key>,
    /// Lists of which something waits.
    waiting: BTreeSet<u64>,
    spared: Vec<Spared>,
}

impl Repository {
    /// Phase 2: deletes what was condemned at least its grace time ago and what still nothing needs. Stopped at any
    /// moment, the next sweep goes on.
    ///
    /// # Errors
    /// `Corrupt` when the catalogue is damaged; the guard's; `Cancelled` when the lease is lost; as the storage
    /// otherwise, above all when a listing is not complete: then nothing is deleted.
    pub async fn sweep(&self, lease: &Lease, patience: Duration, guard: &Guard<'_>) -> Result<SweepReport> {
        lease.during(self.sweep_or_tell(Some(lease), patience, guard)).await
    }

    /// What [`Repository::sweep`] would delete now: a dry run that needs no lease and writes nothing.
    ///
    /// # Errors
    /// As [`Repository::sweep`].
    pub async fn plan_sweep(&self, patience: Duration, guard: &Guard<'_>) -> Result<SweepReport> {
        self.sweep_or_tell(None, patience, guard).await
    }

    async fn sweep_or_tell(&self, lease: Option<&Lease>, patience: Duration, guard: &Guard<'_>) -> Result<SweepReport> {
        let now = self.environment.now();
        let condemned = self.condemned().await?;
        let (due, later): (Vec<_>, Vec<_>) =
            condemned.lists.iter().filter(|list| !list.done).partition(|list| list.is_due(now));
        let mut report = SweepReport { next_due: later.iter().map(|list| list.due()).min(), ..SweepReport::default() };
        if due.is_empty() {
            return Ok(report);
        }
        let evidence = self.evidence(lease.map(Lease::name), patience).await?;
        let round = self.judge_again(&evidence, &due, guard, now).await?;
        report.spared.clone_from(&round.spared);
        if let Some(lease) = lease {
            self.delete_round(lease, &evidence, &round, &mut report).await?;
            self.finish_lists(lease, &due, &round, &mut report).await?;
        } else {
            tell(&evidence, &round, &mut report);
        }
        self.note_damaged(&condemned, &mut report);
        Ok(report)
    }

    async fn judge_again(
        &self,
        evidence: &Evidence,
        due: &[&CondemnedList],
        guard: &Guard<'_>,
        now: Timestamp,
    ) -> Result<Round> {
        let mut round = Round::default();
        let listed: BTreeMap<BackupId, (u64, &String)> = due
            .iter()
            .flat_map(|list| list.backups.iter().map(|(backup, folder)| (*backup, (list.number, folder))))
            .collect();
        let mut gone: BTreeSet<BackupId> = BTreeSet::new();
        for (backup, (number, _)) in &listed {
            match evidence.reason_to_stay(*backup, now) {
                // An earlier sweep deleted it and was stopped; perhaps some of its data is still there.
                Some((Why::Unknown, _)) | None => drop(gone.insert(*backup)),
                Some((why, by)) => round.spare(*number, backup.to_string(), why, by),
            }
        }
        for (backup, by) in evidence.spare_needed(&mut gone) {
            let number = listed.get(&backup).map_or(0, |(number, _)| *number);
            round.spare(number, backup.to_string(), Why::Needed, by.to_string());
        }
        guard(&evidence.kept(&gone))?;
        for (backup, (_, folder)) in &listed {
            let folder = BackupFolder::parse(folder)?;
            let remains = evidence.folders.contains_key(&folder) || evidence.loaded.entry(*backup).is_some();
            if gone.contains(backup) && remains {
                round.backups.push((*backup, folder));
            }
        }
        let until = |folder: &BackupFolder| folder.name().map(|name| name.until);
        round.backups.sort_by_key(|(backup, folder)| std::cmp::Reverse((until(folder), *backup)));
        for list in due {
            judge_unfinished(evidence, list, &mut round)?;
        }
        self.judge_content(evidence, due, &gone, &mut round).await?;
        Ok(round)
    }

    async fn judge_content(
        &self,
        evidence: &Evidence,
        due: &[&CondemnedList],
        gone: &BTreeSet<BackupId>,
        round: &mut Round,
    ) -> Result<()> {
        let there = |list: &CondemnedList| {
            list.content.iter().filter(|key| evidence.content.contains_key(*key)).cloned().collect::<BTreeSet<Key>>()
        };
        let mut asked: BTreeSet<Key> = BTreeSet::new();
        for list in due {
            let names = there(list);
            if names.is_empty() {
                continue;
            }
            match Self::possible_user(evidence, list, round) {
                Some(user) => round.spare(list.number, names_of(&names), Why::MayBeUsed, user),
                None => asked.extend(names),
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        match self.used_content(evidence, gone, &asked).await? {
            Ok(used) => {
                for key in &used {
                    round.spared.push(Spared { what: key.to_string(), why: Why::Needed, by: "a manifest".to_owned() });
                }
                round.content = asked.difference(&used).cloned().collect();
            }
            Err(by) => {
                for list in due.iter().filter(|list| !there(list).is_empty()) {
                    round.spare(list.number, names_of(&asked), Why::Unclear, by.clone());
                }
            }
        }
        Ok(())
    }

    /// Whoever began before the list was there may use its names, until he is committed or given up. So may whoever
    /// stored something and is not in the catalogue, since that was damaged once.
    fn possible_user(evidence: &Evidence, list: &CondemnedList, round: &Round) -> Option<String> {
        let given_up = |backup: BackupId| round.unfinished.iter().any(|(other, _)| *other == backup);
        evidence.unfinished().into_iter().find_map(|(folder, begun)| {
            let backup = folder.name()?.backup;
            let may_use = begun.map_or_else(
                || evidence.folders.get(&folder).is_some_and(|content| content.mark == Mark::Nothing),
                |begun| begun.condemned < list.number,
            );
            (may_use && !given_up(backup)).then(|| backup.to_string())
        })
    }

    async fn delete_round(
        &self,
        lease: &Lease,
        evidence: &Evidence,
        round: &Round,
        report: &mut SweepReport,
    ) -> Result<()> {
        for (backup, folder) in &round.backups {
            // The manifest first: from then on the backup does not exist, and its data is garbage.
            let manifest = folder.manifest()?;
            lease.check().await?;
            self.storage.delete(&manifest).await?;
            let data = objects_of(evidence, folder);
            let size = data.get(&manifest).copied();
            (report.objects, report.bytes) =
                (report.objects + u64::from(size.is_some()), report.bytes + size.unwrap_or(0));
            self.delete_all(lease, data.into_iter().filter(|(key, _)| *key != manifest), report).await?;
            report.backups.push(*backup);
        }
        let mut voided = Vec::new();
        for (backup, folder) in &round.unfinished {
            lease.check().await?;
            if !self.void(folder).await? {
                report.spared.push(Spared {
                    what: backup.to_string(),
                    why: Why::Committed,
                    by: folder.manifest()?.to_string(),
                });
                continue;
            }
            // The mark stays: a writer that wakes up finds it.
            let mark = folder.manifest()?;
            let data = objects_of(evidence, folder).into_iter().filter(|(key, _)| *key != mark);
            self.delete_all(lease, data, report).await?;
            report.unfinished.push(*backup);
            voided.push(Record::Voided { backup: *backup });
        }
        // A backup that committed just before it was given up may use what was to go: the next round sees it.
        if report.unfinished.len() == round.unfinished.len() {
            let content: Vec<(Key, u64)> =
                round.content.iter().filter_map(|key| Some((key.clone(), evidence.content.get(key)?.size))).collect();
            report.content = content.len() as u64;
            self.delete_all(lease, content, report).await?;
        }
        let mut records = voided;
        if !report.backups.is_empty() {
            records.push(Record::Deleted { backups: report.backups.clone(), at: self.environment.now() });
        }
        if !records.is_empty() {
            lease.check().await?;
            self.record(&records).await?;
        }
        Ok(())
    }

    async fn delete_all(
        &self,
        lease: &Lease,
        objects: impl IntoIterator<Item = (Key, u64)>,
        report: &mut SweepReport,
    ) -> Result<()> {
        for (at, (key, size)) in objects.into_iter().enumerate() {
            if at % BATCH == 0 {
                lease.check().await?;
            }
            self.storage.delete(&key).await.map_err(|error| error.within("the sweep stopped and can be repeated"))?;
            report.objects += 1;
            report.bytes += size;
        }
        Ok(())
    }

    async fn finish_lists(
        &self,
        lease: &Lease,
        due: &[&CondemnedList],
        round: &Round,
        report: &mut SweepReport,
    ) -> Result<()> {
        if report.unfinished.len() != round.unfinished.len() {
            return Ok(());
        }
        for list in due.iter().filter(|list| !round.waiting.contains(&list.number)) {
            lease.check().await?;
            match self.put_document(&layout::condemned_done(list.number)?, Kind::Done, &list.number).await {
                Ok(()) => report.lists.push(list.number),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn note_damaged(&self, condemned: &Condemned, report: &mut SweepReport) {
        for (_, key, why) in &condemned.damaged {
            report.notes.push(format!("{key} in repository {} can't be read and condemns nothing: {why}", self.id()));
        }
    }
}

impl Round {
    fn spare(&mut self, list: u64, what: String, why: Why, by: String) {
        if why.is_for_now() {
            self.waiting.insert(list);
        }
        self.spared.push(Spared { what, why, by });
    }
}

impl Evidence {
    /// Why a backup must not go now.
    pub(super) fn reason_to_stay(&self, backup: BackupId, now: Timestamp) -> Option<(Why, String)> {
        if let Some(lease) = self.kept_by(backup) {
            return Some((Why::Leased, format!("{} ({})", lease.name, lease.terms.note)));
        }
        let Some(entry) = self.loaded.entry(backup) else {
            // A manifest that can't be read, or one that the catalogue forgot: it may go if it is named.
            let named = |folder: &&BackupFolder| folder.name().is_some_and(|name| name.backup == backup);
            return match self.folders.iter().find(|(folder, _)| named(folder)).map(|(_, content)| &content.mark) {
                Some(Mark::Broken | Mark::Committed) => None,
                _ => Some((Why::Unknown, "no such backup".to_owned())),
            };
        };
        let pin = entry.pins.iter().find(|pin| pin.until.is_none_or(|until| until > now));
        pin.map(|pin| (Why::Pinned, pin.reason.clone()))
    }
}

fn judge_unfinished(evidence: &Evidence, list: &CondemnedList, round: &mut Round) -> Result<()> {
    for (backup, folder) in &list.unfinished {
        let folder = BackupFolder::parse(folder)?;
        let committed = evidence.loaded.entry(*backup).filter(|entry| entry.status != Status::Deleted);
        if let Some(entry) = committed {
            round.spare(list.number, backup.to_string(), Why::Committed, entry.manifest.to_string());
            continue;
        }
        if evidence.folders.get(&folder).is_some_and(|content| content.mark == Mark::Broken) {
            round.spare(list.number, backup.to_string(), Why::Unclear, folder.manifest()?.to_string());
            continue;
        }
        let begun = evidence.loaded.in_progress.iter().find(|begun| begun.backup == *backup);
        if begun.is_none() && !evidence.unfinished().contains_key(&folder) {
            continue;
        }
        if let Some(lease) = begun.and_then(|begun| evidence.writer(begun)) {
            round.spare(list.number, backup.to_string(), Why::Written, lease.name.clone());
            continue;
        }
        round.unfinished.push((*backup, folder));
    }
    Ok(())
}

fn objects_of(evidence: &Evidence, folder: &BackupFolder) -> BTreeMap<Key, u64> {
    let objects = evidence.folders.get(folder).map(|content| content.objects.as_slice()).unwrap_or_default();
    objects.iter().map(|meta| (meta.key.clone(), meta.size)).collect()
}

fn names_of(names: &BTreeSet<Key>) -> String {
    match (names.len(), names.first()) {
        (1, Some(only)) => only.to_string(),
        (count, _) => format!("{count} names of shared content"),
    }
}

/// What the round would delete, as a report.
fn tell(evidence: &Evidence, round: &Round, report: &mut SweepReport) {
    let mut add = |size: u64| (report.objects, report.bytes) = (report.objects + 1, report.bytes + size);
    for (_, folder) in round.backups.iter().chain(&round.unfinished) {
        objects_of(evidence, folder).into_values().for_each(&mut add);
    }
    round.content.iter().filter_map(|key| evidence.content.get(key)).for_each(|meta| add(meta.size));
    report.backups = round.backups.iter().map(|(backup, _)| *backup).collect();
    report.unfinished = round.unfinished.iter().map(|(backup, _)| *backup).collect();
    report.content = round.content.len() as u64;
}
