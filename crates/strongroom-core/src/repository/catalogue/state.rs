//! The fold of the catalogue's records. Pure: the same records in the same order give the same state.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::super::document;
use super::record::{Begun, Mended, Record};
use crate::id::{BackupId, TimelineId};
use crate::planner::{Builder, Catalogue, Entry, HOME, Held, Timeline};
use crate::{Error, Key, Result, Timestamp};

/// How long a deletion is remembered: longer than any writer can be late.
const REMEMBER_DELETED: i64 = 90 * 24 * 3600 * 1_000_000;

/// What the catalogue says.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// The committed backups as the snapshot has them, but for those in `changed`. In a box: futures hold this.
    packed: Box<Builder>,
    /// Committed backups of which records came later; `None`: deleted, or vanished.
    changed: BTreeMap<BackupId, Option<Entry>>,
    pub(crate) open: BTreeMap<BackupId, Begun>,
    pub(crate) timelines: BTreeMap<TimelineId, Timeline>,
    pub(crate) deleted: BTreeMap<BackupId, Timestamp>,
    pub(crate) mended: Vec<Mended>,
    /// Records of kinds that a later version added without changing the format: kept as they are.
    pub(crate) unknown: Vec<Value>,
    /// When the snapshot it started from was written.
    pub(crate) snapshot_at: Option<Timestamp>,
}

impl State {
    /// A state with the backups of a snapshot.
    pub(crate) fn of(packed: Builder) -> Self {
        Self { packed: Box::new(packed), ..Self::default() }
    }

    /// Whether a backup is known to be committed.
    pub(crate) fn contains(&self, backup: BackupId) -> bool {
        self.changed.get(&backup).map_or_else(|| self.packed.contains(backup), Option::is_some)
    }

    /// A committed backup.
    pub(crate) fn entry(&self, backup: BackupId) -> Option<Entry> {
        self.changed.get(&backup).map_or_else(|| self.packed.entry(backup), Clone::clone)
    }

    /// All committed backups.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        let unchanged = self.packed.entries().filter(|entry| !self.changed.contains_key(&entry.id));
        unchanged.chain(self.changed.values().flatten().cloned())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    /// Forgets a backup.
    pub(crate) fn forget(&mut self, backup: BackupId) {
        self.changed.insert(backup, None);
    }

    /// The committed backups, ready to be planned with.
    pub(crate) fn catalogue(&mut self, generation: u64, complete: bool) -> Catalogue {
        let (mut builder, changed) = (std::mem::take(&mut *self.packed), std::mem::take(&mut self.changed));
        builder.remove(changed.keys().copied());
        changed.values().flatten().for_each(|entry| builder.push(entry));
        builder.finish(self.timelines.values().cloned(), generation, complete)
    }

    /// Takes one line of a segment or snapshot.
    pub(crate) fn line(&mut self, line: Line) {
        match line {
            Line::Known(record) => self.record(*record),
            Line::Unknown(value) => self.unknown.push(value),
        }
    }

    /// Takes one record. Records about unknown backups do nothing: they may be late.
    pub(crate) fn record(&mut self, record: Record) {
        match record {
            Record::Snapshot { at, .. } => self.snapshot_at = Some(at),
            Record::Begin(begun) => {
                if !self.contains(begun.backup) {
                    // A copy of a backup may come back to a storage that had deleted it.
                    self.deleted.remove(&begun.backup);
                    self.open.insert(begun.backup, begun);
                }
            }
            Record::End { entry } => self.end(*entry),
            Record::Voided { backup } => {
                self.open.remove(&backup);
            }
            Record::Verified { backup, verified } => self.change(backup, |entry| {
                if entry.verified.is_none_or(|before| before.when <= verified.when) {
                    entry.verified = Some(verified);
                }
            }),
            Record::Status { backup, status } => self.change(backup, |entry| entry.status = status),
            Record::Pinned { backup, pin } => self.change(backup, |entry| {
                if !entry.pins.contains(&pin) {
                    entry.pins.push(pin);
                }
            }),
            Record::Unpinned { backup, pin } => self.change(backup, |entry| entry.pins.retain(|set| *set != pin)),
            Record::Copied { backup, held } => self.change(backup, |entry| {
                // As long as no copy was told of, it rests at home: it goes on doing so.
                if entry.copies.is_empty() && held.storage != HOME {
                    entry.copies.push(Held::in_storage(HOME));
                }
                entry.copies.retain(|copy| copy.storage != held.storage);
                entry.copies.push(held);
            }),
            Record::Timeline(timeline) => {
                self.timelines.insert(timeline.id, timeline);
            }
            Record::Deleted { backups, at } => {
                for backup in backups {
                    self.forget(backup);
                    self.open.remove(&backup);
                    self.deleted.insert(backup, at);
                }
            }
            Record::Mended(mended) => self.mended.push(mended),
        }
    }

    /// A committed backup. What is known of it already (pins, checks) is newer than what its manifest says.
    pub(crate) fn end(&mut self, entry: Entry) {
        self.open.remove(&entry.id);
        if !self.deleted.contains_key(&entry.id) && !self.contains(entry.id) {
            self.changed.insert(entry.id, Some(entry));
        }
    }

    /// Changes what is known of a committed backup.
    pub(crate) fn change(&mut self, backup: BackupId, change: impl FnOnce(&mut Entry)) {
        if let Some(mut entry) = self.entry(backup) {
            change(&mut entry);
            self.changed.insert(backup, Some(entry));
        }
    }

    /// The records of a snapshot but for the committed backups: folding them onto those gives this state again.
    pub(crate) fn lines(&self, through: u64, now: Timestamp) -> impl Iterator<Item = Line> + '_ {
        let mut by_time: BTreeMap<Timestamp, Vec<BackupId>> = BTreeMap::new();
        for (backup, at) in self.deleted.iter().filter(|(_, at)| now.since(**at) < REMEMBER_DELETED) {
            by_time.entry(*at).or_default().push(*backup);
        }
        std::iter::once(Record::Snapshot { through, at: now })
            .chain(self.mended.iter().cloned().map(Record::Mended))
            .chain(self.timelines.values().cloned().map(Record::Timeline))
            .chain(by_time.into_iter().map(|(at, backups)| Record::Deleted { backups, at }))
            .chain(self.open.values().cloned().map(Record::Begin))
            .map(|record| Line::Known(Box::new(record)))
            .chain(self.unknown.iter().cloned().map(Line::Unknown))
    }
}

/// One line of a segment or snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Line {
    Known(Box<Record>),
    Unknown(Value),
}

impl Line {
    /// Reads a line. A record of an unknown kind is kept; a senseless one of a known kind is damage.
    pub(crate) fn parse(line: &[u8], key: &Key) -> Result<Self> {
        match serde_json::from_slice::<Record>(line) {
            Ok(record) => Ok(Self::Known(Box::new(record))),
            Err(error) => {
                let value: Value = document::parse(line, key)?;
                let kind = value.get("record").and_then(Value::as_str);
                if kind.is_none_or(|kind| KINDS.contains(&kind)) {
                    return Err(Error::corrupt(format!("{key} holds a record that makes no sense")).because(error));
                }
                Ok(Self::Unknown(value))
            }
        }
    }
}

/// The kinds this version knows, as they are written.
const KINDS: [&str; 12] = [
    "snapshot", "begin", "end", "voided", "verified", "status", "pinned", "unpinned", "copied", "timeline", "deleted",
    "mended",
];
