//! Looking in: single records, scans, hashes.

use std::iter::FusedIterator;
use std::vec;

use redb::OwnedRange;
use strongroom_core::model::Filter;
use strongroom_core::{Result, Timestamp};
use strongroom_record::canonical::{Covers, SetHash, SortedCanonicalHash};
use strongroom_record::model::PARTITIONS;
use strongroom_record::{Digest, Name, Record, Sieve, UserKey};

use crate::fault::Told as _;
use crate::namespace::{checked_name, missing};
use crate::row::{self, RowHead};
use crate::snapshot::Snapshot;
use crate::tables::{ByDigest, RecordKey, digest_of, key_range, record_key};
use crate::{EmbeddedCluster, LookIn};

/// A record, and when it was last written here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// Its last-update time on the file's clock. For a restored record that is the time of the restore.
    pub changed: Timestamp,
}

impl EmbeddedCluster {
    /// One record by its digest.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist; `Corrupt`.
    pub fn get(&self, namespace: &str, digest: Digest, look: LookIn) -> Result<Option<Found>> {
        let snapshot = self.snapshot()?;
        let (_, tables) = snapshot.namespace(namespace)?.ok_or_else(|| missing(namespace))?;
        let records = snapshot.transaction().open_table(tables.records()).told("reading a record")?;
        let Some(row) = records.get(&record_key(digest)).told("reading a record")? else { return Ok(None) };
        let head = RowHead::of(row.value())?;
        if look.seconds().is_some_and(|now| head.expired_at(now)) {
            return Ok(None);
        }
        let record = row::decode(&checked_name(namespace)?, digest, row.value())?;
        Ok(Some(Found { record, changed: Timestamp::from_micros(head.changed) }))
    }

    /// One record by set (`None`: no set) and user key, whether or not the key is stored with it.
    ///
    /// # Errors
    /// As [`EmbeddedCluster::get`].
    pub fn get_by_key(&self, namespace: &str, set: Option<&str>, key: &UserKey, look: LookIn) -> Result<Option<Found>> {
        self.get(namespace, Digest::of_key(set.map(str::as_bytes), key), look)
    }

    /// All records that `filter` lets through, by partition and digest, in the state of now, whatever is written
    /// while they are read. Memory does not grow with their number.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist; `Unsupported` for a filter expression; `Invalid` for a partition
    /// that does not exist.
    pub fn scan(&self, namespace: &str, filter: &Filter, look: LookIn) -> Result<Scan> {
        let sieve = Sieve::new(filter)?;
        Scan::new(&self.snapshot()?, namespace, sieve, look)
    }

    /// How many records [`EmbeddedCluster::scan`] would give. Reads them all.
    ///
    /// # Errors
    /// As [`EmbeddedCluster::scan`].
    pub fn count_where(&self, namespace: &str, filter: &Filter, look: LookIn) -> Result<u64> {
        let mut count = 0;
        for found in self.scan(namespace, filter, look)? {
            found?;
            count += 1;
        }
        Ok(count)
    }

    /// One hash over all records of a namespace: the same for the same records, wherever they are.
    ///
    /// # Errors
    /// As [`EmbeddedCluster::scan`].
    pub fn canonical_hash(&self, namespace: &str, covers: Covers, look: LookIn) -> Result<SetHash> {
        let mut hash = SortedCanonicalHash::new(covers);
        for found in self.scan(namespace, &Filter::default(), look)? {
            hash.push(&found?.record)?;
        }
        Ok(hash.finish())
    }
}

/// The records of a namespace, one after the other: see [`EmbeddedCluster::scan`]. Ends after an error.
pub struct Scan {
    namespace: Name,
    snapshot: Snapshot,
    tables: crate::tables::TableNames,
    sieve: Sieve,
    now: Option<u64>,
    /// Only what was written after this moment.
    changed_after: i64,
    ranges: vec::IntoIter<(u16, u16)>,
    rows: Option<OwnedRange<&'static RecordKey, &'static [u8]>>,
    failed: bool,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Scan {
    fn new(snapshot: &Snapshot, namespace: &str, sieve: Sieve, look: LookIn) -> Result<Self> {
        Self::within(snapshot, namespace, sieve, look, (0, PARTITIONS - 1), i64::MIN)
    }

    /// A scan of some partitions, and only of what was written after a moment.
    pub(crate) fn within(
        snapshot: &Snapshot,
        namespace: &str,
        sieve: Sieve,
        look: LookIn,
        partitions: (u16, u16),
        changed_after: i64,
    ) -> Result<Self> {
        let (_, tables) = snapshot.namespace(namespace)?.ok_or_else(|| missing(namespace))?;
        let ranges = sieve.ranges(partitions).into_iter();
        Ok(Self {
            namespace: checked_name(namespace)?,
            snapshot: snapshot.clone(),
            tables,
            sieve,
            now: look.seconds(),
            changed_after,
            ranges,
            rows: None,
            failed: false,
        })
    }

    fn step(&mut self) -> Result<Option<Found>> {
        loop {
            let Some(rows) = &mut self.rows else {
                let Some(range) = self.ranges.next() else { return Ok(None) };
                let records: ByDigest<'_> = self.tables.records();
                let records = self.snapshot.transaction().open_table(records).told("scanning")?;
                let (first, last) = key_range(range);
                self.rows = Some(records.range_owned::<&RecordKey>(&first..=&last).told("scanning")?);
                continue;
            };
            let Some(entry) = rows.next() else {
                self.rows = None;
                continue;
            };
            let (key, row) = entry.told("scanning")?;
            let head = RowHead::of(row.value())?;
            if head.changed <= self.changed_after
                || !self.sieve.takes_set(head.set)
                || self.now.is_some_and(|now| head.expired_at(now))
            {
                continue;
            }
            let digest = digest_of(key.value());
            let mut record = row::decode(&self.namespace, digest, row.value())
                .map_err(|error| error.within(format_args!("record {digest}")))?;
            self.sieve.strip(&mut record);
            return Ok(Some(Found { record, changed: Timestamp::from_micros(head.changed) }));
        }
    }
}

impl Iterator for Scan {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step().transpose();
        self.failed = step.as_ref().is_none_or(Result::is_err);
        step
    }
}

impl FusedIterator for Scan {}
