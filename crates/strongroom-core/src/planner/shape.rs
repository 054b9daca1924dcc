//! Names of manifests without what the row says anyway: a million names that differ in their id and window only share
//! one shape.

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

impl Facts {
    fn digits(moment: Option<Timestamp>) -> Option<[u8; DIGITS]> {
        let mut rest = u64::try_from(moment.map_or(0, Timestamp::micros)).ok()?;
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        (rest == 0).then_some(digits)
    }
}

/// Thirty-two hexadecimal digits.
pub(super) fn hex(id: BackupId) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0; 32];
    for (pair, byte) in out.chunks_exact_mut(2).zip(id.as_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    out
}

/// The shape of `name`, written over `out`.
pub(super) fn shape_of(name: &str, facts: &Facts, out: &mut Vec<u8>) {
    out.clear();
    let hex = hex(facts.id);
    let (from, until) = (Facts::digits(facts.from), Facts::digits(Some(facts.until)));
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if rest.starts_with(&hex) {
            out.push(ID);
            rest = &rest[hex.len()..];
        } else if let Some(digits) = &until
            && rest.starts_with(digits)
        {
            out.push(UNTIL);
            rest = &rest[DIGITS..];
        } else if let Some(digits) = &from
            && rest.starts_with(digits)
        {
            out.push(FROM);
            rest = &rest[DIGITS..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
}

/// Whether the names of a shape are legal: it depends on the shape, and on whether its moments can be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Legal {
    shape: bool,
    from: bool,
    until: bool,
}

impl Legal {
    pub(super) fn of(shape: &[u8]) -> Self {
        let zero = Facts { id: BackupId::from_u128(0), from: None, until: Timestamp::EPOCH };
        Self { shape: name_of(shape, &zero).is_ok(), from: shape.contains(&FROM), until: shape.contains(&UNTIL) }
    }

    pub(super) fn fits(self, window: Window) -> bool {
        let can = |moment: Option<Timestamp>| Facts::digits(moment).is_some();
        self.shape && (!self.from || can(window.from)) && (!self.until || can(Some(window.until)))
    }
}

/// The name of `shape` for a row.
pub(super) fn name_of(shape: &[u8], facts: &Facts) -> Result<Key> {
    let mut name = Vec::with_capacity(shape.len() + 80);
    for byte in shape {
        match *byte {
            ID => name.extend_from_slice(&hex(facts.id)),
            FROM => name.extend_from_slice(&Facts::digits(facts.from).unwrap_or([b'?'; DIGITS])),
            UNTIL => name.extend_from_slice(&Facts::digits(Some(facts.until)).unwrap_or([b'?'; DIGITS])),
            other => name.push(other),
        }
    }
    Key::new(String::from_utf8(name).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_comes_back(id: u128, from: Option<i64>, until: i64, other in "[a-z0-9]{1,30}", order: bool) {
            let facts = Facts {
                id: BackupId::from_u128(id),
                from: from.map(Timestamp::from_micros),
                until: Timestamp::from_micros(until),
            };
            let (from, until) = (facts.from.map_or(0, Timestamp::micros), facts.until.micros());
            let name = if order {
                format!("backups/{other}/{from:018}-{until:018}-base-{}/manifest.json", facts.id)
            } else {
                format!("{}/{until:018}{other}{from:018}", facts.id)
            };
            let mut shape = Vec::new();
            shape_of(&name, &facts, &mut shape);
            let key = name_of(&shape, &facts).unwrap();
            prop_assert_eq!(key.as_str(), name.as_str());
        }
    }

    #[test]
    fn names_of_one_chain_share_a_shape() {
        let shape = |id: u128, until: i64| {
            let facts = Facts { id: BackupId::from_u128(id), from: None, until: Timestamp::from_micros(until) };
            let mut out = Vec::new();
            let name = format!("backups/c/{:018}-{until:018}-base-{}/manifest.json", 0, facts.id);
            shape_of(&name, &facts, &mut out);
            out
        };
        assert_eq!(shape(7, 1_795_388_518_506_000), shape(9, 1_795_388_999_506_000));
        assert!(shape(7, 1).len() < 40);
    }
}
