//! How a node is reached and where its files are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use strongroom_core::id::ClusterId;
use strongroom_core::units::Span;
use strongroom_core::{Error, Result, Timestamp};
use strongroom_secret::Secret;

use crate::agent::remote::address_of;
use crate::jmx::JmxAddress;
use crate::jmx_node::{JmxLogin, JmxNode};

/// How a node is reached and where its files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CassandraConfig {
    /// The node's CQL: `host` or `host:port`; the port is 9042 if it is not said.
    pub host: String,
    /// Who asks by CQL. Absent: the cluster has no logins.
    pub login: Option<Login>,
    /// How the node is managed.
    pub jmx: JmxConfig,
    /// What people call the cluster. Absent: its own `cluster_name`.
    pub name: Option<String>,
    /// Our own id of it. Absent: made of its name, so that it is the same each time.
    pub id: Option<ClusterId>,
    /// Back up this node as a cluster of its own, with its id in the name: the others of its cluster have backups of their own.
    pub alone: bool,
    /// The agents of a cluster's nodes, as `http://HOST:PORT`: the nodes are reached by them alone, as one cluster. Where there are
    /// some, what is said of the one node (its CQL, management and folders) has no meaning.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// What the agents know the coordinator by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_token: Option<Secret>,
    /// The node's data folders. Absent: those that the node itself tells.
    pub data_folders: Vec<PathBuf>,
    /// Where files of a restore are put before the node takes them in: on the same file system as the data, if they are
    /// to be moved and not copied. Absent: a folder within the first data folder.
    pub staging: Option<PathBuf>,
    /// A file in which hashes of the node's files are kept, so that the next process reads only what is new. Absent: they are
    /// known only as long as this process lives.
    pub memory: Option<PathBuf>,
    /// How long making a connection may take.
    pub connect_timeout: Span,
    /// How long a call of the node's management may take.
    pub call_timeout: Span,
    /// How many pieces are read or written at once.
    pub parallelism: u16,
    /// How it is restored into.
    pub restore: RestoreConfig,
}

/// How a node is managed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct JmxConfig {
    /// Where JMX listens. Absent: 127.0.0.1, as nodes have it by default.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
    /// Who asks. Absent: JMX has no logins.
    pub login: Option<Login>,
}

/// How it is restored into.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RestoreConfig {
    /// Restore into tables whose schema differs from that of the backup.
    pub force: bool,
    /// How nodes get the files. Absent: a node that is alone takes them in, several get what they own.
    pub load: Option<Load>,
    /// Carry on what is restored by archived commit logs. Absent: the state of the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayConfig>,
}

/// Which commit logs carry a restore on, to which moment, and how the scratch node is started that replays them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReplayConfig {
    /// The archives of all nodes, each a folder of this node with the segments of one.
    pub segments: Vec<PathBuf>,
    /// The last write time that is taken, by the clients' clocks. Absent: all that was archived.
    #[serde(with = "strongroom_core::time::written", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What starts Cassandra in the foreground, with the configuration in `CASSANDRA_CONF` and the options in `JVM_EXTRA_OPTS`.
    pub command: Vec<String>,
    /// The configuration of this node, of which the scratch node's is made.
    pub conf: PathBuf,
}

/// How nodes get the files of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// This node takes them in, by moving them. It must own all that is in them.
    Import,
    /// This node sends them to those that own what is in them, whatever the ring was at the time of the backup.
    Stream,
}

/// A user and a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password, or where it is found: `{ env = "NAME" }`, `{ file = "path" }`.
    pub password: Secret,
}

impl Default for CassandraConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            login: None,
            jmx: JmxConfig::default(),
            name: None,
            id: None,
            alone: false,
            agents: Vec::new(),
            agent_token: None,
            data_folders: Vec::new(),
            staging: None,
            memory: None,
            connect_timeout: Span::secs(10),
            call_timeout: Span::secs(3600),
            parallelism: 4,
            restore: RestoreConfig::default(),
        }
    }
}

impl Default for ReplayConfig {
    fn default() -> Self {
        Self {
            segments: Vec::new(),
            until: None,
            command: ["cassandra", "-f"].map(str::to_owned).into(),
            conf: PathBuf::from("/etc/cassandra"),
        }
    }
}

impl Default for JmxConfig {
    fn default() -> Self {
        Self { host: None, port: 7199, login: None }
    }
}

/// The port of CQL, if none is said.
const PORT: u16 = 9042;

impl CassandraConfig {
    /// Checks what can be checked without a network or files.
    ///
    /// # Errors
    /// `Invalid`, with what to change.
    pub fn check(&self) -> Result<()> {
        if self.host.is_empty() || self.host.contains([',', '/', '@', ' ']) {
            return Err(Error::invalid(format!("'{}' is no address of one node", self.host.escape_debug()))
                .hint("name the node that strongroom runs on, such as cassandra://127.0.0.1:9042"));
        }
        for agent in &self.agents {
            address_of(agent)?;
        }
        let replay = self.restore.replay.iter();
        if replay.clone().any(|replay| replay.segments.is_empty() || replay.command.is_empty()) {
            return Err(Error::invalid("a replay needs the folders of archived segments, and a command")
                .hint("give restore.replay.segments"));
        }
        let replay = replay.flat_map(|replay| replay.segments.iter().chain([&replay.conf]));
        let mut folders = self.data_folders.iter().chain(&self.staging).chain(&self.memory).chain(replay);
        let relative = folders.find(|folder| !folder.is_absolute());
        if let Some(folder) = relative {
            return Err(Error::invalid(format!("{} is no absolute path", folder.display())));
        }
        Ok(())
    }

    pub(crate) fn cql_address(&self) -> String {
        let has_port = self.host.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
        if has_port { self.host.clone() } else { format!("{}:{PORT}", self.host) }
    }

    pub(crate) fn jmx_node(&self) -> JmxNode {
        let address = JmxAddress {
            host: self.jmx.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: self.jmx.port,
            connect_timeout: self.connect_timeout.0,
            call_timeout: self.call_timeout.0,
        };
        let login = self.jmx.login.as_ref();
        JmxNode::new(
            address,
            login.map(|login| JmxLogin { user: login.user.clone(), password: login.password.clone() }),
        )
    }
}
