//! The cluster as a whole: its nodes, and who is master of what.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::node::{Answer, Node};
use super::options::{ClientOptions, Credentials};
use crate::error::WireError;
use crate::info::{self, Peer, Replicas};
use crate::{PARTITIONS, admin};

/// A cluster. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct Client {
    options: Arc<ClientOptions>,
    credential: Option<Arc<str>>,
    state: Arc<RwLock<State>>,
}

#[derive(Debug, Default)]
struct State {
    nodes: BTreeMap<String, Arc<Node>>,
    maps: Arc<BTreeMap<String, PartitionMap>>,
}

/// Which node is master of which partition of a namespace.
#[derive(Debug, Clone)]
pub struct PartitionMap {
    /// For each replica, by partition.
    owners: Vec<Vec<Option<Claim>>>,
}

/// A node's id, and the regime in which it claims to own a partition.
type Claim = (Arc<str>, u32);

impl PartitionMap {
    /// The node that holds replica `replica` of a partition; replica 0 is the master. `None`: nobody claims it.
    #[must_use]
    pub fn owner(&self, replica: usize, partition: u16) -> Option<&str> {
        let owners = self.owners.get(replica)?;
        owners.get(usize::from(partition))?.as_ref().map(|(node, _)| &**node)
    }

    /// How many replicas are known of.
    #[must_use]
    pub fn replicas(&self) -> usize {
        self.owners.len()
    }

    /// The partitions by their master, and those that have none.
    #[must_use]
    pub fn by_master(&self) -> (BTreeMap<&str, Vec<u16>>, Vec<u16>) {
        let (mut owned, mut lost): (BTreeMap<&str, Vec<u16>>, Vec<u16>) = Default::default();
        for partition in 0..PARTITIONS {
            match self.owner(0, partition) {
                Some(node) => owned.entry(node).or_default().push(partition),
                None => lost.push(partition),
            }
        }
        (owned, lost)
    }

    fn claim(&mut self, node: &Arc<str>, replicas: &Replicas) {
        let wanted = replicas.count().max(self.owners.len());
        self.owners.resize_with(wanted, || vec![None; usize::from(PARTITIONS)]);
        for (number, owners) in self.owners.iter_mut().enumerate().take(replicas.count()) {
            for (partition, owner) in (0..PARTITIONS).zip(owners) {
                let newer = owner.as_ref().is_none_or(|(_, regime)| replicas.regime >= *regime);
                if newer && replicas.holds(number, partition) {
                    *owner = Some((Arc::clone(node), replicas.regime));
                }
            }
        }
    }
}

impl Client {
    /// Finds the cluster behind the seeds.
    ///
    /// # Errors
    /// The last seed's error when none can be asked; `Server` when the login is refused.
    pub async fn connect(options: ClientOptions) -> Result<Self, WireError> {
        let credential = match &options.credentials {
            Some(Credentials::Internal { password, .. } | Credentials::External { password, .. }) => {
                let password = password.clone();
                // A tenth of a second of CPU does not belong on an async thread.
                let hashed = tokio::task::spawn_blocking(move || admin::credential(&password)).await;
                hashed.ok().flatten().map(Arc::from)
            }
            _ => None,
        };
        let client = Self { options: Arc::new(options), credential, state: Arc::default() };
        client.refresh().await?;
        Ok(client)
    }

    /// The nodes, by id.
    #[must_use]
    pub fn nodes(&self) -> Vec<Arc<Node>> {
        self.read().nodes.values().map(Arc::clone).collect()
    }

    /// A node by its id.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<Arc<Node>> {
        self.read().nodes.get(id).map(Arc::clone)
    }

    /// The partition maps by namespace, as they were at the last look.
    #[must_use]
    pub fn partition_maps(&self) -> Arc<BTreeMap<String, PartitionMap>> {
        Arc::clone(&self.read().maps)
    }

    /// Looks at the cluster anew: nodes that came or went, and who is master of what.
    ///
    /// # Errors
    /// When neither a known node nor a seed can be asked: the first node's error that says more than that it is gone.
    pub async fn refresh(&self) -> Result<(), WireError> {
        let known: Vec<Arc<Node>> = self.nodes();
        let seeds = self.options.seeds.iter().map(|seed| Arc::new(self.make(String::new(), seed.clone(), None)));
        let mut found: BTreeMap<String, (Arc<Node>, Answer)> = BTreeMap::new();
        let mut failure: Option<WireError> = None;
        let mut queue: Vec<Arc<Node>> = known.into_iter().chain(seeds).rev().collect();
        let mut asked: Vec<(String, u16)> = Vec::new();
        while let Some(node) = queue.pop() {
            // Seeds are only asked while nothing else has answered.
            let is_spare_seed = node.id().is_empty() && !found.is_empty();
            if is_spare_seed || asked.contains(node.address()) {
                continue;
            }
            asked.push(node.address().clone());
            match self.look(&node).await {
                Ok((node, answer, peers)) => {
                    for peer in peers {
                        queue.extend(self.peer(&peer).filter(|peer| !found.contains_key(peer.id())));
                    }
                    found.entry(node.id().to_owned()).or_insert((node, answer));
                }
                Err(error) if failure.as_ref().is_none_or(WireError::is_temporary) => failure = Some(error),
                Err(_) => {}
            }
        }
        if found.is_empty() {
            let none = || WireError::Io {
                node: "the cluster".to_owned(),
                source: std::io::Error::new(std::io::ErrorKind::InvalidInput, "no address was given"),
            };
            return Err(failure.unwrap_or_else(none));
        }
        let mut maps: BTreeMap<String, PartitionMap> = BTreeMap::new();
        for (id, (node, answer)) in &found {
            let id: Arc<str> = Arc::from(id.as_str());
            let replicas = info::replicas(answer.get("replicas")).map_err(|source| malformed(node, source))?;
            for (namespace, replicas) in replicas {
                maps.entry(namespace).or_insert_with(|| PartitionMap { owners: Vec::new() }).claim(&id, &replicas);
            }
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.nodes = found.into_iter().map(|(id, (node, _))| (id, node)).collect();
        state.maps = Arc::new(maps);
        Ok(())
    }

    /// Asks a node who it is, whom it knows and what it owns.
    async fn look(&self, node: &Arc<Node>) -> Result<(Arc<Node>, Answer, Vec<Peer>), WireError> {
        let peers = match (self.options.tls.is_some(), self.options.alternate_addresses) {
            (false, false) => "peers-clear-std",
            (false, true) => "peers-clear-alt",
            (true, false) => "peers-tls-std",
            (true, true) => "peers-tls-alt",
        };
        let answer = node.info(&["node", peers, "replicas"]).await?;
        let known = info::peers(answer.get(peers)).map_err(|source| malformed(node, source))?.peers;
        let id = answer.get("node");
        if id.is_empty() {
            return Err(malformed(node, crate::Malformed::new("a node that does not say who it is", 0)));
        }
        let node = if node.id() == id {
            Arc::clone(node)
        } else {
            let tls_name = node.tls_name().map(str::to_owned);
            Arc::new(self.make(id.to_owned(), node.address().clone(), tls_name))
        };
        Ok((node, answer, known))
    }

    /// A peer as a node, at its first address; the one that is known already, if it is there still.
    fn peer(&self, peer: &Peer) -> Option<Arc<Node>> {
        let address = peer.addresses.first()?;
        let known = self.node(&peer.node).filter(|node| peer.addresses.contains(node.address()));
        let new = || Arc::new(self.make(peer.node.clone(), address.clone(), peer.tls_name.clone()));
        Some(known.unwrap_or_else(new))
    }

    fn make(&self, id: String, address: (String, u16), tls_name: Option<String>) -> Node {
        Node::new(id, address, tls_name, Arc::clone(&self.options), self.credential.clone())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn malformed(node: &Node, source: crate::Malformed) -> WireError {
    WireError::Malformed { node: format!("{}:{}", node.address().0, node.address().1), source }
}
