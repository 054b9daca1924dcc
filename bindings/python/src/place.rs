//! Storages, opened or by name.

use std::sync::Arc;

use pyo3::prelude::*;
use strongroom::Storage as CoreStorage;
use strongroom::calls::Place as There;

use crate::adapter::Port;
use crate::python_storage::PythonStorage;
use crate::runtime::Owned;

/// A storage.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Storage {
    storage: Owned<Arc<dyn CoreStorage>>,
}

impl Storage {
    pub(crate) fn new(storage: Arc<dyn CoreStorage>) -> Self {
        Self { storage: Owned::new(storage) }
    }

    pub(crate) fn opened(&self, py: Python<'_>) -> PyResult<Arc<dyn CoreStorage>> {
        self.storage.get(py).cloned()
    }
}

#[pymethods]
impl Storage {
    /// A storage written in Python: see `strongroom._adapters`.
    #[staticmethod]
    fn of(port: Py<PyAny>) -> Self {
        Self::new(Arc::new(PythonStorage(Arc::new(Port::new(port)))))
    }
}

/// A storage that is opened, or where it is.
#[derive(FromPyObject)]
pub(crate) enum Place<'py> {
    /// By name or URL.
    #[pyo3(transparent)]
    Named(String),
    /// Opened.
    #[pyo3(transparent)]
    Opened(Bound<'py, Storage>),
}

impl Place<'_> {
    /// The same, away from Python.
    pub(crate) fn there(self, py: Python<'_>) -> PyResult<There> {
        Ok(match self {
            Self::Named(name) => There::Named(name),
            Self::Opened(storage) => There::Opened(storage.get().opened(py)?),
        })
    }
}

/// Opened, if there is one.
pub(crate) fn maybe(py: Python<'_>, place: Option<Place<'_>>) -> PyResult<Option<There>> {
    place.map(|place| place.there(py)).transpose()
}

/// An address without its secrets, to be shown.
#[pyfunction]
pub(crate) fn redact(place: &str) -> String {
    strongroom::storage::redact_url(place)
}
