//! A whole copy, from the lease on what it reads to planning a restore of what was brought.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::CopyRequest;
use super::report::{CopyReport, LeftOut, Unreachable};
use super::select::{restore_of, selected};
use crate::codec::CodecRegistry;
use crate::engine::held::{give_back, keep_reading, take, take_if_writable, until};
use crate::id::{BackupId, SessionId};
use crate::model::Status;
use crate::pipeline::{Phase, Progress, Workroom};
use crate::planner::{Entry, Held, HeldState};
use crate::repository::{LEASE_TIME, Lease, LeaseTerms, Loaded, Purpose, Record, Repository};
use crate::{ErrorKind, Result};

/// So many copies are told to the catalogue at once.
const TOLD_AT_ONCE: usize = 64;
/// How often the choice is made again because a prune condemned one of the chosen meanwhile.
const CHOICES: usize = 3;

pub(super) struct Run<'a> {
    pub(super) repository: &'a Repository,
    pub(super) registry: &'a Arc<dyn CodecRegistry>,
    pub(super) there: Repository,
    request: &'a CopyRequest,
    pub(super) room: Arc<Workroom>,
    pub(super) progress: &'a Arc<Progress>,
    token: &'a CancellationToken,
    warnings: Mutex<Vec<String>>,
}

/// What is copied, under the lease that keeps it; `None`: a repository that takes no writes gives no lease.
struct Chosen {
    loaded: Loaded,
    entries: Vec<Entry>,
    left_out: Vec<LeftOut>,
    lease: Option<Lease>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        repository: &'a Repository,
        registry: &'a Arc<dyn CodecRegistry>,
        there: Repository,
        request: &'a CopyRequest,
        room: Arc<Workroom>,
        progress: &'a Arc<Progress>,
        token: &'a CancellationToken,
    ) -> Self {
        Self { repository, registry, there, request, room, progress, token, warnings: Mutex::default() }
    }

    pub(super) fn warn(&self, warning: String) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }

    /// Copies under a lease at each of the two places.
    pub(super) async fn run(&self) -> Result<CopyReport> {
        let id = SessionId::fresh(self.repository.environment())?;
        let Chosen { loaded, entries, left_out, lease } = self.choose(id).await?;
        let warn = |warning| self.warn(warning);
        let keeper = keep_reading(lease.as_ref(), &warn);
        let outcome = tokio::select! {
            biased;
            lost = keeper => Err(lost),
            outcome = self.copy(&loaded, &entries, id) => outcome,
        };
        if let Some(lease) = lease
            && let Some(warning) = give_back(lease, "the lease").await
        {
            self.warn(warning);
        }
        let mut report = outcome?;
        report.left_out.extend(left_out);
        report.warnings.append(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(report)
    }

    /// Chooses, and keeps what was chosen from being deleted.
    async fn choose(&self, id: SessionId) -> Result<Chosen> {
        let mut choices = 1..=CHOICES;
        loop {
            let prepare = async {
                let loaded = self.repository.load().await?;
                let (entries, left_out) = selected(&loaded, self.request.backups.as_ref())?;
                Ok((loaded, entries, left_out))
            };
            let (loaded, entries, left_out) = until(self.token, "copy", std::future::pending(), prepare).await?;
            let terms =
                LeaseTerms::new(Purpose::Restore, format!("copy {id}")).keeping(entries.iter().map(|entry| entry.id));
            let name = format!("copy-{id}");
            let acquire = self.repository.hold(&name, terms, Duration::ZERO);
            match take_if_writable(self.token, "copy", acquire, &|warning| self.warn(warning)).await {
                Ok(lease) => return Ok(Chosen { loaded, entries, left_out, lease }),
                // One of them was condemned since the catalogue was read: it is left out now.
                Err(error) if error.kind() == ErrorKind::NotFound && choices.next().is_some() => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn copy(&self, loaded: &Loaded, entries: &[Entry], id: SessionId) -> Result<CopyReport> {
        self.progress.expect(entries.len() as u64, entries.iter().map(|entry| entry.size.stored_bytes).sum());
        self.progress.enter(Phase::Moving);
        until(self.token, "copy", std::future::pending(), self.there.join(self.repository)).await?;
        let note = format!("copy {id}");
        // Long enough for the lease of a copy that was killed to end by itself.
        let lease = take(self.token, "copy", self.there.copy_lease(&note, LEASE_TIME * 2)).await?;
        let outcome = until(self.token, "copy", lease.keep(), self.all(loaded, entries, &lease)).await;
        if let Some(warning) = give_back(lease, "the destination's lease").await {
            self.warn(warning);
        }
        outcome
    }

    async fn all(&self, loaded: &Loaded, entries: &[Entry], lease: &Lease) -> Result<CopyReport> {
        let there = self.there.load().await?;
        for timeline in loaded.timelines().iter().filter(|timeline| !there.timelines().contains(timeline)) {
            self.there.open_timeline(timeline.clone()).await?;
        }
        let whole = |entry: &Entry| !matches!(entry.status, Status::Deleted | Status::Corrupt);
        let known: BTreeSet<BackupId> = there.entries().filter(whole).map(|entry| entry.id).collect();
        let (mut report, mut brought, mut untold) = (CopyReport::default(), Vec::new(), Vec::new());
        let (mut outcome, all) = (Ok(()), self.request.backups.is_none());
        for entry in entries {
            if all && there.deleted.contains(&entry.id) {
                self.progress.reuse(entry.size.stored_bytes, 0, 0);
                report.deleted += 1;
                continue;
            }
            // What was copied whole is looked at again only if it is named.
            if all && known.contains(&entry.id) {
                self.progress.reuse(entry.size.stored_bytes, entry.size.stored_bytes, entry.size.records);
            } else {
                match self.one(entry, lease, &mut report).await {
                    Ok(Ok(())) => brought.push(entry),
                    Ok(Err(reason)) => {
                        self.progress.reuse(entry.size.stored_bytes, 0, 0);
                        report.left_out.push(reason.about(entry));
                        continue;
                    }
                    Err(error) => {
                        outcome = Err(error.within(format!("backup {}", entry.id)));
                        break;
                    }
                }
            }
            report.backups.push(entry.id);
            untold.extend(self.news(entry));
            if untold.len() >= TOLD_AT_ONCE {
                self.tell(&mut untold).await;
            }
        }
        // Also after an error: what was copied by then is there.
        self.tell(&mut untold).await;
        outcome?;
        self.progress.enter(Phase::Finishing);
        if report.copied > 0 {
            report.unreachable = self.unreachable(loaded, &brought).await;
            if let Err(error) = self.there.compact(false).await {
                self.warn(format!("the destination's catalogue was not made smaller: {error}"));
            }
        }
        Ok(report)
    }

    /// What the catalogue does not know of a copy yet, if it has a name.
    fn news(&self, entry: &Entry) -> Option<Record> {
        let name = self.request.name.as_ref()?;
        let told = entry.copies.iter().any(|copy| copy.storage == *name && copy.state == HeldState::Present);
        (!told).then(|| Record::Copied { backup: entry.id, held: Held::in_storage(name) })
    }

    async fn tell(&self, untold: &mut Vec<Record>) {
        if untold.is_empty() {
            return;
        }
        if let Err(error) = self.repository.record(untold).await {
            self.warn(format!("{} copies were not recorded: {error}", untold.len()));
        }
        untold.clear();
    }

    /// Of the backups that were brought, those that could be restored where they come from, and can't from there alone.
    async fn unreachable(&self, loaded: &Loaded, brought: &[&Entry]) -> Vec<Unreachable> {
        let there = match self.there.load().await {
            Ok(there) => there,
            Err(error) => {
                self.warn(format!(
                    "no restore could be planned at the destination, since its catalogue can't be read: {error}"
                ));
                return Vec::new();
            }
        };
        let fails = |entry: &&Entry| {
            let request = restore_of(entry);
            let error = there.catalogue().plan(&request).err()?;
            loaded.catalogue().plan(&request).is_ok().then(|| Unreachable {
                backup: entry.id,
                part: entry.part.clone(),
                why: crate::Error::from(error).to_string(),
            })
        };
        brought.iter().filter(|entry| entry.log.is_none()).filter_map(fails).collect()
    }
}
