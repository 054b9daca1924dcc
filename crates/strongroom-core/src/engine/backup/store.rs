//! Moving the pieces of one part to storage, each task by itself, tried again where that may help.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use super::batch::batches;
use super::content::content_name;
use super::note::Notes;
use crate::cluster::PieceSpec;
use crate::codec::{CodecId, CodecRegistry};
use crate::id::{ClusterId, RepositoryId};
use crate::manifest::{Blake3, StoredPart, StoredPiece};
use crate::pipeline::{NumberedPiece, Origin, Progress, Settings, StoreReceipt, StoreTask, Worker};
use crate::repository::{Begun, SharedContent, layout};
use crate::{Error, Key, Result};

/// How often a task is tried while its error says that trying again may help.
const ATTEMPTS: u32 = 4;

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

/// What was found or stored of a part.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// By the number of the piece.
    pub(super) pieces: BTreeMap<u64, StoredPiece>,
    /// Stored bytes of shared content that was there already.
    pub(super) reused_bytes: u64,
    pub(super) warnings: Vec<String>,
}

/// The pieces of a task with their numbers, and what went wrong that does no harm.
type Done = Result<(Vec<(u64, StoredPiece)>, Option<String>)>;

/// A task, and which pieces get its receipt.
enum Task {
    Pack(StoreTask),
    Content { task: StoreTask, name: Blake3, pieces: Vec<NumberedPiece> },
}

impl Yard {
    /// Stores `pieces`, which are none of `stored` yet.
    pub(super) async fn store(
        self: &Arc<Self>,
        begun: &Begun,
        notes: &Notes,
        pieces: Vec<NumberedPiece>,
        stored: &mut Stored,
    ) -> Result<()> {
        let (content, own): (Vec<_>, Vec<_>) = pieces.into_iter().partition(|piece| piece.spec.content.is_some());
        let mut tasks: Vec<Task> = self.content_tasks(content, stored).await?;
        for (number, pieces) in batches(own, &self.settings).into_iter().enumerate() {
            let stem = Key::new(format!("{}data/{number:06}", begun.folder))?;
            tasks.push(Task::Pack(self.task(Origin::Backup(begun.backup), self.codecs.clone(), stem, pieces)));
        }
        let mut running: JoinSet<Done> = JoinSet::new();
        let mut outcome = Ok(());
        for task in tasks {
            let lane = Arc::clone(&self.lanes).acquire_owned().await;
            let lane = lane.map_err(|_| Error::internal("the lanes of a backup are closed"))?;
            while let Some(ended) = running.try_join_next() {
                outcome = outcome.and(take_in(ended, stored));
            }
            if outcome.is_err() {
                break;
            }
            let (yard, notes) = (Arc::clone(self), notes.clone());
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

    /// Looks for content that is there already, and makes a task for each that is not.
    async fn content_tasks(&self, pieces: Vec<NumberedPiece>, stored: &mut Stored) -> Result<Vec<Task>> {
        let mut wanted: BTreeMap<Blake3, Vec<NumberedPiece>> = BTreeMap::new();
        let key = self.registry.content_naming_key();
        for piece in pieces {
            let identity = piece.spec.content.as_deref().unwrap_or_default();
            let name = content_name(key.as_ref(), self.cluster, &self.content_codecs, identity);
            wanted.entry(name).or_default().push(piece);
        }
        let mut tasks = Vec::new();
        for (name, pieces) in wanted {
            let found = match &self.shared {
                Some(shared) => shared.find(&name).await?,
                None => None,
            };
            let Some(first) = pieces.first() else { continue };
            if let Some(part) = found {
                stored.reused_bytes += part.object.size;
                for piece in pieces {
                    self.progress.reuse(piece.spec.bytes.unwrap_or(0), part.plain_bytes, 0);
                    stored.pieces.insert(piece.number, of_content(piece.spec, &part));
                }
                continue;
            }
            let stem = Key::new(format!("{}{name}", layout::content_folder(&name)))?;
            let only = NumberedPiece { number: 0, spec: first.spec.clone() };
            let origin = Origin::Content(name.to_string());
            let task = self.task(origin, self.content_codecs.clone(), stem, vec![only]);
            tasks.push(Task::Content { task, name, pieces });
        }
        Ok(tasks)
    }

    fn task(&self, origin: Origin, codecs: Vec<CodecId>, stem: Key, pieces: Vec<NumberedPiece>) -> StoreTask {
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
        let pieces = match task {
            Task::Pack(task) => {
                let receipt = self.attempt(&task).await?;
                task.pieces.iter().map(|piece| piece.number).zip(receipt.pieces).collect::<Vec<_>>()
            }
            Task::Content { task, name, pieces } => {
                let receipt = self.attempt(&task).await?;
                let (summary, part) = match receipt.pieces.as_slice() {
                    [StoredPiece { parts, summary, .. }] => match parts.as_slice() {
                        [part] => (*summary, part.clone()),
                        _ => return Err(Error::internal("shared content came back in several parts")),
                    },
                    _ => return Err(Error::internal("shared content came back as several pieces")),
                };
                if let Some(shared) = &self.shared {
                    shared.insert(name, part.clone()).await;
                }
                for piece in pieces.iter().skip(1) {
                    self.progress.reuse(piece.spec.bytes.unwrap_or(0), part.plain_bytes, 0);
                }
                let piece =
                    |piece: NumberedPiece| (piece.number, StoredPiece { summary, ..of_content(piece.spec, &part) });
                pieces.into_iter().map(piece).collect()
            }
        };
        let stored: Vec<StoredPiece> = pieces.iter().map(|(_, piece)| piece.clone()).collect();
        // Without its receipt a piece is only stored again by a resume.
        let forgotten = notes.stored(&stored).await.err();
        Ok((pieces, forgotten.map(|error| format!("a receipt could not be stored: {error}"))))
    }

    async fn attempt(&self, task: &StoreTask) -> Result<StoreReceipt> {
        let mut pause = Duration::from_millis(500);
        for _ in 1..ATTEMPTS {
            match self.worker.store(task, &self.progress).await {
                Err(error) if error.kind().is_retryable() => {}
                other => return other.and_then(|receipt| complete(task, receipt)),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.worker.store(task, &self.progress).await.and_then(|receipt| complete(task, receipt))
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

fn of_content(spec: PieceSpec, part: &StoredPart) -> StoredPiece {
    StoredPiece {
        spec,
        summary: crate::cluster::PieceSummary::default(),
        plain_bytes: part.plain_bytes,
        parts: vec![part.clone()],
    }
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
