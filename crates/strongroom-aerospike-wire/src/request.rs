//! Requests being written: a frame's head and a message's head whose lengths and counts are put in at the end.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::frame::{self, FrameHead, FrameKind};
use crate::message::{self, Head};
use crate::{Digest, TooLong};

/// A message being written as a frame of its own.
#[derive(Debug)]
pub(crate) struct Request {
    buffer: BytesMut,
    fields: u16,
    ops: u16,
}

/// The fixed part of a request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Start {
    pub(crate) head: Head,
    /// Seconds to live, as the protocol has them.
    pub(crate) ttl: u32,
    /// How long the server may take, in milliseconds; 0 = as long as it likes.
    pub(crate) timeout_millis: u32,
}

impl Request {
    pub(crate) fn new(start: &Start, capacity: usize) -> Self {
        let mut buffer = BytesMut::with_capacity(frame::HEAD + message::HEAD + capacity);
        buffer.put_bytes(0, frame::HEAD);
        let head = &start.head;
        buffer.put_slice(&[22, head.info1, head.info2, head.info3, head.info4, 0]);
        buffer.put_u32(head.generation);
        buffer.put_u32(start.ttl);
        buffer.put_u32(start.timeout_millis);
        buffer.put_u32(0);
        Self { buffer, fields: 0, ops: 0 }
    }

    pub(crate) fn field(&mut self, kind: u8, value: &[u8]) -> Result<(), TooLong> {
        put_field(&mut self.buffer, kind, &[value])?;
        self.fields += 1;
        Ok(())
    }

    pub(crate) fn fields(&mut self, count: u16) {
        self.fields += count;
    }

    pub(crate) fn ops(&mut self, count: u16) {
        self.ops += count;
    }

    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    pub(crate) fn finish(mut self) -> Bytes {
        let counts = frame::HEAD + 18;
        self.buffer[counts..counts + 2].copy_from_slice(&self.fields.to_be_bytes());
        self.buffer[counts + 2..counts + 4].copy_from_slice(&self.ops.to_be_bytes());
        let length = (self.buffer.len() - frame::HEAD) as u64;
        let head = FrameHead { kind: FrameKind::Message, length }.encode();
        self.buffer[..frame::HEAD].copy_from_slice(&head);
        self.buffer.freeze()
    }
}

/// Writes a field from its pieces.
pub(crate) fn put_field(buffer: &mut BytesMut, kind: u8, value: &[&[u8]]) -> Result<(), TooLong> {
    let length = value.iter().map(|piece| piece.len()).sum::<usize>() + 1;
    buffer.put_u32(short(length, "a field")?);
    buffer.put_u8(kind);
    for piece in value {
        buffer.put_slice(piece);
    }
    Ok(())
}

/// Writes an operation on a bin.
pub(crate) fn put_op(buffer: &mut BytesMut, op: u8, particle: u8, name: &[u8], value: &[&[u8]]) -> Result<(), TooLong> {
    let too_long = |_| TooLong { what: "a bin's name", is: name.len(), most: usize::from(u8::MAX) };
    let name_length = u8::try_from(name.len()).map_err(too_long)?;
    let length = 4 + name.len() + value.iter().map(|piece| piece.len()).sum::<usize>();
    buffer.put_u32(short(length, "a bin")?);
    buffer.put_slice(&[op, particle, 0, name_length]);
    buffer.put_slice(name);
    for piece in value {
        buffer.put_slice(piece);
    }
    Ok(())
}

pub(crate) fn short(length: usize, what: &'static str) -> Result<u32, TooLong> {
    u32::try_from(length).ok().filter(|length| u64::from(*length) < frame::LARGEST).ok_or(TooLong {
        what,
        is: length,
        most: usize::try_from(frame::LARGEST).unwrap_or(usize::MAX),
    })
}

pub(crate) fn count(length: usize, what: &'static str) -> Result<u16, TooLong> {
    u16::try_from(length).map_err(|_| TooLong { what, is: length, most: usize::from(u16::MAX) })
}

/// Which record is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordName<'a> {
    /// Its namespace.
    pub namespace: &'a [u8],
    /// Its set; `None`: no set.
    pub set: Option<&'a [u8]>,
    /// Its digest.
    pub digest: &'a Digest,
}
