//! The handle of a job: look at its progress, cancel it, wait for its result.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::environment::Environment;
use crate::pipeline::{Phase, Progress, ProgressSnapshot};
use crate::{Error, Result};

/// A running job. Await it for its result; dropped, it is cancelled.
#[must_use = "a job that is dropped is cancelled"]
pub struct Job<T> {
    name: &'static str,
    progress: Arc<Progress>,
    cancel: CancellationToken,
    task: JoinHandle<Result<T>>,
    on_drop: DropGuard,
}

impl<T: Send + 'static> Job<T> {
    /// Starts a job on the current tokio runtime.
    ///
    /// When it is cancelled, `work` is dropped at its next await point, unless it ends by itself first; all work here
    /// is safe to drop.
    pub fn start<F, W>(name: &'static str, environment: &Environment, work: W) -> Self
    where
        W: FnOnce(Arc<Progress>) -> F,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        Self::start_with_token(name, environment, |progress, token| {
            let work = work(progress);
            async move {
                tokio::select! {
                    biased;
                    () = token.cancelled() => Err(Error::cancelled(format!("the {name} was cancelled"))),
                    outcome = work => outcome,
                }
            }
        })
    }

    /// Starts a job that has something to put in order before it ends: it must look at the token itself, and end with
    /// `Cancelled` soon after that was cancelled.
    pub fn start_with_token<F, W>(name: &'static str, environment: &Environment, work: W) -> Self
    where
        W: FnOnce(Arc<Progress>, CancellationToken) -> F,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let progress = Arc::new(Progress::new(Arc::clone(&environment.clock)));
        let cancel = CancellationToken::new();
        let running = work(Arc::clone(&progress), cancel.clone());
        let counters = Arc::clone(&progress);
        let task = tokio::spawn(async move {
            let outcome = running.await;
            counters.enter(Phase::Over);
            outcome
        });
        let on_drop = cancel.clone().drop_guard();
        Self { name, progress, cancel, task, on_drop }
    }

    /// What it does, in one word: `backup`, `restore`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The counters now.
    #[must_use]
    pub fn progress(&self) -> ProgressSnapshot {
        self.progress.snapshot()
    }

    /// The counters, to be looked at while somebody else waits for the job.
    #[must_use]
    pub fn counters(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Asks the job to end. It ends with `Cancelled` unless it was done already.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// A token that cancels the job, for a signal handler.
    #[must_use]
    pub fn canceller(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// The job's; `Internal` when it panicked.
    pub async fn wait(self) -> Result<T> {
        let outcome = self.task.await;
        drop(self.on_drop);
        outcome.unwrap_or_else(|error| Err(Error::internal(format!("the {} panicked", self.name)).because(error)))
    }
}

impl<T: Send + 'static> IntoFuture for Job<T> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.wait())
    }
}

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job({})", self.name)
    }
}
