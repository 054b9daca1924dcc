//! Who the cluster is and what it holds.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_aerospike_wire::client::Answer;
use strongroom_aerospike_wire::info;
use strongroom_core::cluster::{ClusterIdentity, Node, PartDescription, Topology};
use strongroom_core::id::ClusterId;
use strongroom_core::{Error, Result};

use crate::AerospikeCluster;
use crate::fault::nonsense;

/// What one namespace is like, over all nodes.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamespaceInfo {
    /// Records without their replicas.
    pub(crate) records: u64,
    /// Bytes without those of replicas.
    pub(crate) bytes: u64,
    /// Records by set, without their replicas.
    pub(crate) sets: BTreeMap<String, u64>,
    /// What each node says of it.
    pub(crate) nodes: BTreeMap<String, info::Namespace>,
}

impl AerospikeCluster {
    pub(crate) async fn topology(&self) -> Result<Topology> {
        let identity = self.identity().await?.clone();
        let answers = self.ask_all(&["build", "namespaces"]).await?;
        let versions: BTreeSet<&str> = answers.iter().map(|(_, answer)| answer.get("build")).collect();
        let names: BTreeSet<String> = answers.iter().flat_map(|(_, answer)| names(answer)).collect();
        let mut parts = BTreeMap::new();
        for (name, found) in self.namespaces(names.iter()).await? {
            let tables = found.sets.into_iter().map(|(set, count)| (set, Some(count))).collect();
            let (records, bytes) = (Some(found.records), Some(found.bytes));
            parts.insert(name, PartDescription { tables, records, bytes });
        }
        let client = self.client().await?;
        let node = |node: &std::sync::Arc<strongroom_aerospike_wire::client::Node>| Node {
            id: node.id().to_owned(),
            address: format!("{}:{}", node.address().0, node.address().1),
            ..Node::default()
        };
        let nodes = client.nodes().iter().map(node).collect();
        Ok(Topology { identity, version: versions.into_iter().collect::<Vec<_>>().join(", "), nodes, parts })
    }

    /// The names of all namespaces.
    pub(crate) async fn namespace_names(&self) -> Result<BTreeSet<String>> {
        let answers = self.ask_all(&["namespaces"]).await?;
        Ok(answers.iter().flat_map(|(_, answer)| names(answer)).collect())
    }

    /// What these namespaces are like. One that no node has is not among the answers.
    pub(crate) async fn namespaces(
        &self,
        names: impl Iterator<Item = &String> + Clone,
    ) -> Result<BTreeMap<String, NamespaceInfo>> {
        let commands: Vec<String> =
            names.clone().flat_map(|name| [format!("namespace/{name}"), format!("sets/{name}")]).collect();
        let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
        let answers = if commands.is_empty() { Vec::new() } else { self.ask_all(&commands).await? };
        let mut all = BTreeMap::new();
        for name in names {
            let mut found = NamespaceInfo::default();
            for (node, answer) in &answers {
                found.add(name, node, answer)?;
            }
            if !found.nodes.is_empty() {
                all.insert(name.clone(), found);
            }
        }
        Ok(all)
    }

    pub(crate) async fn find_identity(&self) -> Result<ClusterIdentity> {
        let own = self.ask("cluster-name").await?;
        // Servers say `null` where they have none.
        let own = Some(own.trim()).filter(|own| !matches!(*own, "" | "null") && info::refusal(own).is_none());
        let config = self.config();
        let name = match (&config.name, own) {
            (Some(name), _) => name.clone(),
            (None, Some(own)) => own.to_owned(),
            (None, None) => config.seeds.join(","),
        };
        let id = config.id.unwrap_or_else(|| {
            let mut id = [0; 16];
            let hash = blake3::hash(format!("strongroom aerospike cluster\n{name}").as_bytes());
            id.copy_from_slice(&hash.as_bytes()[..16]);
            ClusterId::from_bytes(id)
        });
        let fingerprint = own.map_or_else(|| "aerospike, unnamed".to_owned(), |own| format!("aerospike {own}"));
        Ok(ClusterIdentity { id, name, fingerprint })
    }
}

fn names(answer: &Answer) -> impl Iterator<Item = String> + '_ {
    answer.get("namespaces").split(';').filter(|name| !name.is_empty()).map(str::to_owned)
}

impl NamespaceInfo {
    fn add(&mut self, name: &str, node: &str, answer: &Answer) -> Result<()> {
        let Some(found) = info::Namespace::of(answer.get(&format!("namespace/{name}"))) else { return Ok(()) };
        // What a node counts has replicas in it, but for the masters' own count.
        let copies = found.number("effective_replication_factor").unwrap_or(1).max(1);
        let masters = found.number("master_objects");
        self.records += masters.or_else(|| Some(found.number("objects")? / copies)).unwrap_or_default();
        // Servers before 7.0 told the sizes by where the data is.
        let sizes = ["data_used_bytes", "device_used_bytes", "memory_used_bytes"];
        self.bytes += sizes.iter().find_map(|size| found.number(size)).unwrap_or_default() / copies;
        let sets = info::sets(answer.get(&format!("sets/{name}"))).map_err(|error| nonsense(node, "sets", &error))?;
        for set in sets {
            *self.sets.entry(set.name).or_default() += set.objects.div_ceil(copies);
        }
        self.nodes.insert(node.to_owned(), found);
        Ok(())
    }
}

/// The error for a namespace that is not there.
pub(crate) fn missing(namespace: &str) -> Error {
    Error::not_found(format!("the cluster has no namespace '{namespace}'"))
        .hint("check the name; namespaces are made in the server's configuration")
}
