//! Clusters, opened or by name.

use std::sync::Arc;

use pyo3::prelude::*;
use strongroom::calls::Party as Found;
use strongroom::embedded::EmbeddedCluster;
use strongroom::inspect::Inspection;
use strongroom::{Cluster as CoreCluster, Error};

use crate::adapter::Port;
use crate::embedded::Records;
use crate::errors::raise;
use crate::python_cluster::{PythonCluster, from_json};
use crate::runtime::Owned;
use crate::task::{Task, json};

/// A cluster.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Cluster {
    held: Owned<Held>,
}

/// A cluster, and the embedded one that it is.
struct Held {
    cluster: Arc<dyn CoreCluster>,
    embedded: Option<EmbeddedCluster>,
    /// Holds the file of a state that is looked into.
    _inspection: Option<Inspection>,
}

impl Cluster {
    pub(crate) fn new(cluster: Arc<dyn CoreCluster>) -> Self {
        Self { held: Owned::new(Held { cluster, embedded: None, _inspection: None }) }
    }

    pub(crate) fn opened(&self, py: Python<'_>) -> PyResult<Arc<dyn CoreCluster>> {
        Ok(Arc::clone(&self.held.get(py)?.cluster))
    }

    pub(crate) fn embedded(cluster: EmbeddedCluster) -> Self {
        Self {
            held: Owned::new(Held { cluster: Arc::new(cluster.clone()), embedded: Some(cluster), _inspection: None }),
        }
    }

    /// The state of a repository; its file goes when nothing holds this any more.
    pub(crate) fn inspected(inspection: Inspection) -> Self {
        let cluster = inspection.cluster().clone();
        Self {
            held: Owned::new(Held {
                cluster: Arc::new(cluster.clone()),
                embedded: Some(cluster),
                _inspection: Some(inspection),
            }),
        }
    }
}

#[pymethods]
impl Cluster {
    /// A cluster written in Python, with what it can do as JSON: see `strongroom._adapters`.
    #[staticmethod]
    fn of(py: Python<'_>, port: Py<PyAny>, capabilities: &str) -> PyResult<Self> {
        let capabilities = from_json("capabilities", capabilities).map_err(|error| raise(py, &error))?;
        Ok(Self::new(Arc::new(PythonCluster { port: Arc::new(Port::new(port)), capabilities })))
    }

    /// Who it is and what it holds, as JSON.
    fn describe(&self, py: Python<'_>) -> PyResult<Task> {
        let cluster = Arc::clone(&self.held.get(py)?.cluster);
        Task::spawn(py, async move { json(&cluster.describe().await?) })
    }

    /// What it can do, as JSON.
    fn capabilities(&self, py: Python<'_>) -> PyResult<Task> {
        let cluster = Arc::clone(&self.held.get(py)?.cluster);
        Task::spawn(py, async move { json(&cluster.capabilities()) })
    }

    /// Its records, which only an embedded one gives.
    fn records(&self, py: Python<'_>) -> PyResult<Records> {
        let embedded = self.held.get(py)?.embedded.clone().ok_or_else(|| {
            let error = Error::unsupported("only an embedded cluster is written and read record by record");
            raise(py, &error.hint("use the database's own client"))
        })?;
        Ok(Records::new(embedded))
    }

    /// Whether it is an embedded one.
    #[getter]
    fn is_embedded(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.held.get(py)?.embedded.is_some())
    }
}

/// A cluster that is opened, or where it is.
#[derive(FromPyObject)]
pub(crate) enum Party<'py> {
    /// By name or URL.
    #[pyo3(transparent)]
    Named(String),
    /// Opened.
    #[pyo3(transparent)]
    Opened(Bound<'py, Cluster>),
}

impl Party<'_> {
    /// The same, away from Python.
    pub(crate) fn found(self, py: Python<'_>) -> PyResult<Found> {
        Ok(match self {
            Self::Named(name) => Found::Named(name),
            Self::Opened(cluster) => Found::Opened(cluster.get().opened(py)?),
        })
    }
}
