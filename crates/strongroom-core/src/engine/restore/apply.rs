//! Writing the pieces of a plan's steps into the target, in order, with fail-over between copies.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, StreamExt as _};
use tokio::sync::Mutex;

use super::hands::Hands;
use super::run::Run;
use super::source::{SourceStep, wants};
use super::task::tasks;
use crate::cluster::{Applied, PieceKind, RestoreSession};
use crate::engine::attempt::attempt;
use crate::engine::journal::{Mark, Remembered};
use crate::manifest::StoredPiece;
use crate::pipeline::{ApplyTask, Progress, Workroom};
use crate::{Error, Result};

/// Marks are written at the latest after so many pieces: a resumed restore writes at most so many again.
const PIECES_A_MARK: usize = 256;

/// What every write of one restore shares.
pub(super) struct Applier<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) session: &'a RestoreSession,
    pub(super) hands: Hands,
    pub(super) room: Arc<Workroom>,
    pub(super) progress: &'a Arc<Progress>,
    pub(super) memory: Mutex<Remembered>,
}

impl Applier<'_> {
    /// Restores one part: definitions of the newest step that has some, and data, oldest step first or folded.
    pub(super) async fn part(&self, steps: &[&SourceStep]) -> Result<()> {
        let defining = SourceStep::with_definitions(steps.iter().copied());
        let last = self.session.options.definitions_last;
        if let Some(step) = defining.filter(|_| !last) {
            self.pieces(step, PieceKind::Schema).await?;
        }
        self.data(steps).await?;
        if let Some(step) = defining.filter(|_| last) {
            self.pieces(step, PieceKind::Schema).await?;
        }
        Ok(())
    }

    async fn data(&self, steps: &[&SourceStep]) -> Result<()> {
        // Logs are replayed, and not merged.
        let folded = steps.iter().take_while(|step| step.of_kind(PieceKind::Log).next().is_none()).count();
        let (merged, logs) = steps.split_at(folded);
        let one_by_one = match self.fold_of(merged) {
            Some(fold) => {
                self.folded(merged, fold).await?;
                logs
            }
            None => steps,
        };
        for step in one_by_one {
            for kind in [PieceKind::Data, PieceKind::Deletes, PieceKind::Log] {
                self.pieces(step, kind).await?;
            }
            self.seal(step).await?;
        }
        Ok(())
    }

    /// Writes the pieces of one kind, several tasks at a time.
    pub(super) async fn pieces(&self, step: &SourceStep, kind: PieceKind) -> Result<()> {
        if !wants(&self.session.options, kind) {
            return Ok(());
        }
        let mut todo = Vec::new();
        let memory = self.memory.lock().await;
        for (number, piece) in step.of_kind(kind) {
            if memory.written.contains(&(step.step, number)) {
                self.progress.reuse(piece.plain_bytes, piece.plain_bytes, piece.summary.records);
            } else {
                todo.push(number);
            }
        }
        drop(memory);
        let parallel = self.room.settings().parallel;
        let work: Vec<BoxFuture<'_, Result<Mark>>> =
            tasks(&todo, &step.pieces, parallel).into_iter().map(|numbers| self.task(step, numbers).boxed()).collect();
        let mut writes = stream::iter(work).buffer_unordered(parallel);
        let mut mark = Mark::default();
        let mut failed = None;
        while let Some(written) = writes.next().await {
            match written {
                Ok(written) => {
                    mark.written.extend(written.written);
                    mark.applied += written.applied;
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            if mark.written.len() >= PIECES_A_MARK {
                self.remember(std::mem::take(&mut mark)).await?;
            }
        }
        let remembered = self.remember(mark).await;
        failed.map_or(remembered, Err)
    }

    /// Writes some pieces, each from the first copy that gives it whole.
    async fn task(&self, step: &SourceStep, numbers: Vec<u32>) -> Result<Mark> {
        let piece = |number: &u32| usize::try_from(*number).ok().and_then(|number| step.pieces.get(number)).cloned();
        let task = ApplyTask {
            sources: step.copies.iter().map(|copy| self.hands.storage(copy)).collect(),
            cluster: self.hands.cluster.clone(),
            repository: self.run.repository.id(),
            codecs: step.manifest.codecs.clone(),
            session: self.session.clone(),
            step: step.step,
            part: step.part.clone(),
            pieces: numbers.iter().filter_map(piece).collect(),
        };
        let receipt = attempt(|| self.hands.worker.apply(&task, self.progress)).await;
        let receipt = receipt.map_err(|error| error.within(format!("part '{}'", step.part.escape_debug())))?;
        if receipt.applied.len() != numbers.len() {
            return Err(Error::internal("a worker's receipt is for other pieces than its task"));
        }
        for failover in receipt.failovers {
            self.run.warn(format!("a copy failed, and another one was read: {failover}"));
        }
        let mut applied = Applied::default();
        receipt.applied.into_iter().for_each(|one| applied += one);
        Ok(Mark {
            written: numbers.into_iter().map(|number| (step.step, number)).collect(),
            applied,
            ..Mark::default()
        })
    }

    pub(super) async fn seal(&self, step: &SourceStep) -> Result<()> {
        if self.memory.lock().await.sealed.contains(&step.step) {
            return Ok(());
        }
        self.run.target.seal_step(self.session, step.step).await?;
        self.remember(Mark { sealed: vec![step.step], ..Mark::default() }).await
    }

    pub(super) async fn remember(&self, mark: Mark) -> Result<()> {
        if mark == Mark::default() {
            return Ok(());
        }
        let mut memory = self.memory.lock().await;
        if let Some(journal) = &self.run.request.journal {
            return journal.mark(self.session.id, &mut memory, mark).await;
        }
        memory.note(mark);
        Ok(())
    }
}

impl SourceStep {
    /// The pieces of one kind with their numbers in the list.
    pub(in crate::engine) fn of_kind(&self, kind: PieceKind) -> impl Iterator<Item = (u32, &StoredPiece)> {
        (0_u32..).zip(&self.pieces).filter(move |(_, piece)| piece.spec.kind == kind)
    }

    /// Of a part's steps, the one whose definitions are restored: the newest that has some.
    pub(super) fn with_definitions<'a>(steps: impl DoubleEndedIterator<Item = &'a Self>) -> Option<&'a Self> {
        steps.rev().find(|step| step.of_kind(PieceKind::Schema).next().is_some())
    }
}
