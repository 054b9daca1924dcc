//! Writing the pieces of a plan's steps into the target, in order, with fail-over between copies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use tokio::sync::Mutex;

use super::source::{Copy, SourceStep, wants};
use crate::cluster::{Applied, FoldInput, PieceKind, PieceSpec, RestoreSession};
use crate::codec::CodecRegistry;
use crate::engine::journal::{Journal, Mark, Remembered};
use crate::id::RepositoryId;
use crate::manifest::StoredPiece;
use crate::pipeline::{PartReader, Progress, Share, Workroom};
use crate::{ByteStream, Cluster, Error, ErrorKind, Result};

/// The number under which the folded data of a part is remembered in the journal.
const FOLDED: u32 = u32::MAX;

/// Marks are written at the latest after so many pieces: a resumed restore writes at most so many again.
const PIECES_A_MARK: usize = 256;

/// What every write of one restore shares.
pub(super) struct Applier<'a> {
    pub(super) target: &'a Arc<dyn Cluster>,
    pub(super) session: &'a RestoreSession,
    pub(super) registry: &'a Arc<dyn CodecRegistry>,
    pub(super) repository: RepositoryId,
    pub(super) room: Arc<Workroom>,
    pub(super) progress: &'a Arc<Progress>,
    pub(super) journal: Option<&'a Journal>,
    pub(super) state: Mutex<State>,
}

/// What one restore has done so far.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) memory: Remembered,
    pub(super) warnings: Vec<String>,
}

impl Applier<'_> {
    /// Restores one part: definitions of the newest step that has some, then data, oldest step first or folded.
    pub(super) async fn part(&self, steps: &[&SourceStep]) -> Result<()> {
        let newest_with_schema = steps.iter().rev().find(|step| pieces(step, PieceKind::Schema).next().is_some());
        if let Some(step) = newest_with_schema {
            self.pieces(step, PieceKind::Schema).await?;
        }
        if steps.len() > 1 && self.target.fold().is_some() {
            return self.folded(steps).await;
        }
        for step in steps {
            for kind in [PieceKind::Data, PieceKind::Deletes, PieceKind::Log] {
                self.pieces(step, kind).await?;
            }
            self.seal(step).await?;
        }
        Ok(())
    }

    /// Writes the pieces of one kind, several at a time.
    async fn pieces(&self, step: &SourceStep, kind: PieceKind) -> Result<()> {
        if !wants(&self.session.options, kind) {
            return Ok(());
        }
        let written = self.state.lock().await.memory.written.clone();
        let todo: Vec<BoxFuture<'_, Result<(u32, Applied)>>> = pieces(step, kind)
            .filter(|(number, _)| !written.contains(&(step.step, *number)))
            .map(|(number, piece)| {
                async move { self.piece(step, piece).await.map(|applied| (number, applied)) }.boxed()
            })
            .collect();
        let mut writes = stream::iter(todo).buffer_unordered(self.room.settings().parallel);
        let mut mark = Mark::default();
        while let Some((number, applied)) = writes.try_next().await? {
            mark.written.push((step.step, number));
            mark.applied += applied;
            if mark.written.len() >= PIECES_A_MARK {
                self.remember(std::mem::take(&mut mark)).await?;
            }
        }
        self.remember(mark).await
    }

    /// Writes one piece from the first copy that gives it whole.
    async fn piece(&self, step: &SourceStep, piece: &StoredPiece) -> Result<Applied> {
        for (at, copy) in step.copies.iter().enumerate() {
            let watch = Arc::new(Watch::new(self.progress.begin()));
            let body = watch.over(self.reader(step, copy).piece(piece));
            match self.target.write(self.session, step.step, &step.part, &piece.spec, body).await {
                Ok(applied) => {
                    watch.keep(piece.plain_bytes, applied.written + applied.deleted);
                    return Ok(applied);
                }
                Err(error) if at + 1 < step.copies.len() && watch.source_failed() => {
                    let name = &piece.spec.name;
                    let warning =
                        format!("storage '{}' failed on piece '{name}', another copy is read: {error}", copy.name);
                    self.state.lock().await.warnings.push(warning);
                }
                Err(error) => {
                    let name = piece.spec.name.escape_debug();
                    return Err(error.within(format!("piece '{name}' of part '{}'", step.part)));
                }
            }
        }
        Err(Error::internal(format!("step {} has no copies", step.step)))
    }

    fn reader(&self, step: &SourceStep, copy: &Copy) -> PartReader {
        PartReader {
            room: Arc::clone(&self.room),
            storage: Arc::clone(&copy.storage),
            repository: self.repository,
            codecs: step.manifest.codecs.clone(),
            registry: Arc::clone(self.registry),
        }
    }

    /// Merges the steps into one sorted stream and writes that, after what was deleted in any of them: what was written
    /// again later comes back with the data.
    async fn folded(&self, steps: &[&SourceStep]) -> Result<()> {
        for step in steps {
            self.pieces(step, PieceKind::Deletes).await?;
        }
        let (Some(newest), Some(fold)) = (steps.last(), self.target.fold()) else { return Ok(()) };
        let done = self.state.lock().await.memory.written.contains(&(newest.step, FOLDED));
        if wants(&self.session.options, PieceKind::Data) && !done {
            let watch = Arc::new(Watch::new(self.progress.begin()));
            let inputs = steps.iter().rev().map(|step| self.fold_input(step, &watch)).collect();
            let body = fold.fold(&newest.part, inputs)?;
            let spec = PieceSpec {
                name: "folded".to_owned(),
                kind: PieceKind::Data,
                place: None,
                group: None,
                bytes: None,
                content: None,
                detail: Value::Null,
            };
            let applied = self.target.write(self.session, newest.step, &newest.part, &spec, body).await;
            let applied = applied.map_err(|error| error.within(format!("part '{}'", newest.part)))?;
            let bytes = steps.iter().flat_map(|step| pieces(step, PieceKind::Data)).map(|(_, piece)| piece.plain_bytes);
            watch.keep(bytes.sum(), applied.written);
            self.remember(Mark { written: vec![(newest.step, FOLDED)], sealed: Vec::new(), applied }).await?;
        }
        for step in steps {
            self.seal(step).await?;
        }
        Ok(())
    }

    /// The pieces of one step for a merge. They come from the first copy: a merge can't go back to another one.
    fn fold_input(&self, step: &SourceStep, watch: &Arc<Watch>) -> FoldInput {
        let streams = |kind| -> Vec<ByteStream> {
            let mut found: Vec<StoredPiece> = pieces(step, kind).map(|(_, piece)| piece.clone()).collect();
            found.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
            let bodies = step.copies.first().map(|copy| self.reader(step, copy).pieces(&found));
            bodies.unwrap_or_default().into_iter().map(|body| watch.over(body)).collect()
        };
        FoldInput { data: streams(PieceKind::Data), deletes: streams(PieceKind::Deletes) }
    }

    async fn seal(&self, step: &SourceStep) -> Result<()> {
        if self.state.lock().await.memory.sealed.contains(&step.step) {
            return Ok(());
        }
        self.target.seal_step(self.session, step.step).await?;
        self.remember(Mark { sealed: vec![step.step], ..Mark::default() }).await
    }

    async fn remember(&self, mark: Mark) -> Result<()> {
        if mark == Mark::default() {
            return Ok(());
        }
        let mut state = self.state.lock().await;
        if let Some(journal) = self.journal {
            return journal.mark(self.session.id, &mut state.memory, mark).await;
        }
        state.memory.note(mark);
        Ok(())
    }
}

/// The pieces of one kind with their numbers in the list.
fn pieces(step: &SourceStep, kind: PieceKind) -> impl Iterator<Item = (u32, &StoredPiece)> {
    (0_u32..).zip(&step.pieces).filter(move |(_, piece)| piece.spec.kind == kind)
}

/// Counts what flows to the target, and notes when it was the source that failed.
struct Watch {
    share: std::sync::Mutex<Option<Share>>,
    source_failed: AtomicBool,
}

impl Watch {
    fn new(share: Share) -> Self {
        Self { share: std::sync::Mutex::new(Some(share)), source_failed: AtomicBool::new(false) }
    }

    fn over(self: &Arc<Self>, body: ByteStream) -> ByteStream {
        let watch = Arc::clone(self);
        body.inspect(move |chunk| match chunk {
            Ok(chunk) => {
                if let Some(share) = &mut *watch.share.lock().unwrap_or_else(PoisonError::into_inner) {
                    share.plain(chunk.len() as u64);
                }
            }
            Err(error) if error.kind() != ErrorKind::Denied => watch.source_failed.store(true, Ordering::Relaxed),
            Err(_) => {}
        })
        .boxed()
    }

    fn source_failed(&self) -> bool {
        self.source_failed.load(Ordering::Relaxed)
    }

    fn keep(&self, plain_bytes: u64, records: u64) {
        if let Some(mut share) = self.share.lock().unwrap_or_else(PoisonError::into_inner).take() {
            share.piece(plain_bytes, plain_bytes, records);
            share.keep();
        }
    }
}
