//! One hash over a set of records: equal if and only if the sets are equal, record by record.
//!
//! Each record is hashed as its compact `.asb` text, with the bins sorted by name (see [`crate::asb`]). The hash of the
//! set is the BLAKE3, keyed to this purpose, of what is covered, then every record's hash in the order of
//! (namespace, partition, digest), then their number. So it covers namespace, set, digest, user key, generation, void
//! time and every bin, and two people who hold the same records get the same hash from any order of them.

use std::collections::BTreeMap;
use std::fmt;

use strongroom_core::{Error, Result};

use crate::asb::Encoder;
use crate::model::{Digest, Name, PartitionKey, Record};

/// What of a record counts, besides all that always does.
///
/// A target that cannot restore a generation is compared without it. Void times are compared where both sides have them
/// from the same source: the reference tools work them out from the time to live and their own clock, so two of
/// their backups of one unchanged record differ by a second now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Covers {
    /// The generation counts.
    pub generation: bool,
    /// The void time counts.
    pub void_time: bool,
}

impl Covers {
    /// Everything counts.
    pub const ALL: Self = Self { generation: true, void_time: true };
    /// All but the generation.
    pub const NO_GENERATION: Self = Self { generation: false, void_time: true };
    /// All but the void time: right for backups of the reference tools.
    pub const NO_VOID_TIME: Self = Self { generation: true, void_time: false };
    /// Only what a client can read as content: neither generation nor void time.
    pub const CONTENT: Self = Self { generation: false, void_time: false };
}

impl Default for Covers {
    fn default() -> Self {
        Self::ALL
    }
}

/// The hash of a set of records, with their number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SetHash {
    /// How many records there are.
    pub records: u64,
    /// The hash.
    pub hash: [u8; 32],
}

impl fmt::Display for SetHash {
    /// The hash in lower-case hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetHash({} records, {self})", self.records)
    }
}

/// The hash of single records.
#[derive(Debug, Default)]
struct RecordHasher {
    covers: Covers,
    text: Vec<u8>,
}

impl RecordHasher {
    fn hash(&mut self, record: &Record) -> Result<[u8; 32]> {
        self.text.clear();
        let generation = if self.covers.generation { record.generation } else { 0 };
        let void_time = if self.covers.void_time { record.void_time } else { 0 };
        Encoder::COMPACT.lines(&mut self.text, record, generation, void_time)?;
        Ok(*blake3::hash(&self.text).as_bytes())
    }
}

fn start(covers: Covers) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new_derive_key("strongroom-record 2026 canonical set of records");
    hasher.update(&[u8::from(covers.generation), u8::from(covers.void_time)]);
    hasher
}

fn end(hasher: &mut blake3::Hasher, records: u64) -> SetHash {
    hasher.update(&records.to_le_bytes());
    SetHash { records, hash: *hasher.finalize().as_bytes() }
}

/// Hashes a set of records that come in any order; keeps about 60 bytes of each.
///
/// ```
/// use strongroom_record::canonical::{CanonicalHash, Covers};
///
/// let empty = CanonicalHash::new(Covers::ALL).finish()?;
/// assert_eq!(empty.records, 0);
/// # Ok::<(), strongroom_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct CanonicalHash {
    records: RecordHasher,
    seen: BTreeMap<Name, Vec<(PartitionKey, [u8; 32])>>,
}

impl CanonicalHash {
    /// A hash over no records yet.
    #[must_use]
    pub fn new(covers: Covers) -> Self {
        Self { records: RecordHasher { covers, text: Vec::new() }, seen: BTreeMap::new() }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// `Invalid` if the record has no text form: see [`Encoder::record`].
    pub fn push(&mut self, record: &Record) -> Result<()> {
        let entry = (record.order(), self.records.hash(record)?);
        match self.seen.get_mut(&record.namespace) {
            Some(entries) => entries.push(entry),
            None => drop(self.seen.insert(record.namespace.clone(), vec![entry])),
        }
        Ok(())
    }

    /// The hash of all records.
    ///
    /// # Errors
    /// `Invalid` if a digest came twice in a namespace: then it was no set.
    pub fn finish(self) -> Result<SetHash> {
        let mut hasher = start(self.records.covers);
        let mut count = 0;
        for (namespace, mut entries) in self.seen {
            entries.sort_unstable();
            if let Some(pair) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(twice(&namespace, &pair[0].0.1.0));
            }
            count += entries.len() as u64;
            for (_, hash) in &entries {
                hasher.update(hash);
            }
        }
        Ok(end(&mut hasher, count))
    }
}

/// The same hash as [`CanonicalHash`], in constant memory, of records that come sorted by (namespace, partition, digest).
#[derive(Debug)]
pub struct SortedCanonicalHash {
    records: RecordHasher,
    hasher: blake3::Hasher,
    last: Option<(Name, PartitionKey)>,
    count: u64,
}

impl SortedCanonicalHash {
    /// A hash over no records yet.
    #[must_use]
    pub fn new(covers: Covers) -> Self {
        let records = RecordHasher { covers, text: Vec::new() };
        Self { records, hasher: start(covers), last: None, count: 0 }
    }

    /// Adds the next record.
    ///
    /// # Errors
    /// `Invalid` if it is not behind the one before, or has no text form.
    pub fn push(&mut self, record: &Record) -> Result<()> {
        let place = (record.namespace.clone(), record.order());
        match &self.last {
            Some(last) if *last == place => return Err(twice(&place.0, &record.digest)),
            Some(last) if *last > place => {
                let error = Error::invalid(format!("record {} comes after a later one", record.digest));
                return Err(error.hint("sort the records by namespace, partition and digest, or use CanonicalHash"));
            }
            _ => {}
        }
        self.hasher.update(&self.records.hash(record)?);
        self.last = Some(place);
        self.count += 1;
        Ok(())
    }

    /// The hash of all records.
    #[must_use]
    pub fn finish(mut self) -> SetHash {
        end(&mut self.hasher, self.count)
    }
}

fn twice(namespace: &Name, digest: &Digest) -> Error {
    Error::invalid(format!("record {digest} comes twice in namespace {namespace}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bin, BinName, Particle, UserKey};

    fn records() -> Vec<Record> {
        (0..50_u8)
            .map(|i| Record {
                namespace: Name::namespace(if i < 40 { "a" } else { "b" }).unwrap(),
                set: (i % 2 == 0).then(|| Name::set("s").unwrap()),
                digest: Digest([i.wrapping_mul(37); 20]),
                key: (i % 3 == 0).then(|| UserKey::Integer(i64::from(i))),
                generation: u16::from(i),
                void_time: u32::from(i),
                bins: ["x", "y"]
                    .map(|name| Bin { name: BinName::new(name).unwrap(), value: Particle::Integer(i.into()) })
                    .into(),
            })
            .collect()
    }

    fn hash(records: &[Record], covers: Covers) -> SetHash {
        let mut hash = CanonicalHash::new(covers);
        for record in records {
            hash.push(record).unwrap();
        }
        hash.finish().unwrap()
    }

    #[test]
    fn order_of_records_and_bins_does_not_matter() {
        let mut records = records();
        let expected = hash(&records, Covers::ALL);
        records.reverse();
        for record in &mut records {
            record.bins.reverse();
        }
        assert_eq!(hash(&records, Covers::ALL), expected);
        records.sort_by_key(|record| (record.namespace.clone(), record.order()));
        let mut sorted = SortedCanonicalHash::new(Covers::ALL);
        for record in &records {
            sorted.push(record).unwrap();
        }
        assert_eq!(sorted.finish(), expected);
    }

    #[test]
    fn every_field_counts_unless_left_out() {
        let base = records();
        let changes: [fn(&mut Record); 8] = [
            |r| r.generation += 1,
            |r| r.void_time += 1,
            |r| r.namespace = Name::namespace("c").unwrap(),
            |r| r.set = Some(Name::set("other").unwrap()),
            |r| r.digest.0[19] ^= 1,
            |r| r.key = Some(UserKey::String("k".into())),
            |r| r.bins[0].value = Particle::Bool(true),
            |r| r.bins[0].name = BinName::new("z").unwrap(),
        ];
        for (i, change) in changes.iter().enumerate() {
            let mut other = base.clone();
            change(&mut other[7]);
            for (covers, ignored) in [
                (Covers::ALL, 0..0),
                (Covers::NO_GENERATION, 0..1),
                (Covers::NO_VOID_TIME, 1..2),
                (Covers::CONTENT, 0..2),
            ] {
                let same = hash(&base, covers) == hash(&other, covers);
                assert_eq!(same, ignored.contains(&i), "change {i}, {covers:?}");
            }
        }
        assert_ne!(hash(&base, Covers::ALL), hash(&base[1..], Covers::ALL));
    }

    #[test]
    fn a_digest_twice_is_no_set() {
        let mut records = records();
        records.push(records[3].clone());
        let mut hash = CanonicalHash::new(Covers::ALL);
        for record in &records {
            hash.push(record).unwrap();
        }
        assert!(hash.finish().unwrap_err().to_string().contains("comes twice in namespace a"));
    }
}
