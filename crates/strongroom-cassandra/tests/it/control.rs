//! Managing a node: what it says of itself, snapshots, and what it refuses.

use std::collections::BTreeSet;

use strongroom_cassandra::{Import, JmxAddress, JmxLogin, JmxNode, NodeControl as _};
use strongroom_core::ErrorKind;
use strongroom_secret::Secret;

use crate::server::{NODE, SETTINGS, Server, free_ports};

impl Server {
    /// Its management, logged in with this password.
    pub(crate) fn jmx_with(&self, password: &str) -> JmxNode {
        let login = JmxLogin { user: "backup".to_owned(), password: Secret::text(password) };
        JmxNode::new(JmxAddress::new("127.0.0.1", self.jmx), Some(login))
    }

    /// Its management.
    pub(crate) fn jmx(&self) -> JmxNode {
        self.jmx_with("testsecret123")
    }
}

/// A keyspace that every node has, and whose tables no test changes.
const KEYSPACE: &str = "system_distributed";

#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_who_it_is() {
    let facts = NODE.jmx().facts().await.unwrap();
    let version = std::env::var("CASSANDRA_VERSION").unwrap_or_else(|_| "5.0.".to_owned());
    assert!(facts.version.starts_with(&version), "{facts:?}");
    assert_eq!((facts.cluster.as_str(), facts.mode.as_str()), ("Test", "NORMAL"));
    assert_eq!(facts.tokens.len(), 8);
    assert_eq!(facts.ring.keys().collect::<BTreeSet<_>>(), facts.tokens.iter().collect());
    assert_eq!(facts.hosts.values().collect::<Vec<_>>(), [&facts.host_id]);
    assert_eq!(facts.data_folders, [NODE.data()]);
    assert!(facts.partitioner.ends_with("Murmur3Partitioner"));
    let ranges = NODE.jmx().ring_of(KEYSPACE).await.unwrap();
    assert_eq!(ranges.len(), 8);
    assert!(ranges.iter().all(|range| range.contains("datacenter:datacenter1") && range.contains("rack:rack1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_taken_once_listed_and_deleted() {
    let node = NODE.jmx();
    let keyspaces = [KEYSPACE.to_owned()];
    let mine = async || {
        let all = node.snapshots().await.unwrap();
        all.into_iter().filter(|snapshot| snapshot.tag == "control").collect::<Vec<_>>()
    };
    node.take_snapshot("control", &keyspaces).await.unwrap();
    let found = mine().await;
    assert!(found.iter().all(|snapshot| snapshot.keyspace == KEYSPACE));
    assert!(found.iter().any(|snapshot| snapshot.table == "repair_history"), "{found:?}");
    let error = node.take_snapshot("control", &keyspaces).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}");
    assert!(error.message().contains("Snapshot control already exists."), "{error}");
    node.clear_snapshot("control", &keyspaces).await.unwrap();
    assert!(mine().await.is_empty());
    node.clear_snapshot("control", &keyspaces).await.unwrap();
    assert_eq!(node.clear_snapshot("", &keyspaces).await.unwrap_err().kind(), ErrorKind::Internal);
    node.take_snapshot("control-one", &[format!("{KEYSPACE}.repair_history")]).await.unwrap();
    let one = node.snapshots().await.unwrap().into_iter().filter(|snapshot| snapshot.tag == "control-one").count();
    assert_eq!(one, 1);
    node.clear_snapshot("control-one", &keyspaces).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_refuses_carries_its_own_words() {
    let node = NODE.jmx();
    let error = node.take_snapshot("x", &["no_such".to_owned()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(error.message().contains("Keyspace no_such does not exist"), "{error}");
    let error = node.flush("no_such", &[]).await.unwrap_err();
    assert!(error.message().contains("no_such"), "{error}");
    let error = node.truncate("system_auth", "no_such").await.unwrap_err();
    assert!(error.message().contains("TruncateException"), "{error}");
    let import = Import::new("system_auth", "no_such", BTreeSet::from(["/no/such".to_owned()]));
    let error = node.import(&import).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    let import = Import::new(KEYSPACE, "repair_history", BTreeSet::from(["/no/such".to_owned()]));
    let refused = node.import(&import).await;
    assert!(refused.is_err() || !refused.unwrap().is_empty(), "a folder that is not there is no success");
    assert!(node.stream("/no/such").await.is_err());
    let import = Import::new("system_auth", "a,type=x", BTreeSet::new());
    assert_eq!(node.import(&import).await.unwrap_err().kind(), ErrorKind::Invalid);
    node.flush(KEYSPACE, &["repair_history".to_owned()]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn incremental_backups_are_switched() {
    let _alone = SETTINGS.lock().await;
    let node = NODE.jmx();
    let before = node.incremental_backups().await.unwrap();
    node.set_incremental_backups(!before).await.unwrap();
    assert_eq!(node.incremental_backups().await.unwrap(), !before);
    node.set_incremental_backups(before).await.unwrap();
    assert_eq!(node.incremental_backups().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_node_that_is_down_are_told() {
    let error = NODE.jmx_with("hunter2").facts().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    assert!(error.message().contains("Authentication failed"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
    let nobody = JmxNode::new(JmxAddress::new("127.0.0.1", NODE.jmx), None);
    assert_eq!(nobody.facts().await.unwrap_err().kind(), ErrorKind::Denied);

    let [closed] = free_ports();
    let down = JmxNode::new(JmxAddress::new("127.0.0.1", closed), None);
    let error = down.facts().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.message().contains(&closed.to_string()) && error.advice().is_some(), "{error:?}");

    // Something listens there, and it is not JMX.
    let wrong = JmxNode::new(JmxAddress::new("127.0.0.1", NODE.cql), None);
    let error = wrong.facts().await.unwrap_err();
    assert!(error.to_string().contains("7199"), "{error:?}");
}
