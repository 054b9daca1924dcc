//! Several nodes as one cluster, each by its agent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_cassandra::{Agent, CassandraAgents, CassandraConfig, NodeControl as _};
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{Journal, RestoreRequest, restore};
use strongroom_core::model::Scope;
use strongroom_core::planner::{Request, Target};
use strongroom_core::repository::Repository;
use strongroom_core::{Cluster, ErrorKind, Result};
use strongroom_secret::Secret;
use strongroom_testkit::{MemoryStorage, TestEnvironment};
use tokio::task::JoinSet;

use crate::database::{Database, config, open};
use crate::engine::{NoCodecs, bring_back, plan, repository, store, store_of};
use crate::server::{NODE, Server, free_ports};

const TOKEN: &str = "a-token-that-is-long-enough";

/// Agents on nodes; they end when this is dropped.
struct Agents {
    addresses: Vec<String>,
    _running: JoinSet<Result<()>>,
}

impl Agents {
    async fn on(nodes: &[Server]) -> Self {
        let (mut addresses, mut running) = (Vec::new(), JoinSet::new());
        for node in nodes {
            let environment = TestEnvironment::new(u64::from(node.jmx)).environment();
            let agent = Agent::new(config(node), &Secret::text(TOKEN), &environment).unwrap();
            let listener = Agent::listen("127.0.0.1:0".parse().unwrap(), false).await.unwrap();
            addresses.push(format!("http://{}", listener.local_addr().unwrap()));
            running.spawn(agent.serve(listener));
        }
        Self { addresses, _running: running }
    }
}

fn cluster_of(agents: &[String], token: &str) -> Arc<dyn Cluster> {
    let agent_token = Some(Secret::text(token));
    // The node that is alone is in a cluster of the same name.
    let name = Some("ring".to_owned());
    let config = CassandraConfig { agents: agents.to_vec(), agent_token, name, ..CassandraConfig::default() };
    Arc::new(CassandraAgents::open(config).unwrap())
}

/// Restores the newest state of one keyspace.
async fn bring(
    repository: &Repository,
    cluster: &Arc<dyn Cluster>,
    keyspace: &str,
    options: RestoreOptions,
) -> Result<()> {
    let plan = plan(repository, Scope::of_parts([keyspace])).await;
    let journal = Some(Journal::new(Arc::new(MemoryStorage::new())));
    let request = RestoreRequest { options, journal, ..RestoreRequest::default() };
    restore(repository.clone(), Arc::new(NoCodecs), plan, Arc::clone(cluster), request).await.map(drop)
}

/// Waits until every node knows the others.
async fn joined(nodes: &[Server]) {
    let end = Instant::now() + Duration::from_mins(2);
    for node in nodes {
        loop {
            let facts = node.jmx().facts().await;
            if facts.as_ref().is_ok_and(|facts| facts.hosts.len() == nodes.len() && facts.mode == "NORMAL") {
                break;
            }
            assert!(Instant::now() < end, "the nodes do not find each other: {facts:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// One start of three nodes serves all of it: that takes most of the time.
#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_are_one_cluster() {
    let nodes = tokio::task::spawn_blocking(Server::ring).await.unwrap();
    joined(&nodes).await;
    let agents = Agents::on(&nodes).await;
    let cluster = cluster_of(&agents.addresses, TOKEN);
    comes_back(&nodes, &cluster).await;
    into_one_node(&nodes, &cluster).await;
    out_of_one_node(&nodes, &cluster).await;
    what_does_not_answer_is_told(&nodes, &agents).await;
    agents_that_end_can_be_replaced(&nodes, &cluster).await;
    for node in &nodes {
        let left = node.jmx().snapshots().await.unwrap();
        assert!(!left.iter().any(|snapshot| snapshot.tag.starts_with("strongroom-")), "{left:?}");
    }
}

/// Every kind of table comes back to the same nodes: dropped, and emptied over newer rows.
async fn comes_back(nodes: &[Server], cluster: &Arc<dyn Cluster>) {
    let database = Database::replicated(&nodes[0], "ring_same", 2).await;
    database.fill().await;
    let times = "SELECT JSON id, writetime(title), ttl(title) > 0 FROM ks.docs WHERE id = 1";
    let times = times.replace(", ttl(title) > 0", "");
    let (wanted, written) = (database.rows().await, database.column(&times).await);
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    let committed = store_of(&repository, Arc::clone(cluster), "ring_same").await.unwrap();
    let topology = cluster.describe().await.unwrap();
    assert_eq!(topology.nodes.len(), 3);
    let catalogue = repository.load().await.unwrap().into_catalogue();
    catalogue.plan(&Request::at(Target::Latest)).unwrap();
    assert!(committed.window.until < committed.window.settled);
    database.drop_all().await;
    bring(&repository, cluster, "ring_same", RestoreOptions::default()).await.unwrap();
    assert_eq!(database.rows().await, wanted);
    assert_eq!(database.column(&times).await, written);

    database.run("UPDATE ks.hits SET n = n + 1000 WHERE id = 1").await;
    database.run("INSERT INTO ks.users (id, name) VALUES (1000, 'later')").await;
    let changed = database.rows().await;
    let truncating = || RestoreOptions { truncate: true, ..RestoreOptions::default() };
    if !database.is_old().await {
        let error = bring(&repository, cluster, "ring_same", truncating()).await.unwrap_err();
        assert!(error.message().contains("by_title") && error.kind() == ErrorKind::Invalid, "{error}");
        assert_eq!(database.rows().await, changed, "nothing was emptied");
    }
    database.run("DROP INDEX ks.by_title").await;
    bring(&repository, cluster, "ring_same", truncating()).await.unwrap();
    assert_eq!(database.rows().await, wanted, "counters included, though they are added to");
}

/// What three nodes had comes into a node that is alone.
async fn into_one_node(nodes: &[Server], cluster: &Arc<dyn Cluster>) {
    let database = Database::replicated(&nodes[1], "ring_to_one", 2).await;
    database.fill().await;
    let wanted = database.rows().await;
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    store_of(&repository, Arc::clone(cluster), "ring_to_one").await.unwrap();
    let target = Database::new(&NODE, "ring_to_one").await;
    let options = RestoreOptions::default();
    bring_back(&repository, &open(config(&NODE)), Scope::of_parts(["ring_to_one"]), options).await.unwrap();
    assert_eq!(target.rows().await, wanted);
}

/// What one node had comes into three.
async fn out_of_one_node(nodes: &[Server], cluster: &Arc<dyn Cluster>) {
    let source = Database::new(&NODE, "ring_from_one").await;
    source.fill().await;
    let wanted = source.rows().await;
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    store(&repository, &open(config(&NODE)), "ring_from_one").await.unwrap();
    let target = Database::replicated(&nodes[2], "ring_from_one", 2).await;
    bring(&repository, cluster, "ring_from_one", RestoreOptions::default()).await.unwrap();
    assert_eq!(target.rows().await, wanted);
}

/// A node whose agent is down makes the backup partial, and the newest state is refused; a wrong token opens nothing.
async fn what_does_not_answer_is_told(nodes: &[Server], agents: &Agents) {
    let database = Database::replicated(&nodes[0], "ring_partial", 2).await;
    database.run("CREATE TABLE ks.users (id int PRIMARY KEY, name text)").await;
    database.run("INSERT INTO ks.users (id, name) VALUES (1, 'one')").await;
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    let whole = cluster_of(&agents.addresses, TOKEN);
    let first = store_of(&repository, whole, "ring_partial").await.unwrap();
    let [closed] = free_ports();
    let down = [agents.addresses[0].clone(), agents.addresses[1].clone(), format!("http://127.0.0.1:{closed}")];
    let cluster = cluster_of(&down, TOKEN);
    let request = strongroom_core::cluster::FreezeRequest {
        scope: Scope::of_parts(["ring_partial"]),
        ..strongroom_core::cluster::FreezeRequest::default()
    };
    let frozen = cluster.freeze(&request).await.unwrap();
    cluster.release(&frozen).await.unwrap();
    let facts = nodes[2].jmx().facts().await.unwrap();
    let missing = &frozen.parts[0].missing;
    let node = format!("node {} at {}:", facts.host_id, nodes[2].address);
    assert!(missing[0].starts_with(&node) && missing[0].ends_with("no agent that answers is on it"), "{missing:?}");
    assert!(
        missing[1].starts_with(&format!("the agent at 127.0.0.1:{closed} does not answer: ")) && missing.len() == 2,
        "{missing:?}"
    );
    store_of(&repository, cluster, "ring_partial").await.unwrap();
    let newest = repository.load().await.unwrap().into_catalogue().plan(&Request::at(Target::Latest)).unwrap_err();
    assert_eq!(newest.before.map(|before| before.until), Some(first.window.until), "{newest:?}");

    let error = cluster_of(&agents.addresses, "another-token-of-that-length").describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    assert!(error.message().contains("does not know this token") && !format!("{error:?}").contains("another-token"));
}

/// Nothing is read from agents that ended, and what they froze is let go of by others.
async fn agents_that_end_can_be_replaced(nodes: &[Server], cluster: &Arc<dyn Cluster>) {
    let agents = Agents::on(nodes).await;
    let gone = cluster_of(&agents.addresses, TOKEN);
    let request = strongroom_core::cluster::FreezeRequest {
        scope: Scope::of_parts(["ring_partial"]),
        ..strongroom_core::cluster::FreezeRequest::default()
    };
    let frozen = gone.freeze(&request).await.unwrap();
    let piece = frozen.parts[0].pieces.iter().find(|piece| piece.bytes.is_some()).unwrap();
    assert!(cluster.read(piece).await.is_ok(), "any coordinator reads it");
    drop(agents);
    let error = gone.read(piece).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(gone.release(&frozen).await.is_err());
    cluster.release(&frozen).await.unwrap();
    assert_eq!(cluster.read(piece).await.unwrap_err().kind(), ErrorKind::NotFound);
}
