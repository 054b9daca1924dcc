//! Names of manifests without what the row says anyway: a million names that differ in their id and window only share
//! one shape.

use std::ops::Range;

use super::bytes::are_same;
use crate::id::BackupId;
use crate::model::Window;
use crate::{Key, Result, Timestamp};

/// Stand for the id, `from` and `until`; no name holds control characters.
const ID: u8 = 1;
const FROM: u8 = 2;
const UNTIL: u8 = 3;

/// Digits of a moment in a name (the repository's layout).
const DIGITS: usize = 18;

/// What of a row can stand in a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) id: BackupId,
    pub(super) from: Option<Timestamp>,
    pub(super) until: Timestamp,
}

/// A moment as a name has it: a number of at most 18 digits, zero for none.
fn number_of(moment: Option<Timestamp>) -> Option<u64> {
    let number = u64::try_from(moment.map_or(0, Timestamp::micros)).ok()?;
    (number < 10_u64.pow(18)).then_some(number)
}

/// Its digits.
fn digits(moment: Option<Timestamp>) -> Option<[u8; DIGITS]> {
    let number = number_of(moment)?;
    let (high, low) = (number / 100_000_000, number % 100_000_000);
    let (top, middle) = (high / 100_000_000, high % 100_000_000);
    let mut digits = [b'0'; DIGITS];
    digits[0] += (top / 10).to_le_bytes()[0];
    digits[1] += (top % 10).to_le_bytes()[0];
    digits[2..10].copy_from_slice(&eight_digits(middle).to_le_bytes());
    digits[10..].copy_from_slice(&eight_digits(low).to_le_bytes());
    Some(digits)
}

/// Eight digits at once, the first in the lowest byte: a number is cut into halves, all of them in one multiplication.
const fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    (tens | ((twos - 10 * tens) << 8)) + 0x3030_3030_3030_3030
}

/// Thirty-two hexadecimal digits.
fn hex(id: BackupId) -> [u8; 32] {
    let mut out = [0; 32];
    for (eight, four) in out.as_chunks_mut().0.iter_mut().zip(id.as_bytes().as_chunks().0) {
        *eight = eight_hex(u32::from_le_bytes(*four)).to_le_bytes();
    }
    out
}

/// The digits of four bytes, the first in the lowest byte of both: half bytes are spread to bytes, all at once.
const fn eight_hex(bytes: u32) -> u64 {
    let mut halves = bytes as u64;
    halves = (halves | (halves << 16)) & 0x0000_ffff_0000_ffff;
    halves = (halves | (halves << 8)) & 0x00ff_00ff_00ff_00ff;
    halves = ((halves >> 4) & 0x000f_000f_000f_000f) | ((halves & 0x000f_000f_000f_000f) << 8);
    let letters = ((halves + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    halves + 0x3030_3030_3030_3030 + letters * 0x27
}

/// What a shape is made of.
#[derive(Debug, Clone)]
enum Piece {
    Text(Range<usize>),
    Id,
    From,
    Until,
}

/// What names have in common.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// The name, with the marks above.
    pub(super) bytes: Vec<u8>,
    pieces: Vec<Piece>,
    /// Whether its names are legal if their moments can be written.
    legal: bool,
}

impl Shape {
    /// The shape of `name`.
    pub(super) fn of_name(name: &str, facts: &Facts) -> Self {
        let hex = hex(facts.id);
        let (from, until) = (digits(facts.from), digits(Some(facts.until)));
        let (mut bytes, mut rest) = (Vec::with_capacity(name.len()), name.as_bytes());
        while let Some((first, tail)) = rest.split_first() {
            let is = |digits: &Option<[u8; DIGITS]>| digits.as_ref().is_some_and(|digits| rest.starts_with(digits));
            let (mark, after) = if rest.starts_with(&hex) {
                (ID, &rest[hex.len()..])
            } else if is(&until) {
                (UNTIL, &rest[DIGITS..])
            } else if is(&from) {
                (FROM, &rest[DIGITS..])
            } else {
                (*first, tail)
            };
            bytes.push(mark);
            rest = after;
        }
        Self::of_bytes(bytes)
    }

    /// The shape with these marks.
    pub(super) fn of_bytes(bytes: Vec<u8>) -> Self {
        let mut pieces = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            match (*byte, pieces.last_mut()) {
                (ID, _) => pieces.push(Piece::Id),
                (FROM, _) => pieces.push(Piece::From),
                (UNTIL, _) => pieces.push(Piece::Until),
                (_, Some(Piece::Text(range))) => range.end = at + 1,
                _ => pieces.push(Piece::Text(at..at + 1)),
            }
        }
        let mut shape = Self { bytes, pieces, legal: false };
        let zero = Facts { id: BackupId::from_u128(0), from: None, until: Timestamp::EPOCH };
        let mut name = Vec::new();
        shape.legal = shape.write(&zero, &mut name) && String::from_utf8(name).is_ok_and(|name| Key::new(name).is_ok());
        shape
    }

    /// Whether its names are legal for rows with this window.
    pub(super) fn fits(&self, window: &Window) -> bool {
        let written = |piece: &Piece| match piece {
            Piece::From => number_of(window.from).is_some(),
            Piece::Until => number_of(Some(window.until)).is_some(),
            Piece::Text(_) | Piece::Id => true,
        };
        self.legal && self.pieces.iter().all(written)
    }

    /// Whether `name` is its name for a row.
    pub(super) fn is_of(&self, name: &str, facts: &Facts) -> bool {
        let mut rest = name.as_bytes();
        let mut taken = |length: usize| rest.split_off(..length);
        let all = self.pieces.iter().all(|piece| match piece {
            Piece::Text(range) => taken(range.len()).is_some_and(|text| are_same(text, &self.bytes[range.clone()])),
            Piece::Id => taken(32).is_some_and(|digits| is_hex_of(digits, facts.id)),
            Piece::From => taken(DIGITS).is_some_and(|digits| are_digits_of(digits, facts.from)),
            Piece::Until => taken(DIGITS).is_some_and(|digits| are_digits_of(digits, Some(facts.until))),
        });
        all && rest.is_empty()
    }

    /// Appends the name for a row; false if a moment can't be written.
    fn write(&self, facts: &Facts, out: &mut Vec<u8>) -> bool {
        let put = |out: &mut Vec<u8>, digits: Option<[u8; DIGITS]>| {
            digits.inspect(|digits| out.extend_from_slice(digits)).is_some()
        };
        self.pieces.iter().all(|piece| match piece {
            Piece::Text(range) => {
                out.extend_from_slice(&self.bytes[range.clone()]);
                true
            }
            Piece::Id => {
                out.extend_from_slice(&hex(facts.id));
                true
            }
            Piece::From => put(out, digits(facts.from)),
            Piece::Until => put(out, digits(Some(facts.until))),
        })
    }

    /// The name for a row. `room` is kept from name to name.
    pub(super) fn name(&self, facts: &Facts, room: &mut Vec<u8>) -> Result<Key> {
        room.clear();
        let written = self.write(facts, room);
        match std::str::from_utf8(room) {
            // What was put in for the marks are digits: one legal name makes all of them legal.
            Ok(name) if written && self.legal => Ok(Key::of_legal(name)),
            name => Key::new(name.unwrap_or_default()),
        }
    }
}

fn are_digits_of(digits: &[u8], moment: Option<Timestamp>) -> bool {
    let (Some(number), Some((two, rest))) = (number_of(moment), digits.split_first_chunk::<2>()) else { return false };
    let (high, low) = (number / 100_000_000, number % 100_000_000);
    let top = (high / 100_000_000).to_le_bytes()[0];
    *two == [b'0' + top / 10, b'0' + top % 10] && eights(rest).eq([eight_digits(high % 100_000_000), eight_digits(low)])
}

fn is_hex_of(digits: &[u8], id: BackupId) -> bool {
    eights(digits).eq(id.as_bytes().as_chunks().0.iter().map(|four| eight_hex(u32::from_le_bytes(*four))))
}

/// Bytes as numbers, eight at a time: compared in registers, without a copy in memory.
fn eights(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(shape: &Shape, facts: &Facts) -> String {
        shape.name(facts, &mut Vec::new()).unwrap().as_str().to_owned()
    }

    proptest! {
        #[test]
        fn a_name_comes_back(id: u128, from: Option<i64>, until: i64, other in "[a-z0-9]{1,30}", order: bool, near: u8) {
            let facts = Facts {
                id: BackupId::from_u128(id),
                from: from.map(Timestamp::from_micros),
                until: Timestamp::from_micros(until),
            };
            let (from, until) = (facts.from.map_or(0, Timestamp::micros), facts.until.micros());
            let text = if order {
                format!("backups/{other}/{from:018}-{until:018}-base-{}/manifest.json", facts.id)
            } else {
                format!("{}/{until:018}{other}{from:018}", facts.id)
            };
            let shape = Shape::of_name(&text, &facts);
            prop_assert_eq!(name(&shape, &facts), text.as_str());
            prop_assert!(shape.is_of(&text, &facts));
            let window = Window { from: facts.from, until: facts.until, settled: facts.until };
            prop_assert!(shape.fits(&window));
            // Of another row, or with one byte changed, it is another name.
            let mut changed = text.clone().into_bytes();
            let at = usize::from(near) % changed.len();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            prop_assert!(!shape.is_of(std::str::from_utf8(&changed).unwrap(), &facts));
            prop_assert!(!shape.is_of(&text[..text.len() - 1], &facts));
            let other = Facts { id: BackupId::from_u128(id ^ 1), ..facts };
            prop_assert!(!shape.is_of(&text, &other));
        }

        #[test]
        fn digits_are_those_of_the_number(number in 0..10_i64.pow(18)) {
            let digits = digits(Some(Timestamp::from_micros(number))).unwrap();
            prop_assert_eq!(std::str::from_utf8(&digits).unwrap(), format!("{number:018}"));
        }
    }

    proptest! {
        #[test]
        fn hex_digits_are_those_of_the_id(id: u128) {
            let id = BackupId::from_u128(id);
            let (digits, text) = (hex(id), id.to_string());
            prop_assert_eq!(digits.as_slice(), text.as_bytes());
        }
    }

    #[test]
    fn what_can_not_be_written_is_no_mark() {
        for moment in [-1, 10_i64.pow(18), i64::MIN, i64::MAX] {
            assert_eq!(digits(Some(Timestamp::from_micros(moment))), None);
            let facts = Facts { id: BackupId::from_u128(1), from: None, until: Timestamp::from_micros(moment) };
            let shape = Shape::of_bytes(vec![UNTIL, b'x']);
            assert!(!shape.is_of("000000000000000000x", &facts) && shape.name(&facts, &mut Vec::new()).is_err());
            assert!(!shape.fits(&Window { from: None, until: facts.until, settled: facts.until }));
        }
    }

    #[test]
    fn an_illegal_shape_gives_no_name() {
        let facts = Facts { id: BackupId::from_u128(1), from: None, until: Timestamp::EPOCH };
        for bytes in [&b"a//b"[..], b"../x", b"", b"a b", b"\xff", b"x\n"] {
            let shape = Shape::of_bytes(bytes.to_vec());
            assert!(shape.name(&facts, &mut Vec::new()).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn names_of_one_chain_share_a_shape() {
        let shape = |id: u128, until: i64| {
            let facts = Facts { id: BackupId::from_u128(id), from: None, until: Timestamp::from_micros(until) };
            let name = format!("backups/c/{:018}-{until:018}-base-{}/manifest.json", 0, facts.id);
            Shape::of_name(&name, &facts).bytes
        };
        assert_eq!(shape(7, 1_795_388_518_506_000), shape(9, 1_795_388_999_506_000));
        assert!(shape(7, 1).len() < 40);
    }
}
