//! The cluster itself: its connection, and the calls of [`Cluster`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::future::join_all;
use strongroom_aerospike_wire::client::{Answer, Client};
use strongroom_core::cluster::{
    Applied, Capabilities, ClusterIdentity, Fold, FreezeRequest, Frozen, PieceReader, PieceSpec, Preflight,
    RestoreOptions, RestoreOutline, RestoreReport, RestoreSession, StepId, Topology,
};
use strongroom_core::environment::Environment;
use strongroom_core::id::SessionId;
use strongroom_core::{ByteStream, Cluster, Result};
use strongroom_record::fold::RecordFold;
use tokio::sync::OnceCell;

use crate::AerospikeConfig;
use crate::clocks::Told;
use crate::fault::fault;
use crate::patience::Patience;
use crate::session::Known;

/// A live Aerospike cluster. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct AerospikeCluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: AerospikeConfig,
    client: OnceCell<Client>,
    identity: OnceCell<ClusterIdentity>,
    sessions: Mutex<BTreeMap<SessionId, Known>>,
    queries: AtomicU64,
    told: Mutex<Option<Told>>,
}

impl AerospikeCluster {
    /// The cluster of a configuration. Nothing is asked of the network yet.
    ///
    /// # Errors
    /// `Invalid` for a configuration that makes no sense; `Unavailable` when the environment gives no random bytes.
    pub fn open(config: AerospikeConfig, environment: &Environment) -> Result<Self> {
        config.check()?;
        // Queries are told apart by numbers, also those of other clients.
        let queries = AtomicU64::new(u64::from_le_bytes(environment.random()?));
        let (client, identity, sessions, told) = Default::default();
        Ok(Self { inner: Arc::new(Inner { config, client, identity, sessions, queries, told }) })
    }

    /// How it is reached, read and written.
    #[must_use]
    pub fn config(&self) -> &AerospikeConfig {
        &self.inner.config
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Option<Told>> {
        self.inner.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionId, Known>> {
        self.inner.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new query: not 0.
    pub(crate) fn query_id(&self) -> u64 {
        self.inner.queries.fetch_add(1, Ordering::Relaxed).max(1)
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::of(self.config())
    }

    /// The client, connected.
    pub(crate) async fn client(&self) -> Result<&Client> {
        let connect = || async { Client::connect(self.config().client()?).await.map_err(fault) };
        self.inner.client.get_or_try_init(connect).await
    }

    pub(crate) async fn identity(&self) -> Result<&ClusterIdentity> {
        self.inner.identity.get_or_try_init(|| self.find_identity()).await
    }

    /// Asks every node; if one is lost, those that are left.
    pub(crate) async fn ask_all(&self, commands: &[&str]) -> Result<Vec<(String, Answer)>> {
        let client = self.client().await?;
        let mut patience = self.patience();
        client.refresh().await.map_err(fault)?;
        loop {
            let nodes = client.nodes();
            let answers = join_all(nodes.iter().map(|node| node.info(commands))).await;
            let mut failed = None;
            let mut found = Vec::with_capacity(nodes.len());
            for (node, answer) in nodes.iter().zip(answers) {
                match answer {
                    Ok(answer) => found.push((node.id().to_owned(), answer)),
                    Err(error) if error.is_temporary() => failed = Some(error),
                    Err(error) => return Err(fault(error)),
                }
            }
            let Some(error) = failed else { return Ok(found) };
            patience.wait(fault(error)).await?;
            client.refresh().await.map_err(fault)?;
        }
    }

    /// Asks any one node.
    pub(crate) async fn ask(&self, command: &str) -> Result<String> {
        let client = self.client().await?;
        let mut patience = self.patience();
        loop {
            let mut failed = None;
            for node in client.nodes() {
                match node.info(&[command]).await {
                    Ok(answer) => return Ok(answer.get(command).to_owned()),
                    Err(error) if error.is_temporary() => failed = Some(error),
                    Err(error) => return Err(fault(error)),
                }
            }
            let gone = || strongroom_core::Error::unavailable("the cluster has no node that answers");
            patience.wait(failed.map_or_else(gone, fault)).await?;
            client.refresh().await.map_err(fault)?;
        }
    }
}

#[async_trait]
impl Cluster for AerospikeCluster {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            incremental: true,
            deletes_seen: self.config().backup.digest_census,
            fold: true,
            truncate: true,
            definitions_last: true,
            parallelism: self.config().backup.parallelism,
            ..Capabilities::default()
        }
    }

    async fn describe(&self) -> Result<Topology> {
        self.topology().await
    }

    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        self.freeze_now(request).await
    }

    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        self.open_piece(piece).await
    }

    async fn release(&self, _: &Frozen) -> Result<()> {
        // Nothing is held in a live cluster.
        Ok(())
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
        self.begin_session(id, outline, options).await
    }

    async fn write(
        &self,
        session: &RestoreSession,
        _: StepId,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        self.write_piece(session, part, piece, body).await
    }

    async fn seal_step(&self, _: &RestoreSession, _: StepId) -> Result<()> {
        // Nothing is staged: every record is in the cluster when its `write` returns.
        Ok(())
    }

    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport> {
        self.finish_session(&session).await
    }

    async fn abort_restore(&self, session: RestoreSession) -> Result<()> {
        self.end_session(session.id);
        Ok(())
    }

    fn fold(&self) -> Option<&dyn Fold> {
        Some(&RecordFold)
    }
}
