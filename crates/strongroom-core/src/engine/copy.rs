//! The copy job: backups to another storage, as the same backups of the same repository.
//!
//! Objects are copied as they are, each compared with its hash on the way, the manifest last: a copy that was cut off
//! leaves nothing that looks complete, and goes on where it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::job::Job;
use super::list::CodedList;
use super::proof::transfer;
use super::restore::objects_of;
use crate::codec::CodecRegistry;
use crate::id::{BackupId, SessionId};
use crate::model::Status;
use crate::pipeline::{Phase, Progress, Settings, Stack, Workroom};
use crate::planner::{Entry, Held, Request, Target};
use crate::repository::{Lease, LeaseTerms, Loaded, Purpose, Repository};
use crate::{Error, Result, Storage};

/// What shall be copied.
#[derive(Debug, Clone, Default)]
pub struct CopyRequest {
    /// These backups and the chains they need; `None`: all.
    pub backups: Option<BTreeSet<BackupId>>,
    /// The name of the destination in the caller's configuration. The catalogue remembers it, so that plans can read
    /// from there. `None`: not remembered.
    pub name: Option<String>,
    /// How many objects at once, and how fast.
    pub settings: Settings,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CopyReport {
    /// The backups that are there now, oldest first.
    pub backups: Vec<BackupId>,
    /// Objects that were copied.
    pub objects: u64,
    /// Objects that were there already.
    pub present: u64,
    /// Bytes that were copied.
    pub bytes: u64,
    /// What came up on the way.
    pub warnings: Vec<String>,
}

/// Begins a copy. The destination becomes a repository of the same id, to be opened like any other.
///
/// The job fails with `Corrupt` when the source is damaged and `Invalid` when the destination holds another repository.
pub fn copy(
    repository: Repository,
    registry: Arc<dyn CodecRegistry>,
    destination: Arc<dyn Storage>,
    request: CopyRequest,
) -> Job<CopyReport> {
    let environment = repository.environment().clone();
    Job::start("copy", &environment, move |progress| async move {
        let room = Workroom::new(request.settings)?;
        let loaded = repository.load().await?;
        let entries = selected(&loaded, request.backups.as_ref())?;
        let id = SessionId::fresh(repository.environment())?;
        let terms =
            LeaseTerms::new(Purpose::Restore, format!("copy {id}")).keeping(entries.iter().map(|entry| entry.id));
        let lease = repository.hold(&format!("copy-{id}"), terms, Duration::ZERO).await?;
        let run = Run {
            repository: &repository,
            registry: &registry,
            there: repository.at(destination),
            request: &request,
            room,
        };
        let outcome = lease.during(run.copy(&loaded, &entries, &progress, id)).await;
        let released = lease.release().await;
        outcome.map(|mut report| {
            report.warnings.extend(released.err().map(|error| format!("the lease was not given back: {error}")));
            report
        })
    })
}

/// The backups to copy, oldest first: those that were named, with all that a restore of them applies.
fn selected(loaded: &Loaded, wanted: Option<&BTreeSet<BackupId>>) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = match wanted {
        None => loaded.entries().filter(|entry| entry.status != Status::Deleted).collect(),
        Some(wanted) => {
            let catalogue = loaded.catalogue();
            let mut chain = BTreeMap::new();
            for id in wanted {
                let entry = loaded
                    .entry(*id)
                    .ok_or_else(|| Error::not_found(format!("no backup {id}")).hint("see the list of backups"))?;
                let plan =
                    catalogue.plan(&Request { cluster: Some(entry.cluster), ..Request::at(Target::Backup(*id)) })?;
                let steps = plan.steps().filter_map(|(_, step)| loaded.entry(step.backup));
                chain.extend(steps.map(|entry| (entry.id, entry)));
            }
            chain.into_values().collect()
        }
    };
    entries.sort_by_key(|entry| (entry.window.until, entry.id));
    Ok(entries)
}

struct Run<'a> {
    repository: &'a Repository,
    registry: &'a Arc<dyn CodecRegistry>,
    there: Repository,
    request: &'a CopyRequest,
    room: Arc<Workroom>,
}

impl Run<'_> {
    async fn copy(
        &self,
        loaded: &Loaded,
        entries: &[Entry],
        progress: &Arc<Progress>,
        id: SessionId,
    ) -> Result<CopyReport> {
        progress.expect(entries.len() as u64, entries.iter().map(|entry| entry.size.stored_bytes).sum());
        progress.enter(Phase::Moving);
        self.there.join(self.repository).await?;
        let terms = LeaseTerms::new(Purpose::Backup, format!("copy {id}"));
        let lease = self.there.lease(&format!("copy-{id}"), terms, Duration::ZERO).await?;
        let outcome = lease.during(self.all(loaded, entries, progress, &lease)).await;
        let released = lease.release().await;
        outcome.map(|mut report| {
            report
                .warnings
                .extend(released.err().map(|error| format!("the destination's lease was not given back: {error}")));
            report
        })
    }

    async fn all(
        &self,
        loaded: &Loaded,
        entries: &[Entry],
        progress: &Arc<Progress>,
        lease: &Lease,
    ) -> Result<CopyReport> {
        let there = self.there.load().await?;
        for timeline in loaded.timelines().iter().filter(|timeline| !there.timelines().contains(timeline)) {
            self.there.open_timeline(timeline.clone()).await?;
        }
        let known: BTreeSet<BackupId> = there.entries().map(|entry| entry.id).collect();
        let mut report = CopyReport::default();
        for entry in entries {
            self.one(entry, known.contains(&entry.id), lease, progress, &mut report).await?;
        }
        Ok(report)
    }

    async fn one(
        &self,
        entry: &Entry,
        known: bool,
        lease: &Lease,
        progress: &Arc<Progress>,
        report: &mut CopyReport,
    ) -> Result<()> {
        let (repository, mut share) = (self.repository, progress.begin());
        let form = CodedList::new(
            repository.id(),
            repository.environment().clone(),
            Arc::clone(self.registry),
            Stack::default(),
        );
        let manifest = repository.manifest(&entry.manifest).await?;
        let pieces = repository.pieces(&manifest, &form).await?;
        let objects = objects_of(&manifest, &pieces);
        let begun = if known { None } else { Some(self.there.begin_copy(lease, &manifest).await?) };
        let transfers: Vec<_> = objects
            .iter()
            .map(|object| {
                transfer(&**repository.storage(), &**self.there.storage(), object, &self.room)
                    .map(|outcome| outcome.map(|copied| (copied, object.size)))
                    .boxed()
            })
            .collect();
        let mut transfers = stream::iter(transfers).buffer_unordered(self.room.settings().parallel);
        while let Some((copied, size)) = transfers.try_next().await? {
            share.plain(size);
            if copied {
                report.objects += 1;
                report.bytes += size;
            } else {
                report.present += 1;
            }
        }
        drop(transfers);
        if let Some(begun) = begun {
            self.there.commit_copy(&begun, lease, repository).await?;
        }
        share.piece(entry.size.stored_bytes, entry.size.stored_bytes, manifest.totals.records);
        share.keep();
        report.backups.push(entry.id);
        if let Some(name) = &self.request.name
            && !entry.copies.iter().any(|copy| copy.storage == *name)
            && let Err(error) = repository.record_copy(entry.id, Held::in_storage(name)).await
        {
            report.warnings.push(format!("the copy of {} was not recorded: {error}", entry.id));
        }
        Ok(())
    }
}
