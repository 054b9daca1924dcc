//! The 20-byte name that the server knows a record by.

use std::cmp::Reverse;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ripemd::{Digest as _, Ripemd160};

use super::UserKey;

/// How many partitions every namespace has.
pub const PARTITIONS: u16 = 4096;

/// RIPEMD-160 of set and user key: what the server's primary index holds.
///
/// `Ord` is plain byte order. Pieces of a backup are sorted by [`Digest::order`] instead, which puts all records of a
/// partition together, in the order in which a server reads them out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 20]);

/// The sort key of a piece: the lowest partition first, within it the highest digest first.
///
/// A server walks the index of a partition from the highest digest down (`as_index_reduce` of community 8.1.2, and every
/// recorded scan), so a scan is in order as it comes, however many records a partition has.
pub type PartitionKey = (u16, Reverse<Digest>);

impl Digest {
    /// The digest that every client computes for a user key in a set (`None` or empty: no set).
    ///
    /// The hashed bytes are the set name, one byte for the key's particle type, and the key: integers and doubles as
    /// eight big-endian bytes, strings and blobs as they are.
    #[must_use]
    pub fn of_key(set: Option<&[u8]>, key: &UserKey) -> Self {
        let mut hash = Ripemd160::new();
        hash.update(set.unwrap_or_default());
        hash.update([key.kind() as u8]);
        match key {
            UserKey::Integer(value) => hash.update(value.to_be_bytes()),
            UserKey::Double(value) => hash.update(value.to_bits().to_be_bytes()),
            UserKey::String(bytes) | UserKey::Blob(bytes) => hash.update(bytes),
        }
        Self(hash.finalize().into())
    }

    /// The partition that holds the record, below [`PARTITIONS`].
    #[must_use]
    pub const fn partition(&self) -> u16 {
        u16::from_le_bytes([self.0[0], self.0[1]]) & (PARTITIONS - 1)
    }

    /// What pieces are sorted by.
    #[must_use]
    pub const fn order(&self) -> PartitionKey {
        (self.partition(), Reverse(*self))
    }

    /// The digest's 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Standard base64 with padding, 28 characters: the form of backup files.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// The inverse of [`Digest::to_base64`]; `None` unless it is exactly 20 bytes in canonical base64.
    #[must_use]
    pub fn from_base64(text: &[u8]) -> Option<Self> {
        if text.len() != 28 {
            return None;
        }
        // 28 characters may decode to 21 bytes; the decoder wants room for them.
        let mut bytes = [0_u8; 21];
        match STANDARD.decode_slice(text, &mut bytes) {
            Ok(20) => bytes.first_chunk().copied().map(Self),
            _ => None,
        }
    }

    /// Lower-case hexadecimal, 40 characters: the form of server logs and of strongroom's own output.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.to_string()
    }

    /// The inverse of [`Digest::to_hex`], either case; `None` unless it is exactly 40 hexadecimal characters.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return None;
        }
        let mut bytes = [0_u8; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_value(pair[0])? << 4 | hex_value(pair[1])?;
        }
        Some(Self(bytes))
    }
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<[u8; 20]> for Digest {
    fn from(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_is_the_low_twelve_bits_of_the_first_two_bytes() {
        let mut bytes = [0xff_u8; 20];
        bytes[0] = 0x34;
        bytes[1] = 0xf2;
        assert_eq!(Digest(bytes).partition(), 0x234);
    }

    #[test]
    fn digests_are_those_of_a_real_server() {
        // Taken from a backup of a server, community 8.1.
        let cases: [(Option<&[u8]>, UserKey, &str); 3] = [
            (Some(b"geo"), UserKey::Integer(3012), "I7OLqAhxNw8XO1/L3ZEhSS+vAyg="),
            (None, UserKey::String("user:2554".into()), "KMMy4qixIlTSc538PJEcNGWEfnc="),
            (Some(b"events"), UserKey::Blob((&b"\0\x01b1946"[..]).into()), "I4OeYB9WZrT5qHG6Tgyp8yjCZbc="),
        ];
        for (set, key, expected) in cases {
            assert_eq!(Digest::of_key(set, &key).to_base64(), expected, "{key:?}");
        }
    }

    #[test]
    fn text_forms_round_trip_and_refuse_other_lengths() {
        let digest = Digest(std::array::from_fn(|i| u8::try_from(i).unwrap()));
        assert_eq!(digest.to_base64(), "AAECAwQFBgcICQoLDA0ODxAREhM=");
        assert_eq!(Digest::from_base64(b"AAECAwQFBgcICQoLDA0ODxAREhM="), Some(digest));
        assert_eq!(Digest::from_base64(b"AAECAwQFBgcICQoLDA0ODxAREhMU"), None);
        assert_eq!(Digest::from_base64(b"AAECAwQFBgcICQoLDA0ODxAREhM"), None);
        assert_eq!(Digest::from_base64(b"AAECAwQFBgcICQoLDA0ODxAREh!="), None);
        assert_eq!(Digest::from_hex(&digest.to_hex()), Some(digest));
        assert_eq!(Digest::from_hex(&digest.to_hex().to_uppercase()), Some(digest));
        assert_eq!(Digest::from_hex("00"), None);
        assert_eq!(Digest::from_hex(&"g".repeat(40)), None);
    }
}
