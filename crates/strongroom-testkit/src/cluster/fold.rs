//! Merging the pieces of a chain, newest first, into one sorted stream.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use strongroom_core::cluster::{Fold, FoldInput};
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
    encoder: Option<Encoder>,
}

impl Merge {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let mut out = BytesMut::new();
        while out.len() < 16 * 1024 {
            let Some(encoder) = &mut self.encoder else { break };
            let mut first: Option<Place> = None;
            for lane in &mut self.lanes {
                if lane.fill().await? {
                    let place = lane.ready.front().map(Entry::place);
                    first = [first, place].into_iter().flatten().min();
                }
            }
            let Some(first) = first else {
                self.encoder.take().unwrap_or_default().finish(&mut out);
                break;
            };
            let same = |lane: &&mut Lane| lane.ready.front().is_some_and(|entry| entry.place() == first);
            let states = self.lanes.iter_mut().filter(same).filter_map(|lane| lane.ready.pop_front());
            let states: Vec<Entry> = states.collect();
            if let Some(newest @ (Entry::Record { value: Some(_), .. } | Entry::Table(_))) = states.first() {
                encoder.push(newest, &mut out);
            }
        }
        Ok(Some(out.freeze()).filter(|out| !out.is_empty()))
    }
}

impl Fold for SimulatedFold {
    fn fold(&self, _part: &str, newest_first: Vec<FoldInput>) -> Result<ByteStream> {
        let lanes = newest_first.into_iter().flat_map(|input| [Lane::new(input.data), Lane::new(input.deletes)]);
        let merge = Merge { lanes: lanes.collect(), encoder: Some(Encoder::default()) };
        Ok(stream::unfold(Some(merge), async |merge| {
            let mut merge = merge?;
            match merge.chunk().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(merge))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed())
    }
}
