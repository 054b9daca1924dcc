//! Repositories: each method begins a job or a call of the façade.

use std::collections::BTreeSet;
use std::future::Future;

use pyo3::prelude::*;
use serde::de::DeserializeOwned;
use strongroom::Result;
use strongroom::calls::{Calls, Restoring};
use strongroom::core::id::BackupId;
use strongroom::options;

use crate::cluster::{Cluster, Party};
use crate::errors::raise;
use crate::job::Job;
use crate::place::{Place, maybe};
use crate::runtime::Owned;
use crate::task::{Task, object, text};

/// An open repository.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Repository {
    calls: Owned<Calls>,
}

impl Repository {
    pub(crate) fn new(calls: Calls) -> Self {
        Self { calls: Owned::new(calls) }
    }

    fn calls(&self, py: Python<'_>) -> PyResult<Calls> {
        self.calls.get(py).cloned()
    }

    /// A question, and its options.
    fn ask<O: DeserializeOwned, F: Future<Output = Result<String>> + Send + 'static>(
        &self,
        py: Python<'_>,
        options: &str,
        call: impl FnOnce(Calls, O) -> F,
    ) -> PyResult<Task> {
        let answer = call(self.calls(py)?, read(py, options)?);
        Task::spawn(py, async move { Ok(text(answer.await?)) })
    }
}

/// Options from JSON.
fn read<T: DeserializeOwned>(py: Python<'_>, text: &str) -> PyResult<T> {
    options::read(text).map_err(|error| raise(py, &error))
}

#[pymethods]
impl Repository {
    /// What it is, as JSON.
    fn info(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.calls.get(py)?.info())
    }

    /// Its backups.
    fn list(&self, py: Python<'_>, of: &str) -> PyResult<Task> {
        self.ask(py, of, Calls::catalogue)
    }

    /// The clusters whose backups are here.
    fn clusters(&self, py: Python<'_>) -> PyResult<Task> {
        let answer = self.calls(py)?.clusters();
        Task::spawn(py, async move { Ok(text(answer.await?)) })
    }

    /// A plan.
    fn plan(&self, py: Python<'_>, choice: &str) -> PyResult<Task> {
        self.ask(py, choice, Calls::plan)
    }

    /// Why a plan is as it is: `[explanation, its text]`.
    fn explain(&self, py: Python<'_>, choice: &str) -> PyResult<Task> {
        self.ask(py, choice, Calls::explain)
    }

    /// Whether a moment can be restored: `[check, its text]`.
    fn check(&self, py: Python<'_>, choice: &str) -> PyResult<Task> {
        self.ask(py, choice, Calls::check)
    }

    /// Which moments can be restored: `[windows, their text]`.
    fn windows(&self, py: Python<'_>, of: &str) -> PyResult<Task> {
        self.ask(py, of, Calls::windows)
    }

    /// Sets pins or holds.
    fn pin(&self, py: Python<'_>, pinning: &str) -> PyResult<Task> {
        self.ask(py, pinning, Calls::pin)
    }

    /// Takes pins or holds off: gives those that were.
    fn unpin(&self, py: Python<'_>, backups: &str, hold: bool, by: String) -> PyResult<Task> {
        self.ask(py, backups, |calls, backups: BTreeSet<BackupId>| calls.unpin(backups, hold, by))
    }

    /// Begins a backup.
    fn backup(&self, py: Python<'_>, cluster: Party<'_>, options: &str, codecs: Option<String>) -> PyResult<Job> {
        Job::begin(py, "backup", self.calls(py)?.backup(cluster.found(py)?, read(py, options)?, codecs))
    }

    /// Goes on with an interrupted backup.
    fn resume(&self, py: Python<'_>, cluster: Party<'_>, options: &str, codecs: Option<String>) -> PyResult<Job> {
        Job::begin(py, "backup", self.calls(py)?.resume(cluster.found(py)?, read(py, options)?, codecs))
    }

    /// Begins a restore of a plan, or of what is chosen. Nothing of the target is made before there is a plan.
    #[expect(clippy::too_many_arguments, reason = "the Python half names each")]
    fn restore(
        &self,
        py: Python<'_>,
        into: Party<'_>,
        plan: Option<String>,
        choice: &str,
        options: &str,
        journal: Option<Place<'_>>,
        staging: Option<Place<'_>>,
    ) -> PyResult<Job> {
        let (journal, staging) = (maybe(py, journal)?, maybe(py, staging)?);
        let restoring = Restoring { into: into.found(py)?, plan, journal, staging };
        Job::begin(py, "restore", self.calls(py)?.restore(restoring, read(py, choice)?, read(py, options)?))
    }

    /// Restores what is chosen into a file of its own, to be looked into. Cancelled, it leaves nothing.
    fn inspect(&self, py: Python<'_>, choice: &str, pace: &str) -> PyResult<Task> {
        let restored = self.calls(py)?.inspect(read(py, choice)?, read(py, pace)?);
        Task::spawn(py, async move { Ok(object(Cluster::inspected(restored.await?))) })
    }

    /// Begins a check.
    fn verify(&self, py: Python<'_>, options: &str) -> PyResult<Job> {
        Job::begin(py, "verify", self.calls(py)?.verify(read(py, options)?))
    }

    /// Begins a copy.
    fn copy(&self, py: Python<'_>, to: Place<'_>, options: &str) -> PyResult<Job> {
        Job::begin(py, "copy", self.calls(py)?.copy(to.there(py)?, read(py, options)?))
    }

    /// Begins a prune by a policy.
    fn prune(&self, py: Python<'_>, options: &str) -> PyResult<Job> {
        Job::begin(py, "prune", self.calls(py)?.prune(read(py, options)?))
    }

    /// Begins to delete backups by their ids.
    fn delete(&self, py: Python<'_>, options: &str) -> PyResult<Job> {
        Job::begin(py, "prune", self.calls(py)?.delete(read(py, options)?))
    }

    /// Begins to merge a chain into a new base.
    fn synthesize(&self, py: Python<'_>, options: &str, codecs: Option<String>) -> PyResult<Job> {
        Job::begin(py, "synthesize", self.calls(py)?.synthesize(read(py, options)?, codecs))
    }
}
