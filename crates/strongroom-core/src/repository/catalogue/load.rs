//! Reading the catalogue: newest snapshot, later segments, and the manifests of backups whose end was not recorded.
//! Reads and lists, and never writes.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};

use super::super::document::{self, Kind};
use super::super::objects::found;
use super::super::{Repository, layout};
use super::append::Listed;
use super::record::{Begun, Mended};
use super::state::{Line, State};
use crate::id::BackupId;
use crate::model::Status;
use crate::planner::{Catalogue, Entry, Timeline};
use crate::{Error, ErrorKind, Key, Result, StorageExt as _};

/// The most bytes of a segment or snapshot.
pub(super) const LARGEST: u64 = 4 << 30;

/// Objects read at once.
pub(super) const AT_ONCE: usize = 16;

/// What is known of all backups of a repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// In a box: futures hold this.
    catalogue: Box<Catalogue>,
    /// Backups that were begun and have no manifest yet: running, or dead and to be resumed or collected.
    pub in_progress: Vec<Begun>,
    /// The backups that a prune has condemned and not yet deleted, with the status they would have otherwise.
    pub condemned: BTreeMap<BackupId, Status>,
    /// Backups that were deleted here, as long as that is remembered.
    pub deleted: BTreeSet<BackupId>,
    /// What was found on the way.
    pub report: LoadReport,
}

/// What loading found. Empty when all is well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// Segments or snapshots that are damaged or missing, and why. [`Repository::mend`] makes it good.
    pub damaged: Vec<String>,
    /// Whether the backups were found by listing all manifests, since the catalogue alone did not tell.
    pub rebuilt: bool,
    /// Manifests that can't be used. Their backups are left out.
    pub quarantined: Vec<Broken>,
    /// Backups whose manifest is there, but not yet their record: nothing is wrong, a writer died in between.
    pub unrecorded: Vec<BackupId>,
    /// Recorded backups whose manifest is gone.
    pub vanished: Vec<BackupId>,
    /// Earlier damage that was made good. Pins, holds and checks recorded in what was lost are lost.
    pub mended: Vec<Mended>,
    /// Records of kinds that this version does not know; a newer version wrote them.
    pub unknown_records: usize,
}

/// An object that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The object.
    pub key: Key,
    /// `CORRUPT`, or `UNSUPPORTED` for what a newer version wrote.
    pub kind: ErrorKind,
    /// What is wrong with it, one line.
    pub why: String,
}

impl Loaded {
    /// Every committed backup, ready to be planned with. Condemned ones have [`Status::Deleted`]. Its generation is the
    /// number of the newest segment; it is incomplete as long as the stored catalogue is damaged.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The catalogue alone.
    #[must_use]
    pub fn into_catalogue(self) -> Catalogue {
        *self.catalogue
    }

    /// Whether no record is lost and every manifest that loading looked at can be used. An incomplete catalogue never
    /// proves that something is absent.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.catalogue.is_complete()
    }

    /// The entry of a backup.
    #[must_use]
    pub fn entry(&self, backup: BackupId) -> Option<Entry> {
        self.catalogue.entry(backup)
    }

    /// All entries, by part, timeline and time. Each is made when it is asked for.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.catalogue.entries()
    }

    /// Every timeline that was recorded.
    #[must_use]
    pub fn timelines(&self) -> &[Timeline] {
        self.catalogue.timelines()
    }

    /// The number of the newest segment.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.catalogue.generation()
    }
}

/// The fold, and how it was come by.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) state: State,
    /// The highest number in use.
    pub(super) newest: u64,
    /// The snapshot it starts from; 0 = none.
    pub(super) snapshot: u64,
    /// What is damaged or missing.
    pub(super) damaged: Vec<String>,
    /// Whether records are lost by it.
    pub(super) lossy: bool,
}

impl Repository {
    /// Loads the catalogue: what is committed, what is in progress, and what is wrong.
    ///
    /// # Errors
    /// `Unsupported` when a newer version wrote to it; as the storage otherwise. Damage is no error: see the report.
    pub async fn load(&self) -> Result<Loaded> {
        match self.read_by_name().await? {
            Some(read) => self.complete(read.state, read.newest, LoadReport::default()).await,
            None => self.load_listed().await,
        }
    }

    /// As [`Repository::load`], by a listing of the catalogue in any case: for whoever deletes.
    pub(in crate::repository) async fn load_listed(&self) -> Result<Loaded> {
        let (state, newest, report) = self.read_whole().await?;
        self.complete(state, newest, report).await
    }

    async fn complete(&self, mut state: State, newest: u64, mut report: LoadReport) -> Result<Loaded> {
        self.look_after_open(&mut state, &mut report).await?;
        let mut condemned = BTreeMap::new();
        for backup in self.condemned_backups().await? {
            state.change(backup, |entry| {
                condemned.insert(backup, std::mem::replace(&mut entry.status, Status::Deleted));
            });
        }
        report.mended = std::mem::take(&mut state.mended);
        report.unknown_records = state.unknown.len();
        let complete = !report.rebuilt && report.quarantined.is_empty();
        let catalogue = state.catalogue(newest, complete);
        let in_progress = state.open.into_values().collect();
        let deleted = std::mem::take(&mut state.deleted).into_keys().collect();
        Ok(Loaded { catalogue: Box::new(catalogue), in_progress, condemned, deleted, report })
    }

    /// The state by the catalogue, completed by all manifests where the catalogue is damaged or missing.
    pub(super) async fn read_whole(&self) -> Result<(State, u64, LoadReport)> {
        let Read { mut state, newest, damaged, lossy, .. } = self.read_catalogue(u64::MAX).await?;
        let mut report = LoadReport { damaged, ..LoadReport::default() };
        if lossy || newest == 0 {
            self.rescue(&mut state, &mut report).await?;
            report.rebuilt = lossy || !state.is_empty() || !report.quarantined.is_empty();
            if !lossy && report.rebuilt {
                report.damaged.push("the whole catalogue is missing".to_owned());
            }
        }
        Ok((state, newest, report))
    }

    /// Folds the newest snapshot that is whole and all segments after it, up to number `through`.
    pub(super) async fn read_catalogue(&self, through: u64) -> Result<Read> {
        for _ in 0..5 {
            let listed = self.list_catalogue().await?;
            if let Some(read) = self.read_listed(&listed, listed.newest().min(through)).await? {
                return Ok(read);
            }
            // A clean-up deleted what was listed: a newer snapshot is there now.
        }
        Err(Error::unavailable("the catalogue changes faster than it can be read").hint("try again"))
    }

    /// `None`: something that was listed is gone, and a newer snapshot took its place.
    async fn read_listed(&self, listed: &Listed, newest: u64) -> Result<Option<Read>> {
        let mut read = Read { newest, ..Read::default() };
        for (number, key) in listed.snapshots.iter().rev().filter(|(number, _)| *number <= newest) {
            let Some(body) = found(self.storage.get(key, LARGEST).await)? else { return Ok(None) };
            match self.read_snapshot(key, body).await {
                Ok(state) => {
                    (read.state, read.snapshot) = (state, *number);
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Corrupt => read.damaged.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        let mut lost: Vec<(u64, String)> = Vec::new();
        let later = later_segments(listed, read.snapshot, newest, &mut lost)?;
        let mut bodies = stream::iter(later)
            .map(|(number, key)| async move { (number, found(self.storage.get(&key, LARGEST).await), key) })
            .buffered(AT_ONCE);
        while let Some((number, body, key)) = bodies.next().await {
            let Some(body) = body? else {
                let before = listed.snapshots.last().map_or(0, |(through, _)| *through);
                if self.list_catalogue().await?.snapshots.last().is_some_and(|(through, _)| *through > before) {
                    return Ok(None);
                }
                lost.push((number, format!("{key} is missing")));
                continue;
            };
            match self.records(&key, &body) {
                Ok(records) => records.into_iter().for_each(|line| read.state.line(line)),
                Err(error) if error.kind() == ErrorKind::Corrupt => lost.push((number, error.to_string())),
                Err(error) => return Err(error),
            }
        }
        let mended = read.state.mended.iter().map(|mended| mended.through).max().unwrap_or(0);
        lost.retain(|(number, _)| *number > mended);
        // A snapshot whose segments are all still there is no loss, and is told all the same.
        read.lossy = !lost.is_empty();
        read.damaged.extend(lost.into_iter().map(|(_, text)| text));
        Ok(Some(read))
    }

    /// All records of a segment, or none.
    pub(super) fn records(&self, key: &Key, body: &Bytes) -> Result<Vec<Line>> {
        document::open(key, body, &[Kind::Segment], Some(self.id()))?
            .lines()
            .map(|line| Line::parse(line, key))
            .collect()
    }
}

/// The segments to read after `snapshot`. Numbers that a listing leaves out are tried too, since it may lag; a long gap
/// is a loss at once.
fn later_segments(
    listed: &Listed,
    snapshot: u64,
    newest: u64,
    losses: &mut Vec<(u64, String)>,
) -> Result<Vec<(u64, Key)>> {
    let mut later = Vec::new();
    let mut expected = snapshot + 1;
    let wanted = listed.segments.iter().filter(|(number, _)| (snapshot + 1..=newest).contains(number));
    let ends = wanted.map(|(number, key)| (*number, Some(key)));
    for (number, key) in ends.chain([(newest + 1, None)]) {
        for missing in expected..number.min(expected + AT_ONCE as u64) {
            later.push((missing, layout::numbered(layout::CATALOGUE, missing)?));
        }
        if number > expected + AT_ONCE as u64 {
            let last = number - 1;
            losses.push((last, format!("the catalogue's segments {expected} to {last} are missing")));
        }
        later.extend(key.map(|key| (number, key.clone())));
        expected = number + 1;
    }
    Ok(later)
}
