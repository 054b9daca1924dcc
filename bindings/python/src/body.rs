//! Bytes on their way into an adapter written in Python.

use std::sync::Arc;

use futures::StreamExt as _;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use strongroom::core::ByteStream;
use tokio::sync::Mutex;

use crate::runtime::Owned;
use crate::task::{Give, Task, nothing};

/// The bytes of a piece, one chunk after the other.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Body {
    bytes: Owned<Arc<Mutex<ByteStream>>>,
}

impl Body {
    pub(crate) fn new(bytes: ByteStream) -> Self {
        Self { bytes: Owned::new(Arc::new(Mutex::new(bytes))) }
    }
}

#[pymethods]
impl Body {
    /// Ends with the next bytes, or with `None` after the last ones.
    fn next(&self, py: Python<'_>) -> PyResult<Task> {
        let bytes = Arc::clone(self.bytes.get(py)?);
        Task::spawn(py, async move {
            match bytes.lock().await.next().await {
                None => Ok(nothing()),
                Some(chunk) => {
                    let chunk = chunk?;
                    let give: Give = Box::new(move |py| Ok(PyBytes::new(py, &chunk).into_any().unbind()));
                    Ok(give)
                }
            }
        })
    }
}
