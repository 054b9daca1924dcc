//! Errors of the library as exceptions of `strongroom`. The classes are written in Python, where they are looked
//! up by code.

use std::error::Error as _;

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
    let mut because = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        because.push(cause.to_string());
        source = cause.source();
    }
    let arguments = (error.kind().code(), error.message(), error.advice(), because);
    Ok(PyErr::from_value(module(py)?.call_method1("make", arguments)?))
}

/// Every code, in the order of the documentation.
#[pyfunction]
pub(crate) fn codes() -> Vec<&'static str> {
    ErrorKind::ALL.map(ErrorKind::code).to_vec()
}
