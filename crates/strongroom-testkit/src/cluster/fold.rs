//! Merging the pieces of a chain, newest first, in stretches.

use std::collections::VecDeque;

use bytes::BytesMut;
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::cluster::{Fold, FoldInput, FoldRequest, Folded};
use strongroom_core::{ByteStream, Error, Result};

use super::piece::{Decoder, Encoder, Entry, Place};

/// Folds pieces of simulated clusters. Needs no cluster.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedFold;

/// The pieces of one kind of one backup, read one after the other.
struct Lane {
    pieces: VecDeque<ByteStream>,
    decoder: Decoder,
    ready: VecDeque<Entry>,
    last: Option<Place>,
}

impl Lane {
    fn new(pieces: Vec<ByteStream>) -> Self {
        Self { pieces: pieces.into(), decoder: Decoder::default(), ready: VecDeque::new(), last: None }
    }

    /// Makes the next entry ready; `false` at the end of the last piece.
    async fn fill(&mut self) -> Result<bool> {
        while self.ready.is_empty() {
            let Some(piece) = self.pieces.front_mut() else { return Ok(false) };
            if let Some(chunk) = piece.next().await {
                self.decoder.push(&chunk?, &mut self.ready)?;
            } else {
                let decoder = std::mem::take(&mut self.decoder);
                // A piece of 0 bytes is one that the cluster was told to hand out.
                if !decoder.is_untouched() {
                    decoder.finish()?;
                }
                self.pieces.pop_front();
            }
            self.check_order()?;
        }
        Ok(true)
    }

    fn check_order(&mut self) -> Result<()> {
        for place in self.ready.iter().map(Entry::place) {
            if self.last.as_ref().is_some_and(|last| *last >= place) {
                return Err(Error::corrupt(format!("record '{}' of a simulated piece is not in its order", place.2)));
            }
            self.last = Some(place);
        }
        Ok(())
    }
}

struct Merge {
    /// Newest first; data and deletes of one backup never hold the same record.
    lanes: Vec<Lane>,
    request: FoldRequest,
}

impl Merge {
    /// The next final state.
    async fn next(&mut self) -> Result<Option<Entry>> {
        let mut first: Option<Place> = None;
        for lane in &mut self.lanes {
            if lane.fill().await? {
                let place = lane.ready.front().map(Entry::place);
                first = [first, place].into_iter().flatten().min();
            }
        }
        let Some(first) = first else { return Ok(None) };
        let same = |lane: &&mut Lane| lane.ready.front().is_some_and(|entry| entry.place() == first);
        let states: Vec<Entry> = self.lanes.iter_mut().filter(same).filter_map(|lane| lane.ready.pop_front()).collect();
        Ok(states.into_iter().next())
    }

    /// The next stretch; nothing at all at the end.
    async fn stretch(&mut self) -> Result<Folded> {
        let (mut data, mut deletes) = (BytesMut::new(), BytesMut::new());
        let (mut puts, mut gone) = (Encoder::default(), Encoder::default());
        let mut folded = Folded::default();
        while data.len() + deletes.len() < self.request.piece_bytes.max(1)
            && let Some(state) = self.next().await?
        {
            match state {
                Entry::Record { value: None, .. } if self.request.deletes => {
                    gone.push(&state, &mut deletes);
                    folded.deleted += 1;
                }
                Entry::Record { value: None, .. } => {}
                Entry::Record { .. } | Entry::Table(_) => {
                    puts.push(&state, &mut data);
                    folded.records += 1;
                }
            }
        }
        if folded.records > 0 {
            puts.finish(&mut data);
        }
        if folded.deleted > 0 {
            gone.finish(&mut deletes);
        }
        Ok(Folded { data: data.freeze(), deletes: deletes.freeze(), ..folded })
    }
}

impl Fold for SimulatedFold {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn fold(
        &self,
        _part: &str,
        request: FoldRequest,
        newest_first: Vec<FoldInput>,
    ) -> Result<BoxStream<'static, Result<Folded>>> {
        let lanes = newest_first.into_iter().flat_map(|input| [Lane::new(input.data), Lane::new(input.deletes)]);
        let merge = Merge { lanes: lanes.collect(), request };
        Ok(stream::unfold(Some(merge), async |merge| {
            let mut merge = merge?;
            match merge.stretch().await {
                Ok(folded) if folded == Folded::default() => None,
                Ok(folded) => Some((Ok(folded), Some(merge))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed())
    }
}
