//! `snapshot`: what a cluster keeps on its own nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;
use strongroom::core::cluster::{HeldSnapshot, HeldSnapshots};
use strongroom::{Cluster, Error, Result};

use crate::choice::Parts;
use crate::context::Context;
use crate::output::{DONE, count, table};

/// Keep snapshots on the nodes of a cluster, to be backed up later with 'backup --snapshot'
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Take(Take),
    List(List),
    Delete(Delete),
}

/// Take a snapshot and keep it until it is deleted
#[derive(Debug, Args)]
pub(crate) struct Take {
    cluster: String,
    #[command(flatten)]
    parts: Parts,
}

/// List the snapshots that are kept, oldest first
#[derive(Debug, Args)]
pub(crate) struct List {
    cluster: String,
}

/// Delete snapshots
#[derive(Debug, Args)]
pub(crate) struct Delete {
    cluster: String,
    /// The snapshots
    #[arg(value_name = "ID", required = true)]
    snapshots: Vec<String>,
}

impl Command {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        match self {
            Self::Take(arguments) => arguments.run(context).await,
            Self::List(arguments) => arguments.run(context).await,
            Self::Delete(arguments) => arguments.run(context).await,
        }
    }
}

impl Take {
    async fn run(self, context: &Context) -> Result<u8> {
        let cluster = context.strongroom()?.cluster(&self.cluster)?;
        let known = if self.parts.need_names() { cluster.describe().await?.parts } else { BTreeMap::new() };
        let taken = held(&*cluster, &self.cluster)?.take(&self.parts.scope(known.into_keys())).await?;
        context.output.result(&taken, || format!("snapshot {} until {}", taken.id, taken.window.until))?;
        Ok(DONE)
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<u8> {
        let cluster = context.strongroom()?.cluster(&self.cluster)?;
        let snapshots = held(&*cluster, &self.cluster)?.list().await?;
        context.output.result(&json!({ "snapshots": snapshots }), || told(&snapshots))?;
        Ok(DONE)
    }
}

impl Delete {
    async fn run(self, context: &Context) -> Result<u8> {
        let cluster = context.strongroom()?.cluster(&self.cluster)?;
        let held = held(&*cluster, &self.cluster)?;
        for snapshot in &self.snapshots {
            held.delete(snapshot).await?;
        }
        context.output.result(&json!({ "deleted": self.snapshots }), || {
            format!("{} deleted", count(self.snapshots.len() as u64, "snapshot"))
        })?;
        Ok(DONE)
    }
}

/// The cluster as it was at one of its snapshots.
pub(crate) fn cluster_at(cluster: Arc<dyn Cluster>, name: &str, snapshot: Option<&str>) -> Result<Arc<dyn Cluster>> {
    match snapshot {
        Some(snapshot) => held(&*cluster, name)?.open(snapshot),
        None => Ok(cluster),
    }
}

fn held<'a>(cluster: &'a dyn Cluster, name: &str) -> Result<&'a dyn HeldSnapshots> {
    cluster.held().ok_or_else(|| {
        Error::unsupported(format!("cluster '{name}' keeps no snapshots on its nodes")).hint("take a backup instead")
    })
}

fn told(snapshots: &[HeldSnapshot]) -> String {
    let row = |snapshot: &HeldSnapshot| {
        let parts: Vec<&str> = snapshot.parts.iter().map(String::as_str).collect();
        [snapshot.id.clone(), snapshot.window.until.to_string(), snapshot.bytes.to_string(), parts.join(", ")]
    };
    let rows: Vec<_> = snapshots.iter().map(row).collect();
    table(["SNAPSHOT", "UNTIL", "BYTES", "PARTS"], [false, false, true, false], &rows).join("\n")
}
