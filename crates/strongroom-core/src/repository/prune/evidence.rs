//! Everything that must be known before anything is deleted, from whole listings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::catalogue::{Begun, Loaded};
use super::super::layout::BackupFolder;
use super::super::lease::{Lease, LeaseState, Purpose, Watch, micros};
use super::super::manifests::Found;
use super::super::objects::list_all;
use super::super::{Repository, layout};
use super::report::Why;
use super::{PruneTerms, damaged};
use crate::id::BackupId;
use crate::model::Status;
use crate::planner::{Catalogue, Entry, HOME};
use crate::storage::ObjectMeta;
use crate::{Error, ErrorKind, Key, Result, Timestamp};

/// One backup's objects.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) objects: Vec<ObjectMeta>,
    pub(super) mark: Mark,
}

/// What lies at the name of its manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Mark {
    #[default]
    Nothing,
    Void,
    Committed,
    /// Something that can't be read: it may be a manifest.
    Broken,
}

impl Folder {
    pub(super) fn bytes(&self) -> u64 {
        self.objects.iter().map(|meta| meta.size).sum()
    }

    /// When its newest object was written, if the storage tells.
    fn modified(&self) -> Option<Timestamp> {
        self.objects.iter().filter_map(|meta| meta.modified).max()
    }
}

/// What is there and what is going on, as whole listings show it.
#[derive(Debug)]
pub struct Evidence {
    pub(super) loaded: Loaded,
    pub(super) folders: BTreeMap<BackupFolder, Folder>,
    by_backup: BTreeMap<BackupId, BackupFolder>,
    pub(super) content: BTreeMap<Key, ObjectMeta>,
    /// Leases of others that may be alive.
    pub(super) leases: Vec<LeaseState>,
    object_lock: i64,
}

impl Evidence {
    /// What the catalogue says.
    #[must_use]
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The leases of others that may be alive.
    #[must_use]
    pub fn leases(&self) -> &[LeaseState] {
        &self.leases
    }

    /// Whether a manifest of this backup is there that can't be read.
    #[must_use]
    pub fn is_broken(&self, backup: BackupId) -> bool {
        self.folder_of(backup).is_some_and(|folder| folder.mark == Mark::Broken)
    }

    /// Until when the repository's storage keeps a backup's objects from being deleted, as far as that is known; `None`:
    /// not beyond `now`.
    #[must_use]
    pub fn locked_until(&self, backup: BackupId, now: Timestamp) -> Option<Timestamp> {
        let recorded = self.loaded.entry(backup).and_then(|entry| home_lock(&entry));
        let written = self.folder_of(backup).and_then(Folder::modified).map(|at| at.plus_micros(self.object_lock));
        let written = written.filter(|_| self.object_lock > 0);
        recorded.max(written).filter(|until| *until > now)
    }

    /// The same for shared content.
    pub(super) fn content_locked_until(&self, key: &Key, now: Timestamp) -> Option<Timestamp> {
        let modified = self.content.get(key)?.modified.filter(|_| self.object_lock > 0)?;
        Some(modified.plus_micros(self.object_lock)).filter(|until| *until > now)
    }

    fn folder_of(&self, backup: BackupId) -> Option<&Folder> {
        self.folders.get(self.by_backup.get(&backup)?)
    }

    /// Why a backup must not go now: reason, by whom, and until when if that is known.
    pub(super) fn reason_to_stay(&self, backup: BackupId, now: Timestamp) -> Option<Reason> {
        if let Some(lease) = self.kept_by(backup) {
            return Some(Reason::new(Why::Leased, format!("{} ({})", lease.name, lease.terms.note)));
        }
        match self.loaded.entry(backup) {
            None => {
                // A manifest that can't be read, or one that the catalogue forgot: it may go if it is named.
                let mark = self.folder_of(backup).map(|folder| &folder.mark);
                if !matches!(mark, Some(Mark::Broken | Mark::Committed)) {
                    return Some(Reason::new(Why::Unknown, "no such backup".to_owned()));
                }
            }
            Some(entry) => {
                let pin = entry.pins.into_iter().find(|pin| pin.until.is_none_or(|until| until > now));
                if let Some(pin) = pin {
                    return Some(Reason { until: pin.until, ..Reason::new(Why::Pinned, pin.reason) });
                }
            }
        }
        let until = self.locked_until(backup, now)?;
        Some(Reason { until: Some(until), ..Reason::new(Why::Locked, "the storage's object lock".to_owned()) })
    }

    /// The leases that keep `backup`. A lease of a purpose that is not known keeps everything.
    pub(super) fn kept_by(&self, backup: BackupId) -> Option<&LeaseState> {
        let keeps =
            |lease: &&LeaseState| lease.terms.backups.contains(&backup) || lease.terms.purpose == Purpose::Other;
        self.leases.iter().find(keeps)
    }

    /// Whether the writer of a begun backup may be alive.
    pub(super) fn writer(&self, begun: &Begun) -> Option<&LeaseState> {
        let name = layout::segment(&begun.lease);
        self.leases.iter().find(|lease| lease.name == name || lease.terms.purpose == Purpose::Other)
    }

    /// The unfinished backups: begun ones by the catalogue, and folders without a manifest that it does not know.
    pub(super) fn unfinished(&self) -> BTreeMap<BackupFolder, Option<&Begun>> {
        let mut all = BTreeMap::new();
        for (folder, content) in &self.folders {
            let only_mark = content.mark == Mark::Void && content.objects.len() == 1;
            let recorded = folder.name().is_some_and(|name| self.loaded.entry(name.backup).is_some());
            if matches!(content.mark, Mark::Nothing | Mark::Void) && !only_mark && !recorded {
                all.insert(folder.clone(), None);
            }
        }
        for begun in &self.loaded.in_progress {
            if let Ok(folder) = begun.folder() {
                all.insert(folder, Some(begun));
            }
        }
        all
    }

    /// Whether an unfinished backup is old enough to be given up, and its writer dead.
    pub(super) fn is_abandoned(&self, folder: &BackupFolder, begun: Option<&Begun>, before: Timestamp) -> bool {
        if let Some(begun) = begun {
            return begun.at < before && self.writer(begun).is_none();
        }
        // Begun by nobody knows whom: any writer could be it.
        let writing = self.leases.iter().any(|lease| lease.terms.purpose != Purpose::Restore);
        let content = self.folders.get(folder);
        let void = content.is_some_and(|content| content.mark == Mark::Void);
        let modified = content.and_then(Folder::modified);
        void || (!writing && modified.is_none_or(|modified| modified < before))
    }

    /// Every committed backup, those that are condemned with the status they would have otherwise.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.loaded.entries().map(|mut entry| {
            entry.status = self.loaded.condemned.get(&entry.id).copied().unwrap_or(entry.status);
            entry
        })
    }

    /// What remains for the planner once `gone` are gone.
    pub(super) fn kept(&self, gone: &BTreeSet<BackupId>) -> Catalogue {
        let loaded = &self.loaded;
        let kept = self.entries().filter(|entry| !gone.contains(&entry.id));
        Catalogue::from_entries(kept, loaded.timelines().to_vec(), loaded.generation(), loaded.is_complete())
    }
}

/// Why a backup stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) why: Why,
    pub(super) by: String,
    pub(super) until: Option<Timestamp>,
}

impl Reason {
    fn new(why: Why, by: String) -> Self {
        Self { why, by, until: None }
    }
}

/// Until when the copy in the repository's own storage is known to be locked.
fn home_lock(entry: &Entry) -> Option<Timestamp> {
    entry.copies.iter().find(|copy| copy.storage == HOME).and_then(|copy| copy.locked_until)
}

impl Repository {
    /// Gathers all evidence, or fails. `lease` is the one under which this happens; without one nothing is written, and so
    /// no dead lease is fenced off.
    ///
    /// # Errors
    /// `Corrupt` when the catalogue is damaged; as the storage otherwise, above all when a listing is not complete.
    pub async fn evidence(&self, lease: Option<&Lease>, terms: &PruneTerms) -> Result<Evidence> {
        let before = self.load_listed().await?;
        if before.report.rebuilt {
            return Err(damaged(&before.report.damaged));
        }
        let folders = self.list_folders(&before).await?;
        let content = list_all(&*self.storage, layout::CONTENT).await?;
        let leases = self.living_leases(lease.map(Lease::name), terms.patience).await?;
        // After the listing: whatever was listed is known to the catalogue by now, since "begin" comes first.
        let loaded = self.load_listed().await?;
        let by_backup = folders.keys().filter_map(|folder| Some((folder.name()?.backup, folder.clone()))).collect();
        let mut evidence = Evidence {
            loaded,
            folders,
            by_backup,
            content: content.into_iter().map(|meta| (meta.key.clone(), meta)).collect(),
            leases,
            object_lock: i64::try_from(micros(terms.object_lock)).unwrap_or(i64::MAX),
        };
        self.read_marks(&mut evidence).await?;
        Ok(evidence)
    }

    async fn list_folders(&self, before: &Loaded) -> Result<BTreeMap<BackupFolder, Folder>> {
        let mut folders: BTreeMap<BackupFolder, Folder> = BTreeMap::new();
        let mut manifests: BTreeSet<Key> = BTreeSet::new();
        for meta in list_all(&*self.storage, layout::BACKUPS).await? {
            if let Some(folder) = BackupFolder::of(&meta.key) {
                if layout::is_manifest(&meta.key) {
                    manifests.insert(meta.key.clone());
                }
                folders.entry(folder).or_default().objects.push(meta);
            }
        }
        for entry in before.entries() {
            if !manifests.contains(&entry.manifest) && self.has(&entry.manifest).await? {
                return Err(Error::unavailable(format!(
                    "the listing of '{}' is not complete: it lacks {}, which exists",
                    layout::BACKUPS,
                    entry.manifest
                ))
                .hint("nothing was deleted; try again when the storage lists what it holds"));
            }
        }
        Ok(folders)
    }

    /// Finds out what lies at the manifests' names. What the catalogue knows to be committed need not be read.
    async fn read_marks(&self, evidence: &mut Evidence) -> Result<()> {
        let known: BTreeSet<Key> = evidence.loaded.entries().map(|entry| entry.manifest).collect();
        for (folder, content) in &mut evidence.folders {
            let key = folder.manifest()?;
            if !content.objects.iter().any(|meta| meta.key == key) {
                continue;
            }
            if known.contains(&key) {
                content.mark = Mark::Committed;
                continue;
            }
            content.mark = match self.find_manifest(&key).await {
                Ok(Found::Missing) => Mark::Nothing,
                Ok(Found::Void) => Mark::Void,
                Ok(Found::Manifest(..)) => Mark::Committed,
                Err(error) if is_unreadable(&error) => Mark::Broken,
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }

    /// The leases of others that are alive or may be. The dead are fenced off, so that they stay dead.
    async fn living_leases(&self, own: Option<&str>, patience: Duration) -> Result<Vec<LeaseState>> {
        let monotonic = || self.environment.clock.monotonic_micros();
        let own_name = own.map(layout::segment);
        let (started, mut watch) = (monotonic(), Watch::default());
        let mut first: BTreeMap<String, u64> = BTreeMap::new();
        loop {
            let mut held = self.leases().await?;
            held.retain(|lease| Some(&lease.name) != own_name.as_ref());
            let now = monotonic();
            let mut undecided = None;
            let mut alive = Vec::new();
            for lease in held {
                let seen = *first.entry(lease.name.clone()).or_insert(lease.epoch);
                let left = watch.time_left(&lease, now);
                if left == 0 {
                    if own.is_some() && !self.fence(&lease).await? {
                        alive.push(lease);
                    }
                    continue;
                }
                // Whoever renewed while being watched is alive; nothing is gained by watching on.
                if seen == lease.epoch {
                    undecided = Some(undecided.map_or(left, |before: u64| before.min(left)));
                }
                alive.push(lease);
            }
            match undecided {
                Some(left) if now.saturating_sub(started).saturating_add(left) <= micros(patience) => {
                    tokio::time::sleep(Duration::from_micros(left.min(5_000_000))).await;
                }
                _ => return Ok(alive),
            }
        }
    }

    /// The names of shared content that committed backups use, of those in `asked`; `gone` do not count. An error text
    /// when some use can't be known.
    pub(super) async fn used_content(
        &self,
        evidence: &Evidence,
        gone: &BTreeSet<BackupId>,
        asked: &BTreeSet<Key>,
    ) -> Result<Result<BTreeSet<Key>, String>> {
        let mut manifests: BTreeSet<Key> = BTreeSet::new();
        for (folder, content) in &evidence.folders {
            if matches!(content.mark, Mark::Committed | Mark::Broken) {
                manifests.insert(folder.manifest()?);
            }
        }
        // Those committed since the listing too. One that is missing may come back from a copy, if it was not deleted here.
        let known = evidence.loaded.entries().filter(|entry| entry.status != Status::Deleted);
        let known: BTreeSet<Key> = known.map(|entry| entry.manifest).collect();
        manifests.extend(evidence.loaded.entries().map(|entry| entry.manifest));
        let mut used = BTreeSet::new();
        for key in manifests {
            if BackupFolder::of(&key).and_then(|folder| folder.name()).is_some_and(|name| gone.contains(&name.backup)) {
                continue;
            }
            match self.content_of(&key).await {
                Ok(Some(names)) => used.extend(names.into_iter().filter(|name| asked.contains(name))),
                Ok(None) if known.contains(&key) => return Ok(Err(format!("{key} is missing"))),
                Ok(None) => {}
                Err(error) if is_unreadable(&error) => return Ok(Err(error.to_string())),
                Err(error) => return Err(error),
            }
        }
        Ok(Ok(used))
    }

    /// The shared content that the backup of this manifest uses; `None` if the manifest is missing.
    pub(super) async fn content_of(&self, manifest: &Key) -> Result<Option<Vec<Key>>> {
        let manifest = match self.find_manifest(manifest).await? {
            Found::Manifest(manifest, _) => manifest,
            Found::Void => return Ok(Some(Vec::new())),
            Found::Missing => return Ok(None),
        };
        let parts = self.shared_parts(&manifest).await?;
        Ok(Some(parts.into_iter().map(|shared| shared.part.object.key).collect()))
    }
}

/// Whether an error means that bytes are there, or should be, and can't be understood.
pub(super) fn is_unreadable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound | ErrorKind::Unsupported)
}
