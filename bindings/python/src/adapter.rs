//! Calls of somebody's own adapter, written in Python: each method may be plain or async.
//!
//! A plain method runs in a thread that may wait; an async one on an event loop, which the Python half chooses. The Python
//! half (`strongroom._adapters`) tells the outcome through `Done`.

use std::sync::{Mutex, PoisonError};

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use pyo3::BoundObject as _;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use strongroom::{Error, Result};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::errors::caught;

type Outcome = std::result::Result<Py<PyAny>, Error>;

/// Where the outcome of one call is told, once.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Done {
    tell: Mutex<Option<oneshot::Sender<Outcome>>>,
}

impl Done {
    fn tell(&self, outcome: Outcome) {
        let tell = self.tell.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Nobody waits any more: the call was cancelled.
        let _ = tell.map(|tell| tell.send(outcome));
    }
}

#[pymethods]
impl Done {
    /// It went well.
    fn ok(&self, value: Py<PyAny>) {
        self.tell(Ok(value));
    }

    /// It raised.
    fn failed(&self, py: Python<'_>, error: Bound<'_, PyAny>) {
        self.tell(Err(caught(py, PyErr::from_value(error))));
    }
}

/// The Python half of an adapter, or of something that it gave.
pub(crate) struct Port(Py<PyAny>);

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = Python::try_attach(|py| self.0.bind(py).repr().map(|text| text.to_string()).ok());
        f.write_str(told.flatten().as_deref().unwrap_or("an adapter written in Python"))
    }
}

/// Cancels an async call that nobody waits for any more.
struct Running(Option<Py<PyAny>>);

impl Drop for Running {
    fn drop(&mut self) {
        if let (Some(running), Ok(handle)) = (self.0.take(), Handle::try_current()) {
            handle.spawn_blocking(move || Python::try_attach(|py| running.call_method0(py, "cancel").map(drop)));
        }
    }
}

fn gone() -> Error {
    Error::cancelled("the interpreter is ending")
}

/// Does something with Python in a thread that may wait for it.
async fn attached<T: Send + 'static>(
    work: impl for<'py> FnOnce(Python<'py>) -> PyResult<T> + Send + 'static,
) -> Result<T> {
    let done = spawn_blocking(move || {
        Python::try_attach(|py| work(py).map_err(|error| caught(py, error))).unwrap_or_else(|| Err(gone()))
    });
    done.await.map_err(|error| Error::internal("a call of an adapter panicked").because(error))?
}

impl Port {
    pub(crate) fn new(port: Py<PyAny>) -> Self {
        Self(port)
    }

    /// Another one for the same object.
    pub(crate) fn again(&self) -> Result<Self> {
        Python::try_attach(|py| Self(self.0.clone_ref(py))).ok_or_else(gone)
    }

    /// Calls a method, and reads what it gave.
    ///
    /// # Errors
    /// What it raised.
    pub(crate) async fn call<A, T>(
        &self,
        method: &'static str,
        arguments: A,
        read: impl for<'py> FnOnce(Bound<'py, PyAny>) -> PyResult<T> + Send + 'static,
    ) -> Result<T>
    where
        A: for<'py> IntoPyObject<'py, Target = PyTuple> + Send + 'static,
        T: Send + 'static,
    {
        let port = self.again()?;
        let (tell, told) = oneshot::channel();
        let running = attached(move |py| {
            let done = Py::new(py, Done { tell: Mutex::new(Some(tell)) })?;
            let arguments = arguments.into_pyobject(py).map_err(Into::into)?.into_any().into_bound();
            let running = port.0.bind(py).call_method1("invoke", (method, arguments, done))?;
            Ok(Running((!running.is_none()).then(|| running.unbind())))
        });
        let running = running.await?;
        let outcome = told.await.map_err(|_| Error::cancelled("an adapter's call was given up"))?;
        // It has ended: there is nothing to be cancelled.
        std::mem::forget(running);
        let value = outcome?;
        attached(move |py| read(value.into_bound(py))).await
    }

    /// What a port gives one after the other, so many at once.
    pub(crate) fn items(self, many: usize) -> BoxStream<'static, Result<Vec<Py<PyAny>>>> {
        stream::try_unfold(self, move |port| async move {
            let items = port
                .call("step", (many,), |list| Ok(list.cast::<PyList>()?.iter().map(Bound::unbind).collect::<Vec<_>>()));
            let items = items.await?;
            Ok((!items.is_empty()).then_some((items, port)))
        })
        .boxed()
    }
}
