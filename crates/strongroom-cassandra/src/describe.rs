//! Who the cluster is and what it holds.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_core::Result;
use strongroom_core::cluster::{ClusterIdentity, Node, PartDescription, Topology};
use strongroom_core::id::ClusterId;

use crate::CassandraCluster;
use crate::node::NodeFacts;

/// Keyspaces that hold a node's or the cluster's own things. They are no parts: roles are bound to the cluster they are in.
const OWN: [&str; 8] = [
    "system",
    "system_auth",
    "system_cluster_metadata",
    "system_distributed",
    "system_schema",
    "system_traces",
    "system_views",
    "system_virtual_schema",
];

/// Whether a keyspace is one of the users'.
pub(crate) fn is_part(keyspace: &str) -> bool {
    !OWN.contains(&keyspace)
}

impl CassandraCluster {
    pub(crate) async fn topology(&self) -> Result<Topology> {
        let facts = self.facts().await?;
        let places = self.cql().places(self.config()).await?;
        let mut nodes = Vec::new();
        for (address, id) in &facts.hosts {
            let place = places.get(id).cloned().unwrap_or_default();
            let tokens =
                facts.ring.iter().filter(|(_, owner)| *owner == address).map(|(token, _)| token.clone()).collect();
            nodes.push(Node {
                id: id.clone(),
                address: address.clone(),
                datacenter: place.datacenter,
                rack: place.rack,
                tokens,
            });
        }
        let mut parts = BTreeMap::new();
        for (keyspace, tables) in self.tables().await? {
            let tables = tables.into_iter().map(|table| (table, None)).collect();
            parts.insert(keyspace, PartDescription { tables, ..PartDescription::default() });
        }
        Ok(Topology { identity: self.identity(&facts), version: facts.version, nodes, parts })
    }

    /// The keyspaces that can be backed up, and their tables, views included.
    pub(crate) async fn tables(&self) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let mut tables = self.cql().tables(self.config()).await?;
        tables.retain(|keyspace, _| is_part(keyspace));
        Ok(tables)
    }

    fn identity(&self, facts: &NodeFacts) -> ClusterIdentity {
        let of_node = || format!("{}/{}", facts.cluster, facts.host_id);
        let own = || if self.config().alone { of_node() } else { facts.cluster.clone() };
        let name = self.config().name.clone().unwrap_or_else(own);
        let id = self.config().id.unwrap_or_else(|| id_of(&name));
        // Clusters have no id of their own, and many keep the name they come with: the node tells them apart.
        let fingerprint = format!("cassandra {} node {}", facts.cluster, facts.host_id);
        ClusterIdentity { id, name, fingerprint }
    }
}

/// The id of a cluster of this name, the same each time.
pub(crate) fn id_of(name: &str) -> ClusterId {
    let mut id = [0; 16];
    let hash = blake3::hash(format!("strongroom cassandra cluster\n{name}").as_bytes());
    id.copy_from_slice(&hash.as_bytes()[..16]);
    ClusterId::from_bytes(id)
}
