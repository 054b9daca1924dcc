//! Requests about records, read on the server's side.

use crate::record::Digest;

/// A message's fixed part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    pub(crate) info1: u8,
    pub(crate) info2: u8,
    pub(crate) info3: u8,
    pub(crate) generation: u32,
    pub(crate) ttl: u32,
}

/// An operation on a bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Op<'a> {
    pub(crate) kind: u8,
    pub(crate) particle: u8,
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Request<'a> {
    pub(crate) head: Head,
    pub(crate) fields: Vec<(u8, &'a [u8])>,
    pub(crate) ops: Vec<Op<'a>>,
}

impl<'a> Request<'a> {
    /// Reads a frame's body; `None`: it is no request.
    pub(crate) fn of(body: &'a [u8]) -> Option<Self> {
        let mut rest = body;
        let head = take(&mut rest, 22)?;
        if head[0] != 22 {
            return None;
        }
        let word = |at: usize| head[at..at + 4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let start = Head { info1: head[1], info2: head[2], info3: head[3], generation: word(6), ttl: word(10) };
        let (fields, ops) = (half(head, 18), half(head, 20));
        let request = Self { head: start, fields: read_fields(&mut rest, fields)?, ops: read_ops(&mut rest, ops)? };
        rest.is_empty().then_some(request)
    }

    pub(crate) fn field(&self, kind: u8) -> Option<&'a [u8]> {
        self.fields.iter().find(|(known, _)| *known == kind).map(|(_, value)| *value)
    }

    pub(crate) fn number(&self, kind: u8) -> Option<u64> {
        self.field(kind).map(|value| value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    pub(crate) fn namespace(&self) -> Option<&'a str> {
        std::str::from_utf8(self.field(0)?).ok()
    }

    pub(crate) fn set(&self) -> &'a [u8] {
        self.field(1).unwrap_or_default()
    }

    /// The digest; `None` where the request gives none.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.field(4)?.try_into().ok()
    }
}

pub(crate) fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

pub(crate) fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    let bytes = take(rest, 4)?;
    usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
}

pub(crate) fn read_fields<'a>(rest: &mut &'a [u8], count: u16) -> Option<Vec<(u8, &'a [u8])>> {
    let field = |rest: &mut &'a [u8]| {
        let length = length(rest)?;
        take(rest, length)?.split_first().map(|(kind, value)| (*kind, value))
    };
    (0..count).map(|_| field(rest)).collect()
}

pub(crate) fn read_ops<'a>(rest: &mut &'a [u8], count: u16) -> Option<Vec<Op<'a>>> {
    let op = |rest: &mut &'a [u8]| {
        let length = length(rest)?;
        let ([kind, particle, _, name], body) = take(rest, length)?.split_first_chunk::<4>()?;
        let (name, value) = body.split_at_checked(usize::from(*name))?;
        Some(Op { kind: *kind, particle: *particle, name, value })
    };
    (0..count).map(|_| op(rest)).collect()
}
