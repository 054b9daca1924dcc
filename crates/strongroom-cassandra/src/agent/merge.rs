//! What several nodes froze, as one.

use std::collections::BTreeMap;

use strongroom_core::cluster::{Frozen, FrozenPart, Node, PieceKind, PieceSpec};
use strongroom_core::model::Window;
use strongroom_core::{Error, Result};

use crate::agent::several::Asked;

/// Why parts could not be frozen.
type Failed = BTreeMap<String, String>;

/// The parts, each with the pieces of all nodes; what a node does not have in it is missing from the part. Fails if no node
/// froze anything.
pub(super) fn frozen(asked: &Asked, answers: BTreeMap<String, Result<Frozen>>) -> Result<(Vec<FrozenPart>, Failed)> {
    let ring = asked.known.values().next().map_or(&[][..], |(_, about)| &about.topology.nodes);
    let mut parts: BTreeMap<String, Vec<(String, FrozenPart)>> = BTreeMap::new();
    let mut failed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut absent, mut first, mut any) = (Vec::new(), None, false);
    for (host, answer) in answers {
        match answer {
            Ok(frozen) => {
                any = true;
                for part in frozen.parts {
                    parts.entry(part.part.clone()).or_default().push((host.clone(), part));
                }
                for (part, why) in frozen.failed {
                    failed.entry(part).or_default().push(format!("node {host}: {why}"));
                }
            }
            Err(error) => {
                absent.push(format!("{}: {error}", named(ring, &host)));
                first = first.or(Some(error));
            }
        }
    }
    if let Some(error) = first.filter(|_| !any) {
        return Err(error);
    }
    absent.extend(
        ring.iter()
            .filter(|node| !asked.known.contains_key(&node.id))
            .map(|node| format!("{}: no agent that answers is on it", named(ring, &node.id))),
    );
    let silent = asked.silent.iter().map(ToString::to_string);
    absent.extend(silent);
    let (mut merged, mut lost) = (Vec::new(), Failed::new());
    for (part, of) in parts {
        let broken = failed.remove(&part).unwrap_or_default();
        match one(&part, of) {
            Ok(mut frozen) => {
                frozen.missing.extend(broken.into_iter().chain(absent.iter().cloned()));
                merged.push(frozen);
            }
            Err(error) => {
                lost.insert(part, error.to_string());
            }
        }
    }
    lost.extend(failed.into_iter().map(|(part, why)| (part, why.join("; "))));
    Ok((merged, lost))
}

/// A node as people know it.
fn named(ring: &[Node], host: &str) -> String {
    let address = ring.iter().find(|node| node.id == host).map_or("?", |node| &node.address);
    format!("node {host} at {address}")
}

/// One part of all nodes. Its window holds the windows of all of them, each by its node's own clock.
fn one(part: &str, of: Vec<(String, FrozenPart)>) -> Result<FrozenPart> {
    let windows: Vec<Window> = of.iter().map(|(_, frozen)| frozen.window).collect();
    let until = windows.iter().map(|window| window.until).min();
    let last = windows.iter().map(|window| window.until).max();
    let settled = windows.iter().map(|window| window.settled).max();
    let (Some(until), Some(last), Some(settled)) = (until, last, settled) else {
        return Err(Error::internal("a part of no node"));
    };
    let mut merged = FrozenPart::base(part, Window::new(None, until, settled)?);
    let mut schema: Option<PieceSpec> = None;
    if of.len() > 1 {
        merged
            .notes
            .push(format!("by their own clocks {} nodes began their snapshots from {until} to {last}", of.len()));
    }
    for (host, frozen) in of {
        merged.filter = frozen.filter;
        for piece in frozen.pieces {
            if piece.kind != PieceKind::Schema || piece.name != "schema" {
                merged.pieces.push(piece);
                continue;
            }
            match &schema {
                None => schema = Some(piece),
                Some(other) if *other == piece => {}
                Some(_) => {
                    return Err(Error::unavailable(format!("the schema of '{part}' differs between the nodes"))
                        .hint("back up again when they agree: nodetool describecluster"));
                }
            }
        }
        merged.missing.extend(frozen.missing.into_iter().map(|what| format!("node {host}: {what}")));
        merged.notes.extend(frozen.notes.into_iter().map(|what| format!("node {host}: {what}")));
    }
    merged.pieces.splice(..0, schema);
    Ok(merged)
}
