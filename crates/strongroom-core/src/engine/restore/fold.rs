//! Merging the steps of a chain into one sorted stream, so that each record is written once, in its final state.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::StreamExt as _;

use super::apply::Applier;
use super::source::{SourceStep, wants};
use crate::cluster::{Applied, Fold, FoldInput, PieceKind, PieceSpec};
use crate::engine::journal::Mark;
use crate::manifest::StoredPiece;
use crate::pipeline::{PartReader, Share};
use crate::{ByteStream, Result};

/// The number under which the folded data of a part is remembered in the journal.
const FOLDED: u32 = u32::MAX;

impl Applier<'_> {
    /// Writes the merge of `steps` after what was deleted in any of them: what was written again later comes back with
    /// the data.
    pub(super) async fn folded(&self, steps: &[&SourceStep]) -> Result<()> {
        for step in steps {
            self.pieces(step, PieceKind::Deletes).await?;
        }
        let (Some(newest), Some(fold)) = (steps.last(), self.run.target.fold()) else { return Ok(()) };
        let done = self.memory.lock().await.written.contains(&(newest.step, FOLDED));
        if wants(&self.session.options, PieceKind::Data) && !done {
            let applied = self.merge(steps, fold).await?;
            self.remember(Mark { written: vec![(newest.step, FOLDED)], sealed: Vec::new(), applied }).await?;
        }
        for step in steps {
            self.seal(step).await?;
        }
        Ok(())
    }

    /// Merges and writes. A merge can't change to another copy in its middle, so it begins again: writing twice is the
    /// same as once.
    async fn merge(&self, steps: &[&SourceStep], fold: &dyn Fold) -> Result<Applied> {
        let mut from = vec![0; steps.len()];
        let part = steps.first().map_or("", |step| step.part.as_str());
        loop {
            let watch = Arc::new(Watch::new(self.progress.begin(), steps.len()));
            let inputs = steps.iter().zip(&from).enumerate().rev();
            let inputs = inputs.map(|(at, (step, copy))| self.fold_input(step, *copy, at, &watch)).collect();
            let body = fold.fold(part, inputs)?;
            let spec = PieceSpec::new("folded", PieceKind::Data);
            let newest = steps.last().map_or(0, |step| step.step);
            let error = match self.run.target.write(self.session, newest, part, &spec, body).await {
                Ok(applied) => {
                    watch.keep(steps.iter().flat_map(|step| step.of_kind(PieceKind::Data)).map(|(_, piece)| piece));
                    return Ok(applied);
                }
                Err(error) => error.within(format!("part '{}'", part.escape_debug())),
            };
            let Some(failed) = watch.failed() else { return Err(error) };
            let (Some(step), Some(copy)) = (steps.get(failed), from.get_mut(failed)) else { return Err(error) };
            *copy += 1;
            if *copy >= step.copies.len() {
                return Err(error);
            }
            self.run
                .warn(format!("a copy of backup {} failed, and another one is read: {error}", step.manifest.backup));
        }
    }

    /// The pieces of one step, in the order in which the fold wants them.
    fn fold_input(&self, step: &SourceStep, copy: usize, at: usize, watch: &Arc<Watch>) -> FoldInput {
        let streams = |kind| -> Vec<ByteStream> {
            let mut found: Vec<StoredPiece> = step.of_kind(kind).map(|(_, piece)| piece.clone()).collect();
            found.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
            let Some(copy) = step.copies.get(copy) else { return Vec::new() };
            let reader = PartReader {
                room: Arc::clone(&self.room),
                storage: Arc::clone(&copy.storage),
                repository: self.run.repository.id(),
                codecs: step.manifest.codecs.clone(),
                registry: Arc::clone(self.run.registry),
            };
            reader.pieces(&found).into_iter().map(|body| watch.over(at, body)).collect()
        };
        FoldInput { data: streams(PieceKind::Data), deletes: streams(PieceKind::Deletes) }
    }
}

/// Counts what flows into a merge, and notes which step's source failed.
struct Watch {
    share: Mutex<Share>,
    failed: Vec<AtomicBool>,
}

impl Watch {
    fn new(share: Share, steps: usize) -> Self {
        Self { share: Mutex::new(share), failed: (0..steps).map(|_| AtomicBool::new(false)).collect() }
    }

    fn over(self: &Arc<Self>, at: usize, body: ByteStream) -> ByteStream {
        let watch = Arc::clone(self);
        body.inspect(move |chunk| match chunk {
            Ok(chunk) => watch.share.lock().unwrap_or_else(PoisonError::into_inner).plain(chunk.len() as u64),
            Err(_) => {
                if let Some(failed) = watch.failed.get(at) {
                    failed.store(true, Ordering::Relaxed);
                }
            }
        })
        .boxed()
    }

    /// The step whose source failed, if one did.
    fn failed(&self) -> Option<usize> {
        self.failed.iter().position(|failed| failed.load(Ordering::Relaxed))
    }

    fn keep<'a>(&self, pieces: impl Iterator<Item = &'a StoredPiece>) {
        let mut share = self.share.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in pieces {
            share.piece(piece.plain_bytes, piece.plain_bytes, piece.summary.records);
        }
        share.keep();
    }
}
