//! The native half of the Python module: what the façade offers, with JSON in and out. The public half is written in
//! Python, in `python/strongroom`. No rule of backing up is here.

mod cluster;
mod embedded;
mod errors;
mod job;
mod place;
mod repository;
mod runtime;
mod session;
mod task;
mod value;

use pyo3::prelude::*;

/// The native half of `strongroom`.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::cluster::Cluster;
    #[pymodule_export]
    use crate::embedded::{Record, Records, Scan};
    #[pymodule_export]
    use crate::errors::codes;
    #[pymodule_export]
    use crate::job::{Events, Job};
    #[pymodule_export]
    use crate::place::{Storage, redact};
    #[pymodule_export]
    use crate::repository::Repository;
    #[pymodule_export]
    use crate::runtime::close;
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::task::Task;

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
