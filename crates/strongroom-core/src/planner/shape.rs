//! Names of manifests without what the row says anyway: a million names that differ in their id and window only share
//! one shape.

use std::ops::Range;

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
    let mut digits = [b'0'; DIGITS];
    // Halves fit 32 bits, in which dividing is cheap.
    for (half, part) in digits.chunks_exact_mut(DIGITS / 2).zip([number / 1_000_000_000, number % 1_000_000_000]) {
        let mut rest = u32::try_from(part).ok()?;
        for digit in half.iter_mut().rev() {
            *digit += (rest % 10).to_le_bytes()[0];
            rest /= 10;
        }
    }
    Some(digits)
}

/// Thirty-two hexadecimal digits.
fn hex(id: BackupId) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0; 32];
    for (pair, byte) in out.chunks_exact_mut(2).zip(id.as_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    out
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
            Piece::Text(range) => taken(range.len()).is_some_and(|text| *text == self.bytes[range.clone()]),
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
    number_of(moment).is_some_and(|number| parse(digits) == Some(number))
}

/// 18 digits as a number.
fn parse(digits: &[u8]) -> Option<u64> {
    let (mut number, mut bad) = (0_u64, false);
    for digit in digits {
        let value = digit.wrapping_sub(b'0');
        bad |= value > 9;
        number = number.wrapping_mul(10).wrapping_add(u64::from(value));
    }
    (!bad).then_some(number)
}

fn is_hex_of(digits: &[u8], id: BackupId) -> bool {
    digits == hex(id)
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
            prop_assert_eq!(parse(&digits), Some(number.cast_unsigned()));
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
