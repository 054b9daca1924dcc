//! Filter expressions, as far as a backup makes them itself. Others come packed, as every client prints them.
//!
//! The packed form is `MessagePack` of nested arrays: `[operator, operands…]`. A string operand is preceded by its
//! particle type.

/// A packed filter expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Expression(Vec<u8>);

const EQ: u8 = 1;
const NE: u8 = 2;
const GE: u8 = 4;
const LT: u8 = 5;
const AND: u8 = 16;
const OR: u8 = 17;
const LAST_UPDATE: u8 = 66;
const TTL: u8 = 69;
const SET_NAME: u8 = 70;
const STRING: u8 = 3;

impl Expression {
    /// An expression that a client has packed already. Not looked into: the server judges it.
    #[must_use]
    pub fn packed(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Records last written at or after a moment, in nanoseconds since 1970. Servers keep milliseconds.
    #[must_use]
    pub fn updated_since(nanos: i64) -> Self {
        Self(call(GE, &[&call(LAST_UPDATE, &[]), &integer(nanos)]))
    }

    /// Records last written before a moment, in nanoseconds since 1970.
    #[must_use]
    pub fn updated_before(nanos: i64) -> Self {
        Self(call(LT, &[&call(LAST_UPDATE, &[]), &integer(nanos)]))
    }

    /// Records that never expire.
    #[must_use]
    pub fn never_expires() -> Self {
        Self(call(EQ, &[&call(TTL, &[]), &integer(-1)]))
    }

    /// Records of any set but this one. `<ERO~MRT` is where servers keep the monitors of transactions.
    #[must_use]
    pub fn not_in_set(set: &str) -> Self {
        Self(call(NE, &[&call(SET_NAME, &[]), &text(set)]))
    }

    /// Records of this set; an empty name: of none.
    #[must_use]
    pub fn in_set(set: &str) -> Self {
        Self(call(EQ, &[&call(SET_NAME, &[]), &text(set)]))
    }

    /// Records that one of these holds for; `None` of none, the only one of one.
    #[must_use]
    pub fn any(of: Vec<Self>) -> Option<Self> {
        Self::joined(OR, of)
    }

    /// Records that all of these hold for; `None` of none, the only one of one.
    #[must_use]
    pub fn all(of: Vec<Self>) -> Option<Self> {
        Self::joined(AND, of)
    }

    fn joined(operator: u8, of: Vec<Self>) -> Option<Self> {
        if of.len() < 2 {
            return of.into_iter().next();
        }
        let operands: Vec<&[u8]> = of.iter().map(|expression| expression.0.as_slice()).collect();
        Some(Self(call(operator, &operands)))
    }

    /// The packed bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn call(operator: u8, operands: &[&[u8]]) -> Vec<u8> {
    let mut packed = Vec::new();
    let count = operands.len() + 1;
    if let Ok(count @ 0..16) = u8::try_from(count) {
        packed.push(0x90 | count);
    } else {
        packed.push(0xdc);
        packed.extend(u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
    }
    packed.push(operator);
    packed.extend(operands.concat());
    packed
}

fn integer(value: i64) -> Vec<u8> {
    if (-32..128).contains(&value) {
        return vec![value.to_be_bytes()[7]];
    }
    let mut packed = vec![0xd3];
    packed.extend(value.to_be_bytes());
    packed
}

fn text(value: &str) -> Vec<u8> {
    let length = value.len() + 1;
    let mut packed = match u8::try_from(length) {
        Ok(length @ 0..32) => vec![0xa0 | length],
        Ok(length) => vec![0xd9, length],
        Err(_) => {
            let mut head = vec![0xda];
            head.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
            head
        }
    };
    packed.push(STRING);
    packed.extend_from_slice(value.as_bytes());
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_of_an_incremental_is_what_the_reference_tool_sends() {
        // From a recorded incremental backup.
        let expected =
            b"\x93\x10\x93\x02\x91\x46\xa9\x03<ERO~MRT\x93\x10\x93\x04\x91\x42\xd3\x18\xea\x34\xee\x67\x45\0\0\
            \x93\x05\x91\x42\xd3\x18\xea\x83\x82\xf8\x94\0\0";
        let (from, until) = (0x18ea_34ee_6745_0000, 0x18ea_8382_f894_0000);
        let window = Expression::all(vec![Expression::updated_since(from), Expression::updated_before(until)]);
        let filter =
            Expression::all([Some(Expression::not_in_set("<ERO~MRT")), window].into_iter().flatten().collect());
        assert_eq!(filter.as_ref().map(Expression::as_bytes), Some(&expected[..]));
    }

    #[test]
    fn none_is_no_filter_and_one_is_itself() {
        assert_eq!(Expression::all(Vec::new()), None);
        assert_eq!(Expression::all(vec![Expression::never_expires()]), Some(Expression::never_expires()));
        assert_eq!(Expression::never_expires().as_bytes(), [0x93, 1, 0x91, 69, 0xff]);
    }
}
