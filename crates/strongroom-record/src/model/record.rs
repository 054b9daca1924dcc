//! A record: its place, its metadata, its bins.

use bytes::Bytes;

use super::{BinName, Digest, Name, Particle, PartitionKey, UserKey};

/// 2010-01-01T00:00:00Z in seconds since 1970: what void times count from.
pub const CITRUSLEAF_EPOCH: u64 = 1_262_304_000;

/// One named value of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bin {
    /// The bin's name.
    pub name: BinName,
    /// Its value.
    pub value: Particle,
}

/// One record with all that a backup knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// The namespace it is in.
    pub namespace: Name,
    /// The set it is in, if any.
    pub set: Option<Name>,
    /// What the server knows it by.
    pub digest: Digest,
    /// The user key, where the server stores it.
    pub key: Option<UserKey>,
    /// How often it was written, as the server counts.
    pub generation: u16,
    /// When it expires: seconds since [`CITRUSLEAF_EPOCH`]; 0 = never.
    pub void_time: u32,
    /// Its values. The server's order means nothing; the canonical order is by name.
    pub bins: Vec<Bin>,
}

impl Record {
    /// What pieces are sorted by within a namespace.
    #[must_use]
    pub const fn order(&self) -> PartitionKey {
        self.digest.order()
    }

    /// The value of a bin.
    #[must_use]
    pub fn bin(&self, name: impl AsRef<[u8]>) -> Option<&Particle> {
        let name = name.as_ref();
        self.bins.iter().find(|bin| bin.name.as_bytes() == name).map(|bin| &bin.value)
    }

    /// Puts the bins into their canonical order: by name, byte by byte.
    pub fn sort_bins(&mut self) {
        self.bins.sort_unstable_by_key(|bin| bin.name);
    }

    /// Whether the record has expired at `now` (seconds since 1970).
    #[must_use]
    pub fn expired_at(&self, now: u64) -> bool {
        self.expires_at().is_some_and(|at| at <= now)
    }

    /// When it expires, in seconds since 1970; `None` = never.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        (self.void_time != 0).then(|| CITRUSLEAF_EPOCH + u64::from(self.void_time))
    }

    /// Copies every value into memory of its own.
    ///
    /// A record read from a stream shares the stream's chunks; one that is kept for long should not hold a whole
    /// chunk for a few bytes.
    pub fn detach(&mut self) {
        for bin in &mut self.bins {
            if let Some(bytes) = bin.value.bytes_mut() {
                *bytes = Bytes::copy_from_slice(bytes);
            }
        }
        if let Some(UserKey::String(bytes) | UserKey::Blob(bytes)) = &mut self.key {
            *bytes = Bytes::copy_from_slice(bytes);
        }
    }

    /// About how many bytes the record takes in memory; for limits, not for accounts.
    #[must_use]
    pub fn weight(&self) -> usize {
        let key = match &self.key {
            Some(UserKey::String(bytes) | UserKey::Blob(bytes)) => bytes.len(),
            Some(UserKey::Integer(_) | UserKey::Double(_)) | None => 0,
        };
        let bins = self.bins.iter().map(|bin| size_of::<Bin>() + bin.value.bytes().map_or(0, Bytes::len));
        size_of::<Self>() + key + bins.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_counts_from_2010() {
        let mut record = Record {
            namespace: Name::namespace("test").unwrap(),
            set: None,
            digest: Digest([0; 20]),
            key: None,
            generation: 1,
            void_time: 0,
            bins: Vec::new(),
        };
        assert!(!record.expired_at(u64::MAX));
        record.void_time = 10;
        assert!(!record.expired_at(CITRUSLEAF_EPOCH + 9));
        assert!(record.expired_at(CITRUSLEAF_EPOCH + 10));
    }
}
