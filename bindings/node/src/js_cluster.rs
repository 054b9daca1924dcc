//! A cluster written in JavaScript: what is asked and answered goes as JSON, pieces as bytes.

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use strongroom::core::ByteStream;
use strongroom::core::cluster::{
    Applied, Capabilities, FreezeRequest, Frozen, PieceReader, PieceSpec, PieceSummary, Preflight, RestoreOptions,
    RestoreOutline, RestoreReport, RestoreSession, StepId, Topology,
};
use strongroom::core::id::SessionId;
use strongroom::{Cluster, Error, Result, Timestamp};
use tokio::sync::oneshot;

use crate::port::{Body, Going, Port};

/// A cluster whose methods are JavaScript's.
#[derive(Debug)]
pub(crate) struct JsCluster {
    pub(crate) port: Port,
    pub(crate) capabilities: Capabilities,
}

#[async_trait]
impl Cluster for JsCluster {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn describe(&self) -> Result<Topology> {
        self.port.ask("describe", &()).await
    }

    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        self.port.ask("freeze", &(request,)).await
    }

    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        let going = self.port.begin("read", &(piece,)).await?;
        let (tell, told) = oneshot::channel();
        Ok(PieceReader {
            body: told_at_the_end(going, tell),
            summary: Box::pin(async move {
                told.await.map_err(|_| Error::invalid("a piece's summary was asked for before its end"))
            }),
        })
    }

    async fn release(&self, frozen: &Frozen) -> Result<()> {
        self.port.call("release", &(frozen,)).await.map(drop)
    }

    async fn remembers(&self, part: &str, until: Timestamp) -> Result<Option<bool>> {
        self.port.ask("remembers", &(part, until.micros())).await
    }

    async fn check_restore(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        self.port.ask("checkRestore", &(outline, options)).await
    }

    async fn begin_restore(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        let detail = self.port.ask("beginRestore", &(id, outline, options)).await?;
        Ok(RestoreSession { id, options: options.clone(), detail })
    }

    async fn write(
        &self,
        session: &RestoreSession,
        step: StepId,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        let asked = (session, step, part, piece);
        self.port.send("write", &asked, None, Some(Body::new(body))).await?.read("write")
    }

    async fn seal_step(&self, session: &RestoreSession, step: StepId) -> Result<()> {
        self.port.call("sealStep", &(session, step)).await.map(drop)
    }

    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport> {
        self.port.ask("finishRestore", &(session,)).await
    }

    async fn abort_restore(&self, session: RestoreSession) -> Result<()> {
        self.port.call("abortRestore", &(session,)).await.map(drop)
    }
}

/// The bytes of a piece; its summary comes with their end.
fn told_at_the_end(going: Going, tell: oneshot::Sender<PieceSummary>) -> ByteStream {
    stream::try_unfold(Some((going, tell)), |state| async move {
        let Some((mut going, tell)) = state else { return Ok(None) };
        let told = going.call("next", None).await?;
        if let Some(chunk) = told.bytes {
            return Ok(Some((Bytes::from(Vec::from(chunk)), Some((going, tell)))));
        }
        going.ended();
        let summary: Option<PieceSummary> = told.read("read")?;
        let _ = tell.send(summary.unwrap_or_default());
        Ok(None)
    })
    .boxed()
}
