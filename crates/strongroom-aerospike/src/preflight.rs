//! What can be known before a restore begins.

use strongroom_core::Result;
use strongroom_core::cluster::{Conflict, Preflight, RestoreOptions, RestoreOutline};

use crate::AerospikeCluster;
use crate::describe::NamespaceInfo;
use crate::session::objections;

impl AerospikeCluster {
    pub(crate) async fn preflight(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        let mut found = Preflight::default();
        found.refusals.extend(objections(outline, options).iter().map(ToString::to_string));
        let targets: Vec<String> = outline.parts.keys().map(|part| options.target_of(part).to_owned()).collect();
        let there = self.namespaces(targets.iter()).await?;
        for target in &targets {
            match there.get(target) {
                None => found.refusals.push(format!(
                    "the cluster has no namespace '{target}'; namespaces are made in the server's configuration"
                )),
                Some(info) => look_at(target, info, options, &mut found),
            }
        }
        Ok(found)
    }
}

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
    if info.records > 0 && !options.truncate {
        let fate = match options.conflict {
            Conflict::Replace => "those that come again are replaced, the others stay",
            Conflict::Keep => "they stay as they are",
            Conflict::Newer => "those with a lower generation are replaced, the others stay",
        };
        found.warnings.push(format!("namespace '{target}' already holds {} records: {fate}", info.records));
    }
}
