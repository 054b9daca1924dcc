//! Moving the pieces of one part to storage, each task by itself, tried again where that may help.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use super::batch::batches;
use super::content::content_name;
use super::note::Notes;
use crate::cluster::{PieceSpec, PieceSummary};
use crate::codec::{CodecId, CodecRegistry};
use crate::engine::attempt::attempt;
use crate::id::{ClusterId, RepositoryId};
use crate::manifest::{Blake3, StoredPart, StoredPiece};
use crate::pipeline::{NumberedPiece, Origin, Progress, Settings, StoreReceipt, StoreTask, Worker};
use crate::repository::{Begun, SharedContent, layout};
use crate::{Error, Key, Result};

/// What all parts of a run share.
#[derive(Debug)]
pub(super) struct Yard {
    pub(super) worker: Arc<dyn Worker>,
    pub(super) storage: String,
    pub(super) cluster_name: String,
    pub(super) cluster: ClusterId,
    pub(super) repository: RepositoryId,
    pub(super) registry: Arc<dyn CodecRegistry>,
    pub(super) codecs: Vec<CodecId>,
    pub(super) content_codecs: Vec<CodecId>,
    pub(super) settings: Settings,
    pub(super) progress: Arc<Progress>,
    /// Tasks at work, of all parts together.
    pub(super) lanes: Arc<Semaphore>,
    pub(super) shared: Option<Arc<SharedContent>>,
}

/// What rests on storage of a piece; the piece itself is known by its number.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) summary: PieceSummary,
    pub(super) plain_bytes: u64,
    pub(super) parts: Vec<StoredPart>,
}

impl Kept {
    /// As a line of the list of pieces.
    pub(super) fn of(&self, spec: &PieceSpec) -> StoredPiece {
        let Self { summary, plain_bytes, parts } = self.clone();
        StoredPiece { spec: spec.clone(), summary, plain_bytes, parts }
    }
}

impl From<StoredPiece> for Kept {
    fn from(piece: StoredPiece) -> Self {
        Self { summary: piece.summary, plain_bytes: piece.plain_bytes, parts: piece.parts }
    }
}

/// What was found or stored of a part.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// By the number of the piece.
    pub(super) pieces: BTreeMap<u64, Kept>,
    /// Stored bytes of shared content that was there already.
    pub(super) reused_bytes: u64,
    pub(super) warnings: Vec<String>,
}

/// Which pieces are stored together. Tasks are made of it one by one: they copy what they name.
enum Planned {
    Pack { stem: Key, pieces: Vec<u64> },
    Content { name: Blake3, pieces: Vec<u64> },
}

/// A task, and which pieces get its receipt.
enum Task {
    Pack(StoreTask),
    Content { task: StoreTask, name: Blake3, pieces: Vec<NumberedPiece> },
}

/// The pieces of a task with their numbers, and what went wrong that does no harm.
type Done = Result<(Vec<(u64, Kept)>, Option<String>)>;

impl Yard {
    /// Stores those of `specs` that are not in `stored` yet.
    pub(super) async fn store(
        self: &Arc<Self>,
        begun: &Begun,
        notes: &Notes,
        specs: &[PieceSpec],
        stored: &mut Stored,
    ) -> Result<()> {
        let missing = (0..).zip(specs).filter(|(number, _)| !stored.pieces.contains_key(number));
        let (content, own): (Vec<_>, Vec<_>) = missing.partition(|(_, spec)| spec.content.is_some());
        let own: Vec<u64> = own.into_iter().map(|(number, _)| number).collect();
        let mut planned = self.content(content, stored).await?;
        for (number, pieces) in batches(&own, specs, &self.settings).into_iter().enumerate() {
            planned.push(Planned::Pack { stem: Key::new(format!("{}data/{number:06}", begun.folder))?, pieces });
        }
        let mut running: JoinSet<Done> = JoinSet::new();
        let mut outcome = Ok(());
        for planned in planned {
            let lane = Arc::clone(&self.lanes).acquire_owned().await;
            let lane = lane.map_err(|_| Error::internal("the lanes of a backup are closed"))?;
            while let Some(ended) = running.try_join_next() {
                outcome = outcome.and(take_in(ended, stored));
            }
            if outcome.is_err() {
                break;
            }
            let (yard, notes, task) = (Arc::clone(self), notes.clone(), self.task(planned, begun, specs)?);
            running.spawn(async move {
                let _lane = lane;
                yard.run(task, &notes).await
            });
        }
        // After an error nothing new is begun, but what is at work is ended: a resume need not send it again.
        while let Some(ended) = running.join_next().await {
            outcome = outcome.and(take_in(ended, stored));
        }
        outcome
    }

    /// Looks for content that is there already, and plans what is not.
    async fn content(&self, pieces: Vec<(u64, &PieceSpec)>, stored: &mut Stored) -> Result<Vec<Planned>> {
        let mut wanted: BTreeMap<Blake3, Vec<(u64, &PieceSpec)>> = BTreeMap::new();
        let key = self.registry.content_naming_key();
        for (number, spec) in pieces {
            let identity = spec.content.as_deref().unwrap_or_default();
            let name = content_name(key.as_ref(), self.cluster, &self.content_codecs, identity);
            wanted.entry(name).or_default().push((number, spec));
        }
        let mut planned = Vec::new();
        for (name, pieces) in wanted {
            let found = match &self.shared {
                Some(shared) => shared.find(&name).await?,
                None => None,
            };
            let Some(part) = found else {
                planned.push(Planned::Content { name, pieces: pieces.into_iter().map(|(number, _)| number).collect() });
                continue;
            };
            stored.reused_bytes += part.object.size;
            for (number, spec) in pieces {
                self.progress.reuse(spec.bytes.unwrap_or(0), part.plain_bytes, 0);
                stored.pieces.insert(number, of_content(PieceSummary::default(), &part));
            }
        }
        Ok(planned)
    }

    fn task(&self, planned: Planned, begun: &Begun, specs: &[PieceSpec]) -> Result<Task> {
        let numbered = |number: u64| {
            let spec = usize::try_from(number).ok().and_then(|number| specs.get(number));
            let spec = spec.ok_or_else(|| Error::internal("a task names a piece that is not there"))?;
            Ok(NumberedPiece { number, spec: spec.clone() })
        };
        let (origin, codecs, stem, pieces) = match planned {
            Planned::Pack { stem, pieces } => {
                let pieces = pieces.into_iter().map(numbered).collect::<Result<_>>()?;
                return Ok(Task::Pack(self.store_task(
                    Origin::Backup(begun.backup),
                    self.codecs.clone(),
                    stem,
                    pieces,
                )));
            }
            Planned::Content { name, pieces } => {
                let stem = Key::new(format!("{}{name}", layout::content_folder(&name)))?;
                (name, self.content_codecs.clone(), stem, pieces)
            }
        };
        let pieces: Vec<NumberedPiece> = pieces.into_iter().map(numbered).collect::<Result<_>>()?;
        let first = pieces.first().ok_or_else(|| Error::internal("content without a piece"))?;
        let only = vec![NumberedPiece { number: 0, spec: first.spec.clone() }];
        let task = self.store_task(Origin::Content(origin.to_string()), codecs, stem, only);
        Ok(Task::Content { task, name: origin, pieces })
    }

    fn store_task(&self, origin: Origin, codecs: Vec<CodecId>, stem: Key, pieces: Vec<NumberedPiece>) -> StoreTask {
        StoreTask {
            storage: self.storage.clone(),
            cluster: self.cluster_name.clone(),
            repository: self.repository,
            codecs,
            origin,
            stem,
            pieces,
        }
    }

    /// Does a task, remembers it, and gives the pieces with their numbers.
    async fn run(&self, task: Task, notes: &Notes) -> Done {
        let pieces: Vec<(u64, StoredPiece)> = match task {
            Task::Pack(task) => {
                let receipt = self.attempt(&task).await?;
                task.pieces.iter().map(|piece| piece.number).zip(receipt.pieces).collect()
            }
            Task::Content { task, name, pieces } => {
                let receipt = self.attempt(&task).await?;
                let [StoredPiece { parts, summary, .. }] = receipt.pieces.as_slice() else {
                    return Err(Error::internal("shared content came back as several pieces"));
                };
                let [part] = parts.as_slice() else {
                    return Err(Error::internal("shared content came back in several parts"));
                };
                if let Some(shared) = &self.shared {
                    shared.insert(name, part.clone()).await;
                }
                for piece in pieces.iter().skip(1) {
                    self.progress.reuse(piece.spec.bytes.unwrap_or(0), part.plain_bytes, 0);
                }
                let kept = of_content(*summary, part);
                pieces.into_iter().map(|piece| (piece.number, kept.of(&piece.spec))).collect()
            }
        };
        // Without its receipt a piece is only stored again by a resume.
        let forgotten = notes.stored(pieces.iter().map(|(_, piece)| piece)).await.err();
        let pieces = pieces.into_iter().map(|(number, piece)| (number, piece.into())).collect();
        Ok((pieces, forgotten.map(|error| format!("a receipt could not be stored: {error}"))))
    }

    async fn attempt(&self, task: &StoreTask) -> Result<StoreReceipt> {
        attempt(|| self.worker.store(task, &self.progress)).await.and_then(|receipt| complete(task, receipt))
    }
}

/// A receipt comes from another process, perhaps: it must be for the pieces of the task.
fn complete(task: &StoreTask, receipt: StoreReceipt) -> Result<StoreReceipt> {
    let same = |(piece, stored): (&NumberedPiece, &StoredPiece)| piece.spec.name == stored.spec.name;
    if task.pieces.len() == receipt.pieces.len() && task.pieces.iter().zip(&receipt.pieces).all(same) {
        Ok(receipt)
    } else {
        Err(Error::internal("a worker's receipt is for other pieces than its task"))
    }
}

fn of_content(summary: PieceSummary, part: &StoredPart) -> Kept {
    Kept { summary, plain_bytes: part.plain_bytes, parts: vec![part.clone()] }
}

fn take_in(ended: Result<Done, JoinError>, stored: &mut Stored) -> Result<()> {
    let ended = ended.map_err(|error| Error::internal("storing a piece panicked").because(error))?;
    let (pieces, warning) = ended?;
    stored.pieces.extend(pieces);
    // One such warning says it all.
    if stored.warnings.is_empty() {
        stored.warnings.extend(warning);
    }
    Ok(())
}
