//! Queries over partitions.

use std::cmp::Reverse;
use std::ops::Bound;

use crate::answer::{Answer, NO_NAMESPACE, OK, PARAMETER};
use crate::filter::{Filter, Now};
use crate::record::{Digest, Place, partition_of};
use crate::request::Request;
use crate::store::Store;

const NO_BIN_DATA: u8 = 32;
const PARTITION_DONE: u8 = 4;
/// About how large a frame of records becomes.
const FRAME: usize = 64 << 10;

/// A query as asked for.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) namespace: String,
    set: Vec<u8>,
    /// Partitions from their beginning or after a digest, in the order asked.
    pub(crate) parts: Vec<(u16, Option<Digest>)>,
    filter: Option<Filter>,
    most: Option<u64>,
    no_bins: bool,
    bins: Vec<Vec<u8>>,
}

impl Query {
    /// Reads a query, or says the result that refuses it.
    pub(crate) fn of(store: &Store, request: &Request<'_>) -> Result<Self, u8> {
        // Servers of today refuse a client that would not understand what they say of partitions.
        if request.head.info3 & PARTITION_DONE == 0 || request.number(7).is_none_or(|id| id == 0) {
            return Err(PARAMETER);
        }
        let namespace = request.namespace().ok_or(PARAMETER)?;
        store.namespaces.get(namespace).ok_or(NO_NAMESPACE)?;
        let filter = request.field(43).map(|bytes| Filter::of(bytes).ok_or(PARAMETER)).transpose()?;
        let ids = request.field(11).unwrap_or_default().chunks_exact(2).map(|id| u16::from_le_bytes([id[0], id[1]]));
        let (digests, _) = request.field(12).unwrap_or_default().as_chunks::<20>();
        let after = digests.iter().map(|digest| (partition_of(digest), Some(*digest)));
        Ok(Self {
            namespace: namespace.to_owned(),
            set: request.set().to_vec(),
            parts: ids.map(|id| (id, None)).chain(after).collect(),
            filter,
            most: request.number(13).filter(|most| *most > 0),
            no_bins: request.head.info1 & NO_BIN_DATA != 0,
            bins: request.ops.iter().map(|op| op.name.to_vec()).collect(),
        })
    }

    /// Frames of the records of the partitions that `is_mine`, then the end. `cut`: no more than so many records, and no end.
    pub(crate) fn frames(
        &self,
        store: &Store,
        is_mine: &mut dyn FnMut(u16) -> bool,
        cut: Option<u64>,
        end: u8,
    ) -> Vec<Vec<u8>> {
        let (mut frames, mut answer, mut sent) = (Vec::new(), Answer::default(), 0_u64);
        let most = cut.into_iter().chain(self.most).min().unwrap_or(u64::MAX);
        let bins: Vec<&[u8]> = self.bins.iter().map(Vec::as_slice).collect();
        let wanted = (!self.no_bins).then_some(bins.as_slice());
        for (partition, after) in &self.parts {
            if !is_mine(*partition) {
                answer.not_here(*partition);
                continue;
            }
            for ((_, digest), record) in self.records(store, *partition, *after) {
                if sent == most {
                    break;
                }
                sent += 1;
                answer.record(&self.namespace, &digest.0, record, wanted);
                if answer.len() > FRAME {
                    frames.push(answer.take_frame());
                }
            }
        }
        if cut.is_none() {
            answer.last(end);
        }
        if !answer.is_empty() {
            frames.push(answer.take_frame());
        }
        frames
    }

    fn records<'a>(
        &'a self,
        store: &'a Store,
        partition: u16,
        after: Option<Digest>,
    ) -> impl Iterator<Item = (&'a Place, &'a crate::Record)> {
        let start = after.map_or(Bound::Included((partition, Reverse([0xff; 20]))), |digest| {
            Bound::Excluded((partition, Reverse(digest)))
        });
        let end = Bound::Included((partition, Reverse([0; 20])));
        let now = Now { seconds: store.now_2010() };
        let records = store.namespaces.get(&self.namespace).into_iter();
        records.flat_map(move |namespace| namespace.records.range((start, end))).filter(move |(_, record)| {
            !record.has_expired(now.seconds)
                && (self.set.is_empty() || self.set == record.set)
                && self.filter.as_ref().is_none_or(|filter| filter.holds(record, now))
        })
    }
}

/// The result of a query that ends as it should.
pub(crate) const ENDED: u8 = OK;
