//! What all nodes hold together.

use std::collections::BTreeMap;

use crate::record::{Digest, Place, Record, place_of};

/// A secondary index, in the words of its creation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    /// Its set; empty: any.
    pub set: String,
    /// Its bin; empty for an expression.
    pub bin: String,
    /// `numeric`, `string`, `geo2dsphere`, `blob`.
    pub data_type: String,
    /// `default`, `list`, `mapkeys`, `mapvalues`.
    pub index_type: String,
    /// The path into the bin, in base64.
    pub context: Option<String>,
    /// The expression, in base64.
    pub expression: Option<String>,
}

/// What a namespace is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamespaceSettings {
    /// Whether records may expire. A server whose `nsup-period` is 0 refuses times to live.
    pub expires: bool,
    /// The time to live of records that are written without one, in seconds; 0 = for ever.
    pub default_ttl: u32,
    /// The largest record, in bytes.
    pub write_block: usize,
    /// Writes are refused: no space.
    pub stop_writes: bool,
}

impl Default for NamespaceSettings {
    fn default() -> Self {
        Self { expires: true, default_ttl: 0, write_block: 8 << 20, stop_writes: false }
    }
}

/// One namespace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Namespace {
    pub(crate) settings: NamespaceSettings,
    pub(crate) records: BTreeMap<Place, Record>,
    pub(crate) indexes: BTreeMap<String, Index>,
}

/// What all nodes hold together. Tests look into it and change it directly.
#[derive(Debug, Clone, Default)]
pub struct Store {
    pub(crate) namespaces: BTreeMap<String, Namespace>,
    pub(crate) functions: BTreeMap<String, Vec<u8>>,
    /// The clock of all nodes, in milliseconds since 1970.
    pub(crate) now_millis: i64,
    /// How far the clock goes on when it is asked for.
    pub(crate) tick_millis: i64,
    /// Nodes of another version.
    pub(crate) builds: BTreeMap<String, String>,
    /// By how much nodes tell another time.
    pub(crate) skew_seconds: BTreeMap<String, i64>,
}

impl Store {
    /// Makes a namespace.
    pub fn create_namespace(&mut self, name: &str, settings: NamespaceSettings) {
        self.namespaces.insert(name.to_owned(), Namespace { settings, ..Namespace::default() });
    }

    /// A namespace's settings, to be changed.
    pub fn settings(&mut self, namespace: &str) -> Option<&mut NamespaceSettings> {
        self.namespaces.get_mut(namespace).map(|namespace| &mut namespace.settings)
    }

    /// Puts a record as it is, its generation and times included.
    pub fn put(&mut self, namespace: &str, digest: Digest, record: Record) {
        if let Some(namespace) = self.namespaces.get_mut(namespace) {
            namespace.records.insert(place_of(&digest), record);
        }
    }

    /// Takes a record away without a trace, as a delete does in the community edition.
    pub fn remove(&mut self, namespace: &str, digest: &Digest) -> Option<Record> {
        self.namespaces.get_mut(namespace)?.records.remove(&place_of(digest))
    }

    /// A record.
    #[must_use]
    pub fn get(&self, namespace: &str, digest: &Digest) -> Option<&Record> {
        self.namespaces.get(namespace)?.records.get(&place_of(digest))
    }

    /// All records of a namespace, in the order in which a server walks them.
    pub fn records(&self, namespace: &str) -> impl Iterator<Item = (Digest, &Record)> {
        let records = self.namespaces.get(namespace).into_iter().flat_map(|namespace| &namespace.records);
        records.map(|((_, digest), record)| (digest.0, record))
    }

    /// The indexes of a namespace by name.
    #[must_use]
    pub fn indexes(&self, namespace: &str) -> Option<&BTreeMap<String, Index>> {
        self.namespaces.get(namespace).map(|namespace| &namespace.indexes)
    }

    /// Defines an index as it is.
    pub fn define_index(&mut self, namespace: &str, name: &str, index: Index) {
        if let Some(namespace) = self.namespaces.get_mut(namespace) {
            namespace.indexes.insert(name.to_owned(), index);
        }
    }

    /// Registers a function.
    pub fn define_function(&mut self, name: &str, body: Vec<u8>) {
        self.functions.insert(name.to_owned(), body);
    }

    /// The functions by name.
    #[must_use]
    pub fn functions(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.functions
    }

    /// Sets the clock of all nodes, in milliseconds since 1970. It does not run by itself.
    pub fn set_now(&mut self, millis: i64) {
        self.now_millis = millis;
    }

    /// From now on the clock goes on by so much whenever somebody asks for it.
    pub fn tick_by(&mut self, millis: i64) {
        self.tick_millis = millis;
    }

    /// Lets a node tell another version.
    pub fn build(&mut self, node: &str, version: &str) {
        self.builds.insert(node.to_owned(), version.to_owned());
    }

    /// Lets a node tell a time that is off by so many seconds.
    pub fn skew(&mut self, node: &str, seconds: i64) {
        self.skew_seconds.insert(node.to_owned(), seconds);
    }

    /// The clock, in milliseconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.now_millis
    }

    /// The clock in seconds since 2010, as void times are told.
    pub(crate) fn now_2010(&self) -> u32 {
        u32::try_from(self.now_millis / 1000 - crate::filter::EPOCH_2010).unwrap_or(0)
    }
}
