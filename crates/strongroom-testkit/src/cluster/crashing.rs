//! A cluster as a process sees it that dies at a chosen operation.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::cluster::{
    Applied, Capabilities, Fold, FreezeRequest, Frozen, PieceReader, PieceSpec, Preflight, RestoreOptions,
    RestoreOutline, RestoreReport, RestoreSession, StepId, Topology,
};
use strongroom_core::id::SessionId;
use strongroom_core::{ByteStream, Cluster, Result, Timestamp};

use crate::storage::crashing::{Fate, until_death};

/// See [`crate::Crashing::cluster`]. The cluster itself lives on.
#[derive(Clone)]
pub struct CrashingCluster {
    inner: Arc<dyn Cluster>,
    fate: Arc<Fate>,
}

impl CrashingCluster {
    pub(crate) fn new(inner: Arc<dyn Cluster>, fate: Arc<Fate>) -> Self {
        Self { inner, fate }
    }
}

impl fmt::Debug for CrashingCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CrashingCluster({:?})", self.inner)
    }
}

#[async_trait]
impl Cluster for CrashingCluster {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn describe(&self) -> Result<Topology> {
        self.fate.pass(self.inner.describe()).await
    }

    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        self.fate.pass(self.inner.freeze(request)).await
    }

    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        let PieceReader { body, summary } = self.fate.pass(self.inner.read(piece)).await?;
        Ok(PieceReader { body: until_death(body, Arc::clone(&self.fate)), summary })
    }

    async fn release(&self, frozen: &Frozen) -> Result<()> {
        self.fate.pass(self.inner.release(frozen)).await
    }

    async fn remembers(&self, part: &str, until: Timestamp) -> Result<Option<bool>> {
        self.fate.pass(self.inner.remembers(part, until)).await
    }

    async fn check_restore(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        self.fate.pass(self.inner.check_restore(outline, options)).await
    }

    async fn begin_restore(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        self.fate.pass(self.inner.begin_restore(id, outline, options)).await
    }

    async fn write(
        &self,
        session: &RestoreSession,
        step: StepId,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        // The body comes from storages that die with the process, so a write may end in its middle too.
        self.fate.pass(self.inner.write(session, step, part, piece, body)).await
    }

    async fn seal_step(&self, session: &RestoreSession, step: StepId) -> Result<()> {
        self.fate.pass(self.inner.seal_step(session, step)).await
    }

    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport> {
        self.fate.pass(self.inner.finish_restore(session)).await
    }

    async fn abort_restore(&self, session: RestoreSession) -> Result<()> {
        self.fate.pass(self.inner.abort_restore(session)).await
    }

    fn fold(&self) -> Option<&dyn Fold> {
        self.inner.fold()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Crashing, Death, MemoryStorage, SimulatedCluster, SimulatedOptions, TestEnvironment};
    use strongroom_core::{Key, StorageExt as _};

    #[tokio::test]
    async fn storage_and_cluster_of_a_process_die_together() {
        let clock = Arc::new(TestEnvironment::new(1).clock);
        let cluster = SimulatedCluster::new("a", clock, SimulatedOptions::default());
        cluster.create_part("p");
        for (death, frozen) in [(Death::Before, 0), (Death::After, 1)] {
            let storage = Crashing::at(MemoryStorage::new(), 4, death);
            let seen = storage.cluster(Arc::new(cluster.clone()));
            let work = async {
                storage.put_new(&Key::new("a").unwrap(), "body".into()).await.unwrap();
                seen.freeze(&FreezeRequest::default()).await.unwrap();
                panic!("nobody hears of the fourth operation")
            };
            assert_eq!(storage.run(work).await, None::<()>);
            assert_eq!(cluster.open_freezes(), frozen, "{death:?}");
            let other = storage.beside(MemoryStorage::new());
            assert!(storage.run(other.exists(&Key::new("a").unwrap())).await.is_none());
        }
    }
}
