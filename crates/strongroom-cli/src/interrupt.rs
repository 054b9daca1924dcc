//! Ctrl-C and SIGTERM: the first asks the running job to end in order, the second ends the program.

use std::sync::{Arc, Mutex, PoisonError};

use strongroom::{Error, Result};
use tokio_util::sync::CancellationToken;

use crate::output::CANCELLED;

/// Who is told of a signal: the job that runs, if one does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    running: Arc<Mutex<Option<CancellationToken>>>,
}

impl Interrupt {
    /// Listens from now on. A signal while no job runs ends the program: nothing is to be put in order then.
    ///
    /// # Errors
    /// When the system gives no signals.
    pub(crate) fn listen() -> Result<Self> {
        let interrupt = Self::default();
        let mut signals = Signals::new().map_err(|error| Error::from(error).within("signals"))?;
        let told = interrupt.clone();
        tokio::spawn(async move {
            signals.next().await;
            if let Some(job) = told.job() {
                job.cancel();
                signals.next().await;
            }
            std::process::exit(CANCELLED.into());
        });
        Ok(interrupt)
    }

    /// A signal cancels `job` until the guard is dropped.
    pub(crate) fn watch(&self, job: CancellationToken) -> Watched<'_> {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
        Watched { interrupt: self }
    }

    fn job(&self) -> Option<CancellationToken> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// While it lives, a signal cancels the job.
#[derive(Debug)]
pub(crate) struct Watched<'a> {
    interrupt: &'a Interrupt,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        *self.interrupt.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
