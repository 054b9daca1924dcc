//! Choosing partitions by the nodes or racks that are their masters, or by digests.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use strongroom_core::{Error, Result};
use strongroom_record::Digest;
use strongroom_record::model::PARTITIONS;

use crate::AerospikeCluster;

/// What was chosen of a namespace, and what is missing therefore.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    /// Ranges of partitions; empty: all.
    pub(crate) chosen: Vec<(u16, u16)>,
    pub(crate) missing: Vec<String>,
}

impl AerospikeCluster {
    /// The partitions of a namespace that the configured digests name, or the configured nodes and racks are masters of.
    pub(crate) async fn choose(&self, namespace: &str) -> Result<Chosen> {
        let config = &self.config().backup;
        if !config.after_digests.is_empty() {
            let chosen: Vec<_> =
                after(&config.after_digests)?.into_keys().map(|partition| (partition, partition)).collect();
            let missing = format!(
                "{} partitions, and of {} what comes up to a digest",
                usize::from(PARTITIONS) - chosen.len(),
                chosen.len()
            );
            return Ok(Chosen { chosen, missing: vec![missing] });
        }
        if config.nodes.is_empty() && config.racks.is_empty() {
            return Ok(Chosen::default());
        }
        let client = self.client().await?;
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for name in &config.nodes {
            let is_it = |node: &&std::sync::Arc<strongroom_aerospike_wire::client::Node>| {
                let (host, port) = node.address();
                node.id() == name || format!("{host}:{port}") == *name
            };
            let nodes = client.nodes();
            let node = nodes.iter().find(is_it).ok_or_else(|| {
                let known: Vec<&str> = nodes.iter().map(|node| node.id()).collect();
                Error::not_found(format!("the cluster has no node '{name}'"))
                    .hint(format!("it has {}", known.join(", ")))
            })?;
            wanted.insert(node.id().to_owned());
        }
        if !config.racks.is_empty() {
            let answer = self.ask("racks:").await?;
            for rack in &config.racks {
                let nodes = nodes_in(&answer, namespace, rack).ok_or_else(|| {
                    Error::not_found(format!("namespace '{namespace}' has no rack '{rack}'"))
                        .hint(format!("the cluster says: {answer}"))
                })?;
                wanted.extend(nodes);
            }
        }
        let maps = client.partition_maps();
        let map = maps.get(namespace).ok_or_else(|| crate::describe::missing(namespace))?;
        let is_wanted = |partition: u16| map.owner(0, partition).is_some_and(|owner| wanted.contains(owner));
        let mut chosen: Vec<(u16, u16)> = Vec::new();
        let mut count = 0;
        for partition in (0..PARTITIONS).filter(|partition| is_wanted(*partition)) {
            count += 1;
            match chosen.last_mut() {
                Some((_, end)) if *end + 1 == partition => *end = partition,
                _ => chosen.push((partition, partition)),
            }
        }
        if chosen.is_empty() {
            return Err(Error::invalid(format!(
                "the chosen nodes are master of no partition of namespace '{namespace}'"
            )));
        }
        let missing =
            format!("{} partitions of other nodes than {}", PARTITIONS - count, Vec::from_iter(wanted).join(", "));
        Ok(Chosen { chosen, missing: if count < PARTITIONS { vec![missing] } else { Vec::new() } })
    }
}

/// Digests by their partitions, each from 40 hexadecimal digits or base64.
pub(crate) fn after(texts: &[String]) -> Result<BTreeMap<u16, Digest>> {
    let mut found = BTreeMap::new();
    for text in texts {
        let digest = digest_of(text).ok_or_else(|| {
            Error::invalid(format!("'{text}' is no digest")).hint("write 40 hexadecimal digits, or base64 of 20 bytes")
        })?;
        if let Some(other) = found.insert(digest.partition(), digest) {
            return Err(Error::invalid(format!(
                "digests {other} and {digest} are in the same partition, {}",
                digest.partition()
            ))
            .hint("name one digest of a partition"));
        }
    }
    Ok(found)
}

fn digest_of(text: &str) -> Option<Digest> {
    let bytes = if text.len() == 40 {
        let byte = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        (0..40).step_by(2).map(byte).collect::<Option<Vec<u8>>>()?
    } else {
        STANDARD.decode(text).ok()?
    };
    <[u8; 20]>::try_from(bytes).ok().map(Digest)
}

/// Reads `ns=NAME:rack_ID=NODE,NODE:rack_ID=…;ns=…`.
fn nodes_in(answer: &str, namespace: &str, rack: &str) -> Option<Vec<String>> {
    let entry = answer.split(';').find(|entry| entry.split(':').next() == Some(&format!("ns={namespace}")))?;
    let nodes = entry
        .split(':')
        .find_map(|word| word.strip_prefix(&format!("rack_{rack}=")))
        .filter(|nodes| !nodes.is_empty())?;
    Some(nodes.split(',').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_in_both_forms() {
        let hex = "00112233445566778899aabbccddeeff00112233";
        let base64 = "ABEiM0RVZneImaq7zN3u/wARIjM=";
        let digest = digest_of(hex).unwrap();
        assert_eq!((digest_of(base64), digest.to_string()), (Some(digest), hex.to_owned()));
        for wrong in ["", "00", &hex[1..], "zz112233445566778899aabbccddeeff00112233", "ABEiM0RVZneImaq7zN3u/wARIg=="] {
            assert_eq!(digest_of(wrong), None, "{wrong}");
        }
        let twice = after(&[hex.to_owned(), base64.to_owned()]).unwrap_err();
        assert!(twice.message().contains("the same partition, 256"), "{twice}");
    }

    #[test]
    fn racks_are_read_by_namespace() {
        let answer = "ns=test:rack_1=A,B:rack_12=C;ns=bar:rack_1=D";
        assert_eq!(nodes_in(answer, "test", "1").unwrap(), ["A", "B"]);
        assert_eq!(nodes_in(answer, "test", "12").unwrap(), ["C"]);
        assert_eq!(nodes_in(answer, "bar", "1").unwrap(), ["D"]);
        assert_eq!(nodes_in(answer, "bar", "2"), None);
        assert_eq!(nodes_in(answer, "nope", "1"), None);
    }
}
