//! Reading all records of some partitions of a namespace.
//!
//! The records of one partition come from the highest digest down; those of different partitions may come mixed. So the
//! last digest of a partition is where a cut-off query goes on.

use bytes::Bytes;

use crate::expression::Expression;
use crate::message::{Head, field, info1, info3, operation};
use crate::request::{Request, Start, count, put_op};
use crate::{Digest, TooLong};

/// What a query asks one node for.
#[derive(Debug, Clone, Default)]
pub struct Query<'a> {
    /// The namespace.
    pub namespace: &'a [u8],
    /// Only this set. Several sets take several queries.
    pub set: Option<&'a [u8]>,
    /// Partitions from their beginning.
    pub partitions: &'a [u16],
    /// Partitions from after a digest each.
    pub after: &'a [Digest],
    /// Only these bins; empty: all.
    pub bins: &'a [&'a [u8]],
    /// Only the records' heads: digest, key, set, generation, void time.
    pub no_bins: bool,
    /// Only records that this holds for.
    pub filter: Option<&'a Expression>,
    /// At most so many records a second, of this node; 0 = as fast as it can.
    pub records_per_second: u32,
    /// At most so many records; 0 = all.
    pub max_records: u64,
    /// How long the server waits for the client to take its records, in milliseconds.
    pub socket_timeout_millis: u32,
    /// The query's id, by which the server lists and aborts it. Not 0.
    pub id: u64,
    /// Ask for a compressed answer; only the enterprise edition gives one.
    pub compress: bool,
}

impl Query<'_> {
    /// The request's bytes.
    ///
    /// # Errors
    /// When a name or the list of partitions is longer than the protocol can say.
    pub fn encode(&self) -> Result<Bytes, TooLong> {
        let mut flags = info1::READ;
        if self.no_bins {
            flags |= info1::NO_BIN_DATA;
        }
        if self.compress {
            flags |= info1::COMPRESS_RESPONSE;
        }
        let head = Head { info1: flags, info3: info3::PARTITION_DONE, ..Head::default() };
        let capacity = 128 + self.partitions.len() * 2 + self.after.len() * 20;
        let mut request = Request::new(&Start { head, ..Start::default() }, capacity);
        request.field(field::NAMESPACE, self.namespace)?;
        if let Some(set) = self.set {
            request.field(field::SET, set)?;
        }
        if !self.partitions.is_empty() {
            let ids: Vec<u8> = self.partitions.iter().flat_map(|id| id.to_le_bytes()).collect();
            request.field(field::PARTITIONS, &ids)?;
        }
        if !self.after.is_empty() {
            request.field(field::DIGESTS, self.after.as_flattened())?;
        }
        if let Some(filter) = self.filter {
            request.field(field::FILTER, filter.as_bytes())?;
        }
        if self.records_per_second > 0 {
            request.field(field::RECORDS_PER_SECOND, &self.records_per_second.to_be_bytes())?;
        }
        if self.max_records > 0 {
            request.field(field::MAX_RECORDS, &self.max_records.to_be_bytes())?;
        }
        request.field(field::SOCKET_TIMEOUT, &self.socket_timeout_millis.to_be_bytes())?;
        request.field(field::QUERY_ID, &self.id.to_be_bytes())?;
        if !self.no_bins {
            for name in self.bins {
                put_op(request.buffer(), operation::READ, 0, name, &[])?;
            }
            request.ops(count(self.bins.len(), "a list of bins")?);
        }
        Ok(request.finish())
    }
}
