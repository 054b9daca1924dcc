//! The one runtime of the process, and its end.
//!
//! Threads do not survive a fork: a process that was forked after the runtime began gets an error instead of waiting for
//! threads that are not there.

use std::sync::OnceLock;
use std::time::Duration;

use pyo3::prelude::*;
use strongroom::core::ErrorKind;
use strongroom::{Error, Result};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::errors::raise;

/// What runs in this process.
pub(crate) struct Hall {
    pub(crate) runtime: Runtime,
    pub(crate) tracker: TaskTracker,
    /// Cancelled when the interpreter ends.
    pub(crate) closing: CancellationToken,
    process: u32,
}

static HALL: OnceLock<Result<Hall, (ErrorKind, String)>> = OnceLock::new();

fn begin() -> Result<Hall, (ErrorKind, String)> {
    let runtime = Builder::new_multi_thread().enable_all().thread_name("strongroom").build();
    let runtime = runtime.map_err(|error| (ErrorKind::Unavailable, format!("no threads can be had: {error}")))?;
    let (tracker, closing) = (TaskTracker::new(), CancellationToken::new());
    Ok(Hall { runtime, tracker, closing, process: std::process::id() })
}

/// The runtime of this process.
///
/// # Errors
/// `Unsupported` after a fork, `Cancelled` once the interpreter ends.
pub(crate) fn hall(py: Python<'_>) -> PyResult<&'static Hall> {
    let hall = HALL.get_or_init(begin).as_ref().map_err(|(kind, what)| raise(py, &Error::new(*kind, what)))?;
    if hall.process != std::process::id() {
        return Err(forked(py));
    }
    if hall.closing.is_cancelled() {
        return Err(raise(py, &Error::cancelled("the interpreter is ending: nothing can be begun any more")));
    }
    Ok(hall)
}

fn forked(py: Python<'_>) -> PyErr {
    let error =
        Error::unsupported("this process was forked after strongroom had begun to work, and its threads are gone");
    raise(py, &error.hint("start processes with 'spawn' or 'forkserver', or use strongroom only after the fork"))
}

/// Something of the process that made it. A forked child neither uses nor drops it: what it holds may have been locked by
/// a thread that the child does not have.
pub(crate) struct Owned<T> {
    value: Option<T>,
    process: u32,
}

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Some(value), process: std::process::id() }
    }

    pub(crate) fn get_mut(&mut self, py: Python<'_>) -> PyResult<&mut T> {
        self.value.as_mut().filter(|_| self.process == std::process::id()).ok_or_else(|| forked(py))
    }

    pub(crate) fn get(&self, py: Python<'_>) -> PyResult<&T> {
        self.value.as_ref().filter(|_| self.process == std::process::id()).ok_or_else(|| forked(py))
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            std::mem::forget(self.value.take());
        }
    }
}

/// Cancels everything and waits until it has ended, at most so many seconds. Nothing can be begun afterwards. Says
/// whether everything has ended.
#[pyfunction]
pub(crate) fn close(py: Python<'_>, seconds: f64) -> bool {
    let Some(Ok(hall)) = HALL.get() else { return true };
    if hall.process != std::process::id() {
        return true;
    }
    hall.closing.cancel();
    hall.tracker.close();
    let most = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    py.detach(|| hall.runtime.block_on(async { tokio::time::timeout(most, hall.tracker.wait()).await.is_ok() }))
}
