//! The outer frame of every message: version, type, length.

use crate::Malformed;

/// The bytes of a frame's head.
pub const HEAD: usize = 8;
/// The version of the protocol.
const VERSION: u8 = 2;
/// The largest body that is taken. A server's answers are far smaller; more would let a broken peer take all memory.
pub const LARGEST: u64 = 128 << 20;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Names and values as text.
    Info,
    /// Logging in.
    Admin,
    /// Messages about records.
    Message,
    /// Messages, compressed with zlib: eight bytes of their plain length, big-endian, then the stream. The plain bytes are a
    /// frame again.
    Compressed,
}

impl FrameKind {
    const fn number(self) -> u8 {
        match self {
            Self::Info => 1,
            Self::Admin => 2,
            Self::Message => 3,
            Self::Compressed => 4,
        }
    }
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameHead {
    /// What follows.
    pub kind: FrameKind,
    /// How many bytes follow, at most [`LARGEST`].
    pub length: u64,
}

impl FrameHead {
    /// The head's bytes.
    #[must_use]
    pub fn encode(self) -> [u8; HEAD] {
        let mut bytes = self.length.to_be_bytes();
        bytes[0] = VERSION;
        bytes[1] = self.kind.number();
        bytes
    }

    /// Reads a head.
    ///
    /// # Errors
    /// When version or type are unknown, or the length is beyond [`LARGEST`].
    pub fn decode(bytes: [u8; HEAD]) -> Result<Self, Malformed> {
        let [version, kind, length @ ..] = bytes;
        if version != VERSION {
            return Err(Malformed::new(
                "not the protocol's version 2: is this an Aerospike port, and plain or TLS?",
                0,
            ));
        }
        let kind = match kind {
            1 => FrameKind::Info,
            2 => FrameKind::Admin,
            3 => FrameKind::Message,
            4 => FrameKind::Compressed,
            _ => return Err(Malformed::new("an unknown type of frame", 1)),
        };
        let length = length.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        if length > LARGEST {
            return Err(Malformed::new("a frame larger than any server sends", 2));
        }
        Ok(Self { kind, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_round_trip_and_nonsense_is_refused() {
        let head = FrameHead { kind: FrameKind::Message, length: 8274 };
        assert_eq!(head.encode(), [2, 3, 0, 0, 0, 0, 0x20, 0x52]);
        assert_eq!(FrameHead::decode(head.encode()), Ok(head));
        assert_eq!(FrameHead::decode(*b"HTTP/1.1").unwrap_err().at, 0);
        assert_eq!(FrameHead::decode([2, 9, 0, 0, 0, 0, 0, 0]).unwrap_err().at, 1);
        assert_eq!(FrameHead::decode([2, 3, 1, 0, 0, 0, 0, 0]).unwrap_err().at, 2);
    }
}
