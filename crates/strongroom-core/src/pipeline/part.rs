//! The head of a part, and the identity written into it. Pure; the layout is in `docs/format.md`.

use std::fmt;

use super::coder::FrameFault;
use crate::codec::{CodecId, PartHeader};
use crate::id::{BackupId, RepositoryId};

/// The first bytes of every part.
pub const MAGIC: [u8; 8] = *b"SROOM\r\n\x1a";
/// The newest part format this version writes and reads.
pub const PART_FORMAT: u16 = 1;
/// The bytes of a head that are always there: they tell how long the whole head is.
pub const HEAD_PREFIX: usize = 12;
/// No head is longer than this.
pub const MAX_HEAD: usize = 1024;
/// No part is coded by more codecs than this.
pub const MAX_CODECS: usize = 8;

const MAX_IDENTITY: usize = 255;
const FIXED: usize = HEAD_PREFIX + 16 + 32 + 2 + 4;

/// The identity of a part: where it belongs, so that a swapped, moved or older part is told by its head alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartIdentity {
    /// What all parts of one writing share: see [`Origin`], and a fresh nonce.
    pub writing: String,
    /// The number of the piece within the backup; 0 for shared content.
    pub piece: u64,
    /// The number of the part within the piece.
    pub part: u32,
}

impl fmt::Display for PartIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.writing, self.piece, self.part)
    }
}

/// What a writing of parts belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// One backup.
    Backup(BackupId),
    /// Shared content, by the name it has in the repository.
    Content(String),
}

impl Origin {
    /// The text of [`PartIdentity::writing`]: `backup.<id>.<nonce>` or `content.<name>.<nonce>`.
    #[must_use]
    pub fn writing(&self, nonce: &str) -> String {
        match self {
            Self::Backup(id) => format!("backup.{id}.{nonce}"),
            Self::Content(name) => format!("content.{name}.{nonce}"),
        }
    }
}

/// The head of a part: whose it is, and how to decode what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHead {
    /// Repository, identity and salt: what the codecs bind to.
    pub header: PartHeader,
    /// The codecs, in the order of encoding.
    pub codecs: Vec<CodecId>,
}

impl PartHead {
    /// The bytes of the head.
    ///
    /// # Errors
    /// [`FrameFault::Head`] for an identity that is empty or longer than 255 bytes, or too many codecs.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FrameFault> {
        let identity = self.header.part.as_bytes();
        let identity_length = u8::try_from(identity.len()).ok().filter(|length| *length > 0);
        let identity_length = identity_length.ok_or(FrameFault::Head("an identity must have 1 to 255 bytes"))?;
        let count = u8::try_from(self.codecs.len()).ok().filter(|count| usize::from(*count) <= MAX_CODECS);
        let count = count.ok_or(FrameFault::Head("more than 8 codecs"))?;
        let names: usize = self.codecs.iter().map(|codec| 1 + codec.as_str().len()).sum();
        let length = FIXED + identity.len() + names;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&PART_FORMAT.to_le_bytes());
        let length = u16::try_from(length).map_err(|_| FrameFault::Head("longer than 65535 bytes"))?;
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(self.header.repository.as_bytes());
        bytes.extend_from_slice(&self.header.salt);
        bytes.push(identity_length);
        bytes.extend_from_slice(identity);
        bytes.push(count);
        for codec in &self.codecs {
            // A codec's name has at most 64 bytes by its own rules.
            bytes.push(u8::try_from(codec.as_str().len()).map_err(|_| FrameFault::Head("a codec's name"))?);
            bytes.extend_from_slice(codec.as_str().as_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        Ok(bytes)
    }

    /// How long the head is that begins with `prefix`, and whether a newer version wrote it.
    ///
    /// # Errors
    /// [`FrameFault::Head`] when it is no head.
    pub fn measure(prefix: &[u8; HEAD_PREFIX]) -> Result<usize, FrameFault> {
        if prefix[..8] != MAGIC {
            return Err(FrameFault::Head("not the beginning of a part"));
        }
        let length = usize::from(u16::from_le_bytes([prefix[10], prefix[11]]));
        if (HEAD_PREFIX + 4..=MAX_HEAD).contains(&length) { Ok(length) } else { Err(FrameFault::Head("its length")) }
    }

    /// Reads a whole head.
    ///
    /// # Errors
    /// [`FrameFault::Newer`] for a sound head of a newer version, [`FrameFault::Head`] for everything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, FrameFault> {
        let prefix = bytes.first_chunk().ok_or(FrameFault::Head("cut off"))?;
        if Self::measure(prefix)? != bytes.len() {
            return Err(FrameFault::Head("its length"));
        }
        // The CRC stands last in every version, so that a newer version is told from damage.
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or(FrameFault::Head("cut off"))?;
        if crc32c::crc32c(body).to_le_bytes() != *crc {
            return Err(FrameFault::Head("its checksum"));
        }
        let version = u16::from_le_bytes([prefix[8], prefix[9]]);
        if version != PART_FORMAT {
            return Err(FrameFault::Newer(version));
        }
        Self::fields(&body[HEAD_PREFIX..]).ok_or(FrameFault::Head("its fields"))
    }

    fn fields(mut rest: &[u8]) -> Option<Self> {
        let repository: [u8; 16] = *rest.split_off(..16)?.first_chunk()?;
        let salt: [u8; 32] = *rest.split_off(..32)?.first_chunk()?;
        let text = |rest: &mut &[u8]| -> Option<String> {
            let length = usize::from(*rest.split_off_first()?);
            String::from_utf8(rest.split_off(..length)?.to_vec()).ok()
        };
        let part = text(&mut rest).filter(|part| (1..=MAX_IDENTITY).contains(&part.len()))?;
        let count = usize::from(*rest.split_off_first()?);
        if count > MAX_CODECS {
            return None;
        }
        let codecs = (0..count).map(|_| CodecId::new(text(&mut rest)?).ok()).collect::<Option<Vec<_>>>()?;
        let repository = RepositoryId::from_u128(u128::from_be_bytes(repository));
        rest.is_empty().then_some(Self { header: PartHeader { repository, part, salt }, codecs })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(part: &str, codecs: &[&str]) -> PartHead {
        PartHead {
            header: PartHeader { repository: RepositoryId::from_u128(7), part: part.to_owned(), salt: [9; 32] },
            codecs: codecs.iter().map(|name| CodecId::new(*name).unwrap()).collect(),
        }
    }

    #[test]
    fn an_identity_says_where_the_part_belongs() {
        let writing = Origin::Backup(BackupId::from_u128(1)).writing("ab");
        let identity = PartIdentity { writing, piece: 17, part: 2 };
        assert_eq!(identity.to_string(), "backup.00000000000000000000000000000001.ab/17/2");
    }

    #[test]
    fn the_bytes_are_those_of_the_format_document() {
        let bytes = head("x", &["lz4"]).to_bytes().unwrap();
        assert_eq!(bytes.len(), 12 + 16 + 32 + 2 + 5 + 4);
        assert_eq!(&bytes[..12], b"SROOM\r\n\x1a\x01\x00\x47\x00");
        assert_eq!(&bytes[60..67], b"\x01x\x01\x03lz4");
    }

    #[test]
    fn a_newer_head_is_told_from_a_damaged_one() {
        let mut bytes = head("x", &[]).to_bytes().unwrap();
        bytes[8] = 2;
        assert_eq!(PartHead::parse(&bytes), Err(FrameFault::Head("its checksum")));
        let end = bytes.len() - 4;
        let crc = crc32c::crc32c(&bytes[..end]).to_le_bytes();
        bytes[end..].copy_from_slice(&crc);
        assert_eq!(PartHead::parse(&bytes), Err(FrameFault::Newer(2)));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(head("", &[]).to_bytes().is_err());
        assert!(head(&"x".repeat(256), &[]).to_bytes().is_err());
        assert!(head("x", &["a"; 9]).to_bytes().is_err());
    }

    proptest! {
        #[test]
        fn a_head_round_trips(part in "[ -~]{1,255}", codecs in proptest::collection::vec("[a-z0-9:-]{1,64}", 0..=MAX_CODECS)) {
            let head = head(&part, &codecs.iter().map(String::as_str).collect::<Vec<_>>());
            let bytes = head.to_bytes().unwrap();
            prop_assert!(bytes.len() <= MAX_HEAD);
            prop_assert_eq!(PartHead::measure(bytes.first_chunk().unwrap()), Ok(bytes.len()));
            prop_assert_eq!(PartHead::parse(&bytes), Ok(head));
        }

        #[test]
        fn any_flipped_bit_is_noticed(bit in 0..(FIXED + 10) * 8) {
            let mut bytes = head("0123456", &["ab"]).to_bytes().unwrap();
            prop_assert_eq!(bytes.len(), FIXED + 10);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(PartHead::parse(&bytes).is_err());
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(PartHead::parse(&bytes).is_err());
            let mut framed = MAGIC.to_vec();
            framed.extend_from_slice(&PART_FORMAT.to_le_bytes());
            framed.extend_from_slice(&u16::try_from(bytes.len() + HEAD_PREFIX + 4).unwrap().to_le_bytes());
            framed.extend_from_slice(&bytes);
            framed.extend_from_slice(&crc32c::crc32c(&framed).to_le_bytes());
            // With a right checksum nothing but the fields stands between hostile bytes and us.
            let _ = PartHead::parse(&framed).map(|head| head.to_bytes().unwrap());
        }
    }
}
