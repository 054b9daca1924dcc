//! The steps of a chain as the input of a fold, each read from a copy that serves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::StreamExt as _;

use super::restore::SourceStep;
use crate::ByteStream;
use crate::cluster::{FoldInput, PieceKind};
use crate::codec::CodecRegistry;
use crate::id::RepositoryId;
use crate::manifest::StoredPiece;
use crate::pipeline::{PartReader, Share, Workroom};

/// The steps of one part, oldest first, with the copy of each that is read.
pub(super) struct MergeSource<'a> {
    repository: RepositoryId,
    registry: &'a Arc<dyn CodecRegistry>,
    room: &'a Arc<Workroom>,
    steps: &'a [&'a SourceStep],
    copies: Vec<usize>,
}

impl<'a> MergeSource<'a> {
    /// Reads the first copy of each of `steps`.
    pub(super) fn new(
        repository: RepositoryId,
        registry: &'a Arc<dyn CodecRegistry>,
        room: &'a Arc<Workroom>,
        steps: &'a [&'a SourceStep],
    ) -> Self {
        Self { repository, registry, room, steps, copies: vec![0; steps.len()] }
    }

    /// The inputs of a fold, newest first, and who watches over them.
    pub(super) fn begin(&self, share: Share) -> (Vec<FoldInput>, Arc<Watch>) {
        let watch = Arc::new(Watch::new(share, self.steps.len()));
        let steps = self.steps.iter().zip(&self.copies).enumerate().rev();
        (steps.map(|(at, (step, copy))| self.input(step, *copy, at, &watch)).collect(), watch)
    }

    /// After an error goes over to the next copy of the step whose source failed. A merge can't change in its middle: it
    /// begins again. `None`: no source failed, or there is no other copy.
    pub(super) fn fail_over(&mut self, watch: &Watch) -> Option<&'a SourceStep> {
        let failed = watch.failed()?;
        let (step, copy) = (self.steps.get(failed)?, self.copies.get_mut(failed)?);
        *copy += 1;
        (*copy < step.copies.len()).then_some(step)
    }

    /// The data and deletes pieces of all steps.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &'a StoredPiece> {
        let of = |kind| self.steps.iter().flat_map(move |step| step.of_kind(kind)).map(|(_, piece)| piece);
        of(PieceKind::Data).chain(of(PieceKind::Deletes))
    }

    /// A reader of a copy of a step.
    pub(super) fn reader(&self, step: &SourceStep, copy: usize) -> Option<PartReader> {
        Some(PartReader {
            room: Arc::clone(self.room),
            storage: Arc::clone(&step.copies.get(copy)?.storage),
            repository: self.repository,
            codecs: step.manifest.codecs.clone(),
            registry: Arc::clone(self.registry),
        })
    }

    /// The pieces of one step, in the order in which the fold wants them.
    fn input(&self, step: &SourceStep, copy: usize, at: usize, watch: &Arc<Watch>) -> FoldInput {
        let streams = |kind| -> Vec<ByteStream> {
            let mut found: Vec<StoredPiece> = step.of_kind(kind).map(|(_, piece)| piece.clone()).collect();
            found.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
            let Some(reader) = self.reader(step, copy) else { return Vec::new() };
            reader.pieces(&found).into_iter().map(|body| watch.over(at, body)).collect()
        };
        FoldInput { data: streams(PieceKind::Data), deletes: streams(PieceKind::Deletes) }
    }
}

/// Counts what flows into a merge, and notes which step's source failed.
pub(super) struct Watch {
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

    /// The merge went well: `pieces` are moved.
    pub(super) fn keep<'a>(&self, pieces: impl Iterator<Item = &'a StoredPiece>) {
        let mut share = self.share.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in pieces {
            share.piece(piece.plain_bytes, piece.plain_bytes, piece.summary.records);
        }
        share.keep();
    }
}
