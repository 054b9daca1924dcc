//! The verify job: are stored backups still what was stored?

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::job::Job;
use super::list::CodedList;
use super::proof::{Finding, Prover};
use super::restore::objects_of;
use crate::codec::CodecRegistry;
use crate::id::BackupId;
use crate::model::{Depth, PartName, Status};
use crate::pipeline::{Phase, Progress, Settings, Stack, Workroom};
use crate::planner::{Entry, Verified};
use crate::repository::Repository;
use crate::{Error, ErrorKind, Result};

/// What a check shall look at.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// These backups; `None`: all.
    pub backups: Option<BTreeSet<BackupId>>,
    /// How deep.
    pub depth: Depth,
    /// How many objects at once, and how fast.
    pub settings: Settings,
    /// Record the outcome in the catalogue, so that plans prefer what was found whole and refuse what was not.
    pub record: bool,
}

impl Default for VerifyRequest {
    fn default() -> Self {
        Self { backups: None, depth: Depth::Hash, settings: Settings::default(), record: true }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// How deep it looked.
    pub depth: Depth,
    /// Every backup it looked at, oldest first.
    pub backups: Vec<VerifiedBackup>,
    /// What came up on the way, such as a catalogue that could not be told.
    pub warnings: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is missing or damaged.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.backups.iter().all(|backup| backup.findings.is_empty())
    }
}

/// One backup of a [`VerifyReport`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedBackup {
    /// The backup.
    pub backup: BackupId,
    /// Its part.
    pub part: PartName,
    /// Objects that were checked.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong. Empty = whole.
    pub findings: Vec<Finding>,
}

/// Begins a check. The job fails only where it could not find out; what it finds is in the report.
pub fn verify(repository: Repository, registry: Arc<dyn CodecRegistry>, request: VerifyRequest) -> Job<VerifyReport> {
    let environment = repository.environment().clone();
    Job::start("verify", &environment, move |progress| async move {
        let room = Workroom::new(request.settings)?;
        let loaded = repository.load().await?;
        let mut entries: Vec<Entry> = match &request.backups {
            None => loaded.entries().filter(|entry| entry.status != Status::Deleted).collect(),
            Some(wanted) => {
                let found = |id: &BackupId| {
                    loaded
                        .entry(*id)
                        .ok_or_else(|| Error::not_found(format!("no backup {id}")).hint("see the list of backups"))
                };
                wanted.iter().map(found).collect::<Result<_>>()?
            }
        };
        entries.sort_by_key(|entry| (entry.window.until, entry.id));
        progress.expect(entries.len() as u64, entries.iter().map(|entry| entry.size.stored_bytes).sum());
        progress.enter(Phase::Moving);
        let mut report = VerifyReport { depth: request.depth, backups: Vec::new(), warnings: Vec::new() };
        for broken in &loaded.report.quarantined {
            report.warnings.push(format!("{}: {}", broken.key, broken.why));
        }
        for entry in entries {
            let checked = one(&repository, &registry, &room, &progress, &entry, request.depth).await?;
            if request.record
                && let Err(error) = record(&repository, &entry, &checked, request.depth).await
            {
                report.warnings.push(format!("the outcome for {} was not recorded: {error}", entry.id));
            }
            report.backups.push(checked);
        }
        Ok(report)
    })
}

async fn one(
    repository: &Repository,
    registry: &Arc<dyn CodecRegistry>,
    room: &Arc<Workroom>,
    progress: &Arc<Progress>,
    entry: &Entry,
    depth: Depth,
) -> Result<VerifiedBackup> {
    let form =
        CodedList::new(repository.id(), repository.environment().clone(), Arc::clone(registry), Stack::default());
    let mut checked =
        VerifiedBackup { backup: entry.id, part: entry.part.clone(), objects: 0, bytes: 0, findings: Vec::new() };
    let read = async {
        let manifest = repository.manifest(&entry.manifest).await?;
        let pieces = repository.pieces(&manifest, &form).await?;
        Ok::<_, Error>((manifest, pieces))
    };
    let (manifest, pieces) = match read.await {
        Ok(read) => read,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => {
            checked.findings.push(Finding {
                key: entry.manifest.clone(),
                kind: error.kind(),
                problem: error.to_string(),
            });
            return Ok(checked);
        }
        Err(error) => return Err(error),
    };
    let objects = objects_of(&manifest, &pieces);
    checked.objects = objects.len() as u64;
    checked.bytes = objects.iter().map(|object| object.size).sum();
    let prover = Prover { storage: repository.storage(), repository: repository.id(), registry, room };
    checked.findings = prover.examine(&objects, &pieces, &manifest.codecs, depth).await?;
    let mut share = progress.begin();
    share.plain(entry.size.stored_bytes);
    share.piece(entry.size.stored_bytes, entry.size.stored_bytes, manifest.totals.records);
    share.keep();
    Ok(checked)
}

async fn record(repository: &Repository, entry: &Entry, checked: &VerifiedBackup, depth: Depth) -> Result<()> {
    if checked.findings.is_empty() {
        let when = repository.environment().now();
        repository.record_verified(entry.id, Verified { when, depth }).await
    } else {
        repository.record_status(entry.id, Status::Corrupt).await
    }
}
