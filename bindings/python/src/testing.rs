//! The contract of each trait as a test, for adapters written in Python.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use pyo3::prelude::*;
use strongroom::{Cluster as CoreCluster, Error, Result};
use strongroom_testkit::{
    Binding, ClusterContents, ClusterFixture, cluster_contract, codec_contract, storage_contract,
};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::adapter::Port;
use crate::cluster::Cluster;
use crate::place::Storage;
use crate::python_codec::Codec;
use crate::task::{Give, Task, json};

/// The promise that was broken, if one was: its clause is the message of a panic.
fn clause(outcome: std::result::Result<(), Box<dyn Any + Send>>) -> Result<Give> {
    let broken = outcome.err().map(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => other.downcast::<&str>().map_or_else(|_| "a panic".to_owned(), |text| (*text).to_owned()),
    });
    json(&broken)
}

/// Runs a test in a thread that may wait; ends with the broken promise as JSON, or with `null`.
fn judged(py: Python<'_>, test: impl FnOnce(Handle) + Send + 'static) -> PyResult<Task> {
    Task::spawn(py, async move {
        let handle = Handle::current();
        match spawn_blocking(move || test(handle)).await {
            Ok(()) => clause(Ok(())),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => clause(Err(panic)),
                Err(error) => Err(Error::cancelled("the test was given up").because(error)),
            },
        }
    })
}

/// The contract of storages.
#[pyfunction]
#[pyo3(name = "storage_contract")]
pub(crate) fn test_storage(py: Python<'_>, storage: &Bound<'_, Storage>, prefix: String) -> PyResult<Task> {
    let storage = storage.get().opened(py)?;
    judged(py, move |handle| handle.block_on(storage_contract(storage, &prefix)))
}

/// The contract of clusters: `port` changes the cluster, tells what is in it, and makes another one.
#[pyfunction]
#[pyo3(name = "cluster_contract")]
pub(crate) fn test_cluster(py: Python<'_>, cluster: &Bound<'_, Cluster>, port: Py<PyAny>) -> PyResult<Task> {
    let fixture = Fixture { cluster: cluster.get().opened(py)?, port: Port::new(port) };
    judged(py, move |handle| handle.block_on(cluster_contract(&fixture)))
}

/// The contract of codecs: `binding` is what this one notices, `none`, `bytes` or `place`.
#[pyfunction]
#[pyo3(name = "codec_contract")]
pub(crate) fn test_codec(py: Python<'_>, codec: &Bound<'_, Codec>, binding: &str) -> PyResult<Task> {
    let binding = match binding {
        "bytes" => Binding::Bytes,
        "place" => Binding::Place,
        _ => Binding::None,
    };
    let codec = codec.get().opened(py)?;
    judged(py, move |_| codec_contract(&*codec, binding))
}

struct Fixture {
    cluster: Arc<dyn CoreCluster>,
    port: Port,
}

/// The answer of a fixture; without it there is no test.
#[expect(clippy::panic, reason = "a test fails by a panic")]
fn granted<T>(what: &str, answer: Result<T>) -> T {
    answer.unwrap_or_else(|error| panic!("the fixture's {what} failed: {error:?}"))
}

#[async_trait]
impl ClusterFixture for Fixture {
    fn cluster(&self) -> Arc<dyn CoreCluster> {
        Arc::clone(&self.cluster)
    }

    async fn change(&self, seed: u64) {
        granted("change", self.port.call("change", (seed,), |_| Ok(())).await);
    }

    async fn contents(&self) -> ClusterContents {
        let read = |told: Bound<'_, PyAny>| told.extract::<BTreeMap<String, Vec<u8>>>();
        let told = granted("contents", self.port.call("contents", (), read).await);
        told.into_iter().map(|(name, bytes)| (name, bytes.into())).collect()
    }

    async fn fresh_target(&self) -> Box<dyn ClusterFixture> {
        let read = |told: Bound<'_, PyAny>| {
            let (cluster, port): (Bound<'_, Cluster>, Py<PyAny>) = told.extract()?;
            Ok(Self { cluster: cluster.get().opened(told.py())?, port: Port::new(port) })
        };
        Box::new(granted("fresh_target", self.port.call("fresh_target", (), read).await))
    }
}
