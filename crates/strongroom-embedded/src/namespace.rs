//! Namespaces: making, listing, dropping, counting.

use std::collections::BTreeMap;

use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};
use strongroom_core::{Error, Result, Timestamp};
use strongroom_record::Name;

use crate::EmbeddedCluster;
use crate::fault::Told as _;
use crate::file::from_json;
use crate::tables::{COUNTS, NAMESPACES};

/// What the file keeps of a namespace besides its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamespaceState {
    /// Deletes are known since this moment of the file's clock; an incremental from before it is refused.
    pub(crate) horizon: i64,
    /// How many restores it has seen, each a new timeline.
    pub(crate) timeline: u64,
}

/// How much a namespace or set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Records, expired ones included.
    pub records: u64,
    /// Their bytes in the file, without indexes and free space.
    pub bytes: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.records = self.records.saturating_add(other.records);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// What a namespace holds, and how far back it can tell changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceInfo {
    /// All of it.
    pub count: Count,
    /// By set; `""` are the records without a set. A set that lost its last record is not listed.
    pub sets: BTreeMap<String, Count>,
    /// An incremental can start here or later.
    pub horizon: Timestamp,
    /// How many restores it has seen: each begins a new timeline.
    pub timeline: u64,
}

pub(crate) fn checked_name(namespace: &str) -> Result<Name> {
    Ok(Name::namespace(namespace.to_owned())?)
}

/// A namespace's name as text. Parts have names of text; every server so far has too.
pub(crate) fn text_of(namespace: &Name) -> Result<&str> {
    namespace.as_str().ok_or_else(|| {
        Error::unsupported(format!("the namespace name {namespace:?} is not UTF-8"))
            .hint("rename the namespace on the way in")
    })
}

pub(crate) fn missing(namespace: &str) -> Error {
    Error::not_found(format!("there is no namespace '{namespace}'")).hint("describe the cluster to see which there are")
}

impl EmbeddedCluster {
    /// Every namespace with its sets. Costs nothing to speak of, whatever the number of records.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub fn namespaces(&self) -> Result<BTreeMap<String, NamespaceInfo>> {
        let transaction = self.begin_read()?;
        let mut found = BTreeMap::new();
        for entry in transaction.open_table(NAMESPACES).told("listing namespaces")?.iter().told("listing namespaces")? {
            let (name, state) = entry.told("listing namespaces")?;
            let state: NamespaceState = from_json(state.value())?;
            let info = NamespaceInfo {
                count: Count::default(),
                sets: BTreeMap::new(),
                horizon: Timestamp::from_micros(state.horizon),
                timeline: state.timeline,
            };
            found.insert(name.value().to_owned(), info);
        }
        for entry in transaction.open_table(COUNTS).told("counting")?.iter().told("counting")? {
            let (key, count) = entry.told("counting")?;
            let (namespace, set) = key.value();
            let (records, bytes) = count.value();
            let info = found.get_mut(namespace).ok_or_else(|| Error::corrupt("a count belongs to no namespace"))?;
            let count = Count { records, bytes };
            info.count += count;
            // Two set names that are not UTF-8 may look alike as text: their counts are added up.
            *info.sets.entry(String::from_utf8_lossy(set).into_owned()).or_default() += count;
        }
        Ok(found)
    }

    /// How much `namespace` holds.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn count(&self, namespace: &str) -> Result<Count> {
        Ok(self.namespaces()?.remove(namespace).ok_or_else(|| missing(namespace))?.count)
    }

    /// How much a set holds; `""` means the records without a set. A set that is not there holds nothing.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist.
    pub fn count_set(&self, namespace: &str, set: &str) -> Result<Count> {
        let info = self.namespaces()?.remove(namespace).ok_or_else(|| missing(namespace))?;
        Ok(info.sets.get(set).copied().unwrap_or_default())
    }

    /// Makes a namespace, if it is not there. Writing a record does so too.
    ///
    /// # Errors
    /// `Invalid` for a name that no server takes; `Denied` when opened for reading only; `NoSpace`.
    pub fn create_namespace(&self, namespace: &str) -> Result<()> {
        self.write_batch(|batch| batch.create_namespace(namespace))
    }

    /// Drops a namespace with its records, indexes and history.
    ///
    /// # Errors
    /// `NotFound`; `Denied` when opened for reading only.
    pub fn drop_namespace(&self, namespace: &str) -> Result<()> {
        self.write_batch(|batch| batch.drop_namespace(namespace))
    }
}
