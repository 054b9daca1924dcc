//! Several nodes, each by its agent, as one cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::future::join_all;
use serde_json::{Value, json};
use strongroom_core::cluster::{
    Applied, Capabilities, ClusterIdentity, FreezeRequest, Frozen, PieceReader, PieceSpec, PieceSummary, Preflight,
    RestoreOptions, RestoreOutline, RestoreReport, RestoreSession, StepId, Topology,
};
use strongroom_core::id::SessionId;
use strongroom_core::{ByteStream, Cluster, Error, Result};

use crate::CassandraConfig;
use crate::agent::remote::Remote;
use crate::agent::{About, Begin, Check, Write, merge};
use crate::cluster::to_its_end;
use crate::describe::id_of;
use crate::piece::PieceDetail;
use crate::read::whole_piece;

/// Several Cassandra nodes as one cluster, each by the agent that runs on it. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct CassandraAgents {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: CassandraConfig,
    agents: Vec<Remote>,
    /// Which agent is on which node, as far as it was asked.
    hosts: Mutex<BTreeMap<String, usize>>,
}

/// What the agents said of themselves.
pub(super) struct Asked {
    /// By node: the agent's number and what it said. Never empty.
    pub(super) known: BTreeMap<String, (usize, About)>,
    /// Why others did not answer; each names its agent.
    pub(super) silent: Vec<Error>,
}

impl CassandraAgents {
    /// The agents of a configuration. Nothing is asked of them yet.
    ///
    /// # Errors
    /// `Invalid` for a configuration that makes no sense.
    pub fn open(config: CassandraConfig) -> Result<Self> {
        config.check()?;
        let agents = Remote::all(&config)?;
        if agents.is_empty() {
            return Err(Error::invalid("no agent is named").hint("give agents = [\"http://HOST:PORT\", …]"));
        }
        Ok(Self { inner: Arc::new(Inner { config, agents, hosts: Mutex::default() }) })
    }

    /// Asks all agents who they are.
    async fn ask(&self) -> Result<Asked> {
        let answers = self.inner.agents.iter().map(|agent| agent.call::<About>("about", &Value::Null));
        let (mut known, mut silent) = (BTreeMap::<String, (usize, About)>::new(), Vec::new());
        for ((number, agent), answer) in self.inner.agents.iter().enumerate().zip(join_all(answers).await) {
            match answer {
                Ok(about) => {
                    if let Some((other, _)) = known.get(&about.host) {
                        let other = self.inner.agents.get(*other).map_or("", |other| &other.address);
                        return Err(Error::invalid(format!(
                            "the agents at {other} and {} are on the same node {}",
                            agent.address, about.host
                        )));
                    }
                    known.insert(about.host.clone(), (number, about));
                }
                Err(error) => silent.push(error),
            }
        }
        let Some((_, first)) = known.values().next() else {
            return Err(silent.into_iter().next().unwrap_or_else(|| Error::internal("no agent was asked")));
        };
        let ring: BTreeSet<&String> = first.topology.nodes.iter().map(|node| &node.id).collect();
        if let Some(stranger) = known.values().find(|(_, about)| !ring.contains(&about.host)).map(|(_, about)| about) {
            return Err(Error::invalid(format!(
                "node {} is not in the ring that the other agents are in",
                stranger.host
            ))
            .hint("name the agents of one cluster only"));
        }
        let numbers = known.iter().map(|(host, (number, _))| (host.clone(), *number)).collect();
        *self.inner.hosts.lock().unwrap_or_else(PoisonError::into_inner) = numbers;
        Ok(Asked { known, silent })
    }

    fn agent(&self, number: usize) -> Result<&Remote> {
        self.inner.agents.get(number).ok_or_else(|| Error::internal("no such agent"))
    }

    /// The agent on a node.
    async fn on(&self, host: &str) -> Result<&Remote> {
        let find = || self.inner.hosts.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied();
        if let Some(number) = find() {
            return self.agent(number);
        }
        self.ask().await?;
        match find() {
            Some(number) => self.agent(number),
            None => Err(Error::unavailable(format!("no agent that answers is on node {}", host.escape_debug()))),
        }
    }

    /// The node that a new restore goes to: the first of the agents that answer, in the order of the configuration.
    async fn entry(&self) -> Result<(String, &Remote)> {
        let asked = self.ask().await?;
        let first = asked.known.into_iter().min_by_key(|(_, (number, _))| *number);
        let (host, (number, _)) = first.ok_or_else(|| Error::internal("no agent was asked"))?;
        Ok((host, self.agent(number)?))
    }

    /// The agent that a restore went to, and the session as that one has it.
    async fn session(&self, session: &RestoreSession) -> Result<(&Remote, RestoreSession)> {
        let host = session.detail["node"].as_str().ok_or_else(|| Error::invalid("this is no restore by agents"))?;
        let own = RestoreSession { detail: session.detail["session"].clone(), ..session.clone() };
        Ok((self.on(host).await?, own))
    }

    async fn freeze_all(&self, request: &FreezeRequest) -> Result<Frozen> {
        let asked = self.ask().await?;
        let calls = asked.known.iter().map(|(host, (number, _))| async move {
            let frozen = match self.agent(*number) {
                Ok(agent) => agent.call::<Frozen>("freeze", request).await,
                Err(error) => Err(error),
            };
            (host.clone(), frozen)
        });
        let answers: BTreeMap<String, Result<Frozen>> = join_all(calls).await.into_iter().collect();
        let tokens: serde_json::Map<String, Value> = answers
            .iter()
            .filter_map(|(host, frozen)| frozen.as_ref().ok().map(|frozen| (host.clone(), frozen.token.clone())))
            .collect();
        let token = json!({ "nodes": tokens });
        match merge::frozen(&asked, answers) {
            Ok((parts, failed)) => Ok(Frozen { parts, failed, token }),
            Err(error) => {
                let snapshots = Frozen { parts: Vec::new(), failed: BTreeMap::new(), token };
                // The next backup tells of snapshots that were left behind.
                let _ = self.release(&snapshots).await;
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Cluster for CassandraAgents {
    fn capabilities(&self) -> Capabilities {
        Capabilities { truncate: true, parallelism: self.inner.config.parallelism, ..Capabilities::default() }
    }

    async fn describe(&self) -> Result<Topology> {
        let asked = self.ask().await?;
        let (_, about) = asked.known.into_values().next().ok_or_else(|| Error::internal("no agent was asked"))?;
        let name = self.inner.config.name.clone().unwrap_or_else(|| about.cluster.clone());
        let id = self.inner.config.id.unwrap_or_else(|| id_of(&name));
        // Nodes come and go, so that none of them stands for the cluster.
        let fingerprint = format!("cassandra {} by agents", about.cluster);
        Ok(Topology { identity: ClusterIdentity { id, name, fingerprint }, ..about.topology })
    }

    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        let (this, that, request) = (self.clone(), self.clone(), request.clone());
        let undo = |frozen: Frozen| async move {
            // Nobody is left who could be told; the next backup tells of snapshots that were left behind.
            let _ = that.release(&frozen).await;
        };
        to_its_end(async move { this.freeze_all(&request).await }, undo).await
    }

    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        let files = match PieceDetail::of(piece)? {
            PieceDetail::Files(files) => files,
            own => return Ok(whole_piece(own)),
        };
        let body = self.on(&files.node).await?.read(piece, files.bytes()).await?;
        let summary = PieceSummary { records: files.files.len() as u64, ..PieceSummary::default() };
        Ok(PieceReader { body, summary: Box::pin(async move { Ok(summary) }) })
    }

    async fn release(&self, frozen: &Frozen) -> Result<()> {
        let tokens = frozen.token["nodes"].as_object().into_iter().flatten();
        let calls = tokens.map(|(host, token)| async move {
            let own = Frozen { parts: Vec::new(), failed: BTreeMap::new(), token: token.clone() };
            self.on(host).await?.call::<()>("release", &own).await
        });
        // All are told, also when one of them does not answer.
        join_all(calls).await.into_iter().collect()
    }

    async fn check_restore(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        let (_, agent) = self.entry().await?;
        agent.call("check-restore", &Check { outline: outline.clone(), options: options.clone() }).await
    }

    async fn begin_restore(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        let (node, agent) = self.entry().await?;
        let begin = Begin { id, outline: outline.clone(), options: options.clone() };
        let session: RestoreSession = agent.call("begin-restore", &begin).await?;
        Ok(RestoreSession { detail: json!({ "node": node, "session": session.detail }), ..session })
    }

    async fn write(
        &self,
        session: &RestoreSession,
        step: StepId,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        let (agent, session) = self.session(session).await?;
        agent.write(&Write { session, step, part: part.to_owned(), piece: piece.clone() }, body).await
    }

    async fn seal_step(&self, _: &RestoreSession, _: StepId) -> Result<()> {
        // Everything is staged first: no table is touched before all of the restore is on the node and checked.
        Ok(())
    }

    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport> {
        let (agent, session) = self.session(&session).await?;
        agent.call("finish-restore", &session).await
    }

    async fn abort_restore(&self, session: RestoreSession) -> Result<()> {
        let (agent, session) = self.session(&session).await?;
        agent.call("abort-restore", &session).await
    }
}
