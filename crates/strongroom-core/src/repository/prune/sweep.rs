//! Phase 2, first half: what was condemned a grace time ago is looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::Repository;
use super::super::condemned::{Condemned, CondemnedList};
use super::super::layout::BackupFolder;
use super::super::lease::Lease;
use super::evidence::{Evidence, Mark, Reason};
use super::report::{Spared, SweepReport, Why};
use super::{Guard, PruneTerms};
use crate::id::BackupId;
use crate::model::Status;
use crate::pipeline::Progress;
use crate::{Key, Result, Timestamp};

/// What this round deletes.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Committed backups with the number of their list, dependents first.
    pub(super) backups: Vec<(BackupId, BackupFolder, u64)>,
    /// Backups to be given up, likewise.
    pub(super) unfinished: Vec<(BackupId, BackupFolder, u64)>,
    /// Shared content, likewise.
    pub(super) content: BTreeMap<Key, u64>,
    /// Lists of which something waits.
    pub(super) waiting: BTreeSet<u64>,
    pub(super) spared: Vec<Spared>,
}

impl Repository {
    /// Phase 2: deletes what was condemned at least its grace time ago and what still nothing needs. Stopped at any
    /// moment, the next sweep goes on. What the storage refuses to delete is told, stays known, and is tried again.
    ///
    /// # Errors
    /// `Corrupt` when the catalogue is damaged; the guard's; `Cancelled` when the lease is lost; as the storage
    /// otherwise, above all when a listing is not complete: then nothing is deleted.
    pub async fn sweep(&self, lease: &Lease, terms: &PruneTerms, guard: &Guard<'_>) -> Result<SweepReport> {
        lease.during(self.sweep_or_tell(Some(lease), terms, guard, None)).await
    }

    /// The same, counting what is deleted.
    ///
    /// # Errors
    /// As [`Repository::sweep`].
    pub(crate) async fn sweep_counting(
        &self,
        lease: &Lease,
        terms: &PruneTerms,
        guard: &Guard<'_>,
        progress: &Arc<Progress>,
    ) -> Result<SweepReport> {
        lease.during(self.sweep_or_tell(Some(lease), terms, guard, Some(progress))).await
    }

    /// What [`Repository::sweep`] would delete now: a dry run that needs no lease and writes nothing.
    ///
    /// # Errors
    /// As [`Repository::sweep`].
    pub async fn plan_sweep(&self, terms: &PruneTerms, guard: &Guard<'_>) -> Result<SweepReport> {
        self.sweep_or_tell(None, terms, guard, None).await
    }

    async fn sweep_or_tell(
        &self,
        lease: Option<&Lease>,
        terms: &PruneTerms,
        guard: &Guard<'_>,
        progress: Option<&Arc<Progress>>,
    ) -> Result<SweepReport> {
        let now = self.environment.now();
        let condemned = self.condemned().await?;
        let (due, later): (Vec<_>, Vec<_>) =
            condemned.lists.iter().filter(|list| !list.done).partition(|list| list.is_due(now));
        let mut report = SweepReport { next_due: later.iter().map(|list| list.due()).min(), ..SweepReport::default() };
        if due.is_empty() {
            return Ok(report);
        }
        let evidence = self.evidence(lease, terms).await?;
        let round = self.judge_again(&evidence, &due, guard, now).await?;
        report.spared.clone_from(&round.spared);
        if let Some(lease) = lease {
            self.carry_out(lease, &evidence, round, &due, progress, &mut report).await?;
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
        let mut listed: BTreeMap<BackupId, (u64, &String)> = BTreeMap::new();
        for list in due {
            listed.extend(list.backups.iter().map(|(backup, folder)| (*backup, (list.number, folder))));
        }
        // What stands in lists that are not due goes later: what stays must not need that either.
        let pending = evidence.loaded.condemned.keys().filter(|backup| !listed.contains_key(*backup));
        let mut gone: BTreeSet<BackupId> =
            pending.copied().filter(|backup| evidence.reason_to_stay(*backup, now).is_none()).collect();
        for (backup, (number, _)) in &listed {
            match evidence.reason_to_stay(*backup, now) {
                // An earlier sweep deleted it and was stopped; perhaps some of its data is still there.
                Some(Reason { why: Why::Unknown, .. }) | None => drop(gone.insert(*backup)),
                Some(reason) => round.spare(*number, Spared::because(backup.to_string(), reason)),
            }
        }
        for (backup, by) in evidence.spare_needed(&mut gone) {
            if let Some((number, _)) = listed.get(&backup) {
                round.spare(*number, Spared::new(backup.to_string(), Why::Needed, by.to_string()));
            }
        }
        guard(&evidence.kept(&gone))?;
        for (backup, (number, folder)) in &listed {
            let folder = BackupFolder::parse(folder)?;
            let remains = evidence.folders.contains_key(&folder) || evidence.loaded.entry(*backup).is_some();
            if gone.contains(backup) && remains {
                round.backups.push((*backup, folder, *number));
            }
        }
        let until = |folder: &BackupFolder| folder.name().map(|name| name.until);
        round.backups.sort_by_key(|(backup, folder, _)| std::cmp::Reverse((until(folder), *backup)));
        for list in due {
            judge_unfinished(evidence, list, &mut round)?;
        }
        self.judge_content(evidence, due, &gone, now, &mut round).await?;
        Ok(round)
    }

    async fn judge_content(
        &self,
        evidence: &Evidence,
        due: &[&CondemnedList],
        gone: &BTreeSet<BackupId>,
        now: Timestamp,
        round: &mut Round,
    ) -> Result<()> {
        let there = |list: &CondemnedList| {
            list.content.iter().filter(|key| evidence.content.contains_key(*key)).cloned().collect::<BTreeSet<Key>>()
        };
        let mut asked: BTreeMap<Key, u64> = BTreeMap::new();
        for list in due {
            let mut names = there(list);
            if names.is_empty() {
                continue;
            }
            if let Some(user) = Self::possible_user(evidence, list, round) {
                round.spare(list.number, Spared::new(names_of(&names), Why::MayBeUsed, user));
                continue;
            }
            let locked = names.iter().filter_map(|key| evidence.content_locked_until(key, now)).max();
            if let Some(until) = locked {
                names.retain(|key| evidence.content_locked_until(key, now).is_none());
                let what = names_of(&there(list).difference(&names).cloned().collect());
                let lock = Spared::new(what, Why::Locked, "the storage's object lock".to_owned());
                round.spare(list.number, Spared { until: Some(until), ..lock });
            }
            asked.extend(names.into_iter().map(|key| (key, list.number)));
        }
        if asked.is_empty() {
            return Ok(());
        }
        let names: BTreeSet<Key> = asked.keys().cloned().collect();
        match self.used_content(evidence, gone, &names).await? {
            Ok(used) => {
                for key in &used {
                    round.spared.push(Spared::new(key.to_string(), Why::Needed, "a manifest".to_owned()));
                    asked.remove(key);
                }
                round.content = asked;
            }
            Err(by) => {
                for list in due.iter().filter(|list| !there(list).is_empty()) {
                    round.spare(list.number, Spared::new(names_of(&names), Why::Unclear, by.clone()));
                }
            }
        }
        Ok(())
    }

    /// Whoever began before the list was there may use its names, until he is committed or given up. So may whoever
    /// stored something and is not in the catalogue, since that was damaged once.
    fn possible_user(evidence: &Evidence, list: &CondemnedList, round: &Round) -> Option<String> {
        let given_up = |backup: BackupId| round.unfinished.iter().any(|(other, ..)| *other == backup);
        evidence.unfinished().into_iter().find_map(|(folder, begun)| {
            let backup = folder.name()?.backup;
            let may_use = begun.map_or_else(
                || evidence.folders.get(&folder).is_some_and(|content| content.mark == Mark::Nothing),
                |begun| begun.condemned < list.number,
            );
            (may_use && !given_up(backup)).then(|| backup.to_string())
        })
    }

    fn note_damaged(&self, condemned: &Condemned, report: &mut SweepReport) {
        for (_, key, why) in &condemned.damaged {
            report.notes.push(format!("{key} in repository {} can't be read and condemns nothing: {why}", self.id()));
        }
    }
}

impl Round {
    fn spare(&mut self, list: u64, spared: Spared) {
        if spared.why.is_for_now() {
            self.waiting.insert(list);
        }
        self.spared.push(spared);
    }
}

fn judge_unfinished(evidence: &Evidence, list: &CondemnedList, round: &mut Round) -> Result<()> {
    for (backup, folder) in &list.unfinished {
        let folder = BackupFolder::parse(folder)?;
        let committed = evidence.loaded.entry(*backup).filter(|entry| entry.status != Status::Deleted);
        if let Some(entry) = committed {
            round.spare(list.number, Spared::new(backup.to_string(), Why::Committed, entry.manifest.to_string()));
            continue;
        }
        if evidence.folders.get(&folder).is_some_and(|content| content.mark == Mark::Broken) {
            round.spare(list.number, Spared::new(backup.to_string(), Why::Unclear, folder.manifest()?.to_string()));
            continue;
        }
        let begun = evidence.loaded.in_progress.iter().find(|begun| begun.backup == *backup);
        if begun.is_none() && !evidence.unfinished().contains_key(&folder) {
            continue;
        }
        if let Some(lease) = begun.and_then(|begun| evidence.writer(begun)) {
            round.spare(list.number, Spared::new(backup.to_string(), Why::Written, lease.name.clone()));
            continue;
        }
        round.unfinished.push((*backup, folder, list.number));
    }
    Ok(())
}

fn names_of(names: &BTreeSet<Key>) -> String {
    match (names.len(), names.first()) {
        (1, Some(only)) => only.to_string(),
        (count, _) => format!("{count} names of shared content"),
    }
}

/// What the round would delete, as a report.
fn tell(evidence: &Evidence, round: &Round, report: &mut SweepReport) {
    (report.objects, report.bytes) = round.sizes(evidence);
    report.backups = round.backups.iter().map(|(backup, ..)| *backup).collect();
    report.unfinished = round.unfinished.iter().map(|(backup, ..)| *backup).collect();
    report.content = round.content.len() as u64;
}
