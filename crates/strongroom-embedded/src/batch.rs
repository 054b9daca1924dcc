//! Many changes as one: all of a batch is in the file afterwards, or nothing.

use std::collections::BTreeMap;

use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, WriteTransaction};
use strongroom_core::cluster::Conflict;
use strongroom_core::{Error, Result, Timestamp};
use strongroom_record::{Digest, Name, Record};

use crate::fault::Told as _;
use crate::file::{clock_of, from_json, to_json};
use crate::namespace::{NamespaceState, checked_name, missing, text_of};
use crate::row::{self, RowHead, Tombstone};
use crate::tables::{COUNTS, META, NAMESPACES, RecordKey, TableNames, record_key};
use crate::{EmbeddedCluster, Generation, Put, PutOptions};

type ByDigestTable<'t> = Table<'t, &'static RecordKey, &'static [u8]>;
type ByMomentTable<'t> = Table<'t, i64, &'static [u8; 20]>;

/// Changes that are made together: see [`EmbeddedCluster::write_batch`].
pub struct Batch<'t> {
    pub(crate) transaction: &'t WriteTransaction,
    now: i64,
    clock: i64,
    open: BTreeMap<String, OpenNamespace<'t>>,
    row: Vec<u8>,
}

/// The tables of a namespace that a batch has touched.
pub(crate) struct OpenNamespace<'t> {
    pub(crate) records: ByDigestTable<'t>,
    pub(crate) changes: ByMomentTable<'t>,
    pub(crate) tombstones: ByDigestTable<'t>,
    pub(crate) deletions: ByMomentTable<'t>,
    pub(crate) state: NamespaceState,
    /// Records and bytes, by set, to be added to the counts.
    differences: BTreeMap<Vec<u8>, (i64, i64)>,
}

impl std::fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// How a batch treats what is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) options: PutOptions,
    /// What was written after this moment is the restore's own: conflict policy does not protect it.
    pub(crate) own_after: Option<i64>,
}

impl EmbeddedCluster {
    /// Makes the changes of `work` in one transaction, on disk when this returns. If `work` fails, nothing changed.
    ///
    /// One batch is written at a time; readers see the state before it until it is done. Its size is limited by the
    /// disk, not by memory, but a batch of some 10 000 records is already as fast as a large one.
    ///
    /// # Errors
    /// The error of `work`; `Denied` when opened for reading only; `NoSpace`; `Unavailable`.
    pub fn write_batch<T>(&self, work: impl FnOnce(&mut Batch<'_>) -> Result<T>) -> Result<T> {
        if self.inner.read_only {
            let error = Error::denied(format!("{} is open for reading only", self.place()));
            return Err(error.hint("open it for writing"));
        }
        let attempt = || {
            let mut transaction = self.inner.db.begin_write().told("writing")?;
            // Saves the free-page list with every commit: after a crash the next open needs no repair.
            transaction.set_quick_repair(true);
            let mut batch = Batch::begin(&transaction, self.inner.environment.now())?;
            let value = work(&mut batch)?;
            batch.finish()?;
            transaction.commit().told("writing")?;
            Ok(value)
        };
        attempt().map_err(|error: Error| match error.kind() {
            strongroom_core::ErrorKind::NoSpace | strongroom_core::ErrorKind::Unavailable => error.within(self.place()),
            _ => error,
        })
    }
}

impl<'t> Batch<'t> {
    fn begin(transaction: &'t WriteTransaction, now: Timestamp) -> Result<Self> {
        let clock = clock_of(&transaction.open_table(META).told("reading the clock")?)?;
        Ok(Self { transaction, now: now.micros(), clock, open: BTreeMap::new(), row: Vec::new() })
    }

    /// The next moment: now, or just after the last one if the wall clock has not come that far or went back.
    pub(crate) const fn tick(&mut self) -> i64 {
        let next = self.clock.saturating_add(1);
        self.clock = if self.now > next { self.now } else { next };
        self.clock
    }

    pub(crate) const fn clock(&self) -> i64 {
        self.clock
    }

    fn finish(mut self) -> Result<()> {
        self.flush()?;
        let mut meta = self.transaction.open_table(META).told("writing the clock")?;
        meta.insert("clock", &self.clock.to_le_bytes()[..]).told("writing the clock")?;
        Ok(())
    }

    /// Closes the tables and writes what is known about them.
    fn flush(&mut self) -> Result<()> {
        let open = std::mem::take(&mut self.open);
        for (name, namespace) in open {
            let mut table = self.transaction.open_table(NAMESPACES).told("writing a namespace")?;
            table.insert(name.as_str(), to_json(&namespace.state)?.as_slice()).told("writing a namespace")?;
            let mut counts = self.transaction.open_table(COUNTS).told("counting")?;
            for (set, (records, bytes)) in &namespace.differences {
                let key = (name.as_str(), set.as_slice());
                let before = counts.get(key).told("counting")?.map_or((0, 0), |count| count.value());
                let after = (before.0.saturating_add_signed(*records), before.1.saturating_add_signed(*bytes));
                if after.0 == 0 {
                    counts.remove(key).told("counting")?;
                } else {
                    counts.insert(key, after).told("counting")?;
                }
            }
        }
        Ok(())
    }

    /// Opens a namespace that is there.
    pub(crate) fn existing(&mut self, namespace: &str) -> Result<&mut OpenNamespace<'t>> {
        if !self.open.contains_key(namespace) {
            let state = {
                let table = self.transaction.open_table(NAMESPACES).told("opening a namespace")?;
                let state = table.get(namespace).told("opening a namespace")?;
                from_json(state.ok_or_else(|| missing(namespace))?.value())?
            };
            self.open_tables(namespace, state)?;
        }
        self.open.get_mut(namespace).ok_or_else(|| missing(namespace))
    }

    fn open_tables(&mut self, namespace: &str, state: NamespaceState) -> Result<()> {
        let names = TableNames::of(namespace);
        let opened = OpenNamespace {
            records: self.transaction.open_table(names.records()).told("opening a namespace")?,
            changes: self.transaction.open_table(names.changes()).told("opening a namespace")?,
            tombstones: self.transaction.open_table(names.tombstones()).told("opening a namespace")?,
            deletions: self.transaction.open_table(names.deletions()).told("opening a namespace")?,
            state,
            differences: BTreeMap::new(),
        };
        self.open.insert(namespace.to_owned(), opened);
        Ok(())
    }

    /// Whether a namespace is there.
    pub(crate) fn has_namespace(&self, namespace: &str) -> Result<bool> {
        if self.open.contains_key(namespace) {
            return Ok(true);
        }
        let table = self.transaction.open_table(NAMESPACES).told("opening a namespace")?;
        Ok(table.get(namespace).told("opening a namespace")?.is_some())
    }

    /// Makes a namespace, if it is not there.
    ///
    /// # Errors
    /// `Invalid` for a name that no server takes.
    pub fn create_namespace(&mut self, namespace: &str) -> Result<()> {
        if self.has_namespace(namespace)? {
            return Ok(());
        }
        checked_name(namespace)?;
        let horizon = self.tick();
        self.open_tables(namespace, NamespaceState { horizon, timeline: 0 })
    }

    /// Drops a namespace with its records, indexes and history.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn drop_namespace(&mut self, namespace: &str) -> Result<()> {
        self.existing(namespace)?;
        self.flush()?;
        self.drop_tables(namespace)?;
        self.drop_indexes_where(namespace, |_| true)?;
        self.begin_history(namespace)?;
        let mut table = self.transaction.open_table(NAMESPACES).told("dropping a namespace")?;
        table.remove(namespace).told("dropping a namespace")?;
        Ok(())
    }

    /// Drops the tables and counts of a namespace that is not open.
    fn drop_tables(&mut self, namespace: &str) -> Result<()> {
        let names = TableNames::of(namespace);
        let what = "emptying a namespace";
        self.transaction.delete_table(names.records()).told(what)?;
        self.transaction.delete_table(names.changes()).told(what)?;
        self.transaction.delete_table(names.tombstones()).told(what)?;
        self.transaction.delete_table(names.deletions()).told(what)?;
        let mut counts = self.transaction.open_table(COUNTS).told(what)?;
        counts.retain_in((namespace, &[][..]).., |(owner, _), _| owner != namespace).told(what)
    }

    /// Empties a namespace at once; what deletes it knew are forgotten.
    pub(crate) fn cut_namespace(&mut self, namespace: &str) -> Result<()> {
        let state = self.existing(namespace)?.state;
        self.flush()?;
        self.drop_tables(namespace)?;
        let horizon = self.tick();
        self.open_tables(namespace, NamespaceState { horizon, ..state })
    }

    /// Writes a record. Its namespace is made if it is not there, its bins go by name.
    ///
    /// The whole record is replaced: bins that it does not name are gone.
    ///
    /// # Errors
    /// `Invalid` if two bins have the same name or something is too long to be stored.
    pub fn put(&mut self, record: Record, options: PutOptions) -> Result<Put> {
        self.store(record, Rule { options, own_after: None })
    }

    pub(crate) fn store(&mut self, mut record: Record, rule: Rule) -> Result<Put> {
        record.sort_bins();
        if let Some(twice) = record.bins.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(Error::invalid(format!("record {} has two bins named '{}'", record.digest, twice[0].name)));
        }
        let moment = self.tick();
        let namespace = record.namespace.clone();
        let namespace = text_of(&namespace)?;
        if !self.open.contains_key(namespace) {
            self.create_namespace(namespace)?;
        }
        let mut row = std::mem::take(&mut self.row);
        let put = self.existing(namespace)?.store(record, rule, moment, &mut row);
        self.row = row;
        put
    }

    /// Deletes a record, leaving a tombstone for the next incremental. False if it is not there.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist.
    pub fn delete(&mut self, namespace: &str, digest: Digest) -> Result<bool> {
        let moment = self.tick();
        self.existing(namespace)?.delete(digest, moment)
    }

    /// Deletes a record if it is there and `chosen`.
    pub(crate) fn delete_if(
        &mut self,
        namespace: &str,
        digest: Digest,
        chosen: impl FnOnce(&RowHead<'_>) -> bool,
    ) -> Result<bool> {
        let moment = self.tick();
        let open = self.existing(namespace)?;
        let goes = match open.records.get(&record_key(digest)).told("reading a record")? {
            None => false,
            Some(row) => chosen(&RowHead::of(row.value())?),
        };
        if goes { open.delete(digest, moment) } else { Ok(false) }
    }
}

impl OpenNamespace<'_> {
    fn store(&mut self, mut record: Record, rule: Rule, moment: i64, row: &mut Vec<u8>) -> Result<Put> {
        let key = record_key(record.digest);
        let before = match self.records.get(&key).told("reading a record")? {
            None => None,
            Some(bytes) => {
                let bytes = bytes.value();
                let head = RowHead::of(bytes)?;
                Some((head.changed, head.generation, head.set.to_vec(), bytes.len()))
            }
        };
        if let Some((changed, generation, ..)) = &before
            && rule.own_after.is_none_or(|own| *changed <= own)
        {
            match rule.options.conflict {
                Conflict::Replace => {}
                Conflict::Newer if record.generation > *generation => {}
                Conflict::Keep | Conflict::Newer => return Ok(Put::Kept),
            }
        }
        if rule.options.generation == Generation::Count {
            let last = before.as_ref().map_or(0, |(_, generation, ..)| *generation);
            record.generation = last.checked_add(1).unwrap_or(1);
        }
        row::encode(&record, moment, row)?;
        if let Some((changed, _, set, length)) = before {
            self.changes.remove(changed).told("writing a record")?;
            self.count(set, -1, length);
        } else if !self.tombstones.is_empty().told("writing a record")? {
            self.forget_tombstone(&key)?;
        }
        self.records.insert(&key, row.as_slice()).told("writing a record")?;
        self.changes.insert(moment, record.digest.as_bytes()).told("writing a record")?;
        self.count(record.set.as_ref().map_or(&[][..], Name::as_bytes).to_vec(), 1, row.len());
        Ok(Put::Written { generation: record.generation })
    }

    fn forget_tombstone(&mut self, key: &RecordKey) -> Result<()> {
        let deleted = match self.tombstones.remove(key).told("writing a record")? {
            Some(bytes) => Tombstone::decode(bytes.value())?.deleted,
            None => return Ok(()),
        };
        self.deletions.remove(deleted).told("writing a record")?;
        Ok(())
    }

    fn delete(&mut self, digest: Digest, moment: i64) -> Result<bool> {
        let key = record_key(digest);
        let (tombstone, set, length) = match self.records.remove(&key).told("deleting a record")? {
            None => return Ok(false),
            Some(bytes) => {
                let bytes = bytes.value();
                let head = RowHead::of(bytes)?;
                let tombstone = Tombstone { deleted: moment, set: head.set };
                self.changes.remove(head.changed).told("deleting a record")?;
                (tombstone.encode(), head.set.to_vec(), bytes.len())
            }
        };
        self.tombstones.insert(&key, tombstone.as_slice()).told("deleting a record")?;
        self.deletions.insert(moment, digest.as_bytes()).told("deleting a record")?;
        self.count(set, -1, length);
        Ok(true)
    }

    /// Takes a record away without a trace.
    pub(crate) fn erase(&mut self, key: &RecordKey) -> Result<()> {
        let (set, length) = match self.records.remove(key).told("deleting a record")? {
            None => return Ok(()),
            Some(bytes) => {
                let bytes = bytes.value();
                let head = RowHead::of(bytes)?;
                self.changes.remove(head.changed).told("deleting a record")?;
                (head.set.to_vec(), bytes.len())
            }
        };
        self.count(set, -1, length);
        Ok(())
    }

    fn count(&mut self, set: Vec<u8>, sign: i64, bytes: usize) {
        let (records, total) = self.differences.entry(set).or_default();
        *records += sign;
        *total += sign * i64::try_from(bytes).unwrap_or(i64::MAX);
    }
}
