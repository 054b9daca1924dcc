//! What time it is in the cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use strongroom_core::{Error, Result};
use strongroom_record::model::CITRUSLEAF_EPOCH;
use tokio::time::Instant;

use crate::AerospikeCluster;

/// What the nodes' clocks say, in seconds since 1970, rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clocks {
    pub(crate) slowest: i64,
    pub(crate) fastest: i64,
}

impl AerospikeCluster {
    /// Asks every node.
    pub(crate) async fn clocks(&self) -> Result<Clocks> {
        let mut found: Option<Clocks> = None;
        for now in self.seconds().await?.into_values() {
            let clocks = found.get_or_insert(Clocks { slowest: now, fastest: now });
            clocks.slowest = clocks.slowest.min(now);
            clocks.fastest = clocks.fastest.max(now);
        }
        found.ok_or_else(|| Error::unavailable("the cluster has no node that answers"))
    }
}

/// What the nodes' clocks said a moment ago.
#[derive(Debug)]
pub(crate) struct Told {
    at: Instant,
    seconds: BTreeMap<String, i64>,
}

/// Clocks tell whole seconds: asking more often tells nothing new.
const FRESH: Duration = Duration::from_secs(1);

impl AerospikeCluster {
    /// What time it is on a node, in seconds since 1970: what it will count a record's time to live from.
    pub(crate) async fn now_at(&self, node: &str) -> Result<i64> {
        // Never held while a node is asked: whoever waits for an answer may not be polled for long.
        let fresh =
            self.told().as_ref().filter(|told| told.at.elapsed() < FRESH).map(|told| told.seconds.get(node).copied());
        if let Some(Some(seconds)) = fresh {
            return Ok(seconds);
        }
        let at = Instant::now();
        let seconds = self.seconds().await?;
        let now = seconds.get(node).or_else(|| seconds.values().max()).copied();
        *self.told() = Some(Told { at, seconds });
        now.ok_or_else(|| Error::unavailable("the cluster has no node that answers"))
    }
}

impl AerospikeCluster {
    /// What time each node tells, in seconds since 1970. A server (seen on 8.1) tells it among the statistics of a namespace, and
    /// nowhere else; all namespaces have one clock.
    async fn seconds(&self) -> Result<BTreeMap<String, i64>> {
        let maps = self.client().await?.partition_maps();
        let any = maps.keys().next().ok_or_else(|| Error::unavailable("the cluster has no namespace yet"))?;
        let command = format!("namespace/{any}");
        let answers = self.ask_all(&[&command]).await?;
        answers.iter().map(|(node, answer)| Ok((node.clone(), now_of(node, answer.get(&command))?))).collect()
    }
}

/// What time a node tells, in seconds since 1970.
fn now_of(node: &str, statistics: &str) -> Result<i64> {
    let words = statistics.split(';');
    let now = words.filter_map(|word| word.split_once('=')).find(|(name, _)| *name == "current_time");
    let now = now.and_then(|(_, seconds)| seconds.parse::<i64>().ok());
    // A clock that stands before 2010 would make every window wrong.
    let now = now.filter(|now| *now > 0).map(|now| now.saturating_add_unsigned(CITRUSLEAF_EPOCH));
    now.ok_or_else(|| {
        Error::unsupported(format!("node {node} does not tell its time"))
            .hint("servers since 6.0 tell it in the statistics of a namespace")
    })
}
