//! What can be known before a restore begins.

use strongroom_aerospike_wire::message::Messages;
use strongroom_aerospike_wire::write::{RecordName, delete};
use strongroom_aerospike_wire::{Class, WireError};
use strongroom_core::Result;
use strongroom_core::cluster::{Conflict, Preflight, RestoreOptions, RestoreOutline};

use strongroom_record::Digest;

use crate::AerospikeCluster;
use crate::describe::NamespaceInfo;
use crate::fault::fault;
use crate::session::objections;

impl AerospikeCluster {
    pub(crate) async fn preflight(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        let mut found = Preflight::default();
        found.refusals.extend(objections(outline, options).iter().map(ToString::to_string));
        let targets: Vec<String> = outline.parts.keys().map(|part| options.target_of(part).to_owned()).collect();
        let there = self.namespaces(targets.iter()).await?;
        for (target, part) in targets.iter().zip(outline.parts.values()) {
            match there.get(target) {
                None => found.refusals.push(format!(
                    "the cluster has no namespace '{target}'; namespaces are made in the server's configuration"
                )),
                Some(info) => {
                    look_at(target, info, options, &mut found);
                    if !options.no_data {
                        look_for_space(target, info, part.bytes, options, &mut found);
                    }
                }
            }
        }
        self.look_at_versions(&mut found).await?;
        for target in there.keys().filter(|_| !options.no_data) {
            self.try_to_write(target, &mut found).await?;
        }
        Ok(found)
    }

    async fn look_at_versions(&self, found: &mut Preflight) -> Result<()> {
        let answers = self.ask_all(&["build"]).await?;
        let mut versions: Vec<String> = answers.iter().map(|(_, answer)| answer.get("build").to_owned()).collect();
        versions.sort();
        versions.dedup();
        let too_old = |version: &&String| {
            let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
            major.is_some_and(|major| major < OLDEST)
        };
        if let Some(version) = versions.iter().find(too_old) {
            found.refusals.push(format!("a node runs version {version}; batches of writes need {OLDEST}.0 or later"));
        }
        if versions.len() > 1 {
            found.warnings.push(format!("the nodes run different versions: {}", versions.join(", ")));
        }
        Ok(())
    }

    /// Deletes a record that nobody has: the server says whether this user may write, and nothing changes.
    async fn try_to_write(&self, target: &str, found: &mut Preflight) -> Result<()> {
        let client = self.client().await?;
        let name = RecordName { namespace: target.as_bytes(), set: None, digest: &NOBODY };
        let request = delete(&name, false, 0).map_err(|error| fault(WireError::TooLong(error)))?;
        let mut patience = self.patience();
        let body = loop {
            let maps = client.partition_maps();
            let owner = maps.get(target).and_then(|map| map.owner(0, Digest(NOBODY).partition()));
            let Some(node) = owner.and_then(|owner| client.node(owner)) else { return Ok(()) };
            match node.one(&request).await {
                Ok(body) => break body,
                Err(error) if error.is_temporary() => patience.wait(fault(error)).await?,
                Err(error) => return Err(fault(error)),
            }
        };
        let Some(Ok(message)) = Messages::of(&body).next() else { return Ok(()) };
        let code = message.head.result;
        if code.class() == Class::Denied {
            found.refusals.push(format!("this user may not write into namespace '{target}': {code}"));
        }
        Ok(())
    }
}

/// The oldest version that takes batches of writes.
const OLDEST: u32 = 6;
/// A digest that no key has, for all that is known of RIPEMD-160.
const NOBODY: [u8; 20] = [0; 20];

fn look_at(target: &str, info: &NamespaceInfo, options: &RestoreOptions, found: &mut Preflight) {
    if options.no_data {
        return;
    }
    let stopped: Vec<&str> = info
        .nodes
        .iter()
        .filter(|(_, told)| told.flag("stop_writes") == Some(true))
        .map(|(node, _)| node.as_str())
        .collect();
    if !stopped.is_empty() {
        found.refusals.push(format!(
            "namespace '{target}' has stopped writes on {}: free space, or raise its limits",
            stopped.join(", ")
        ));
    }
    let never_expires = info.nodes.values().any(|told| told.number("nsup-period") == Some(0));
    if never_expires {
        found
            .warnings
            .push(format!("the nsup-period of namespace '{target}' is 0: its server refuses records that expire"));
    }
    let full = info.nodes.iter().filter_map(|(node, told)| Some((node, told.number("data_avail_pct")?)));
    for (node, percent) in full.filter(|(_, percent)| *percent < 10) {
        found.warnings.push(format!("namespace '{target}' has {percent} % of its space left on {node}"));
    }
    if info.records > 0 && !options.truncate {
        let fate = match options.conflict {
            Conflict::Replace => "those that come again are replaced, the others stay",
            Conflict::Keep => "they stay as they are",
            Conflict::Newer => "those with a lower generation are replaced, the others stay",
        };
        found.warnings.push(format!("namespace '{target}' already holds {} records: {fate}", info.records));
    }
}

/// What is free, where the servers tell how much there is at all.
fn look_for_space(target: &str, info: &NamespaceInfo, bytes: u64, options: &RestoreOptions, found: &mut Preflight) {
    let sum = |name: &str| info.nodes.values().map(|told| told.number(name)).sum::<Option<u64>>();
    let copies =
        info.nodes.values().filter_map(|told| told.number("effective_replication_factor")).max().unwrap_or(1).max(1);
    let total = sum("data_total_bytes").or_else(|| sum("device_total_bytes"));
    let used = sum("data_used_bytes").or_else(|| sum("device_used_bytes"));
    let (Some(total), Some(used)) = (total.filter(|total| *total > 0), used) else { return };
    let free = if options.truncate { total } else { total.saturating_sub(used) } / copies;
    // The text and the server's own form differ in size, so only what can't be is refused.
    let told = format!("about {bytes} bytes of text come, and namespace '{target}' has room for {free} bytes");
    if bytes / 2 > free {
        found.refusals.push(format!("{told}: make it larger, or restore less of it"));
    } else if bytes > free {
        found.warnings.push(told);
    }
}
