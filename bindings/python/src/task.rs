//! Something that runs and has a result: waited for by threads, or told to an event loop.

use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::sync::MutexExt as _;
use pyo3::{PyClass, PyClassInitializer};
use serde::Serialize;
use strongroom::{Error, Result};
use tokio_util::sync::CancellationToken;

use crate::errors::raise;
use crate::runtime::{Hall, Owned, hall};

/// How often a waiting thread looks whether it was interrupted.
const SIGNALS: Duration = Duration::from_millis(20);

/// A result, given to Python when it is asked for.
pub(crate) type Give = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// A value that Python reads as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<Give> {
    strongroom::calls::json(value).map(text)
}

/// A text.
pub(crate) fn text(text: String) -> Give {
    Box::new(move |py| Ok(text.into_pyobject(py)?.into_any().unbind()))
}

/// Nothing but the end.
pub(crate) fn nothing() -> Give {
    Box::new(|py| Ok(py.None()))
}

/// An object of one of our classes.
pub(crate) fn object<T: PyClass + Into<PyClassInitializer<T>> + Send + 'static>(value: T) -> Give {
    Box::new(move |py| Ok(Py::new(py, value)?.into_any()))
}

/// Something that runs.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Task {
    shared: Arc<Shared>,
    /// What was given. Not among what is shared: the thread that ended the work may let go of that later than Python does.
    given: Mutex<Option<PyResult<Py<PyAny>>>>,
    cancel: Owned<CancellationToken>,
}

struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

enum State {
    Running(Vec<Py<PyAny>>),
    Ended(Result<Give>),
    Given,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_done(&self) -> bool {
        !matches!(*self.state(), State::Running(_))
    }

    fn finish(&self, outcome: Result<Give>) {
        let before = std::mem::replace(&mut *self.state(), State::Ended(outcome));
        self.ended.notify_all();
        let State::Running(callbacks) = before else { return };
        if callbacks.is_empty() {
            return;
        }
        // `None`: the interpreter is gone, and nobody is left to be told.
        let _ = Python::try_attach(|py| {
            for callback in callbacks {
                if let Err(error) = callback.call0(py) {
                    error.write_unraisable(py, Some(callback.bind(py)));
                }
            }
        });
    }
}

impl Task {
    /// Runs `work`.
    ///
    /// # Errors
    /// As [`hall`].
    pub(crate) fn spawn(py: Python<'_>, work: impl Future<Output = Result<Give>> + Send + 'static) -> PyResult<Self> {
        Ok(Self::spawn_in(hall(py)?, work))
    }

    fn spawn_in(hall: &Hall, work: impl Future<Output = Result<Give>> + Send + 'static) -> Self {
        let shared = Arc::new(Shared { state: Mutex::new(State::Running(Vec::new())), ended: Condvar::new() });
        let cancel = hall.closing.child_token();
        let (told, token) = (Arc::clone(&shared), cancel.clone());
        let running = hall.runtime.spawn(async move {
            tokio::select! {
                biased;
                () = token.cancelled() => Err(Error::cancelled("it was cancelled")),
                outcome = work => outcome,
            }
        });
        hall.tracker.spawn_on(
            async move {
                let outcome = running.await;
                let panicked = |error| Err(Error::internal("a call panicked").because(error));
                told.finish(outcome.unwrap_or_else(panicked));
            },
            hall.runtime.handle(),
        );
        Self { shared, given: Mutex::new(None), cancel: Owned::new(cancel) }
    }
}

#[pymethods]
impl Task {
    /// Whether it has ended.
    fn done(&self) -> bool {
        self.shared.is_done()
    }

    /// Asks it to end.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        self.cancel.get(py)?.cancel();
        Ok(())
    }

    /// Waits for its end, at most so many seconds. Says whether it has ended. Raises what a signal handler raises.
    #[pyo3(signature = (seconds = None))]
    fn wait(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<bool> {
        self.cancel.get(py)?;
        let end = seconds.and_then(|seconds| {
            Instant::now().checked_add(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
        });
        loop {
            let left = end.map_or(SIGNALS, |end| end.saturating_duration_since(Instant::now()).min(SIGNALS));
            let shared = &self.shared;
            let done = py.detach(|| {
                let state = shared.state();
                let running = |state: &mut State| matches!(state, State::Running(_));
                drop(shared.ended.wait_timeout_while(state, left, running));
                shared.is_done()
            });
            if done {
                return Ok(true);
            }
            py.check_signals()?;
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(false);
            }
        }
    }

    /// Its result. Raises its error; it must have ended.
    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        // Exceptions are made by Python code, which may let another thread in: that one must not wait attached.
        let mut given = self.given.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let again = |given: &PyResult<Py<PyAny>>| match given {
            Ok(value) => Ok(value.clone_ref(py)),
            Err(error) => Err(error.clone_ref(py)),
        };
        if let Some(given) = &*given {
            return again(given);
        }
        if !self.shared.is_done() {
            return Err(raise(py, &Error::invalid("it has not ended yet").hint("wait for it")));
        }
        let ended = std::mem::replace(&mut *self.shared.state(), State::Given);
        let first = match ended {
            State::Ended(Ok(give)) => give(py),
            State::Ended(Err(error)) => Err(raise(py, &error)),
            State::Running(_) | State::Given => Err(raise(py, &Error::internal("a result is lost"))),
        };
        again(given.insert(first))
    }

    /// Calls `callback` without arguments when it has ended, from any thread; at once if it has ended already.
    fn on_done(&self, py: Python<'_>, callback: Py<PyAny>) -> PyResult<()> {
        {
            let mut state = self.shared.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
            if let State::Running(callbacks) = &mut *state {
                callbacks.push(callback);
                return Ok(());
            }
        }
        callback.call0(py).map(drop)
    }
}
