//! A storage written in Python.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use strongroom::core::storage::ObjectMeta;
use strongroom::core::{ByteStream, PutMode, Upload};
use strongroom::{Error, Key, Result, Storage, Timestamp};
use tokio::runtime::Handle;

use crate::adapter::Port;

/// How many objects of a listing are fetched at once.
const LISTED: usize = 256;

/// A storage whose methods are Python's.
#[derive(Debug)]
pub(crate) struct PythonStorage(pub(crate) Arc<Port>);

/// Key, size, and the time in microseconds.
fn meta(object: Bound<'_, PyAny>) -> PyResult<(String, u64, Option<i64>)> {
    object.extract()
}

fn named((key, size, modified): (String, u64, Option<i64>)) -> Result<ObjectMeta> {
    Ok(ObjectMeta { key: Key::new(key)?, size, modified: modified.map(Timestamp::from_micros) })
}

/// The bytes of something that gives them.
pub(crate) fn bytes_of(port: Port) -> ByteStream {
    let chunks = port.items(1).map_ok(|items| stream::iter(items).map(chunk)).try_flatten();
    chunks.boxed()
}

fn chunk(item: Py<PyAny>) -> Result<Bytes> {
    let copied = Python::try_attach(|py| item.extract::<Vec<u8>>(py).map(Bytes::from));
    match copied {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(error)) => Err(Error::invalid("an adapter gave something else than bytes").because(error.to_string())),
        None => Err(Error::cancelled("the interpreter is ending")),
    }
}

#[async_trait]
impl Storage for PythonStorage {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        let mode = match mode {
            PutMode::CreateNew => "create-new",
            PutMode::Overwrite => "overwrite",
        };
        let upload = self.0.call("create", (key.to_string(), mode), |port| Ok(port.unbind())).await?;
        Ok(Box::new(PythonUpload(Some(Port::new(upload)))))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        let range = range.map(|range| (range.start, range.end));
        let chunks = self.0.call("read", (key.to_string(), range), |port| Ok(port.unbind())).await?;
        Ok(bytes_of(Port::new(chunks)))
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        named(self.0.call("stat", (key.to_string(),), meta).await?)
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        let (port, prefix) = (Arc::clone(&self.0), prefix.to_owned());
        let pages = stream::once(async move {
            let objects = port.call("list", (prefix,), |port| Ok(port.unbind())).await?;
            Ok::<_, Error>(Port::new(objects).items(LISTED))
        });
        pages
            .try_flatten()
            .map_ok(|items| {
                let read = move |item: Py<PyAny>| {
                    let told = Python::try_attach(|py| meta(item.into_bound(py)));
                    match told {
                        Some(Ok(told)) => named(told),
                        Some(Err(error)) => Err(Error::invalid("a listing gave no object").because(error.to_string())),
                        None => Err(Error::cancelled("the interpreter is ending")),
                    }
                };
                stream::iter(items).map(read)
            })
            .try_flatten()
            .boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.call("delete", (key.to_string(),), |_| Ok(())).await
    }
}

/// An upload of a storage written in Python.
struct PythonUpload(Option<Port>);

impl PythonUpload {
    fn port(&self) -> Result<&Port> {
        self.0.as_ref().ok_or_else(|| Error::internal("an upload was used after its end"))
    }
}

#[async_trait]
impl Upload for PythonUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.port()?.call("write", (Chunk(chunk),), |_| Ok(())).await
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        let finished = self.port()?.call("finish", (), meta).await?;
        self.0 = None;
        named(finished)
    }
}

impl Drop for PythonUpload {
    fn drop(&mut self) {
        if let (Some(port), Ok(handle)) = (self.0.take(), Handle::try_current()) {
            handle.spawn(async move { port.call("abort", (), |_| Ok(())).await });
        }
    }
}

/// Bytes that become Python's in the thread that calls.
pub(crate) struct Chunk(pub(crate) Bytes);

impl<'py> IntoPyObject<'py> for Chunk {
    type Target = PyBytes;
    type Output = Bound<'py, PyBytes>;
    type Error = std::convert::Infallible;

    fn into_pyobject(self, py: Python<'py>) -> std::result::Result<Self::Output, Self::Error> {
        Ok(PyBytes::new(py, &self.0))
    }
}
