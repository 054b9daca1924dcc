//! Folding streams of bytes.

use std::fmt;

use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::{ByteStream, Error, Result};

use super::merge::{Merge, Step};
use super::{Change, Sorted};
use crate::asb::{Limits, entities};
use crate::census::{self, CensusDecoder};
use crate::deletes::tombstones;
use crate::model::{Digest, Entity, Name};

/// How many entities a batch has at most.
const BATCH: usize = 1024;
/// How many bytes of records a batch has, about.
const CHUNK: usize = 1 << 20;

/// Whether a fold hands out what was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Deletes {
    /// What was deleted is simply not there: right for a result that starts from nothing.
    #[default]
    Drop,
    /// Deletes are handed out: right for a result that is applied to an older state.
    Emit,
}

/// One backup's part in a fold.
pub struct Layer {
    changes: [BoxStream<'static, Result<Batch>>; 2],
}

/// What a source gives next.
enum Batch {
    Changes(Vec<Change>),
    Census(Name, Vec<Digest>),
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").finish_non_exhaustive()
    }
}

impl Layer {
    /// A layer of pieces: `data` and `deletes` are each read one after the other, as one sorted stream.
    #[must_use]
    pub fn new(data: Vec<ByteStream>, deletes: Vec<ByteStream>, limits: Limits) -> Self {
        let puts = stream::iter(data).flat_map(move |piece| entities(piece, limits, BATCH)).map(|batch| {
            let record = |entity| match entity {
                Entity::Record(record) => Ok(Change::Put(record)),
                Entity::Index(index) => Err(misplaced("index", &index.name)),
                Entity::Function(function) => Err(misplaced("function", &function.name)),
            };
            batch?.into_iter().map(record).collect::<Result<_>>().map(Batch::Changes)
        });
        let gone = stream::iter(deletes).flat_map(gone);
        // A delete of a layer outranks its record, so it comes first.
        Self { changes: [gone.boxed(), puts.boxed()] }
    }

    /// A layer of records that were sorted here, such as those of a tool's folder. It knows of no deletes.
    #[must_use]
    pub fn of_sorted(records: Sorted) -> Self {
        let batches = stream::unfold(Some(records), |records| async move {
            let mut records = records?;
            let mut batch = Vec::new();
            while batch.len() < BATCH {
                match records.next() {
                    Some(Ok(record)) => batch.push(Change::Put(record)),
                    Some(Err(error)) => return Some((Err(error), None)),
                    None => break,
                }
            }
            (!batch.is_empty()).then_some((Ok(Batch::Changes(batch)), Some(records)))
        });
        Self { changes: [stream::empty().boxed(), batches.boxed()] }
    }
}

/// What one piece says is gone: by naming it, or by naming what is there.
fn gone(piece: ByteStream) -> BoxStream<'static, Result<Batch>> {
    let begin = async move {
        let (first, piece) = begin(piece).await;
        if first.starts_with(census::MAGIC) {
            present(piece)
        } else {
            let named = tombstones(piece);
            named.map(|batch| Ok(Batch::Changes(batch?.into_iter().map(Change::Delete).collect()))).boxed()
        }
    };
    stream::once(begin).flatten().boxed()
}

/// The first bytes of a piece, as many as tell what it is, and the whole piece.
async fn begin(mut piece: ByteStream) -> (Vec<u8>, ByteStream) {
    let (mut first, mut taken) = (Vec::new(), Vec::new());
    while first.len() < census::MAGIC.len()
        && let Some(chunk) = piece.next().await
    {
        if let Ok(chunk) = &chunk {
            first.extend_from_slice(chunk);
        }
        let failed = chunk.is_err();
        taken.push(chunk);
        if failed {
            break;
        }
    }
    (first, stream::iter(taken).chain(piece).boxed())
}

/// The digests of a census, in batches, one for each chunk.
fn present(piece: ByteStream) -> BoxStream<'static, Result<Batch>> {
    let state = Some((piece, CensusDecoder::default()));
    stream::unfold(state, |state| async move {
        let (mut piece, mut decoder) = state?;
        loop {
            let digests = match piece.next().await {
                None => return decoder.finish().err().map(|error| (Err(error), None)),
                Some(chunk) => chunk.and_then(|chunk| decoder.push(&chunk)),
            };
            match digests {
                Err(error) => return Some((Err(error), None)),
                Ok(digests) => {
                    if let Some(namespace) = decoder.namespace().cloned() {
                        return Some((Ok(Batch::Census(namespace, digests)), Some((piece, decoder))));
                    }
                }
            }
        }
    })
    .fuse()
    .boxed()
}

fn misplaced(what: &str, name: &Name) -> Error {
    Error::invalid(format!("{what} {name} is in a piece of records")).hint("schema belongs in a piece of its own")
}

struct State {
    merge: Merge,
    sources: Vec<BoxStream<'static, Result<Batch>>>,
    deletes: Deletes,
}

impl State {
    /// The next batch; empty at the end.
    async fn batch(&mut self) -> Result<Vec<Change>> {
        let mut batch = Vec::new();
        let mut weight = 0;
        while batch.len() < BATCH && weight < CHUNK {
            match self.merge.step() {
                Step::Want(source) => match self.sources[source].next().await {
                    Some(Ok(Batch::Changes(changes))) => self.merge.feed(source, changes)?,
                    Some(Ok(Batch::Census(namespace, digests))) => {
                        self.merge.feed_census(source, &namespace, digests)?;
                    }
                    Some(Err(error)) => return Err(error),
                    None => self.merge.end(source),
                },
                Step::Nothing => {}
                Step::Item(Change::Delete(_)) if self.deletes == Deletes::Drop => {}
                Step::Item(change) => {
                    if let Change::Put(record) = &change {
                        weight += record.weight();
                    }
                    batch.push(change);
                }
                Step::Done => break,
            }
        }
        Ok(batch)
    }
}

/// Merges layers, newest first, into one sorted stream of final states, in batches.
///
/// The stream fails with `Corrupt` if an input is not sorted or damaged, and with `Invalid` if the layers are not all
/// of one namespace; it ends then.
#[must_use]
pub fn fold(newest_first: Vec<Layer>, deletes: Deletes) -> BoxStream<'static, Result<Vec<Change>>> {
    let sources: Vec<_> = newest_first.into_iter().flat_map(|layer| layer.changes).collect();
    let state = State { merge: Merge::new(sources.len()), sources, deletes };
    stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        match state.batch().await {
            Ok(batch) if batch.is_empty() => None,
            Ok(batch) => Some((Ok(batch), Some(state))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .fuse()
    .boxed()
}
