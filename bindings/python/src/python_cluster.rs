//! A cluster written in Python: what is asked and answered goes as JSON, pieces as bytes.

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use strongroom::core::ByteStream;
use strongroom::core::cluster::{
    Applied, Capabilities, FreezeRequest, Frozen, PieceReader, PieceSpec, PieceSummary, Preflight, RestoreOptions,
    RestoreOutline, RestoreReport, RestoreSession, StepId, Topology,
};
use strongroom::core::id::SessionId;
use strongroom::{Cluster, Error, Result, Timestamp};
use tokio::sync::oneshot;

use crate::adapter::Port;
use crate::body::Body;

/// A cluster whose methods are Python's.
#[derive(Debug)]
pub(crate) struct PythonCluster {
    pub(crate) port: Arc<Port>,
    pub(crate) capabilities: Capabilities,
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a request can't be written as JSON").because(error))
}

fn text(value: Bound<'_, PyAny>) -> PyResult<String> {
    value.extract()
}

/// What an adapter answered.
pub(crate) fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::invalid(format!("an adapter's answer to {what} makes no sense")).because(error))
}

#[async_trait]
impl Cluster for PythonCluster {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn describe(&self) -> Result<Topology> {
        from_json("describe", &self.port.call("describe", (), text).await?)
    }

    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        from_json("freeze", &self.port.call("freeze", (to_json(request)?,), text).await?)
    }

    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        let items = self.port.call("read", (to_json(piece)?,), |port| Ok(port.unbind())).await?;
        let (tell, told) = oneshot::channel();
        Ok(PieceReader {
            body: told_at_the_end(Port::new(items), tell),
            summary: Box::pin(async move {
                told.await.map_err(|_| Error::invalid("a piece's summary was asked for before its end"))
            }),
        })
    }

    async fn release(&self, frozen: &Frozen) -> Result<()> {
        self.port.call("release", (to_json(frozen)?,), |_| Ok(())).await
    }

    async fn remembers(&self, part: &str, until: Timestamp) -> Result<Option<bool>> {
        self.port.call("remembers", (part.to_owned(), until.micros()), |told| told.extract()).await
    }

    async fn check_restore(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        let asked = (to_json(outline)?, to_json(options)?);
        from_json("check_restore", &self.port.call("check_restore", asked, text).await?)
    }

    async fn begin_restore(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        let asked = (id.to_string(), to_json(outline)?, to_json(options)?);
        let detail = self.port.call("begin_restore", asked, text).await?;
        Ok(RestoreSession { id, options: options.clone(), detail: from_json("begin_restore", &detail)? })
    }

    async fn write(
        &self,
        session: &RestoreSession,
        step: StepId,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        let asked = (to_json(session)?, step, part.to_owned(), to_json(piece)?, Body::new(body));
        from_json("write", &self.port.call("write", asked, text).await?)
    }

    async fn seal_step(&self, session: &RestoreSession, step: StepId) -> Result<()> {
        self.port.call("seal_step", (to_json(session)?, step), |_| Ok(())).await
    }

    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport> {
        from_json("finish_restore", &self.port.call("finish_restore", (to_json(&session)?,), text).await?)
    }

    async fn abort_restore(&self, session: RestoreSession) -> Result<()> {
        self.port.call("abort_restore", (to_json(&session)?,), |_| Ok(())).await
    }
}

/// The bytes of a piece; text among them is its summary, which comes last.
fn told_at_the_end(port: Port, tell: oneshot::Sender<PieceSummary>) -> ByteStream {
    enum Item {
        Bytes(bytes::Bytes),
        Summary(String),
    }
    let read = |item: Py<PyAny>| {
        let read = Python::try_attach(|py| {
            let item = item.bind(py);
            if let Ok(text) = item.cast::<PyString>() {
                return Ok(Item::Summary(text.to_string()));
            }
            item.extract::<Vec<u8>>().map(|bytes| Item::Bytes(bytes.into()))
        });
        match read {
            Some(Ok(item)) => Ok(item),
            Some(Err(error)) => {
                Err(Error::invalid("a piece gave something else than bytes").because(error.to_string()))
            }
            None => Err(Error::cancelled("the interpreter is ending")),
        }
    };
    let state = (port.items(1), tell, PieceSummary::default());
    stream::try_unfold(Some(state), move |state| async move {
        let Some((mut items, tell, mut summary)) = state else { return Ok(None) };
        while let Some(item) = items.next().await.transpose()? {
            for item in item {
                match read(item)? {
                    Item::Bytes(bytes) => return Ok(Some((bytes, Some((items, tell, summary))))),
                    Item::Summary(text) => summary = from_json("read", &text)?,
                }
            }
        }
        let _ = tell.send(summary);
        Ok(None)
    })
    .boxed()
}
