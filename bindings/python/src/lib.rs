//! The native half of the Python module: what the façade offers, with JSON in and out. The public half is written in
//! Python, in `python/strongroom`. No rule of backing up is here.

mod adapter;
mod body;
mod cluster;
mod embedded;
mod errors;
mod job;
mod place;
mod python_cluster;
mod python_codec;
mod python_storage;
mod repository;
mod runtime;
mod session;
mod task;
#[cfg(feature = "testing")]
mod testing;
mod value;

use pyo3::prelude::*;

/// The native half of `strongroom`.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::adapter::Done;
    #[pymodule_export]
    use crate::body::Body;
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
    use crate::python_codec::Codec;
    #[pymodule_export]
    use crate::repository::Repository;
    #[pymodule_export]
    use crate::runtime::close;
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::task::Task;
    #[cfg(feature = "testing")]
    #[pymodule_export]
    use crate::testing::{test_cluster, test_codec, test_storage};

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
