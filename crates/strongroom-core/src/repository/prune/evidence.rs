//! Everything that must be known before anything is deleted, from whole listings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::catalogue::{Begun, Loaded};
use super::super::layout::BackupFolder;
use super::super::lease::{LeaseState, Purpose, Watch, micros};
use super::super::manifests::Found;
use super::super::objects::list_all;
use super::super::{Repository, layout};
use super::damaged;
use crate::id::BackupId;
use crate::model::{Applies, Status};
use crate::planner::{Catalogue, Entry};
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

/// What is there and what is going on.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) loaded: Loaded,
    pub(super) folders: BTreeMap<BackupFolder, Folder>,
    pub(super) content: BTreeMap<Key, ObjectMeta>,
    /// Leases of others that may be alive.
    pub(super) leases: Vec<LeaseState>,
}

impl Evidence {
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

    /// What remains for the planner once `gone` are gone.
    pub(super) fn kept(&self, gone: &BTreeSet<BackupId>) -> Catalogue {
        let loaded = &self.loaded;
        let kept = loaded.entries().filter(|entry| !gone.contains(&entry.id));
        Catalogue::from_entries(kept, loaded.timelines().to_vec(), loaded.generation(), loaded.is_complete())
    }

    /// Takes out of `gone` what is needed by an `exact` backup that stays. Gives (needed, by).
    pub(super) fn spare_needed(&self, gone: &mut BTreeSet<BackupId>) -> Vec<(BackupId, BackupId)> {
        let needs = |entry: Entry| match (entry.applies, entry.parent) {
            (Applies::Exact, Some(parent)) if !entry.kind.starts_a_chain() && entry.status != Status::Deleted => {
                Some((parent, entry.id))
            }
            _ => None,
        };
        let needs: Vec<(BackupId, BackupId)> = self.loaded.entries().filter_map(needs).collect();
        let mut spared = Vec::new();
        loop {
            let before = spared.len();
            // Later ones first: what they need is spared before it is asked what that needs.
            for (parent, child) in needs.iter().rev() {
                if !gone.contains(child) && gone.remove(parent) {
                    spared.push((*parent, *child));
                }
            }
            if spared.len() == before {
                break;
            }
        }
        spared
    }
}

impl Repository {
    /// Gathers all evidence, or fails. `own` is the lease under which this happens; without one nothing is written.
    pub(super) async fn evidence(&self, own: Option<&str>, patience: Duration) -> Result<Evidence> {
        let before = self.load_listed().await?;
        if before.report.rebuilt {
            return Err(damaged(&before.report.damaged));
        }
        let folders = self.list_folders(&before).await?;
        let content = list_all(&*self.storage, layout::CONTENT).await?;
        let leases = self.living_leases(own, patience).await?;
        // After the listing: whatever was listed is known to the catalogue by now, since "begin" comes first.
        let loaded = self.load_listed().await?;
        let mut evidence = Evidence {
            loaded,
            folders,
            content: content.into_iter().map(|meta| (meta.key.clone(), meta)).collect(),
            leases,
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
