//! Every version of every record, so that a test can ask what was there at any moment.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use strongroom_core::{Key, Timestamp};

/// What a cluster holds, comparable: `part/table/record` to its bytes. Names are escaped as by [`Key::escape`].
pub type ClusterContents = BTreeMap<String, Bytes>;

/// The count of partitions over which the records of a part are spread.
pub const PARTITIONS: u16 = 64;

/// The table that holds files: each is handed out as pieces of its own, by content.
pub(super) const FILES: &str = "@files";

#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) at: Timestamp,
    /// `None`: deleted.
    pub(super) value: Option<Bytes>,
}

/// All versions of one record, oldest first.
pub(super) type History = Vec<Version>;

#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) tables: BTreeMap<String, BTreeMap<String, History>>,
    /// Changes before this moment are forgotten as changes: an incremental can't start before it.
    pub(super) horizon: Timestamp,
    /// The moments at which it was frozen, since it was last restored into.
    pub(super) freezes: BTreeSet<Timestamp>,
}

/// The version that was there at `moment`.
pub(super) fn at(history: &History, moment: Timestamp) -> Option<&Version> {
    history.iter().rev().find(|version| version.at <= moment)
}

/// FNV-1a: spreads records over partitions the same way on every platform and in every version.
pub(super) fn partition(table: &str, record: &str) -> u16 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in table.bytes().chain([0]).chain(record.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    u16::try_from((hash >> 20) % u64::from(PARTITIONS)).unwrap_or_default()
}

pub(super) fn line(part: &str, table: &str, record: &str) -> String {
    format!("{}/{}/{}", Key::escape(part), Key::escape(table), Key::escape(record))
}

impl Part {
    pub(super) fn contents_at(&self, name: &str, moment: Timestamp) -> ClusterContents {
        let mut contents = ClusterContents::new();
        for (table, records) in &self.tables {
            for (record, history) in records {
                if let Some(value) = at(history, moment).and_then(|version| version.value.clone()) {
                    contents.insert(line(name, table, record), value);
                }
            }
        }
        contents
    }

    pub(super) fn set(&mut self, table: &str, record: &str, at: Timestamp, value: Option<Bytes>) {
        let records = self.tables.entry(table.to_owned()).or_default();
        records.entry(record.to_owned()).or_default().push(Version { at, value });
    }

    pub(super) fn newest(&self, table: &str, record: &str) -> Option<&Version> {
        self.tables.get(table)?.get(record)?.last()
    }
}
