//! Snapshots that stay on the node. What one is rests in a note beside its files, so that it goes with them, however they go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use strongroom_core::cluster::{FreezeRequest, Frozen, HeldSnapshot, HeldSnapshots};
use strongroom_core::model::{Filter, Scope};
use strongroom_core::{Cluster, Error, Result};

use crate::CassandraCluster;
use crate::cluster::{blocking, to_its_end};
use crate::freeze::{FORMAT, Taken, check_filter};
use crate::piece::is_tag;

/// What the names of held snapshots begin with.
const PREFIX: &str = "strongroom-held-";

/// Whether a snapshot of this name stays.
pub(crate) fn is_held(id: &str) -> bool {
    id.starts_with(PREFIX) && is_tag(id)
}

fn check(id: &str) -> Result<()> {
    if is_held(id) {
        return Ok(());
    }
    Err(Error::invalid(format!("'{}' is no name of a held snapshot", id.escape_debug())).hint("see 'snapshot list'"))
}

impl CassandraCluster {
    /// What is noted of a held snapshot, out of these keyspaces, and the bytes of its files there.
    async fn note(&self, id: &str, keyspaces: BTreeSet<String>) -> Result<(Option<Taken>, u64)> {
        let (files, tag) = (self.files().await?.clone(), id.to_owned());
        blocking(move || {
            let (mut found, mut all) = (None, 0);
            for keyspace in keyspaces {
                let (note, bytes) = files.note(&keyspace, &tag)?;
                all += bytes;
                found = found.or(note);
            }
            let Some(note) = found else { return Ok((None, all)) };
            let taken: Taken = serde_json::from_slice(&note)
                .map_err(|error| Error::corrupt(format!("the note of snapshot '{tag}' is damaged")).because(error))?;
            if taken.format != FORMAT || taken.tag != tag {
                return Err(Error::unsupported(format!(
                    "the note of snapshot '{tag}' is of another version or snapshot"
                )));
            }
            Ok((Some(taken), all))
        })
        .await
    }

    /// The held snapshots of the node by name, with the keyspaces that have files in them. They are looked for on the disk:
    /// a node of 4.1 does not tell of those of keyspaces that were dropped.
    async fn held_names(&self) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let files = self.files().await?.clone();
        let mut names = blocking(move || files.snapshots()).await?;
        names.retain(|name, _| is_held(name));
        Ok(names)
    }

    /// Cuts a held snapshot into pieces. Nothing is to be let go of.
    pub(crate) async fn freeze_held(&self, id: &str, request: &FreezeRequest) -> Result<Frozen> {
        let gone = || Error::not_found(format!("the node holds no snapshot '{id}'")).hint("see 'snapshot list'");
        let keyspaces = self.held_names().await?.remove(id).ok_or_else(gone)?;
        let taken = self.note(id, keyspaces).await?.0.ok_or_else(gone)?;
        let wanted: BTreeMap<String, Filter> = match &request.scope.parts {
            Some(parts) => parts.clone(),
            None => taken.tables.keys().map(|name| (name.clone(), Filter::default())).collect(),
        };
        for (part, filter) in &wanted {
            if !taken.tables.contains_key(part) {
                return Err(Error::not_found(format!("snapshot '{id}' has no keyspace '{part}'")));
            }
            check_filter(part, filter)?;
        }
        if request.since.keys().any(|part| wanted.contains_key(part)) {
            return Err(Error::unsupported("a node tells no changes since a moment").hint("take a base"));
        }
        let (parts, failed) = self.cut_all(&taken, &wanted).await?;
        Ok(Frozen { parts, failed, token: json!({ "held": id }) })
    }

    /// Takes a snapshot and notes what it is; without the note it is not kept.
    async fn hold(&self, scope: &Scope) -> Result<HeldSnapshot> {
        let there = self.tables().await?;
        let wanted =
            scope.parts.clone().unwrap_or_else(|| there.keys().map(|name| (name.clone(), Filter::default())).collect());
        for (part, filter) in &wanted {
            if !there.contains_key(part) {
                return Err(Error::not_found(format!("the cluster has no keyspace '{part}'")));
            }
            if !filter.is_everything() {
                return Err(Error::unsupported("whole keyspaces are held").hint("choose tables when it is backed up"));
            }
        }
        let keyspaces: Vec<String> = wanted.into_keys().collect();
        if keyspaces.iter().all(|keyspace| there.get(keyspace).is_none_or(BTreeSet::is_empty)) {
            return Err(Error::not_found("there is no table that could be held"));
        }
        let taken = self.take(&keyspaces, PREFIX, &self.facts().await?, &there).await?;
        match self.put_note(&taken, &keyspaces).await {
            Ok(snapshot) => Ok(snapshot),
            Err(error) => Err(self.clear(&taken.tag, &keyspaces, error).await),
        }
    }

    async fn put_note(&self, taken: &Taken, keyspaces: &[String]) -> Result<HeldSnapshot> {
        let note =
            serde_json::to_vec(taken).map_err(|error| Error::internal("a snapshot can't be noted").because(error))?;
        let (files, tag, all) = (self.files().await?.clone(), taken.tag.clone(), keyspaces.to_vec());
        if blocking(move || files.put_note(&all, &tag, &note)).await? == 0 {
            return Err(
                Error::unsupported("the snapshot is in none of the data folders").hint("name them with data-folders")
            );
        }
        let (_, bytes) = self.note(&taken.tag, keyspaces.iter().cloned().collect()).await?;
        Ok(taken.told(bytes))
    }
}

impl Taken {
    fn told(&self, bytes: u64) -> HeldSnapshot {
        HeldSnapshot { id: self.tag.clone(), window: self.window, parts: self.tables.keys().cloned().collect(), bytes }
    }
}

#[async_trait]
impl HeldSnapshots for CassandraCluster {
    async fn list(&self) -> Result<Vec<HeldSnapshot>> {
        let mut found = Vec::new();
        for (id, keyspaces) in self.held_names().await? {
            // One without a note is being taken, or deleted.
            if let (Some(taken), bytes) = self.note(&id, keyspaces).await? {
                found.push(taken.told(bytes));
            }
        }
        found.sort_by_key(|snapshot| (snapshot.window.until, snapshot.id.clone()));
        Ok(found)
    }

    async fn take(&self, scope: &Scope) -> Result<HeldSnapshot> {
        let (this, that, scope) = (self.clone(), self.clone(), scope.clone());
        let undo = |taken: HeldSnapshot| async move {
            // Nobody is left who could be told; 'list' shows it.
            let _ = HeldSnapshots::delete(&that, &taken.id).await;
        };
        to_its_end(async move { this.hold(&scope).await }, undo).await
    }

    async fn delete(&self, id: &str) -> Result<()> {
        check(id)?;
        let Some(keyspaces) = self.held_names().await?.remove(id) else { return Ok(()) };
        self.node().clear_snapshot(id, &Vec::from_iter(keyspaces)).await
    }

    fn open(&self, id: &str) -> Result<Arc<dyn Cluster>> {
        check(id)?;
        Ok(Arc::new(self.as_of(id)))
    }
}
