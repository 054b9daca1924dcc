//! The cluster itself, and the calls of [`Cluster`].

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::cluster::{
    Applied, Capabilities, FreezeRequest, Frozen, HeldSnapshots, PieceReader, PieceSpec, Preflight, RestoreOptions,
    RestoreOutline, RestoreReport, RestoreSession, StepId, Topology,
};
use strongroom_core::environment::Environment;
use strongroom_core::id::SessionId;
use strongroom_core::{ByteStream, Cluster, Error, Result};
use tokio::sync::{Mutex, OnceCell, oneshot};

use crate::CassandraConfig;
use crate::cql::Cql;
use crate::files::NodeFiles;
use crate::memory::Memory;
use crate::node::{NodeControl, NodeFacts};

/// One Cassandra node, seen from its own machine. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct CassandraCluster {
    inner: Arc<Inner>,
    /// The held snapshot that stands for it.
    held: Option<Arc<str>>,
}

#[derive(Debug)]
struct Inner {
    config: CassandraConfig,
    environment: Environment,
    node: Arc<dyn NodeControl>,
    cql: Cql,
    files: OnceCell<NodeFiles>,
    memory: Memory,
    /// One call at a time begins a restore or changes tables.
    loading: Mutex<()>,
}

impl CassandraCluster {
    /// The node of a configuration, managed by JMX. Nothing is asked of it yet.
    ///
    /// # Errors
    /// `Invalid` for a configuration that makes no sense.
    pub fn open(config: CassandraConfig, environment: &Environment) -> Result<Self> {
        let node = Arc::new(config.jmx_node());
        Self::managed_by(config, node, environment)
    }

    /// The node of a configuration, managed in another way.
    ///
    /// # Errors
    /// `Invalid` for a configuration that makes no sense.
    pub fn managed_by(config: CassandraConfig, node: Arc<dyn NodeControl>, environment: &Environment) -> Result<Self> {
        config.check()?;
        if !config.agents.is_empty() {
            return Err(Error::invalid("the configuration names agents, so that it is of no node alone")
                .hint("open it as CassandraAgents"));
        }
        let environment = environment.clone();
        let memory = Memory::new(config.memory.clone());
        let (cql, files, loading) = Default::default();
        let inner = Inner { config, environment, node, cql, files, memory, loading };
        Ok(Self { inner: Arc::new(inner), held: None })
    }

    /// The same as it was at a held snapshot.
    pub(crate) fn as_of(&self, snapshot: &str) -> Self {
        Self { held: Some(snapshot.into()), ..self.clone() }
    }

    /// How it is reached.
    #[must_use]
    pub fn config(&self) -> &CassandraConfig {
        &self.inner.config
    }

    /// The node's management.
    #[must_use]
    pub fn node(&self) -> &dyn NodeControl {
        &*self.inner.node
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.inner.environment
    }

    pub(crate) fn cql(&self) -> &Cql {
        &self.inner.cql
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.inner.memory
    }

    pub(crate) fn loading(&self) -> &Mutex<()> {
        &self.inner.loading
    }

    /// The node's files.
    pub(crate) async fn files(&self) -> Result<&NodeFiles> {
        let find = || async {
            let told = &self.config().data_folders;
            let folders = if told.is_empty() { self.node().facts().await?.data_folders } else { told.clone() };
            blocking(move || NodeFiles::open(&folders)).await
        };
        self.inner.files.get_or_try_init(find).await
    }

    /// Where a restore puts files. The name can be no keyspace's, since it has a hyphen.
    pub(crate) async fn staging(&self) -> Result<PathBuf> {
        if let Some(staging) = &self.config().staging {
            return Ok(staging.clone());
        }
        let first = self.files().await?.folders().first();
        let first =
            first.ok_or_else(|| Error::unsupported("the node tells of no data folder").hint("give data-folders"))?;
        Ok(first.join("strongroom-restore"))
    }

    /// Fails unless the node takes part in its ring.
    pub(crate) async fn facts(&self) -> Result<NodeFacts> {
        self.node().facts().await
    }
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal("work on files panicked").because(error))?
}

/// Runs to the end what must not be left half done, also when nobody waits for it any more. `undo` gets what nobody took.
pub(crate) async fn to_its_end<T, U>(
    work: impl Future<Output = Result<T>> + Send + 'static,
    undo: impl FnOnce(T) -> U + Send + 'static,
) -> Result<T>
where
    T: Send + 'static,
    U: Future<Output = ()> + Send + 'static,
{
    let (answer, waiting) = oneshot::channel();
    tokio::spawn(async move {
        if let Err(Ok(left)) = answer.send(work.await) {
            undo(left).await;
        }
    });
    waiting.await.map_err(|_| Error::internal("work with a node panicked"))?
}

#[async_trait]
impl Cluster for CassandraCluster {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            truncate: true,
            held_snapshots: true,
            parallelism: self.config().parallelism,
            ..Capabilities::default()
        }
    }

    async fn describe(&self) -> Result<Topology> {
        self.topology().await
    }

    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        if let Some(held) = &self.held {
            return self.freeze_held(held, request).await;
        }
        let (this, that, request) = (self.clone(), self.clone(), request.clone());
        let undo = |frozen: Frozen| async move {
            // Nobody is left who could be told; the next backup tells of snapshots that were left behind.
            let _ = that.let_go(&frozen).await;
        };
        to_its_end(async move { this.freeze_now(&request).await }, undo).await
    }

    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        self.open_piece(piece).await
    }

    async fn release(&self, frozen: &Frozen) -> Result<()> {
        self.let_go(frozen).await
    }

    async fn check_restore(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        self.preflight(outline, options).await
    }

    async fn begin_restore(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        let (this, outline, options) = (self.clone(), outline.clone(), options.clone());
        // A call that was dropped must not write down the beginning after the next one went on.
        let begin = async move {
            let _alone = this.loading().lock().await;
            this.begin_session(id, &outline, &options).await
        };
        to_its_end(begin, |_| async {}).await
    }

    async fn write(
        &self,
        session: &RestoreSession,
        _: StepId,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        self.stage_piece(session, part, piece, body).await
    }

    async fn seal_step(&self, _: &RestoreSession, _: StepId) -> Result<()> {
        // Everything is staged first: no table is touched before all of the restore is on the node and checked.
        Ok(())
    }

    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport> {
        let this = self.clone();
        to_its_end(async move { this.load(&session).await }, |_| async {}).await
    }

    async fn abort_restore(&self, session: RestoreSession) -> Result<()> {
        self.end_session(session.id).await
    }

    fn held(&self) -> Option<&dyn HeldSnapshots> {
        Some(self)
    }
}
