//! Merging the chain, and storing what comes out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::run::{Chain, Run};
use crate::cluster::{FoldRequest, Folded, PieceKind, PieceReader, PieceSpec, PieceSummary};
use crate::engine::backup::Notes;
use crate::engine::merge::MergeSource;
use crate::engine::restore::SourceStep;
use crate::manifest::{Blake3, StoredPiece};
use crate::pipeline::{NumberedPiece, Origin, PieceWriter, Workroom};
use crate::repository::Begun;
use crate::{ByteStream, Error, Key, Result};

/// Where pieces are stored, and what is there already.
struct Store<'a> {
    run: &'a Run,
    begun: &'a Begun,
    notes: &'a Notes,
    room: &'a Arc<Workroom>,
    /// By name: what earlier attempts stored.
    known: Mutex<BTreeMap<String, StoredPiece>>,
}

impl Run {
    /// The pieces of the new base, in order, and how many of them were there already.
    pub(super) async fn merge(
        &self,
        chain: &Chain,
        begun: &Begun,
        notes: &Notes,
        stored: Vec<StoredPiece>,
        room: &Arc<Workroom>,
    ) -> Result<(Vec<StoredPiece>, u64)> {
        let known: BTreeMap<_, _> = stored.into_iter().map(|piece| (piece.spec.name.clone(), piece)).collect();
        let before: BTreeSet<String> = known.keys().cloned().collect();
        let store = Store { run: self, begun, notes, room, known: Mutex::new(known) };
        let steps: Vec<&SourceStep> = chain.source.steps.iter().collect();
        let mut source = MergeSource::new(self.repository.id(), &self.registry, room, &steps);
        let expected: Vec<&StoredPiece> = source.pieces().collect();
        self.progress.expect(expected.len() as u64, expected.iter().map(|piece| piece.plain_bytes).sum());
        let mut pieces = store.definitions(&steps, &source).await?;
        let first = pieces.len() as u64;
        let request = FoldRequest { deletes: false, piece_bytes: chain.note.piece_bytes };
        loop {
            let (inputs, watch) = source.begin(self.progress.begin());
            let folded = self.fold.fold(&chain.note.part, request, inputs)?;
            let stretches = folded.zip(stream::iter(first..)).map(|(folded, number)| store.stretch(number, folded));
            let mut stretches = stretches.buffered(room.settings().parallel);
            let mut made = Vec::new();
            let outcome = async {
                while let Some(piece) = stretches.try_next().await? {
                    made.extend(piece);
                }
                Ok::<_, Error>(())
            };
            let error = match outcome.await {
                Ok(()) => {
                    watch.keep(source.pieces());
                    pieces.extend(made);
                    break;
                }
                Err(error) => error,
            };
            if source.fail_over(&watch).is_none() {
                return Err(error.within(format!("part '{}'", chain.note.part.escape_debug())));
            }
        }
        let resumed = pieces.iter().filter(|piece| before.contains(&piece.spec.name)).count() as u64;
        Ok((pieces, resumed))
    }
}

impl Store<'_> {
    /// The definitions of the newest step that has some, as they are.
    async fn definitions(&self, steps: &[&SourceStep], source: &MergeSource<'_>) -> Result<Vec<StoredPiece>> {
        let newest = steps.iter().rev().find(|step| step.of_kind(PieceKind::Schema).next().is_some());
        let Some(step) = newest else { return Ok(Vec::new()) };
        let mut made = Vec::new();
        for (number, (_, piece)) in (0..).zip(step.of_kind(PieceKind::Schema)) {
            let spec = PieceSpec { content: None, place: None, ..piece.spec.clone() };
            let mut failed = None;
            for copy in 0..step.copies.len() {
                let Some(reader) = source.reader(step, copy) else { continue };
                match self.put(number, &spec, piece.summary, &|| reader.piece(piece)).await {
                    Ok(stored) => {
                        made.push(stored);
                        failed = None;
                        break;
                    }
                    Err(error) => failed = Some(error),
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
        Ok(made)
    }

    /// A stretch as a piece; `None` where nothing is left in it.
    async fn stretch(&self, number: u64, folded: Result<Folded>) -> Result<Option<StoredPiece>> {
        let Folded { data, records, .. } = folded?;
        if data.is_empty() {
            return Ok(None);
        }
        // Pieces are merged in the order of their names; the content tells whether an earlier attempt had the same.
        let name = format!("merged-{number:012}-{:.16}", Blake3::of(&data).to_string());
        let spec = PieceSpec { bytes: Some(data.len() as u64), ..PieceSpec::new(name, PieceKind::Data) };
        let summary = PieceSummary { records, ..PieceSummary::default() };
        let body = |data: Bytes| -> ByteStream { stream::iter([Ok(data)]).boxed() };
        self.put(number, &spec, summary, &|| body(data.clone())).await.map(Some)
    }

    /// Stores a piece, unless it is there.
    async fn put(
        &self,
        number: u64,
        spec: &PieceSpec,
        summary: PieceSummary,
        body: &(dyn Fn() -> ByteStream + Send + Sync),
    ) -> Result<StoredPiece> {
        if let Some(stored) = self.known().get(&spec.name) {
            return Ok(stored.clone());
        }
        let writer = PieceWriter {
            room: Arc::clone(self.room),
            environment: self.run.repository.environment().clone(),
            storage: Arc::clone(self.run.repository.storage()),
            repository: self.run.repository.id(),
            stack: self.run.request.stack.clone(),
            origin: Origin::Backup(self.begun.backup),
            stem: Key::new(format!("{}data/{number:06}", self.begun.folder))?,
        };
        let pieces = [NumberedPiece { number, spec: spec.clone() }];
        let mut share = self.run.progress.begin();
        let open = |_: PieceSpec| {
            let reader = PieceReader { body: body(), summary: async move { Ok(summary) }.boxed() };
            async move { Ok(reader) }.boxed()
        };
        let written = writer.write(&pieces, open, &mut share).await?;
        // Without its receipt a piece is only stored again by a resume.
        let _ = self.notes.stored(written.pieces.iter()).await;
        let piece = written.pieces.into_iter().next();
        let piece = piece.ok_or_else(|| Error::internal("a piece that was written is not there"))?;
        self.known().insert(spec.name.clone(), piece.clone());
        Ok(piece)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, StoredPiece>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
