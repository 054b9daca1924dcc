//! Writing many records of one node in one request. Servers of version 6.0 and later take it.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::TooLong;
use crate::message::{Head, field, info1, info2};
use crate::request::{Request, Start, put_field, short};
use crate::write::{Write, WritePolicy};

/// The server works on the rows in the connection's own thread, and answers for every row, also after one failed.
const INLINE: u8 = 1;
const RESPOND_ALL: u8 = 4;
/// A row says its own flags, generation and time to live.
const ROW_INFO: u8 = 2;
const ROW_GENERATION: u8 = 4;
const ROW_TTL: u8 = 8;

/// A batch of writes, for one node.
#[derive(Debug)]
pub struct Batch {
    rows: BytesMut,
    count: u32,
    policy: WritePolicy,
}

impl Batch {
    /// An empty one.
    #[must_use]
    pub fn new(policy: WritePolicy) -> Self {
        Self { rows: BytesMut::new(), count: 0, policy }
    }

    /// Adds a record, and returns the number that its answer will have ([`Head::index`]). A record that can't be added leaves
    /// the batch as it was.
    ///
    /// # Errors
    /// When a name or value is longer than the protocol can say.
    pub fn push(&mut self, write: &Write<'_>) -> Result<u32, TooLong> {
        let before = self.rows.len();
        let index = self.count;
        match self.row(write) {
            Ok(()) => {
                self.count += 1;
                Ok(index)
            }
            Err(error) => {
                self.rows.truncate(before);
                Err(error)
            }
        }
    }

    fn row(&mut self, write: &Write<'_>) -> Result<(), TooLong> {
        let (second, third) = Write::flags(self.policy);
        let rows = &mut self.rows;
        rows.put_u32(self.count);
        rows.put_slice(write.name.digest);
        rows.put_slice(&[ROW_INFO | ROW_GENERATION | ROW_TTL, 0, second | info2::RESPOND_ALL_OPS, third]);
        // A batch says a generation in 16 bits, which is also how many a server counts.
        rows.put_u16(u16::try_from(write.generation).unwrap_or(u16::MAX));
        rows.put_u32(write.expiry.ttl());
        let counts = rows.len();
        rows.put_u32(0);
        put_field(rows, field::NAMESPACE, &[write.name.namespace])?;
        let mut fields = 1;
        if let Some(set) = write.name.set {
            put_field(rows, field::SET, &[set])?;
            fields += 1;
        }
        fields += write.put_key(rows)?;
        write.put_ops(rows)?;
        let ops = write.count_ops()?;
        rows[counts..counts + 2].copy_from_slice(&fields.to_be_bytes());
        rows[counts + 2..counts + 4].copy_from_slice(&ops.to_be_bytes());
        Ok(())
    }

    /// How many records it has.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// About how many bytes it will be.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.len()
    }

    /// The request. `inline`: the server works on it without queueing.
    ///
    /// # Errors
    /// When it is larger than any frame.
    pub fn encode(&self, inline: bool, timeout_millis: u32) -> Result<Bytes, TooLong> {
        short(self.rows.len(), "a batch")?;
        let head = Head { info1: info1::BATCH, ..Head::default() };
        let start = Start { head, timeout_millis, ..Start::default() };
        let mut request = Request::new(&start, self.rows.len() + 16);
        let flags = if inline { INLINE | RESPOND_ALL } else { RESPOND_ALL };
        put_field(request.buffer(), field::BATCH, &[&self.count.to_be_bytes(), &[flags], &self.rows])?;
        request.fields(1);
        Ok(request.finish())
    }
}
