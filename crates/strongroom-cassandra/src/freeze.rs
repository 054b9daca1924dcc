//! Taking a snapshot, and cutting it into pieces.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_core::cluster::{FreezeRequest, Frozen, FrozenPart, PieceSpec};
use strongroom_core::model::{Filter, Window};
use strongroom_core::{Error, Result};

use crate::CassandraCluster;
use crate::cluster::blocking;
use crate::files::Found;
use crate::held::is_held;
use crate::node::NodeFacts;
use crate::piece::{PieceDetail, pieces_of};
use crate::schema::Schema;

/// What the names of our snapshots begin with.
const PREFIX: &str = "strongroom-";
/// How often a snapshot is taken anew because the schema changed meanwhile.
const ATTEMPTS: u32 = 3;
/// How many SSTables are hashed at once.
const HASHED_AT_ONCE: usize = 4;

/// The form of [`Taken`].
pub(crate) const FORMAT: u32 = 1;

type Schemas = BTreeMap<String, Schema>;
/// Tables by keyspace.
pub(crate) type Tables = BTreeMap<String, BTreeSet<String>>;

/// A snapshot, and what is known of the moment at which it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) format: u32,
    pub(crate) tag: String,
    pub(crate) window: Window,
    /// The node's id.
    host: String,
    /// The other nodes' ids by address.
    others: BTreeMap<String, String>,
    /// What the node is, for people.
    node: String,
    /// The keyspaces in it.
    pub(crate) tables: Tables,
    schemas: Schemas,
}

impl CassandraCluster {
    pub(crate) async fn freeze_now(&self, request: &FreezeRequest) -> Result<Frozen> {
        let there = self.tables().await?;
        let wanted: BTreeMap<String, Filter> = match &request.scope.parts {
            Some(parts) => parts.clone(),
            None => there.keys().map(|name| (name.clone(), Filter::default())).collect(),
        };
        for (part, filter) in &wanted {
            if !there.contains_key(part) {
                return Err(Error::not_found(format!("the cluster has no keyspace '{part}' that could be backed up")));
            }
            check_filter(part, filter)?;
        }
        if request.since.keys().any(|part| wanted.contains_key(part)) {
            return Err(Error::unsupported("a node tells no changes since a moment").hint(
                "take a base: files that were stored before are not stored again, so it costs what an incremental would",
            ));
        }
        if wanted.is_empty() {
            return Ok(Frozen { parts: Vec::new(), failed: BTreeMap::new(), token: Value::Null });
        }
        let facts = self.facts().await?;
        if facts.mode != "NORMAL" {
            return Err(Error::unavailable(format!("the node is {}, not NORMAL: it does not take part", facts.mode)));
        }
        let keyspaces: Vec<String> = wanted.keys().cloned().collect();
        let snapshot = self.take(&keyspaces, PREFIX, &facts, &there).await?;
        match self.cut_all(&snapshot, &wanted).await {
            Ok((parts, failed)) => {
                Ok(Frozen { parts, failed, token: json!({"tag": snapshot.tag, "keyspaces": keyspaces}) })
            }
            Err(error) => Err(self.clear(&snapshot.tag, &keyspaces, error).await),
        }
    }

    /// Deletes a snapshot after an error, which is given back.
    pub(crate) async fn clear(&self, tag: &str, keyspaces: &[String], error: Error) -> Error {
        match self.node().clear_snapshot(tag, keyspaces).await {
            Ok(()) => error,
            Err(_) => error.hint(format!("delete what is left: nodetool clearsnapshot -t {tag}")),
        }
    }

    /// Takes a snapshot of whole keyspaces, anew if the schema changed meanwhile.
    pub(crate) async fn take(
        &self,
        keyspaces: &[String],
        prefix: &str,
        facts: &NodeFacts,
        there: &Tables,
    ) -> Result<Taken> {
        for _ in 0..ATTEMPTS {
            let random = u64::from_le_bytes(self.environment().random()?);
            let tag = format!("{prefix}{random:016x}");
            match self.snapshot(&tag, keyspaces, facts, there).await {
                Ok(Some(taken)) => return Ok(taken),
                Ok(None) => self.node().clear_snapshot(&tag, keyspaces).await?,
                Err(error) => return Err(self.clear(&tag, keyspaces, error).await),
            }
        }
        Err(Error::unavailable("the schema changed with every snapshot").hint("try again when it does not"))
    }

    async fn schemas(&self, keyspaces: &[String]) -> Result<Schemas> {
        let mut schemas = Schemas::new();
        for keyspace in keyspaces {
            schemas
                .insert(keyspace.clone(), Schema::new(keyspace, self.cql().describe(self.config(), keyspace).await?));
        }
        Ok(schemas)
    }

    /// One snapshot of all keyspaces; `None` if it does not fit the schema, which changed meanwhile.
    async fn snapshot(
        &self,
        tag: &str,
        keyspaces: &[String],
        facts: &NodeFacts,
        there: &Tables,
    ) -> Result<Option<Taken>> {
        let schemas = self.schemas(keyspaces).await?;
        // The node's own clock. It counts milliseconds: what came within the first may be missing, of the last be in.
        let until = self.cql().now(self.config(), &facts.host_id).await?;
        self.node().take_snapshot(tag, keyspaces).await?;
        let settled = self.cql().now(self.config(), &facts.host_id).await?.plus_micros(1000);
        if self.schemas(keyspaces).await? != schemas {
            return Ok(None);
        }
        let tables = |keyspace: &String| (keyspace.clone(), there.get(keyspace).cloned().unwrap_or_default());
        let others = facts.hosts.iter().filter(|(_, id)| **id != facts.host_id);
        Ok(Some(Taken {
            format: FORMAT,
            tag: tag.to_owned(),
            window: Window::new(None, until, settled)?,
            host: facts.host_id.clone(),
            others: others.map(|(address, id)| (address.clone(), id.clone())).collect(),
            node: self.node_text(facts).await?,
            tables: keyspaces.iter().map(tables).collect(),
            schemas,
        }))
    }

    /// Cuts some keyspaces of a snapshot into pieces; each fails alone.
    pub(crate) async fn cut_all(
        &self,
        taken: &Taken,
        wanted: &BTreeMap<String, Filter>,
    ) -> Result<(Vec<FrozenPart>, BTreeMap<String, String>)> {
        let (mut parts, mut failed): (Vec<FrozenPart>, _) = (Vec::new(), BTreeMap::new());
        let this = self.clone();
        let mut notes = blocking(move || Ok(Vec::from_iter(this.memory().begin()))).await?;
        let left = self.left_behind(&taken.tag).await?;
        for (part, filter) in wanted {
            let frozen = FrozenPart { filter: filter.clone(), ..FrozenPart::base(part.clone(), taken.window) };
            match self.cut(frozen, taken).await {
                Ok(frozen) => {
                    if filter.is_everything() {
                        self.memory().forget_others(part);
                    }
                    parts.push(frozen);
                }
                Err(error) => {
                    failed.insert(part.clone(), error.to_string());
                }
            }
        }
        let this = self.clone();
        notes.extend(blocking(move || Ok(this.memory().end())).await?);
        for part in &mut parts {
            let left = left.iter().filter(|(_, keyspaces)| keyspaces.contains(&part.part)).map(|(tag, _)| {
                format!("snapshot {tag} is left of a backup, unless that runs: delete it with nodetool clearsnapshot -t {tag}")
            });
            part.notes.extend(notes.iter().cloned().chain(left));
        }
        Ok((parts, failed))
    }

    /// Snapshots of backups that are not this one: none runs, or one was killed.
    async fn left_behind(&self, tag: &str) -> Result<Tables> {
        let files = self.files().await?.clone();
        let mut found = blocking(move || files.snapshots()).await?;
        found.retain(|other, _| other != tag && other.starts_with(PREFIX) && !is_held(other));
        Ok(found)
    }

    /// Cuts the snapshot of one keyspace into pieces. A table whose files can't be read fails alone.
    async fn cut(&self, mut part: FrozenPart, taken: &Taken) -> Result<FrozenPart> {
        let files = self.files().await?.clone();
        let (keyspace, of) = (part.part.clone(), taken.tag.clone());
        let snapshot = blocking(move || files.snapshot(&keyspace, &of)).await?;
        let meant = |table: &str| part.filter.tables.as_ref().is_none_or(|tables| tables.contains(table));
        let tables = taken.tables.get(&part.part).into_iter().flatten();
        let lost = tables.filter(|table| meant(table) && !snapshot.tables.iter().any(|(name, _)| name == *table));
        part.missing.extend(lost.map(|table| format!("table '{table}': its snapshot is in none of the data folders")));
        let others = taken.others.iter().filter(|_| !self.config().alone);
        part.missing.extend(others.map(|(address, id)| format!("node {id} at {address}: only one node is read")));
        part.notes.extend(snapshot.odd.iter().map(|name| format!("'{name}' belongs to no SSTable and is left out")));
        if let Some(schema) = taken.schemas.get(&part.part) {
            part.pieces.push(PieceDetail::schema(schema.to_text()?)?);
        }
        part.pieces.push(PieceDetail::node(&taken.host, taken.node.clone())?);
        let sstables: Vec<_> = snapshot.sstables.into_iter().filter(|found| meant(&found.table)).collect();
        let keyspace = part.part.clone();
        let hashed = stream::iter(sstables).map(|found| self.hashed(&keyspace, &taken.tag, &taken.host, found));
        let mut hashed = hashed.buffered(HASHED_AT_ONCE);
        let mut broken: BTreeMap<String, String> = BTreeMap::new();
        let mut pieces: Vec<(String, Vec<PieceSpec>)> = Vec::new();
        while let Some((table, outcome)) = hashed.next().await {
            match outcome {
                Ok(found) => pieces.push((table, found)),
                Err(error) => drop(broken.entry(table).or_insert_with(|| error.to_string())),
            }
        }
        // Half a table is worse than none: it would be taken for the whole.
        pieces.retain(|(table, _)| !broken.contains_key(table));
        part.pieces.extend(pieces.into_iter().flat_map(|(_, found)| found));
        part.missing.extend(broken.into_iter().map(|(table, why)| format!("table '{table}': {why}")));
        Ok(part)
    }

    /// The table, and the pieces of one of its SSTables.
    async fn hashed(&self, keyspace: &str, tag: &str, host: &str, found: Found) -> (String, Result<Vec<PieceSpec>>) {
        let table = found.table.clone();
        let files = match self.files().await {
            Ok(files) => files.clone(),
            Err(error) => return (table, Err(error)),
        };
        let (this, keyspace, tag, host) = (self.clone(), keyspace.to_owned(), tag.to_owned(), host.to_owned());
        let work = blocking(move || {
            let hashed = files.hash(&keyspace, &tag, &found, this.memory())?;
            pieces_of(&keyspace, &host, &tag, &found, hashed)
        });
        (table, work.await)
    }

    /// What the node is, for people.
    async fn node_text(&self, facts: &NodeFacts) -> Result<String> {
        let body = json!({
            "version": facts.version, "cluster": facts.cluster, "host-id": facts.host_id, "partitioner": facts.partitioner,
            "tokens": facts.tokens, "ring": facts.ring, "hosts": facts.hosts,
            "settings": self.cql().settings(self.config(), &facts.host_id).await?,
        });
        Ok(body.to_string())
    }

    /// Deletes the snapshot of a freeze.
    pub(crate) async fn let_go(&self, frozen: &Frozen) -> Result<()> {
        let Some(tag) = frozen.token["tag"].as_str() else { return Ok(()) };
        let keyspaces = frozen.token["keyspaces"].as_array().into_iter().flatten();
        let keyspaces: Vec<String> = keyspaces.filter_map(Value::as_str).map(str::to_owned).collect();
        if !tag.starts_with(PREFIX) || keyspaces.is_empty() {
            return Err(Error::invalid("what is to be let go is no snapshot of ours"));
        }
        self.node().clear_snapshot(tag, &keyspaces).await
    }
}

/// Files are taken whole, so a filter can only name tables.
pub(crate) fn check_filter(part: &str, filter: &Filter) -> Result<()> {
    if filter.bins.is_some() || filter.partitions.is_some() || filter.expression.is_some() {
        return Err(Error::unsupported(format!("part '{part}': only tables can be chosen of a Cassandra keyspace")));
    }
    Ok(())
}
