//! The fold of the catalogue's records. Pure: the same records in the same order give the same state.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::super::document;
use super::record::{Begun, Mended, Proof, Record};
use crate::id::{BackupId, TimelineId};
use crate::planner::{Entry, HOME, Held, Timeline};
use crate::{Error, Key, Result, Timestamp};

/// How long a deletion is remembered: longer than any writer can be late.
const REMEMBER_DELETED: i64 = 90 * 24 * 3600 * 1_000_000;

/// What is known of a committed backup.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub(crate) entry: Entry,
    pub(crate) manifest: Proof,
}

/// What the catalogue says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct State {
    pub(crate) known: BTreeMap<BackupId, Known>,
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
                if !self.known.contains_key(&begun.backup) {
                    // A copy of a backup may come back to a storage that had deleted it.
                    self.deleted.remove(&begun.backup);
                    self.open.insert(begun.backup, begun);
                }
            }
            Record::End { entry, manifest } => self.end(*entry, manifest),
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
                    self.known.remove(&backup);
                    self.open.remove(&backup);
                    self.deleted.insert(backup, at);
                }
            }
            Record::Mended(mended) => self.mended.push(mended),
        }
    }

    /// A committed backup. What is known of it already (pins, checks) is newer than what its manifest says.
    pub(crate) fn end(&mut self, entry: Entry, manifest: Proof) {
        self.open.remove(&entry.id);
        if !self.deleted.contains_key(&entry.id) {
            self.known.entry(entry.id).or_insert(Known { entry, manifest });
        }
    }

    fn change(&mut self, backup: BackupId, change: impl FnOnce(&mut Entry)) {
        if let Some(known) = self.known.get_mut(&backup) {
            change(&mut known.entry);
        }
    }

    /// The records of a snapshot: folding them gives this state again.
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
            .chain(self.known.values().map(Known::record))
            .map(|record| Line::Known(Box::new(record)))
            .chain(self.unknown.iter().cloned().map(Line::Unknown))
    }
}

impl Known {
    /// The record that says so.
    pub(crate) fn record(&self) -> Record {
        Record::End { entry: Box::new(self.entry.clone()), manifest: self.manifest }
    }
}

impl FromIterator<Line> for State {
    fn from_iter<I: IntoIterator<Item = Line>>(lines: I) -> Self {
        let mut state = Self::default();
        lines.into_iter().for_each(|line| state.line(line));
        state
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
