//! The tables of the file, and how their keys sort.
//!
//! Each namespace has four tables of its own, so that emptying one is dropping them. `records/N` is sorted in the order of
//! pieces, [`Digest::order`]; `changes/N` by the moment of the last write, so that an incremental reads what
//! changed and nothing else; `tombstones/N` and `deletions/N` are the same two for deleted records. A digest is in
//! either `records` or `tombstones`, and once in `changes` or `deletions`.

use redb::TableDefinition;
use strongroom_record::Digest;

/// Partition (big-endian), and the digest with every bit turned, so that the highest comes first.
pub(crate) type RecordKey = [u8; 22];

/// `format` → version, `identity` → JSON, `clock` → last moment given out.
pub(crate) const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");
/// Namespace → its state as JSON.
pub(crate) const NAMESPACES: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("namespaces");
/// Namespace and set → records and their bytes. The empty set is "no set".
pub(crate) const COUNTS: TableDefinition<'static, (&str, &[u8]), (u64, u64)> = TableDefinition::new("counts");
/// Namespace and name → origin and definition.
pub(crate) const INDEXES: TableDefinition<'static, (&str, &[u8]), &[u8]> = TableDefinition::new("indexes");
/// Name → origin and definition. Functions belong to the whole cluster.
pub(crate) const FUNCTIONS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("functions");
/// Namespace and moment: a state that was frozen, and that leads up to what the namespace holds.
pub(crate) const FREEZES: TableDefinition<'static, (&str, i64), ()> = TableDefinition::new("freezes");
/// Session → its state as JSON.
pub(crate) const SESSIONS: TableDefinition<'static, &[u8; 16], &[u8]> = TableDefinition::new("sessions");

/// Rows or tombstones by partition and digest.
pub(crate) type ByDigest<'a> = TableDefinition<'a, &'static RecordKey, &'static [u8]>;
/// Digests by moment; every change has a moment of its own.
pub(crate) type ByMoment<'a> = TableDefinition<'a, i64, &'static [u8; 20]>;

/// The names of one namespace's tables.
#[derive(Debug, Clone)]
pub(crate) struct TableNames {
    records: String,
    changes: String,
    tombstones: String,
    deletions: String,
}

impl TableNames {
    pub(crate) fn of(namespace: &str) -> Self {
        let name = |table| format!("{table}/{namespace}");
        Self {
            records: name("records"),
            changes: name("changes"),
            tombstones: name("tombstones"),
            deletions: name("deletions"),
        }
    }

    pub(crate) const fn records(&self) -> ByDigest<'_> {
        TableDefinition::new(self.records.as_str())
    }

    pub(crate) const fn changes(&self) -> ByMoment<'_> {
        TableDefinition::new(self.changes.as_str())
    }

    pub(crate) const fn tombstones(&self) -> ByDigest<'_> {
        TableDefinition::new(self.tombstones.as_str())
    }

    pub(crate) const fn deletions(&self) -> ByMoment<'_> {
        TableDefinition::new(self.deletions.as_str())
    }
}

pub(crate) fn record_key(digest: Digest) -> RecordKey {
    let mut key = [0; 22];
    key[..2].copy_from_slice(&digest.partition().to_be_bytes());
    key[2..].copy_from_slice(&digest.as_bytes().map(|byte| !byte));
    key
}

pub(crate) fn digest_of(key: &RecordKey) -> Digest {
    let [_, _, digest @ ..] = *key;
    Digest(digest.map(|byte| !byte))
}

/// The first and last key of a range of partitions.
pub(crate) fn key_range((first, last): (u16, u16)) -> (RecordKey, RecordKey) {
    let mut low = [0; 22];
    low[..2].copy_from_slice(&first.to_be_bytes());
    let mut high = [0xff; 22];
    high[..2].copy_from_slice(&last.to_be_bytes());
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_pieces_do() {
        // The partition is little-endian in the digest: byte order alone would sort these the other way round.
        let mut low = [0; 20];
        low[..2].copy_from_slice(&[0xff, 0x00]);
        let mut high = [0; 20];
        high[..2].copy_from_slice(&[0x00, 0x01]);
        let (low, high) = (Digest(low), Digest(high));
        assert!(low > high && low.partition() < high.partition());
        assert!(record_key(low) < record_key(high));
        assert_eq!(digest_of(&record_key(low)), low);
        let mut higher = low;
        higher.0[19] += 1;
        assert_eq!(record_key(higher) < record_key(low), higher.order() < low.order());
        assert!(record_key(higher) < record_key(low));
        let (first, last) = key_range((low.partition(), low.partition()));
        assert!((first..=last).contains(&record_key(low)));
        assert!(!(first..=last).contains(&record_key(high)));
    }
}
