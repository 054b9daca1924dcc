//! Frames: the unit that is coded, checked and moved. Pure; the layout is in `docs/format.md`, "Parts and frames".

use bytes::Bytes;

use super::coder::FrameFault;
use crate::codec::FrameId;

/// The most plain bytes of one frame.
pub const MAX_PLAIN: usize = 1 << 20;
/// The most coded bytes of one frame: codecs may add up to 64 KiB to what does not shrink.
pub const MAX_CODED: usize = MAX_PLAIN + (64 << 10);
/// The bytes before a frame's coded bytes.
pub const FRAME_HEADER: usize = 20;

const LAST: u32 = 1;

/// What stands before a frame's coded bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Its place in the part.
    pub id: FrameId,
    /// How many coded bytes follow, at most [`MAX_CODED`].
    pub coded: u32,
    /// How many plain bytes they hold, at most [`MAX_PLAIN`].
    pub plain: u32,
    /// CRC-32C over the header's first 16 bytes and the coded bytes.
    pub crc: u32,
}

impl FrameHeader {
    /// The header of a frame whose coded bytes are `coded`.
    ///
    /// # Errors
    /// [`FrameFault::TooLong`] when either length is beyond its limit.
    pub fn seal(id: FrameId, plain: usize, coded: &[u8]) -> Result<Self, FrameFault> {
        let fits = |length: usize, limit: usize| {
            u32::try_from(length).ok().filter(|_| length <= limit).ok_or(FrameFault::TooLong { length, limit })
        };
        let mut header = Self { id, coded: fits(coded.len(), MAX_CODED)?, plain: fits(plain, MAX_PLAIN)?, crc: 0 };
        header.crc = header.crc_with(std::iter::once(coded));
        Ok(header)
    }

    /// The 20 bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        bytes[..16].copy_from_slice(&self.head());
        bytes[16..].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    /// Reads 20 bytes; `expected` is the index that must come now.
    ///
    /// # Errors
    /// [`FrameFault`] for a length beyond its limit, a wrong index, an unknown flag.
    pub fn parse(bytes: &[u8; FRAME_HEADER], expected: u32) -> Result<Self, FrameFault> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (coded, plain, index, flags) = (word(0), word(4), word(8), word(12));
        for (length, limit) in [(coded as usize, MAX_CODED), (plain as usize, MAX_PLAIN)] {
            if length > limit {
                return Err(FrameFault::TooLong { length, limit });
            }
        }
        if index != expected {
            return Err(FrameFault::Index { expected, found: index });
        }
        if flags & !LAST != 0 {
            return Err(FrameFault::Flags(flags));
        }
        Ok(Self { id: FrameId { index, last: flags == LAST }, coded, plain, crc: word(16) })
    }

    /// Compares the CRC with that of `coded`, given in one or more chunks.
    ///
    /// # Errors
    /// [`FrameFault::Crc`].
    pub fn check(&self, coded: &[Bytes]) -> Result<(), FrameFault> {
        if self.crc_with(coded.iter().map(AsRef::as_ref)) == self.crc { Ok(()) } else { Err(FrameFault::Crc) }
    }

    fn head(&self) -> [u8; 16] {
        let mut head = [0; 16];
        for (to, word) in head.chunks_exact_mut(4).zip([self.coded, self.plain, self.id.index, u32::from(self.id.last)])
        {
            to.copy_from_slice(&word.to_le_bytes());
        }
        head
    }

    fn crc_with<'a>(&self, coded: impl Iterator<Item = &'a [u8]>) -> u32 {
        coded.fold(crc32c::crc32c(&self.head()), crc32c::crc32c_append)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_header_round_trips(index: u32, last: bool, plain in 0..=MAX_PLAIN, coded in proptest::collection::vec(any::<u8>(), 0..300)) {
            let header = FrameHeader::seal(FrameId { index, last }, plain, &coded).unwrap();
            let read = FrameHeader::parse(&header.to_bytes(), index).unwrap();
            prop_assert_eq!(read, header);
            read.check(&[Bytes::from(coded)]).unwrap();
        }

        #[test]
        fn any_flipped_bit_is_noticed(bit in 0..(FRAME_HEADER + 40) * 8) {
            let coded = [7_u8; 40];
            let header = FrameHeader::seal(FrameId { index: 3, last: false }, 100, &coded).unwrap();
            let mut bytes = [header.to_bytes().as_slice(), &coded].concat();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (head, coded) = bytes.split_at(FRAME_HEADER);
            let noticed = FrameHeader::parse(head.try_into().unwrap(), 3)
                .and_then(|header| if header.coded == 40 { header.check(&[Bytes::copy_from_slice(coded)]) } else { Err(FrameFault::Crc) });
            prop_assert!(noticed.is_err());
        }

        #[test]
        fn hostile_bytes_never_panic(bytes: [u8; FRAME_HEADER], expected: u32) {
            if let Ok(header) = FrameHeader::parse(&bytes, expected) {
                prop_assert!(header.coded as usize <= MAX_CODED && header.plain as usize <= MAX_PLAIN);
            }
        }
    }
}
