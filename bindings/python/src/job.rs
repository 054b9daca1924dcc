//! Jobs, as Python holds them: the façade's handle.

use std::future::Future;
use std::sync::Arc;

use pyo3::prelude::*;
use strongroom::core::engine::Job as CoreJob;
use strongroom::core::pipeline::ProgressSnapshot;
use strongroom::handle::Report;
use strongroom::{JobHandle, Result};
use tokio::sync::Mutex;

use crate::errors::raise;
use crate::runtime::{Owned, hall};
use crate::task::{Task, json, nothing};

/// A report as JSON, and an exception.
type Outcome = (Option<String>, Option<Py<PyAny>>);

/// A running job. When nothing holds it any more it is cancelled.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Job {
    handle: Owned<JobHandle>,
}

impl Job {
    /// Begins a job.
    ///
    /// # Errors
    /// As [`hall`].
    pub(crate) fn begin<T: Report>(
        py: Python<'_>,
        name: &'static str,
        work: impl Future<Output = Result<CoreJob<T>>> + Send + 'static,
    ) -> PyResult<Self> {
        let hall = hall(py)?;
        let within = hall.runtime.enter();
        let handle = JobHandle::begin(name, work);
        drop(within);
        let (ended, again, token) = (handle.wait(), handle.wait(), handle.canceller());
        hall.tracker.spawn_on(
            async move {
                tokio::select! {
                    () = hall.closing.cancelled() => token.cancel(),
                    _ = ended => return,
                }
                again.await;
            },
            hall.runtime.handle(),
        );
        Ok(Self { handle: Owned::new(handle) })
    }
}

#[pymethods]
impl Job {
    /// What it does, in one word.
    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(self.handle.get(py)?.name())
    }

    /// Whether it has ended.
    fn done(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.handle.get(py)?.ended().is_some())
    }

    /// Asks it to end.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.get(py)?.cancel();
        Ok(())
    }

    /// The counters, as JSON.
    fn progress(&self, py: Python<'_>) -> PyResult<String> {
        written(py, &self.handle.get(py)?.progress())
    }

    /// Ends when the job has. It does not keep the job.
    fn ended(&self, py: Python<'_>) -> PyResult<Task> {
        let ended = self.handle.get(py)?.wait();
        Task::spawn(py, async move {
            ended.await;
            Ok(nothing())
        })
    }

    /// Its report as JSON, and its error; both where something of it failed and the rest was done. `None` while it runs.
    fn outcome(&self, py: Python<'_>) -> PyResult<Option<Outcome>> {
        Ok(self.handle.get(py)?.ended().map(|ended| {
            let error = ended.error.as_ref().map(|error| raise(py, error).into_value(py).into_any());
            (ended.report.clone(), error)
        }))
    }

    /// Its events from now on.
    fn events(&self, py: Python<'_>) -> PyResult<Events> {
        let handle = Owned::new(self.handle.get(py)?.clone());
        Ok(Events { handle, last: Arc::new(Mutex::new(None)) })
    }
}

/// The events of a job, for one listener.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Events {
    handle: Owned<JobHandle>,
    last: Arc<Mutex<Option<ProgressSnapshot>>>,
}

#[pymethods]
impl Events {
    /// Ends with the next event as JSON, or with `None` after the last one.
    fn next(&self, py: Python<'_>) -> PyResult<Task> {
        let (handle, last) = (self.handle.get(py)?.clone(), Arc::clone(&self.last));
        Task::spawn(py, async move {
            let mut last = last.lock().await;
            match handle.changed(last.as_ref()).await {
                Some(event) => {
                    *last = Some(event);
                    json(&event)
                }
                None => Ok(nothing()),
            }
        })
    }
}

fn written(py: Python<'_>, progress: &ProgressSnapshot) -> PyResult<String> {
    serde_json::to_string(progress)
        .map_err(|error| raise(py, &strongroom::Error::internal("counters can't be written as JSON").because(error)))
}
