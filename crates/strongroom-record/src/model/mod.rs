//! Aerospike's data model, as a backup sees it: records with their metadata, secondary indexes and functions.
//!
//! Everything here is plain data. Names and strings are byte strings, because the server never checks that they are
//! UTF-8; `Display` shows them lossily. Collection values (maps, lists) and HLL sketches stay the raw particle bytes
//! that the server sent: a backup that re-encoded them could lose their order flags.

mod digest;
mod name;
mod particle;
mod record;
mod schema;

pub use digest::{Digest, PARTITIONS, PartitionKey};
pub use name::{BinName, MAX_NAMESPACE, MAX_SET, MAX_TOKEN, Name, NameError};
pub use particle::{Double, Particle, ParticleKind, UserKey};
pub use record::{Bin, CITRUSLEAF_EPOCH, Record};
pub use schema::{Function, IndexCollection, IndexType, SecondaryIndex};

/// One thing that a backup file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entity {
    /// A record.
    Record(Record),
    /// The definition of a secondary index.
    Index(SecondaryIndex),
    /// A user-defined function module.
    Function(Function),
}

impl Entity {
    /// The record, if this is one.
    #[must_use]
    pub const fn as_record(&self) -> Option<&Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::Index(_) | Self::Function(_) => None,
        }
    }

    /// The record, if this is one, by value.
    #[must_use]
    pub fn into_record(self) -> Option<Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::Index(_) | Self::Function(_) => None,
        }
    }
}

impl From<Record> for Entity {
    fn from(record: Record) -> Self {
        Self::Record(record)
    }
}

impl From<SecondaryIndex> for Entity {
    fn from(index: SecondaryIndex) -> Self {
        Self::Index(index)
    }
}

impl From<Function> for Entity {
    fn from(function: Function) -> Self {
        Self::Function(function)
    }
}
