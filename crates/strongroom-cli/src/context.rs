//! What every command works with: where results go, the profiles, and how a job is waited for.

use std::path::PathBuf;
use std::pin::pin;

use strongroom::profile::Profiles;
use strongroom::{Error, Job, Result, Strongroom};
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress::Display;

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where results go.
    pub output: Output,
    config: Option<PathBuf>,
    interrupt: Interrupt,
}

impl Context {
    pub(crate) fn new(output: Output, config: Option<PathBuf>, interrupt: Interrupt) -> Self {
        Self { output, config, interrupt }
    }

    /// The library, with the profiles. Read when it is asked for, so that a command which needs none works beside a
    /// broken file.
    ///
    /// # Errors
    /// As [`Profiles::read_or_default`].
    pub(crate) fn strongroom(&self) -> Result<Strongroom> {
        Ok(Strongroom::new().with_profiles(Profiles::read_or_default(self.config.as_deref())?))
    }

    /// Waits for a job and shows its progress. A signal cancels it; then it puts things in order and ends.
    ///
    /// # Errors
    /// The job's.
    pub(crate) async fn wait<T: Send + 'static>(&self, job: Job<T>) -> Result<T> {
        let show = self.output.progress();
        let display = Display::new(job.name(), show);
        let (counters, cancelled) = (job.counters(), job.canceller());
        let _watched = self.interrupt.watch(cancelled.clone());
        let mut ticks = interval_at(Instant::now() + show.period(), show.period());
        let mut told = false;
        let mut outcome = pin!(job.wait());
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut outcome => break outcome,
                () = cancelled.cancelled(), if !told => {
                    told = true;
                    display.line("cancelled: putting things in order; once more ends the program at once");
                }
                _ = ticks.tick() => display.show(&counters.snapshot()),
            }
        };
        display.end(&counters.snapshot(), outcome.is_ok());
        outcome
    }

    /// Does work that blocks on a thread of its own, so that a signal can end the command and what it made is cleaned
    /// away: the caller's guards are dropped, as after any error.
    ///
    /// # Errors
    /// The work's; `Cancelled` after a signal.
    pub(crate) async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let cancelled = CancellationToken::new();
        let _watched = self.interrupt.watch(cancelled.clone());
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(Error::cancelled("the command was cancelled")),
            outcome = tokio::task::spawn_blocking(work) => {
                outcome.unwrap_or_else(|error| Err(Error::internal("the command panicked").because(error)))
            }
        }
    }
}
