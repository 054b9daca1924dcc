//! Emptying namespaces and sets, and forgetting old deletes.

use redb::ReadableTable as _;
use strongroom_core::model::Filter;
use strongroom_core::{Error, Result, Timestamp};
use strongroom_record::model::PARTITIONS;

use crate::fault::Told as _;
use crate::options::seconds;
use crate::row::RowHead;
use crate::tables::{RecordKey, digest_of, key_range, record_key};
use crate::{Batch, EmbeddedCluster, Emptying};
use strongroom_record::Sieve;

/// How many keys are gathered before they are deleted.
const GATHERED: usize = 16 * 1024;

impl EmbeddedCluster {
    /// Takes all records that `filter` lets through out of a namespace, at once; tells how many. Indexes stay.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist; `Unsupported` for a filter expression.
    pub fn empty(&self, namespace: &str, filter: &Filter, how: Emptying) -> Result<u64> {
        self.write_batch(|batch| batch.empty(namespace, filter, how))
    }

    /// Deletes the records whose void time is at or before `now`, with tombstones; tells how many. Nothing else ever
    /// takes a record out because it expired.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist.
    pub fn delete_expired(&self, namespace: &str, now: Timestamp) -> Result<u64> {
        let now = seconds(now);
        self.write_batch(|batch| {
            batch.take_out(namespace, &Sieve::default(), Emptying::Tombstones, |head| head.expired_at(now))
        })
    }

    /// Forgets the deletes up to `before`: an incremental can then start there or later, not earlier. Tells how many
    /// tombstones went.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist; `Invalid` if the file's clock has not come to `before`.
    pub fn forget_deletes(&self, namespace: &str, before: Timestamp) -> Result<u64> {
        self.write_batch(|batch| batch.forget_deletes(namespace, before.micros()))
    }
}

impl Batch<'_> {
    /// Takes records out of a namespace: see [`EmbeddedCluster::empty`].
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist; `Unsupported` for a filter expression.
    pub fn empty(&mut self, namespace: &str, filter: &Filter, how: Emptying) -> Result<u64> {
        let sieve = Sieve::new(filter)?;
        if how == Emptying::Cut && sieve.takes_all_records() {
            let records = redb::ReadableTableMetadata::len(&self.existing(namespace)?.records).told("emptying")?;
            self.cut_namespace(namespace)?;
            return Ok(records);
        }
        let count = self.take_out(namespace, &sieve, how, |_| true)?;
        if how == Emptying::Cut {
            let horizon = self.tick();
            self.forget_deletes(namespace, horizon)?;
        }
        Ok(count)
    }

    fn take_out(
        &mut self,
        namespace: &str,
        sieve: &Sieve,
        how: Emptying,
        chosen: impl Fn(&RowHead<'_>) -> bool,
    ) -> Result<u64> {
        let mut count = 0;
        let mut gathered: Vec<RecordKey> = Vec::new();
        for range in sieve.ranges((0, PARTITIONS - 1)) {
            let (mut first, last) = key_range(range);
            loop {
                gathered.clear();
                let open = self.existing(namespace)?;
                for entry in open.records.range::<&RecordKey>(&first..=&last).told("emptying")? {
                    let (key, row) = entry.told("emptying")?;
                    let head = RowHead::of(row.value())?;
                    if sieve.takes_set(head.set) && chosen(&head) {
                        gathered.push(*key.value());
                        if gathered.len() == GATHERED {
                            break;
                        }
                    }
                }
                for key in &gathered {
                    match how {
                        Emptying::Tombstones => drop(self.delete(namespace, digest_of(key))?),
                        Emptying::Cut => self.existing(namespace)?.erase(key)?,
                    }
                }
                count += gathered.len() as u64;
                match gathered.last() {
                    Some(key) if gathered.len() == GATHERED => first = *key,
                    _ => break,
                }
            }
        }
        Ok(count)
    }

    /// Forgets deletes up to a moment of the file's clock.
    pub(crate) fn forget_deletes(&mut self, namespace: &str, before: i64) -> Result<u64> {
        if before > self.clock() {
            let what = format!("the file's clock has not come to {} yet", Timestamp::from_micros(before));
            return Err(Error::invalid(what));
        }
        let open = self.existing(namespace)?;
        open.state.horizon = open.state.horizon.max(before);
        let mut count = 0;
        loop {
            let oldest = {
                let first = open.deletions.first().told("forgetting deletes")?;
                first.map(|(moment, digest)| (moment.value(), strongroom_record::Digest(*digest.value())))
            };
            let Some((moment, digest)) = oldest.filter(|(moment, _)| *moment <= before) else { return Ok(count) };
            open.deletions.remove(moment).told("forgetting deletes")?;
            open.tombstones.remove(&record_key(digest)).told("forgetting deletes")?;
            count += 1;
        }
    }
}
