//! Messages about records, as borrowed views of the frame they came in.

use crate::{Digest, Malformed, ResultCode};

/// The bytes of a message's head.
pub const HEAD: usize = 22;

pub(crate) mod info1 {
    pub(crate) const READ: u8 = 1;
    pub(crate) const GET_ALL: u8 = 2;
    pub(crate) const BATCH: u8 = 8;
    pub(crate) const NO_BIN_DATA: u8 = 32;
    pub(crate) const COMPRESS_RESPONSE: u8 = 128;
}
pub(crate) mod info2 {
    pub(crate) const WRITE: u8 = 1;
    pub(crate) const DELETE: u8 = 2;
    pub(crate) const GENERATION_GT: u8 = 8;
    pub(crate) const DURABLE_DELETE: u8 = 16;
    pub(crate) const CREATE_ONLY: u8 = 32;
    pub(crate) const RESPOND_ALL_OPS: u8 = 128;
}
pub(crate) mod info3 {
    pub(crate) const LAST: u8 = 1;
    pub(crate) const PARTITION_DONE: u8 = 4;
    pub(crate) const CREATE_OR_REPLACE: u8 = 16;
    pub(crate) const REPLACE_ONLY: u8 = 32;
}
pub(crate) mod field {
    pub(crate) const NAMESPACE: u8 = 0;
    pub(crate) const SET: u8 = 1;
    pub(crate) const KEY: u8 = 2;
    pub(crate) const DIGEST: u8 = 4;
    pub(crate) const QUERY_ID: u8 = 7;
    pub(crate) const SOCKET_TIMEOUT: u8 = 9;
    pub(crate) const RECORDS_PER_SECOND: u8 = 10;
    pub(crate) const PARTITIONS: u8 = 11;
    pub(crate) const DIGESTS: u8 = 12;
    pub(crate) const MAX_RECORDS: u8 = 13;
    pub(crate) const BATCH: u8 = 41;
    pub(crate) const FILTER: u8 = 43;
}
pub(crate) mod operation {
    pub(crate) const READ: u8 = 1;
    pub(crate) const WRITE: u8 = 2;
}

/// The fixed part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// First flags.
    pub info1: u8,
    /// Second flags.
    pub info2: u8,
    /// Third flags.
    pub info3: u8,
    /// Fourth flags.
    pub info4: u8,
    /// What became of the request.
    pub result: ResultCode,
    /// The record's generation; the partition in a message about one.
    pub generation: u32,
    /// In an answer: when the record expires, in seconds since 2010-01-01T00:00:00Z; 0 = never.
    pub void_time: u32,
    /// In a batch's answer: the number of the row.
    pub index: u32,
}

/// One message of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its fixed part.
    pub head: Head,
    /// Its namespace.
    pub namespace: Option<&'a [u8]>,
    /// Its set; `None` where the record has none.
    pub set: Option<&'a [u8]>,
    /// Its digest.
    pub digest: Option<&'a Digest>,
    /// The user key as it is stored: particle type, then the value.
    pub key: Option<(u8, &'a [u8])>,
    bins: &'a [u8],
    count: u16,
}

impl<'a> Message<'a> {
    /// Whether it ends the answer.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.head.info3 & info3::LAST != 0
    }

    /// Whether it ends the answer to a query: it is the last, or refuses the query as a whole. Such a refusal comes alone and is not
    /// marked as the last (server 8.1.2.0, asked for a namespace that it does not have).
    #[must_use]
    pub fn ends_query(&self) -> bool {
        self.is_last() || (self.head.result != ResultCode::OK && self.partition().is_none())
    }

    /// Whether it speaks of a whole partition, and which: such a message comes only for one that this node can't serve.
    #[must_use]
    pub fn partition(&self) -> Option<u16> {
        let speaks = self.head.info3 & info3::PARTITION_DONE != 0;
        speaks.then(|| u16::try_from(self.head.generation).ok()).flatten()
    }

    /// The bins, in the server's order.
    #[must_use]
    pub const fn bins(&self) -> Bins<'a> {
        Bins { rest: self.bins, left: self.count }
    }
}

/// A bin: its name and its raw particle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bin<'a> {
    /// The name, at most 15 bytes as servers have it today.
    pub name: &'a [u8],
    /// The particle type, as on the wire.
    pub particle: u8,
    /// The particle's bytes, as on the wire.
    pub value: &'a [u8],
}

/// The bins of a message.
#[derive(Debug, Clone)]
pub struct Bins<'a> {
    rest: &'a [u8],
    left: u16,
}

impl<'a> Iterator for Bins<'a> {
    type Item = Bin<'a>;

    fn next(&mut self) -> Option<Bin<'a>> {
        self.left = self.left.checked_sub(1)?;
        // Their bounds were checked when the message was read.
        let mut cursor = Cursor { bytes: self.rest, at: 0 };
        let bin = cursor.bin().ok()?;
        self.rest = &self.rest[cursor.at..];
        Some(bin)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

impl ExactSizeIterator for Bins<'_> {}

/// All messages of one frame's body.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    cursor: Cursor<'a>,
    failed: bool,
}

impl<'a> Messages<'a> {
    /// Reads a frame's body.
    #[must_use]
    pub const fn of(body: &'a [u8]) -> Self {
        Self { cursor: Cursor { bytes: body, at: 0 }, failed: false }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.cursor.at == self.cursor.bytes.len() {
            return None;
        }
        let message = self.cursor.message();
        self.failed = message.is_err();
        Some(message)
    }
}

#[derive(Debug, Clone)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(Malformed::new(what, self.at))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let at = self.at;
        self.take(N, what)?.first_chunk().copied().ok_or(Malformed::new(what, at))
    }

    fn length(&mut self, what: &'static str) -> Result<usize, Malformed> {
        let at = self.at;
        usize::try_from(u32::from_be_bytes(self.array(what)?)).map_err(|_| Malformed::new(what, at))
    }

    fn message(&mut self) -> Result<Message<'a>, Malformed> {
        let at = self.at;
        let head: [u8; HEAD] = self.array("the head of a message is cut off")?;
        let [size, info1, info2, info3, info4, result, ..] = head;
        if usize::from(size) != HEAD {
            return Err(Malformed::new("the head of a message has another size than 22", at));
        }
        let word = |from: usize| u32::from_be_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]);
        let half = |from: usize| u16::from_be_bytes([head[from], head[from + 1]]);
        let head = Head {
            info1,
            info2,
            info3,
            info4,
            result: ResultCode(result),
            generation: word(6),
            void_time: word(10),
            index: word(14),
        };
        let (fields, count) = (half(18), half(20));
        let mut message = Message { head, namespace: None, set: None, digest: None, key: None, bins: &[], count };
        for _ in 0..fields {
            self.field(&mut message)?;
        }
        let from = self.at;
        for _ in 0..count {
            self.bin()?;
        }
        message.bins = &self.bytes[from..self.at];
        Ok(message)
    }

    fn field(&mut self, message: &mut Message<'a>) -> Result<(), Malformed> {
        let length = self.length("the length of a field is cut off")?;
        let at = self.at;
        let Some((kind, value)) = self.take(length, "a field goes beyond its frame")?.split_first() else {
            return Err(Malformed::new("a field without a type", at));
        };
        match *kind {
            field::NAMESPACE => message.namespace = Some(value),
            field::SET => message.set = Some(value).filter(|set| !set.is_empty()),
            field::KEY => {
                let (kind, value) = value.split_first().ok_or(Malformed::new("a user key without a type", at))?;
                message.key = Some((*kind, value));
            }
            field::DIGEST => {
                let digest = value.try_into().map_err(|_| Malformed::new("a digest that is not 20 bytes", at))?;
                message.digest = Some(digest);
            }
            _ => {}
        }
        Ok(())
    }

    fn bin(&mut self) -> Result<Bin<'a>, Malformed> {
        let length = self.length("the length of a bin is cut off")?;
        let at = self.at;
        let body = self.take(length, "a bin goes beyond its frame")?;
        let Some(([_, particle, _, name], rest)) = body.split_first_chunk::<4>() else {
            return Err(Malformed::new("a bin without a head", at));
        };
        let parts = rest.split_at_checked(usize::from(*name));
        let (name, value) = parts.ok_or(Malformed::new("a bin's name goes beyond the bin", at))?;
        Ok(Bin { name, particle: *particle, value })
    }
}
