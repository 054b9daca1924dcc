//! Folding pieces to pieces, in stretches.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::cluster::{Fold, FoldInput, FoldRequest, Folded};
use strongroom_core::{Error, Result};

use super::{Change, Deletes, Layer, fold};
use crate::asb::{Encoder, Limits};
use crate::deletes::{write_delete, write_header};
use crate::model::Name;

/// The fold of record pieces: of every cluster that hands out sorted compact `.asb` text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordFold;

impl Fold for RecordFold {
    fn name(&self) -> &'static str {
        "asb"
    }

    fn fold(
        &self,
        part: &str,
        request: FoldRequest,
        newest_first: Vec<FoldInput>,
    ) -> Result<BoxStream<'static, Result<Folded>>> {
        let layers = newest_first.into_iter().map(|input| Layer::new(input.data, input.deletes, Limits::default()));
        Ok(fold_pieces(Name::namespace(part.to_owned())?, request, layers.collect()))
    }
}

/// Merges layers, newest first, into stretches of pieces.
///
/// The stream fails as that of [`fold`].
#[must_use]
pub fn fold_pieces(
    namespace: Name,
    request: FoldRequest,
    newest_first: Vec<Layer>,
) -> BoxStream<'static, Result<Folded>> {
    let deletes = if request.deletes { Deletes::Emit } else { Deletes::Drop };
    let state = State { changes: fold(newest_first, deletes), batch: Vec::new().into_iter(), namespace };
    stream::unfold(Some(state), move |state| async move {
        let mut state = state?;
        match state.stretch(request.piece_bytes).await {
            Ok(folded) if folded == Folded::default() => None,
            Ok(folded) => Some((Ok(folded), Some(state))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .fuse()
    .boxed()
}

struct State {
    changes: BoxStream<'static, Result<Vec<Change>>>,
    batch: std::vec::IntoIter<Change>,
    namespace: Name,
}

impl State {
    async fn next(&mut self) -> Option<Result<Change>> {
        loop {
            if let Some(change) = self.batch.next() {
                return Some(Ok(change));
            }
            match self.changes.next().await? {
                Ok(batch) => self.batch = batch.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The next stretch; nothing at all at the end.
    async fn stretch(&mut self, bytes: usize) -> Result<Folded> {
        let (mut data, mut deletes) = (Vec::new(), Vec::new());
        let mut folded = Folded::default();
        while data.len() + deletes.len() < bytes.max(1)
            && let Some(change) = self.next().await.transpose()?
        {
            // In the text the namespace stands once, and here is where the part's name meets the records'.
            if *change.namespace() != self.namespace {
                let what = format!("record {} is in namespace {}", change.digest(), change.namespace());
                return Err(Error::corrupt(format!("{what}, not {}", self.namespace))
                    .hint("the piece was mixed up with one of another part: verify the backup"));
            }
            match change {
                Change::Put(record) => {
                    if folded.records == 0 {
                        Encoder::COMPACT.header(&mut data, &self.namespace, false);
                    }
                    Encoder::COMPACT.record(&mut data, &record)?;
                    folded.records += 1;
                }
                Change::Delete(tombstone) => {
                    if folded.deleted == 0 {
                        write_header(&mut deletes, &self.namespace);
                    }
                    write_delete(&mut deletes, &tombstone.digest, tombstone.set.as_ref());
                    folded.deleted += 1;
                }
            }
        }
        Ok(Folded { data: Bytes::from(data), deletes: Bytes::from(deletes), ..folded })
    }
}
