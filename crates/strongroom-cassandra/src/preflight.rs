//! What can be known before a restore begins.

use strongroom_core::Result;
use strongroom_core::cluster::{Conflict, Preflight, RestoreOptions, RestoreOutline};

use crate::cluster::blocking;
use crate::session::objections;
use crate::{CassandraCluster, Load};

impl CassandraCluster {
    pub(crate) async fn preflight(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        let mut found = Preflight::default();
        found.refusals.extend(objections(outline, options).iter().map(ToString::to_string));
        if options.conflict == Conflict::Keep {
            found
                .refusals
                .push("Cassandra merges by write time: it can't keep what is there against newer data".to_owned());
        }
        let facts = self.facts().await?;
        if facts.mode != "NORMAL" {
            found.refusals.push(format!("the node is {}, not NORMAL", facts.mode));
        }
        let keyspaces = self.cql().keyspaces(self.config()).await?;
        for part in outline.parts.keys().map(|part| options.target_of(part)) {
            if !keyspaces.contains(part) {
                if options.no_definitions && !options.no_data {
                    found.refusals.push(format!("the cluster has no keyspace '{part}', and definitions are left out"));
                }
            } else if !options.truncate && !options.no_data {
                found.warnings.push(format!(
                    "keyspace '{part}' is there: Cassandra merges by write time, so what was written or deleted after the backup \
                     stays, and what was deleted before, and is forgotten since gc_grace_seconds, comes back"
                ));
            }
        }
        if facts.hosts.len() > 1 && self.way(&facts) == Load::Import {
            found.warnings.push(format!(
                "only this node of {} takes files in, and only what it owns: restore on each of them, and repair afterwards",
                facts.hosts.len()
            ));
        }
        if !options.no_data {
            let (refusals, warnings) = self.check_replay(&facts, outline).await?;
            found.refusals.extend(refusals);
            found.warnings.extend(warnings);
        }
        let bytes: u64 = outline.parts.values().map(|part| part.bytes).sum();
        let staging = self.staging().await?;
        let free = blocking(move || {
            // The folder itself may not be there yet.
            Ok(staging.ancestors().find(|path| path.exists()).and_then(space))
        });
        if let Some(free) = free.await?.filter(|free| *free < bytes && !options.no_data) {
            found.refusals.push(format!("{bytes} bytes are to come, and only {free} are free for them"));
        }
        Ok(found)
    }
}

/// Free bytes for who is not root; `None` where the system does not tell.
#[cfg(unix)]
fn space(path: &std::path::Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn space(_: &std::path::Path) -> Option<u64> {
    None
}
