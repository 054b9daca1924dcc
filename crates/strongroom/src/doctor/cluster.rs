//! Clusters: whether they answer, what they hold, and whether there is room.

use std::path::Path;

use strongroom_core::cluster::ClusterIdentity;
use strongroom_storage::space_at;

use super::{Check, Notes};
use crate::Strongroom;

pub(super) async fn check(strongroom: &Strongroom, name: &str, checks: &mut Vec<Check>) -> Option<ClusterIdentity> {
    let notes = Notes::new("cluster", name);
    let cluster = match strongroom.look_at(name) {
        Ok(cluster) => cluster,
        Err(error) => {
            checks.push(notes.error("access", &error));
            return None;
        }
    };
    let topology = match cluster.describe().await {
        Ok(topology) => topology,
        Err(error) => {
            checks.push(notes.error("access", &error));
            return None;
        }
    };
    let parts: Vec<&str> = topology.parts.keys().map(String::as_str).collect();
    checks.push(if parts.is_empty() {
        notes.warn("contents", "it answers, and holds nothing to back up")
    } else {
        notes.ok("contents", format!("it answers; version {}, parts {}", topology.version, parts.join(", ")))
    });
    if let Ok(Some(path)) = strongroom.embedded_path(name) {
        checks.extend(room(&notes, &path));
    }
    Some(topology.identity)
}

/// An embedded cluster grows in its file: a restore into it needs room beside it.
fn room(notes: &Notes, path: &Path) -> Option<Check> {
    let size = std::fs::metadata(path).ok()?.len();
    let space = space_at(path).ok()??;
    let detail = format!("{} bytes free beside a file of {size}", space.free);
    Some(if space.free < size {
        notes.warn("room", detail).next("make room before you restore into it")
    } else {
        notes.ok("room", detail)
    })
}
