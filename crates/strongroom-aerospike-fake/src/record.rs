//! Records as a server keeps them.

use std::cmp::Reverse;

use crate::PARTITIONS;

/// The name of a record in its namespace.
pub type Digest = [u8; 20];

/// The partition of a digest.
pub(crate) fn partition_of(digest: &Digest) -> u16 {
    u16::from_le_bytes([digest[0], digest[1]]) % PARTITIONS
}

/// The order in which a server walks its index.
pub(crate) type Place = (u16, Reverse<Digest>);

pub(crate) fn place_of(digest: &Digest) -> Place {
    (partition_of(digest), Reverse(*digest))
}

/// A bin: name, particle type, and the particle's bytes as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bin {
    /// The name.
    pub name: Vec<u8>,
    /// The particle type.
    pub particle: u8,
    /// The bytes.
    pub value: Vec<u8>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The set; empty: none.
    pub set: Vec<u8>,
    /// The user key as it was stored: particle type, then the value.
    pub key: Option<Vec<u8>>,
    /// How often it was written.
    pub generation: u16,
    /// When it expires, in seconds since 2010-01-01T00:00:00Z; 0 = never.
    pub void_time: u32,
    /// When it was last written, in milliseconds since 1970.
    pub last_update_millis: i64,
    /// The bins.
    pub bins: Vec<Bin>,
}

impl Record {
    /// Whether it has expired at a moment in seconds since 2010.
    pub(crate) fn has_expired(&self, now: u32) -> bool {
        self.void_time != 0 && self.void_time <= now
    }
}
