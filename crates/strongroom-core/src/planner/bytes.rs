//! Numbers and texts in few bytes, and their reading, which is total: any bytes give a value or an error.

use crate::{Error, Result};

/// Appends a number, seven bits a byte, low bits first.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends a signed number: small ones of either sign take few bytes.
pub(super) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, (number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned());
}

/// Appends a text after its length.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Whether texts are the same, eight bytes at a time: most are short, and a call for each takes longer than comparing.
pub(super) fn are_same(a: &[u8], b: &[u8]) -> bool {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    a.len() == b.len()
        && a_rest.len() == b_rest.len()
        && a.iter().zip(b).all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b))
        && a_rest.iter().zip(b_rest).all(|(a, b)| a == b)
}

/// The lower seven bits of each byte, put together.
const fn seven_bits_each(word: u64) -> u64 {
    let pairs = (word & 0x007f_007f_007f_007f) | ((word & 0x7f00_7f00_7f00_7f00) >> 1);
    let fours = (pairs & 0x0000_3fff_0000_3fff) | ((pairs & 0x3fff_0000_3fff_0000) >> 2);
    (fours & 0x0000_0000_0fff_ffff) | ((fours & 0x0fff_ffff_0000_0000) >> 4)
}

/// The other way: seven bits to each byte, of 56 bits.
const fn in_sevens(number: u64) -> u64 {
    let fours = (number & 0x0000_0000_0fff_ffff) | ((number & 0x00ff_ffff_f000_0000) << 4);
    let pairs = (fours & 0x0000_3fff_0000_3fff) | ((fours & 0x0fff_c000_0fff_c000) << 2);
    (pairs & 0x007f_007f_007f_007f) | ((pairs & 0x3f80_3f80_3f80_3f80) << 1)
}

/// Bytes that a [`Short`] takes.
const SHORT: usize = 128;

/// A few bytes that are put together before they are appended: a vector asks for room with every one.
pub(super) struct Short {
    /// With room for what is written beyond the end.
    bytes: [u8; SHORT + 8],
    length: usize,
}

impl Short {
    pub(super) fn new() -> Self {
        Self { bytes: [0; SHORT + 8], length: 0 }
    }

    /// Appends bytes; what does not fit any more is left out, so callers put in less than 128.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    /// As [`put`].
    #[inline]
    pub(super) fn put(&mut self, number: u64) {
        debug_assert!(self.length + 10 <= SHORT, "more than a few bytes");
        if number >> 56 == 0 {
            // All bytes at once: how many there are is a matter of chance, and no branch depends on it.
            let length = (64 - (number | 1).leading_zeros() as usize).div_ceil(7);
            let more = 0x8080_8080_8080_8080 & ((1_u64 << (8 * (length - 1))) - 1);
            let room = self.bytes.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut::<8>);
            if let Some(room) = room {
                *room = (in_sevens(number) | more).to_le_bytes();
                self.length += length;
            }
        } else {
            let mut all = Vec::with_capacity(10);
            put(&mut all, number);
            self.extend(&all);
        }
    }

    /// As [`put_signed`].
    pub(super) fn put_signed(&mut self, number: i64) {
        self.put((number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned());
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A place in bytes that are being read.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn ended<T>() -> Result<T> {
        Err(Error::corrupt("the catalogue's bytes end too early"))
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        let Some((first, rest)) = self.0.split_first() else { return Self::ended() };
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.0.split_at_checked(length) else { return Self::ended() };
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some((taken, rest)) = self.0.split_first_chunk::<N>() else { return Self::ended() };
        self.0 = rest;
        Ok(*taken)
    }

    #[inline]
    pub(super) fn number(&mut self) -> Result<u64> {
        // Eight bytes at once, if the number ends in them: its length is a matter of chance, and no branch depends on it.
        if let Some(eight) = self.0.first_chunk::<8>() {
            let word = u64::from_le_bytes(*eight);
            let ends = !word & 0x8080_8080_8080_8080;
            if let Some(lowest) = ends.checked_sub(1) {
                self.0 = &self.0[ends.trailing_zeros() as usize / 8 + 1..];
                return Ok(seven_bits_each(word & (ends ^ lowest) & 0x7f7f_7f7f_7f7f_7f7f));
            }
        }
        self.long_number()
    }

    /// A number that ends after eight bytes, or at the end.
    #[cold]
    fn long_number(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::corrupt("a number in the catalogue is too long"))
    }

    pub(super) fn signed(&mut self) -> Result<i64> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    pub(super) fn small(&mut self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| Error::corrupt("a number in the catalogue is too large"))
    }

    pub(super) fn text(&mut self) -> Result<&'a str> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        std::str::from_utf8(self.take(length)?)
            .map_err(|error| Error::corrupt("a text in the catalogue").because(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_round_trip(number: u64, signed: i64) {
            let mut out = Vec::new();
            put(&mut out, number);
            put_signed(&mut out, signed);
            let mut reader = Reader(&out);
            prop_assert_eq!(reader.number().unwrap(), number);
            prop_assert_eq!(reader.signed().unwrap(), signed);
            prop_assert!(reader.0.is_empty());
        }

        #[test]
        fn short_ones_are_the_same(numbers in prop::collection::vec(any::<(u64, u8)>(), 0..12)) {
            let (mut long, mut short) = (Vec::new(), Short::new());
            for (number, shift) in numbers {
                put(&mut long, number >> (shift % 64));
                short.put(number >> (shift % 64));
            }
            prop_assert_eq!(short.as_slice(), long);
        }

        #[test]
        fn the_same_are_the_same(text: Vec<u8>, at: prop::sample::Index, bits in 1_u8..) {
            prop_assert!(are_same(&text, &text.clone()));
            if !text.is_empty() {
                let mut other = text.clone();
                other[at.index(text.len())] ^= bits;
                prop_assert!(!are_same(&text, &other) && !are_same(&text, &text[..at.index(text.len())]));
            }
        }

        #[test]
        fn all_lengths_are_read(number: u64, shift in 0..64_u32, rest in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut out = Vec::new();
            put(&mut out, number >> shift);
            out.extend(&rest);
            let mut reader = Reader(&out);
            prop_assert_eq!(reader.number().unwrap(), number >> shift);
            prop_assert_eq!(reader.0, rest);
        }

        #[test]
        fn any_bytes_give_a_number_or_an_error(bytes: Vec<u8>) {
            let mut reader = Reader(&bytes);
            while reader.number().is_ok() {}
        }
    }
}
