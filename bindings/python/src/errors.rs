//! Errors of the library as exceptions of `strongroom`, and back. The classes are written in Python, where they are looked
//! up by code.

use std::error::Error as StdError;
use std::fmt;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use strongroom::{Error, ErrorKind};

static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

fn module(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    Ok(MODULE.get_or_try_init(py, || py.import("strongroom._errors").map(Bound::unbind))?.bind(py))
}

/// The exception that tells `error`.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    made(py, error).unwrap_or_else(|failure| failure)
}

fn made(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let (mut because, mut raised) = (Vec::new(), None);
    let mut source = error.source();
    while let Some(cause) = source {
        match cause.downcast_ref::<Raised>() {
            Some(cause) => raised = Some(cause.0.clone_ref(py)),
            None => because.push(cause.to_string()),
        }
        source = cause.source();
    }
    let arguments = (error.kind().code(), error.message(), error.advice(), because);
    let exception = PyErr::from_value(module(py)?.call_method1("make", arguments)?);
    if raised.is_some() {
        exception.set_cause(py, raised);
    }
    Ok(exception)
}

/// An exception of somebody's own adapter, as the cause of an error.
pub(crate) struct Raised(PyErr);

impl fmt::Debug for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl StdError for Raised {}

/// The error that tells an exception of somebody's own adapter: an exception of `strongroom` keeps its kind, others are
/// sorted as Python people use them.
pub(crate) fn caught(py: Python<'_>, exception: PyErr) -> Error {
    let told = module(py).and_then(|module| module.call_method1("describe", (exception.value(py),)));
    let told: PyResult<(String, String, Option<String>)> = told.and_then(|told| told.extract());
    let (code, what, advice) =
        told.unwrap_or_else(|_| (ErrorKind::Internal.code().to_owned(), exception.to_string(), None));
    let kind = ErrorKind::ALL.into_iter().find(|kind| kind.code() == code).unwrap_or(ErrorKind::Internal);
    let error = Error::new(kind, what).because(Raised(exception));
    match advice {
        Some(advice) => error.hint(advice),
        None => error,
    }
}

/// Every code, in the order of the documentation.
#[pyfunction]
pub(crate) fn codes() -> Vec<&'static str> {
    ErrorKind::ALL.map(ErrorKind::code).to_vec()
}
