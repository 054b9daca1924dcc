//! How a record and a tombstone rest in the file.
//!
//! ```text
//! row        = crc32c of the rest, u32 · changed, i64 · generation, u16 · void time, u32 · set · key · bins
//! set        = length, u8 (0 = no set) · bytes
//! key        = kind, u8 (0 = not stored) · payload
//! bins       = count, u16 · each: length of the name, u8 · name · kind, u8 · payload
//! payload    = nothing (nil) | u8 (boolean) | 8 bytes (integer, double) | length, u32 · bytes (all others)
//! tombstone  = deleted, i64 · set as bytes
//! ```
//! Numbers are little-endian, times microseconds since 1970, kinds those of [`ParticleKind`]. Namespace and digest are
//! in the table's name and the key. Pages of redb are only checked when a file is opened; the checksum tells of damage
//! that came later.

use bytes::{Buf as _, BufMut as _, Bytes};
use strongroom_core::{Error, Result};
use strongroom_record::Double;
use strongroom_record::model::{Bin, BinName, Digest, Name, Particle, ParticleKind, Record, UserKey};

/// What is known of a record without reading its bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowHead<'a> {
    /// When it was last written, microseconds since 1970.
    pub(crate) changed: i64,
    pub(crate) generation: u16,
    pub(crate) void_time: u32,
    /// Empty = no set.
    pub(crate) set: &'a [u8],
}

const CHECKSUM: usize = 4;
const FIXED: usize = CHECKSUM + 8 + 2 + 4 + 1;

fn damaged() -> Error {
    Error::corrupt("a record in the file is damaged").hint("put back a copy of the file, or restore a backup")
}

impl<'a> RowHead<'a> {
    /// Reads the head; the checksum is left to [`decode`].
    pub(crate) fn of(row: &'a [u8]) -> Result<Self> {
        let fixed: &[u8; FIXED] = row.first_chunk().ok_or_else(damaged)?;
        let [_, _, _, _, c0, c1, c2, c3, c4, c5, c6, c7, g0, g1, v0, v1, v2, v3, length] = *fixed;
        Ok(Self {
            changed: i64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7]),
            generation: u16::from_le_bytes([g0, g1]),
            void_time: u32::from_le_bytes([v0, v1, v2, v3]),
            set: row.get(FIXED..FIXED + usize::from(length)).ok_or_else(damaged)?,
        })
    }

    /// Whether it has expired at `now`, in seconds since 1970.
    pub(crate) fn expired_at(&self, now: u64) -> bool {
        self.void_time != 0 && strongroom_record::model::CITRUSLEAF_EPOCH + u64::from(self.void_time) <= now
    }
}

/// Writes `record` into `row`, which is emptied first. Bins are written in the order they have.
pub(crate) fn encode(record: &Record, changed: i64, row: &mut Vec<u8>) -> Result<()> {
    row.clear();
    row.put_u32_le(0);
    row.put_i64_le(changed);
    row.put_u16_le(record.generation);
    row.put_u32_le(record.void_time);
    put_short(row, record.set.as_ref().map_or(&[], Name::as_bytes))?;
    match &record.key {
        None => row.put_u8(0),
        Some(UserKey::Integer(value)) => put_eight(row, ParticleKind::Integer, value.to_le_bytes()),
        Some(UserKey::Double(value)) => put_eight(row, ParticleKind::Double, value.to_bits().to_le_bytes()),
        Some(UserKey::String(bytes)) => put_long(row, ParticleKind::String, bytes)?,
        Some(UserKey::Blob(bytes)) => put_long(row, ParticleKind::Blob, bytes)?,
    }
    let count = u16::try_from(record.bins.len())
        .map_err(|_| Error::invalid(format!("a record has {} bins; at most 65535 fit", record.bins.len())))?;
    row.put_u16_le(count);
    for bin in &record.bins {
        put_short(row, bin.name.as_bytes())?;
        match &bin.value {
            Particle::Nil => row.put_u8(ParticleKind::Nil as u8),
            Particle::Bool(value) => row.put_slice(&[ParticleKind::Bool as u8, u8::from(*value)]),
            Particle::Integer(value) => put_eight(row, ParticleKind::Integer, value.to_le_bytes()),
            Particle::Double(value) => put_eight(row, ParticleKind::Double, value.to_bits().to_le_bytes()),
            other => {
                let bytes = other
                    .bytes()
                    .ok_or_else(|| Error::unsupported(format!("a bin of type {} can't be stored", other.kind())))?;
                put_long(row, other.kind(), bytes)?;
            }
        }
    }
    let checksum = crc32c::crc32c(&row[CHECKSUM..]);
    row[..CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

fn put_short(row: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    let length = u8::try_from(bytes.len()).map_err(|_| Error::invalid("a name is longer than 255 bytes"))?;
    row.put_u8(length);
    row.put_slice(bytes);
    Ok(())
}

fn put_eight(row: &mut Vec<u8>, kind: ParticleKind, value: [u8; 8]) {
    row.put_u8(kind as u8);
    row.put_slice(&value);
}

fn put_long(row: &mut Vec<u8>, kind: ParticleKind, bytes: &[u8]) -> Result<()> {
    let length = u32::try_from(bytes.len())
        .map_err(|_| Error::invalid(format!("a {kind} of {} bytes is too long", bytes.len())))?;
    row.put_u8(kind as u8);
    row.put_u32_le(length);
    row.put_slice(bytes);
    Ok(())
}

/// Reads a whole row; the record shares one buffer of its own.
pub(crate) fn decode(namespace: &Name, digest: Digest, row: &[u8]) -> Result<Record> {
    let head = RowHead::of(row)?;
    let checksum = row.first_chunk::<CHECKSUM>().ok_or_else(damaged)?;
    if crc32c::crc32c(&row[CHECKSUM..]) != u32::from_le_bytes(*checksum) {
        return Err(damaged());
    }
    let mut rest = Bytes::copy_from_slice(&row[FIXED + head.set.len()..]);
    let key = take_key(&mut rest)?;
    let count = take_array(&mut rest).map(u16::from_le_bytes)?;
    // A bin has at least two bytes: a count that promises more is damage, not a reason to allocate.
    let mut bins = Vec::with_capacity(usize::from(count).min(rest.len() / 2));
    for _ in 0..count {
        let [length] = take_array(&mut rest)?;
        let name = rest.get(..usize::from(length)).ok_or_else(damaged)?;
        let name = BinName::new(name).map_err(|_| damaged())?;
        rest.advance(usize::from(length));
        bins.push(Bin { name, value: take_particle(&mut rest)? });
    }
    let set = (!head.set.is_empty()).then(|| Name::set(Bytes::copy_from_slice(head.set))).transpose()?;
    if !rest.is_empty() {
        return Err(damaged());
    }
    Ok(Record {
        namespace: namespace.clone(),
        set,
        digest,
        key,
        generation: head.generation,
        void_time: head.void_time,
        bins,
    })
}

fn take(rest: &mut Bytes, length: usize) -> Result<Bytes> {
    if length > rest.len() {
        return Err(damaged());
    }
    Ok(rest.split_to(length))
}

fn take_array<const N: usize>(rest: &mut Bytes) -> Result<[u8; N]> {
    // Splitting it off would count two more who hold the buffer, for each number in it.
    let taken = rest.first_chunk().copied().ok_or_else(damaged)?;
    rest.advance(N);
    Ok(taken)
}

fn take_long(rest: &mut Bytes) -> Result<Bytes> {
    let length = take_array(rest).map(u32::from_le_bytes)?;
    take(rest, usize::try_from(length).map_err(|_| damaged())?)
}

fn take_key(rest: &mut Bytes) -> Result<Option<UserKey>> {
    let [kind] = take_array(rest)?;
    Ok(match kind {
        0 => None,
        1 => Some(UserKey::Integer(i64::from_le_bytes(take_array(rest)?))),
        2 => Some(UserKey::Double(Double::from_bits(u64::from_le_bytes(take_array(rest)?)))),
        3 => Some(UserKey::String(take_long(rest)?)),
        4 => Some(UserKey::Blob(take_long(rest)?)),
        _ => return Err(damaged()),
    })
}

fn take_particle(rest: &mut Bytes) -> Result<Particle> {
    let [kind] = take_array(rest)?;
    Ok(match kind {
        0 => Particle::Nil,
        1 => Particle::Integer(i64::from_le_bytes(take_array(rest)?)),
        2 => Particle::Double(Double::from_bits(u64::from_le_bytes(take_array(rest)?))),
        3 => Particle::String(take_long(rest)?),
        4 => Particle::Blob(take_long(rest)?),
        7 => Particle::Java(take_long(rest)?),
        8 => Particle::CSharp(take_long(rest)?),
        9 => Particle::Python(take_long(rest)?),
        10 => Particle::Ruby(take_long(rest)?),
        11 => Particle::Php(take_long(rest)?),
        12 => Particle::Erlang(take_long(rest)?),
        17 => match take_array(rest)? {
            [0] => Particle::Bool(false),
            [1] => Particle::Bool(true),
            _ => return Err(damaged()),
        },
        18 => Particle::Hll(take_long(rest)?),
        19 => Particle::Map(take_long(rest)?),
        20 => Particle::List(take_long(rest)?),
        23 => Particle::Geo(take_long(rest)?),
        _ => return Err(damaged()),
    })
}

/// What is left of a deleted record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tombstone<'a> {
    /// When it was deleted, microseconds since 1970.
    pub(crate) deleted: i64,
    /// Its set; empty = none.
    pub(crate) set: &'a [u8],
}

impl<'a> Tombstone<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        [&self.deleted.to_le_bytes(), self.set].concat()
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self> {
        let (deleted, set) = bytes.split_first_chunk().ok_or_else(damaged)?;
        Ok(Self { deleted: i64::from_le_bytes(*deleted), set })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::any_record;

    proptest! {
        #[test]
        fn a_record_comes_back_as_it_was(record in any_record(), changed in any::<i64>()) {
            let mut row = vec![7; 3];
            encode(&record, changed, &mut row).unwrap();
            prop_assert_eq!(RowHead::of(&row).unwrap().changed, changed);
            prop_assert_eq!(decode(&record.namespace, record.digest, &row).unwrap(), record);
        }

        #[test]
        fn damage_is_an_error(record in any_record(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut row = Vec::new();
            encode(&record, 5, &mut row).unwrap();
            let at = at.index(row.len());
            let cut = decode(&record.namespace, record.digest, &row[..at]);
            prop_assert_eq!(cut.unwrap_err().kind(), strongroom_core::ErrorKind::Corrupt);
            row[at] ^= 1 << bit;
            prop_assert!(decode(&record.namespace, record.digest, &row).is_err());
        }

        #[test]
        fn hostile_rows_with_a_right_checksum_are_no_panic(mut row in proptest::collection::vec(any::<u8>(), 4..80)) {
            let checksum = crc32c::crc32c(&row[4..]).to_le_bytes();
            row[..4].copy_from_slice(&checksum);
            let namespace = Name::namespace("n").unwrap();
            if let Ok(record) = decode(&namespace, Digest([0; 20]), &row) {
                let mut again = Vec::new();
                encode(&record, RowHead::of(&row).unwrap().changed, &mut again).unwrap();
                prop_assert_eq!(again, row);
            }
        }
    }
}
