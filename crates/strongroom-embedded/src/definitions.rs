//! Secondary indexes and functions: kept and given out, not used to answer queries.

use bytes::Bytes;
use redb::{ReadTransaction, ReadableTable as _};
use strongroom_core::{Error, Result};
use strongroom_record::asb::{Decoder, Encoder, GlobalsVersion};
use strongroom_record::{Entity, Function, Name, SecondaryIndex};

use crate::fault::Told as _;
use crate::namespace::{missing, text_of};
use crate::tables::{FUNCTIONS, INDEXES};
use crate::{Batch, EmbeddedCluster};

/// Which step of which restore made a definition; all zeros for one that was made directly.
///
/// A later step of the same restore may take it away again, since every schema piece holds all definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Origin {
    pub(crate) session: [u8; 16],
    pub(crate) step: u32,
}

const ORIGIN: usize = 20;

impl Origin {
    fn of(row: &[u8]) -> Result<(Self, &[u8])> {
        let (session, rest) = row.split_first_chunk::<16>().ok_or_else(damaged)?;
        let (step, text) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        Ok((Self { session: *session, step: u32::from_le_bytes(*step) }, text))
    }

    /// Whether a later step of the same restore replaces it.
    fn is_outdated_by(&self, newer: &Self) -> bool {
        self.session == newer.session && self.step < newer.step
    }
}

fn damaged() -> Error {
    Error::corrupt("a definition in the file is damaged").hint("put back a copy of the file, or restore a backup")
}

/// A definition as one `.asb` file of its own, behind its origin.
fn encode(origin: Origin, namespace: &Name, entity: &Entity) -> Result<Vec<u8>> {
    let mut row = Vec::with_capacity(ORIGIN + 64);
    row.extend_from_slice(&origin.session);
    row.extend_from_slice(&origin.step.to_le_bytes());
    let encoder = Encoder { compact: true, version: GlobalsVersion::V3_2 };
    encoder.header(&mut row, namespace, false);
    encoder.entity(&mut row, entity)?;
    Ok(row)
}

fn decode(text: &[u8]) -> Result<Entity> {
    let mut decoder = Decoder::default();
    decoder.push(Bytes::copy_from_slice(text));
    decoder.next_entity()?.ok_or_else(damaged)
}

pub(crate) fn indexes_in(transaction: &ReadTransaction, namespace: &str) -> Result<Vec<SecondaryIndex>> {
    let table = transaction.open_table(INDEXES).told("reading indexes")?;
    let mut found = Vec::new();
    for entry in table.range((namespace, &[][..])..).told("reading indexes")? {
        let (key, row) = entry.told("reading indexes")?;
        if key.value().0 != namespace {
            break;
        }
        match decode(Origin::of(row.value())?.1)? {
            Entity::Index(index) => found.push(index),
            Entity::Record(_) | Entity::Function(_) => return Err(damaged()),
        }
    }
    Ok(found)
}

pub(crate) fn functions_in(transaction: &ReadTransaction) -> Result<Vec<Function>> {
    let table = transaction.open_table(FUNCTIONS).told("reading functions")?;
    let mut found = Vec::new();
    for entry in table.iter().told("reading functions")? {
        let (_, row) = entry.told("reading functions")?;
        match decode(Origin::of(row.value())?.1)? {
            Entity::Function(function) => found.push(function),
            Entity::Record(_) | Entity::Index(_) => return Err(damaged()),
        }
    }
    Ok(found)
}

impl EmbeddedCluster {
    /// The secondary indexes of a namespace, by name.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist.
    pub fn indexes(&self, namespace: &str) -> Result<Vec<SecondaryIndex>> {
        let snapshot = self.snapshot()?;
        snapshot.namespace(namespace)?.ok_or_else(|| missing(namespace))?;
        indexes_in(snapshot.transaction(), namespace)
    }

    /// The functions of the cluster, by name.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub fn functions(&self) -> Result<Vec<Function>> {
        functions_in(&self.begin_read()?)
    }

    /// Creates an index. Its namespace is made if it is not there; the same index again is no error.
    ///
    /// # Errors
    /// `AlreadyExists` if another index has its name.
    pub fn create_index(&self, index: SecondaryIndex) -> Result<()> {
        self.write_batch(|batch| batch.create_index(index))
    }

    /// Drops an index. False if it is not there.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist.
    pub fn drop_index(&self, namespace: &str, index: &str) -> Result<bool> {
        self.write_batch(|batch| batch.drop_index(namespace, index.as_bytes()))
    }

    /// Registers a function, replacing one of the same name.
    ///
    /// # Errors
    /// `Invalid` if its source has 4 GiB or more.
    pub fn put_function(&self, function: Function) -> Result<()> {
        self.write_batch(|batch| batch.put_function(function))
    }

    /// Removes a function. False if it is not there.
    ///
    /// # Errors
    /// `Denied` when opened for reading only.
    pub fn drop_function(&self, function: &str) -> Result<bool> {
        self.write_batch(|batch| batch.drop_function(function.as_bytes()))
    }
}

impl Batch<'_> {
    /// Creates an index: see [`EmbeddedCluster::create_index`].
    ///
    /// # Errors
    /// `AlreadyExists` if another index has its name.
    pub fn create_index(&mut self, index: SecondaryIndex) -> Result<()> {
        let name = index.name.clone();
        let namespace = index.namespace.clone();
        if self.store_index(index, Origin::default(), false)?.is_some_and(|same| !same) {
            let what = format!("namespace '{namespace}' has another index '{name}'");
            return Err(Error::already_exists(what).hint("drop it first, or choose another name"));
        }
        Ok(())
    }

    /// Stores an index. If one of its name is there, tells whether it is the same, and replaces it only if asked to.
    pub(crate) fn store_index(&mut self, index: SecondaryIndex, origin: Origin, replace: bool) -> Result<Option<bool>> {
        let namespace = index.namespace.clone();
        let name = index.name.clone();
        let text = text_of(&namespace)?;
        self.create_namespace(text)?;
        let row = encode(origin, &namespace, &Entity::Index(index))?;
        let mut table = self.transaction.open_table(INDEXES).told("writing an index")?;
        let key = (text, name.as_bytes());
        let same = table.get(key).told("writing an index")?.map(|there| is_same(there.value(), &row));
        if replace || same.is_none() {
            table.insert(key, row.as_slice()).told("writing an index")?;
        }
        Ok(same)
    }

    /// Drops an index. False if it is not there.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist.
    pub fn drop_index(&mut self, namespace: &str, index: &[u8]) -> Result<bool> {
        self.existing(namespace)?;
        let mut table = self.transaction.open_table(INDEXES).told("dropping an index")?;
        let there = table.remove((namespace, index)).told("dropping an index")?.is_some();
        Ok(there)
    }

    /// Drops the indexes of a namespace that `chosen` says. A damaged one goes too.
    pub(crate) fn drop_indexes_where(
        &mut self,
        namespace: &str,
        chosen: impl Fn(&SecondaryIndex) -> bool,
    ) -> Result<()> {
        let goes = |row: &[u8]| match Origin::of(row).and_then(|(_, text)| decode(text)) {
            Ok(Entity::Index(index)) => chosen(&index),
            Ok(Entity::Record(_) | Entity::Function(_)) | Err(_) => true,
        };
        let mut table = self.transaction.open_table(INDEXES).told("dropping indexes")?;
        table
            .retain_in((namespace, &[][..]).., |(owner, _), row| owner != namespace || !goes(row))
            .told("dropping indexes")
    }

    /// Registers a function, replacing one of the same name.
    ///
    /// # Errors
    /// `Invalid` if its source has 4 GiB or more.
    pub fn put_function(&mut self, function: Function) -> Result<()> {
        self.store_function(function, Origin::default(), true).map(drop)
    }

    /// Stores a function: like [`Batch::store_index`].
    pub(crate) fn store_function(&mut self, function: Function, origin: Origin, replace: bool) -> Result<Option<bool>> {
        let name = function.name.clone();
        // Functions have no namespace, but a file needs one.
        let row = encode(origin, &Name::namespace("-")?, &Entity::Function(function))?;
        let mut table = self.transaction.open_table(FUNCTIONS).told("writing a function")?;
        let same = table.get(name.as_bytes()).told("writing a function")?.map(|there| is_same(there.value(), &row));
        if replace || same.is_none() {
            table.insert(name.as_bytes(), row.as_slice()).told("writing a function")?;
        }
        Ok(same)
    }

    /// Removes a function. False if it is not there.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn drop_function(&mut self, function: &[u8]) -> Result<bool> {
        let mut table = self.transaction.open_table(FUNCTIONS).told("removing a function")?;
        let there = table.remove(function).told("removing a function")?.is_some();
        Ok(there)
    }

    /// Takes away what earlier steps of this restore made: what is still defined comes again in this step.
    pub(crate) fn drop_outdated(&mut self, namespace: &str, newer: Origin) -> Result<()> {
        // A damaged row stays, to be told of by whoever reads it.
        let keep = |row: &[u8]| Origin::of(row).map_or(true, |(origin, _)| !origin.is_outdated_by(&newer));
        let mut indexes = self.transaction.open_table(INDEXES).told("dropping indexes")?;
        indexes
            .retain_in((namespace, &[][..]).., |(owner, _), row| owner != namespace || keep(row))
            .told("dropping indexes")?;
        let mut functions = self.transaction.open_table(FUNCTIONS).told("removing functions")?;
        functions.retain(|_, row| keep(row)).told("removing functions")
    }
}

fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.get(ORIGIN..) == other.get(ORIGIN..)
}
