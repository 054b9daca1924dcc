//! The verify job: are stored backups still what was stored?

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::job::Job;
use super::list::CodedList;
use super::proof::{Finding, Prover, note};
use super::restore::objects_of;
use crate::codec::{CodecId, CodecRegistry};
use crate::id::BackupId;
use crate::model::{Depth, PartName, Status};
use crate::pipeline::{Phase, Progress, Settings, Stack, Workroom};
use crate::planner::{Entry, HOME, Held, HeldState, Verified};
use crate::repository::{Loaded, Record, Repository};
use crate::{Error, Key, Result};

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
    /// Manifests that can't be used and belong to no backup that the catalogue knows: found when it had to be rebuilt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unusable: Vec<Finding>,
    /// What came up on the way, such as a catalogue that could not be told.
    pub warnings: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is missing or damaged.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unusable.is_empty() && self.backups.iter().all(|backup| backup.findings.is_empty())
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
///
/// What is looked at is the repository's own storage: copies elsewhere are checked by opening them. The job fails with
/// `NotFound` for a named backup that is not there, `Denied` when a key is missing, and as the storage otherwise.
pub fn verify(repository: Repository, registry: Arc<dyn CodecRegistry>, request: VerifyRequest) -> Job<VerifyReport> {
    let environment = repository.environment().clone();
    Job::start("verify", &environment, move |progress| async move {
        let room = Workroom::new(request.settings)?;
        let loaded = repository.load().await?;
        let entries = selected(&loaded, request.backups.as_ref())?;
        progress.expect(entries.len() as u64, entries.iter().map(|entry| entry.size.stored_bytes).sum());
        progress.enter(Phase::Moving);
        let mut report = VerifyReport {
            depth: request.depth,
            backups: Vec::new(),
            unusable: loaded.report.quarantined.iter().map(Finding::of_broken).collect(),
            warnings: loaded.report.damaged.iter().map(|what| format!("the catalogue is damaged: {what}")).collect(),
        };
        if request.backups.is_none() {
            let broken = repository.survey().await?;
            report.warnings.extend(broken.into_iter().map(|broken| broken.why));
        }
        let check = Check { repository: &repository, registry: &registry, room: &room, depth: request.depth };
        for entry in entries {
            let checked = check.backup(&progress, &entry).await?;
            if !checked.findings.is_empty() && check.is_deleted(&entry).await? {
                report.warnings.push(format!("backup {} was deleted while it was checked", entry.id));
                continue;
            }
            if request.record
                && let Err(error) = check.record(&entry, &checked).await
            {
                report.warnings.push(format!("the outcome for {} was not recorded: {error}", entry.id));
            }
            report.backups.push(checked);
        }
        Ok(report)
    })
}

/// The backups to check, oldest first.
fn selected(loaded: &Loaded, wanted: Option<&BTreeSet<BackupId>>) -> Result<Vec<Entry>> {
    let found = |id: &BackupId| {
        loaded.entry(*id).ok_or_else(|| Error::not_found(format!("no backup {id}")).hint("see the list of backups"))
    };
    let mut entries: Vec<Entry> = match wanted {
        None => loaded.entries().filter(|entry| entry.status != Status::Deleted).collect(),
        Some(wanted) => wanted.iter().map(found).collect::<Result<_>>()?,
    };
    entries.sort_by_key(|entry| (entry.window.until, entry.id));
    Ok(entries)
}

/// A check of one repository at one depth.
struct Check<'a> {
    repository: &'a Repository,
    registry: &'a Arc<dyn CodecRegistry>,
    room: &'a Arc<Workroom>,
    depth: Depth,
}

impl Check<'_> {
    async fn backup(&self, progress: &Arc<Progress>, entry: &Entry) -> Result<VerifiedBackup> {
        let mut checked =
            VerifiedBackup { backup: entry.id, part: entry.part.clone(), objects: 0, bytes: 0, findings: Vec::new() };
        let Some(manifest) = found(self.repository.manifest(&entry.manifest).await, &entry.manifest, &mut checked)?
        else {
            return Ok(checked);
        };
        // A key that is missing, or damaged itself, is no damage of the backup.
        self.resolve(&manifest.codecs)?;
        let environment = self.repository.environment().clone();
        let form = CodedList::new(self.repository.id(), environment, Arc::clone(self.registry), Stack::default());
        let pieces = self.repository.pieces(&manifest, &form).await;
        // Without its list nothing is known of a backup but the list of shared content.
        let pieces = found(pieces, &manifest.pieces.key, &mut checked)?;
        let mut objects = objects_of(&manifest, pieces.as_deref().unwrap_or_default());
        let parts = pieces.iter().flatten().flat_map(|piece| &piece.parts);
        self.resolve(parts.filter_map(|part| part.codecs.as_ref()).flatten())?;
        if pieces.is_none() {
            objects.retain(|object| object.key != manifest.pieces.key);
        }
        checked.objects = objects.len() as u64;
        checked.bytes = objects.iter().map(|object| object.size).sum();
        let prover = Prover {
            storage: self.repository.storage(),
            repository: self.repository.id(),
            registry: self.registry,
            room: self.room,
        };
        let examined =
            prover.examine(&objects, pieces.as_deref().unwrap_or_default(), &manifest.codecs, self.depth).await?;
        checked.findings.extend(examined);
        let mut share = progress.begin();
        share.plain(entry.size.stored_bytes);
        share.piece(entry.size.stored_bytes, entry.size.stored_bytes, manifest.totals.records);
        share.keep();
        Ok(checked)
    }

    fn resolve<'a>(&self, codecs: impl IntoIterator<Item = &'a CodecId>) -> Result<()> {
        let codecs: BTreeSet<&CodecId> = codecs.into_iter().collect();
        codecs.into_iter().try_for_each(|codec| self.registry.resolve(codec).map(drop))
    }

    /// Whether a prune has deleted the backup meanwhile, or is about to.
    async fn is_deleted(&self, entry: &Entry) -> Result<bool> {
        let now = self.repository.load().await?;
        Ok(now.entry(entry.id).is_none_or(|entry| entry.status == Status::Deleted))
    }

    async fn record(&self, entry: &Entry, checked: &VerifiedBackup) -> Result<()> {
        let (repository, backup) = (self.repository, entry.id);
        let at_home = |state| Record::Copied { backup, held: Held { state, ..Held::in_storage(HOME) } };
        let elsewhere = entry.copies.iter().any(|copy| copy.storage != HOME && copy.state == HeldState::Present);
        let was_damaged = entry.copies.iter().any(|copy| copy.storage == HOME && copy.state == HeldState::Corrupt);
        let status = |status| Record::Status { backup, status };
        let mut records = Vec::new();
        if checked.findings.is_empty() {
            let verified = Verified { when: repository.environment().now(), depth: self.depth };
            records.push(Record::Verified { backup, verified });
            // That everything is there does not show that damage is gone: its bytes must have been looked at.
            if self.depth >= Depth::Hash && entry.status == Status::Corrupt {
                records.push(status(if entry.missing > 0 { Status::Partial } else { Status::Complete }));
            }
            if self.depth >= Depth::Hash && was_damaged {
                records.push(at_home(HeldState::Present));
            }
        } else if elsewhere {
            // Plans go on with the copies in other storages.
            records.push(at_home(HeldState::Corrupt));
        } else {
            records.push(status(Status::Corrupt));
        }
        repository.record(&records).await.map(drop)
    }
}

/// What was read, or a finding about `key` if it is missing or damaged.
fn found<T>(read: Result<T>, key: &Key, checked: &mut VerifiedBackup) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) => {
            note(&mut checked.findings, key, Err(error))?;
            Ok(None)
        }
    }
}
