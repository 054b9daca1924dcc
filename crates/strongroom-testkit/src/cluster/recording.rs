//! A cluster whose calls stand in one record with those of a storage.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::cluster::{
    Applied, Capabilities, Fold, FreezeRequest, Frozen, PieceReader, PieceSpec, Preflight, RestoreOptions,
    RestoreOutline, RestoreReport, RestoreSession, StepId, Topology,
};
use strongroom_core::id::SessionId;
use strongroom_core::{ByteStream, Cluster, Result, Timestamp};

use crate::storage::recording::{Call, Log};

/// See [`crate::Recording::cluster`].
#[derive(Clone)]
pub struct RecordingCluster {
    inner: Arc<dyn Cluster>,
    log: Log,
}

impl RecordingCluster {
    pub(crate) fn new(inner: Arc<dyn Cluster>, log: Log) -> Self {
        Self { inner, log }
    }

    fn call(&self, name: &'static str) {
        self.log.call(Call::Cluster(name));
    }
}

impl fmt::Debug for RecordingCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordingCluster({:?})", self.inner)
    }
}

#[async_trait]
impl Cluster for RecordingCluster {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn describe(&self) -> Result<Topology> {
        self.call("describe");
        self.inner.describe().await
    }

    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        self.call("freeze");
        self.inner.freeze(request).await
    }

    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        self.call("read");
        self.inner.read(piece).await
    }

    async fn release(&self, frozen: &Frozen) -> Result<()> {
        self.call("release");
        self.inner.release(frozen).await
    }

    async fn remembers(&self, part: &str, until: Timestamp) -> Result<Option<bool>> {
        self.call("remembers");
        self.inner.remembers(part, until).await
    }

    async fn check_restore(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        self.call("check_restore");
        self.inner.check_restore(outline, options).await
    }

    async fn begin_restore(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        self.call("begin_restore");
        self.inner.begin_restore(id, outline, options).await
    }

    async fn write(
        &self,
        session: &RestoreSession,
        step: StepId,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        self.call("write");
        self.inner.write(session, step, part, piece, body).await
    }

    async fn seal_step(&self, session: &RestoreSession, step: StepId) -> Result<()> {
        self.call("seal_step");
        self.inner.seal_step(session, step).await
    }

    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport> {
        self.call("finish_restore");
        self.inner.finish_restore(session).await
    }

    async fn abort_restore(&self, session: RestoreSession) -> Result<()> {
        self.call("abort_restore");
        self.inner.abort_restore(session).await
    }

    fn fold(&self) -> Option<&dyn Fold> {
        self.inner.fold()
    }
}
