//! Where everything begins: the profiles, and opening things by name or URL.

use std::path::PathBuf;

use pyo3::prelude::*;
use strongroom::calls::Calls;
use strongroom::codec::keys::new_key_text;
use strongroom::profile::Profiles;
use strongroom::{Access, Error, Result, Strongroom};
use tokio::task::spawn_blocking;

use crate::cluster::Cluster;
use crate::errors::raise;
use crate::place::{Place, Storage};
use crate::python_codec::Codec;
use crate::repository::Repository;
use crate::runtime::Owned;
use crate::task::{Give, Task, object};

/// Profiles, and what is opened with them.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Session {
    strongroom: Owned<Strongroom>,
}

#[pymethods]
impl Session {
    /// With the profiles of a file, or without any, and with codecs written in Python.
    #[new]
    #[pyo3(signature = (profiles = None, codecs = Vec::new()))]
    fn new(py: Python<'_>, profiles: Option<PathBuf>, codecs: Vec<PyRef<'_, Codec>>) -> PyResult<Self> {
        let mut strongroom = Strongroom::new();
        if let Some(path) = profiles {
            let read = py.detach(|| Profiles::read(&path));
            strongroom = strongroom.with_profiles(read.map_err(|error| raise(py, &error))?);
        }
        for codec in codecs {
            strongroom = strongroom.with_codec(codec.opened(py)?).map_err(|error| raise(py, &error))?;
        }
        Ok(Self { strongroom: Owned::new(strongroom) })
    }

    /// Makes a repository, with reader keys by name.
    fn init(&self, py: Python<'_>, place: Place<'_>, codecs: Option<String>, keys: Vec<String>) -> PyResult<Task> {
        let made = Calls::init(self.strongroom.get(py)?.clone(), place.there(py)?, codecs, keys);
        Task::spawn(py, async move { Ok(object(Repository::new(made.await?))) })
    }

    /// Opens a repository; `keys` are those of its profile where none is named.
    fn repository(
        &self,
        py: Python<'_>,
        place: Place<'_>,
        codecs: Option<String>,
        keys: Vec<String>,
    ) -> PyResult<Task> {
        let opened = Calls::open(self.strongroom.get(py)?.clone(), place.there(py)?, codecs, keys);
        Task::spawn(py, async move { Ok(object(Repository::new(opened.await?))) })
    }

    /// Opens a cluster: `access` is `read`, `write` or `create`, which concerns embedded ones.
    fn cluster(&self, py: Python<'_>, name: String, access: &str) -> PyResult<Task> {
        let strongroom = self.strongroom.get(py)?.clone();
        let access = match access {
            "read" => Access::Read,
            "write" => Access::Write,
            "create" => Access::Create,
            other => return Err(raise(py, &Error::invalid(format!("access '{other}'")))),
        };
        // Opening an embedded one reads its whole file.
        blocking(py, move || {
            let opened = if strongroom.embedded_path(&name)?.is_some() {
                Cluster::embedded(strongroom.embedded(&name, access)?)
            } else {
                Cluster::new(strongroom.cluster(&name)?)
            };
            Ok(object(opened))
        })
    }

    /// Opens a storage.
    fn storage(&self, py: Python<'_>, name: &str) -> PyResult<Storage> {
        let opened = self.strongroom.get(py)?.storage(name).map_err(|error| raise(py, &error))?;
        Ok(Storage::new(opened))
    }

    /// The text of a new key.
    fn new_key(&self, py: Python<'_>) -> PyResult<String> {
        let text = new_key_text(&*self.strongroom.get(py)?.environment().entropy);
        Ok(text.map_err(|error| raise(py, &error))?.to_string())
    }
}

/// Runs work that waits for files where it may.
pub(crate) fn blocking(py: Python<'_>, work: impl FnOnce() -> Result<Give> + Send + 'static) -> PyResult<Task> {
    Task::spawn(py, async move {
        let outcome = spawn_blocking(work).await;
        outcome.unwrap_or_else(|error| Err(Error::internal("a call panicked").because(error)))
    })
}
