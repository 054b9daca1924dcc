//! As much of `MessagePack` as filter expressions take.

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Integer(i64),
    /// A string, its particle type still in front.
    Text(Vec<u8>),
    Nil,
    Bool(bool),
    Array(Vec<Value>),
}

/// Reads one value; `None` if it is none, or goes deeper than any filter.
pub(crate) fn read(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = value(&mut rest, 32)?;
    rest.is_empty().then_some(value)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn unsigned(rest: &mut &[u8], bytes: usize) -> Option<u64> {
    Some(take(rest, bytes)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn signed(rest: &mut &[u8], bytes: u32) -> Option<i64> {
    let shift = 64 - bytes * 8;
    Some(unsigned(rest, bytes as usize)?.cast_signed() << shift >> shift)
}

fn value(rest: &mut &[u8], depth: u8) -> Option<Value> {
    let head = take(rest, 1)?[0];
    let integer = |value: u64| i64::try_from(value).ok().map(Value::Integer);
    match head {
        0x00..=0x7f => Some(Value::Integer(i64::from(head))),
        0xe0..=0xff => Some(Value::Integer(i64::from(head.cast_signed()))),
        0xc0 => Some(Value::Nil),
        0xc2 | 0xc3 => Some(Value::Bool(head == 0xc3)),
        0xcc..=0xcf => integer(unsigned(rest, 1 << (head - 0xcc))?),
        0xd0..=0xd3 => signed(rest, 1 << (head - 0xd0)).map(Value::Integer),
        0xa0..=0xbf => text(rest, usize::from(head & 0x1f)),
        0xd9 | 0xc4 => unsigned(rest, 1).and_then(|length| text(rest, usize::try_from(length).ok()?)),
        0xda | 0xc5 => unsigned(rest, 2).and_then(|length| text(rest, usize::try_from(length).ok()?)),
        0x90..=0x9f => array(rest, usize::from(head & 0x0f), depth),
        0xdc => unsigned(rest, 2).and_then(|count| array(rest, usize::try_from(count).ok()?, depth)),
        _ => None,
    }
}

fn text(rest: &mut &[u8], length: usize) -> Option<Value> {
    take(rest, length).map(|bytes| Value::Text(bytes.to_vec()))
}

fn array(rest: &mut &[u8], count: usize, depth: u8) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    (0..count).map(|_| value(rest, depth)).collect::<Option<_>>().map(Value::Array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_have_their_sign() {
        assert_eq!(read(&[0xff]), Some(Value::Integer(-1)));
        assert_eq!(read(&[0xd0, 0x80]), Some(Value::Integer(-128)));
        assert_eq!(read(&[0xd1, 0xff, 0xfe]), Some(Value::Integer(-2)));
        assert_eq!(read(&[0xd3, 0, 0, 0, 0, 0, 0, 1, 0]), Some(Value::Integer(256)));
        assert_eq!(read(&[0xcd, 1, 0]), Some(Value::Integer(256)));
        assert_eq!(read(&[0x92, 1]), None);
        assert_eq!(read(&[1, 2]), None);
        assert_eq!(read(&[0x91; 64]), None);
    }
}
