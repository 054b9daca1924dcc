//! Merging the steps of a chain, so that each record is written once, in its final state.

use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use super::apply::Applier;
use super::source::{SourceStep, wants};
use crate::Result;
use crate::cluster::{Applied, Fold, FoldRequest, Folded, PieceKind, PieceSpec, StepId};
use crate::engine::journal::Mark;
use crate::engine::merge::MergeSource;
use crate::engine::stretch_bytes;
use crate::manifest::Blake3;

/// The number under which the folded data of a part is remembered in the journal.
const FOLDED: u32 = u32::MAX;

impl Applier<'_> {
    /// The fold that merges `steps` for the target, if there is one: all of them must have its form.
    pub(super) fn fold_of(&self, steps: &[&SourceStep]) -> Option<&dyn Fold> {
        let fold = self.run.target.fold()?;
        let same = |step: &&SourceStep| step.manifest.fold.as_deref() == Some(fold.name());
        (steps.len() > 1 && !self.run.request.no_fold && steps.iter().all(same)).then_some(fold)
    }

    /// Writes the merge of `steps`: each record once, what was deleted last included.
    pub(super) async fn folded(&self, steps: &[&SourceStep], fold: &dyn Fold) -> Result<()> {
        let Some(newest) = steps.last() else { return Ok(()) };
        let done = self.memory.lock().await.written.contains(&(newest.step, FOLDED));
        if wants(&self.session.options, PieceKind::Data) && !done {
            self.merge(steps, fold).await?;
            self.remember(Mark { written: vec![(newest.step, FOLDED)], ..Mark::default() }).await?;
        }
        for step in steps {
            self.seal(step).await?;
        }
        Ok(())
    }

    /// Merges and writes. A merge can't change to another copy in its middle, so it begins again, and leaves out what was
    /// written.
    async fn merge(&self, steps: &[&SourceStep], fold: &dyn Fold) -> Result<()> {
        let part = steps.first().map_or("", |step| step.part.as_str());
        let deletes = !self.starts_from_nothing(steps).await;
        let request = FoldRequest { deletes, piece_bytes: stretch_bytes(&self.room) };
        let newest = steps.last().map_or(0, |step| step.step);
        let mut source = MergeSource::new(self.run.repository.id(), self.run.registry, &self.room, steps);
        loop {
            let (inputs, watch) = source.begin(self.progress.begin());
            let error = match self.stretches(newest, part, fold.fold(part, request, inputs)?).await {
                Ok(()) => {
                    watch.keep(source.pieces());
                    return Ok(());
                }
                Err(error) => error.within(format!("part '{}'", part.escape_debug())),
            };
            let Some(step) = source.fail_over(&watch) else { return Err(error) };
            self.run
                .warn(format!("a copy of backup {} failed, and another one is read: {error}", step.manifest.backup));
        }
    }

    /// Whether the target holds nothing that would have to be deleted: it was emptied, and no earlier attempt has written
    /// backups one by one.
    async fn starts_from_nothing(&self, steps: &[&SourceStep]) -> bool {
        let memory = self.memory.lock().await;
        let mut data =
            steps.iter().flat_map(|step| step.of_kind(PieceKind::Data).map(|(number, _)| (step.step, number)));
        self.session.options.truncate && !data.any(|piece| memory.written.contains(&piece))
    }

    /// Writes what comes out of a merge, several stretches at a time.
    async fn stretches(&self, step: StepId, part: &str, stretches: BoxStream<'static, Result<Folded>>) -> Result<()> {
        let writes = stretches.map(|folded| async move { self.stretch(step, part, folded?).await });
        let mut writes = writes.buffer_unordered(self.room.settings().parallel);
        while let Some(mark) = writes.try_next().await? {
            self.remember(mark).await?;
        }
        Ok(())
    }

    /// Writes a stretch, unless it was written before.
    async fn stretch(&self, step: StepId, part: &str, folded: Folded) -> Result<Mark> {
        let Folded { data, records, deletes, deleted } = folded;
        // Its content is its name: where a merge is cut may change from version to version.
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(data.len() as u64).to_le_bytes()).update(&data).update(&deletes);
        let name = Blake3::from(hasher.finalize());
        if self.memory.lock().await.folded.contains(&name) {
            return Ok(Mark::default());
        }
        self.room.pass_records(records + deleted).await;
        let mut applied = Applied::default();
        for (kind, body) in [(PieceKind::Data, data), (PieceKind::Deletes, deletes)] {
            if !body.is_empty() {
                let piece = PieceSpec::new(format!("folded-{name}"), kind);
                let body = stream::iter([Ok(body)]).boxed();
                applied += self.run.target.write(self.session, step, part, &piece, body).await?;
            }
        }
        Ok(Mark { folded: vec![name], applied, ..Mark::default() })
    }
}
