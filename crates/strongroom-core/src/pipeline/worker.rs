//! The whole data path behind two calls.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::{FutureExt as _, StreamExt as _};

use super::coder::Stack;
use super::progress::{Progress, Share};
use super::reader::PartReader;
use super::room::Workroom;
use super::task::{ApplyReceipt, ApplyTask, Resolver, StoreReceipt, StoreTask};
use super::writer::{PieceWriter, Written};
use crate::cluster::Applied;
use crate::environment::Environment;
use crate::manifest::StoredPart;
use crate::{ByteStream, Error, Result};

/// Whoever does tasks: this process, a node's agent, a task of a distributed engine. Only the coordinator commits.
///
/// Dropping a future ends its work and leaves nothing that looks complete.
#[async_trait]
pub trait Worker: Debug + Send + Sync + 'static {
    /// Stores pieces. Done twice, it stores twice: each time under names of its own.
    ///
    /// # Errors
    /// Those of cluster, codecs and storage, with the piece's name in front.
    async fn store(&self, task: &StoreTask, progress: &Arc<Progress>) -> Result<StoreReceipt>;

    /// Writes stored pieces into a cluster. Done twice, it is as done once.
    ///
    /// # Errors
    /// As [`Worker::store`]; the error of the last source when none could serve.
    async fn apply(&self, task: &ApplyTask, progress: &Arc<Progress>) -> Result<ApplyReceipt>;
}

/// The worker of this process.
#[derive(Debug, Clone)]
pub struct PieceWorker {
    room: Arc<Workroom>,
    environment: Environment,
    resolver: Arc<dyn Resolver>,
}

impl PieceWorker {
    /// A worker in `room`; `resolver` turns the names in tasks into things.
    #[must_use]
    pub fn new(room: Arc<Workroom>, environment: Environment, resolver: Arc<dyn Resolver>) -> Self {
        Self { room, environment, resolver }
    }

    /// Applies the pieces that are not in `done` yet. The error says whether the source is to blame.
    async fn apply_from(
        &self,
        source: &str,
        task: &ApplyTask,
        progress: &Arc<Progress>,
        done: &mut Vec<(Applied, Arc<Passed>)>,
    ) -> Result<(), (bool, Error)> {
        let cluster = self.resolver.cluster(&task.cluster).await.map_err(|error| (false, error))?;
        let reader = PartReader {
            room: Arc::clone(&self.room),
            storage: self.resolver.storage(source).await.map_err(|error| (true, error))?,
            repository: task.repository,
            codecs: task.codecs.clone(),
            registry: self.resolver.codecs(task.repository).await.map_err(|error| (false, error))?,
        };
        let left = task.pieces.get(done.len()..).unwrap_or_default();
        for (piece, body) in left.iter().zip(reader.pieces(left)) {
            let passed = Arc::new(Passed { share: Mutex::new(progress.begin()), failed: AtomicBool::new(false) });
            let written = cluster
                .write(&task.session, task.step, &task.part, &piece.spec, counted(body, Arc::clone(&passed)))
                .await
                .map_err(|error| {
                    let error = error.within(format!("piece '{}'", piece.spec.name.escape_debug()));
                    (passed.failed.load(Ordering::Relaxed), error)
                })?;
            self.room.pass_records(piece.summary.records).await;
            let mut share = passed.share();
            let length = |part: &StoredPart| part.slice.map_or(part.object.size, |slice| slice.length);
            share.stored(piece.parts.iter().map(length).sum());
            share.piece(piece.plain_bytes, piece.plain_bytes, piece.summary.records);
            drop(share);
            done.push((written, passed));
        }
        Ok(())
    }
}

/// What came out of a stored piece so far.
struct Passed {
    share: Mutex<Share>,
    /// The stream gave an error.
    failed: AtomicBool,
}

impl Passed {
    fn share(&self) -> MutexGuard<'_, Share> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn counted(body: ByteStream, passed: Arc<Passed>) -> ByteStream {
    body.inspect(move |chunk| match chunk {
        Ok(chunk) => passed.share().plain(chunk.len() as u64),
        Err(_) => passed.failed.store(true, Ordering::Relaxed),
    })
    .boxed()
}

#[async_trait]
impl Worker for PieceWorker {
    async fn store(&self, task: &StoreTask, progress: &Arc<Progress>) -> Result<StoreReceipt> {
        let registry = self.resolver.codecs(task.repository).await?;
        let cluster = self.resolver.cluster(&task.cluster).await?;
        let writer = PieceWriter {
            room: Arc::clone(&self.room),
            environment: self.environment.clone(),
            storage: self.resolver.storage(&task.storage).await?,
            repository: task.repository,
            stack: Stack::resolve(&*registry, &task.codecs)?,
            origin: task.origin.clone(),
            stem: task.stem.clone(),
        };
        let mut share = progress.begin();
        let open = |spec| {
            let cluster = Arc::clone(&cluster);
            async move { cluster.read(&spec).await }.boxed()
        };
        let Written { pieces, objects } = writer.write(&task.pieces, open, &mut share).await?;
        share.keep();
        Ok(StoreReceipt { pieces, objects })
    }

    async fn apply(&self, task: &ApplyTask, progress: &Arc<Progress>) -> Result<ApplyReceipt> {
        let mut done = Vec::with_capacity(task.pieces.len());
        let mut failovers = Vec::new();
        let mut sources = task.sources.iter().peekable();
        while let Some(source) = sources.next() {
            match self.apply_from(source, task, progress, &mut done).await {
                Ok(()) => {
                    for (_, passed) in &done {
                        passed.share().keep();
                    }
                    return Ok(ApplyReceipt {
                        applied: done.into_iter().map(|(applied, _)| applied).collect(),
                        failovers,
                    });
                }
                // Writing twice is writing once, so another source may go on where this one failed.
                Err((true, error)) if sources.peek().is_some() => failovers.push(format!("{source}: {error}")),
                Err((_, error)) => return Err(error),
            }
        }
        Err(Error::invalid("a task to write pieces names no source"))
    }
}
