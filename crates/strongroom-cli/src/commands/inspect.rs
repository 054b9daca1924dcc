//! `inspect`.

use clap::Args;
use serde_json::{Value, json};
use strongroom::embedded::{EmbeddedCluster, LookIn};
use strongroom::record::{Digest, Record, UserKey, json};
use strongroom::{Error, Result, Timestamp};

use crate::context::Context;
use crate::output::{DONE, count};
use crate::source::Source;

/// Look into a backup or an embedded cluster, without a server
///
/// Shows what it holds; with --records, --key or --digest, shows records. The state of a repository is restored into a
/// temporary file first, so --part and --set make it quicker.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Show records, at most --limit of them
    #[arg(long)]
    records: bool,
    /// Show the record with this user key (text, or a whole number) of the set, or of no set
    #[arg(long, value_name = "KEY",
        conflicts_with_all = ["records", "digest", "columns", "partitions", "filter_expression"])]
    key: Option<String>,
    /// Show the record with this digest: 40 hexadecimal digits
    #[arg(long, value_name = "DIGEST", conflicts_with_all = ["records", "columns", "partitions", "filter_expression"])]
    digest: Option<String>,
    /// Show at most this many records
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
    /// Leave out what has expired at this moment [default: show everything]
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let digest = self.digest.as_deref().map(digest).transpose()?;
        let opened = self.source.open(context).await?;
        let cluster = opened.cluster();
        if let Some(digest) = digest {
            let part = self.source.part(cluster)?;
            let found = cluster.get(&part, digest, self.look())?.map(|found| found.record);
            return tell(context, &part, found.ok_or_else(|| missing(&format!("digest {digest}"), &part)).map(one)?);
        }
        if let Some(key) = &self.key {
            let part = self.source.part(cluster)?;
            let found = self.by_key(cluster, &part, key)?;
            return tell(context, &part, found.ok_or_else(|| missing(&format!("key '{key}'"), &part)).map(one)?);
        }
        if self.records {
            let part = self.source.part(cluster)?;
            let mut scan = cluster.scan(&part, &self.source.filter(), self.look())?;
            let shown = scan.by_ref().take(self.limit).map(|found| Ok(found?.record)).collect::<Result<Vec<_>>>()?;
            let more = scan.next().is_some();
            return tell(context, &part, (shown, more));
        }
        self.overview(context, cluster)
    }

    fn look(&self) -> LookIn {
        LookIn { now: self.now }
    }

    /// A whole number may be a number or a text: the number is looked for first.
    fn by_key(&self, cluster: &EmbeddedCluster, part: &str, key: &str) -> Result<Option<Record>> {
        let sets: Vec<Option<String>> = match self.source.filter().tables {
            Some(tables) => tables.into_iter().map(Some).collect(),
            None => vec![None],
        };
        let keys = key.parse().ok().map(UserKey::Integer).into_iter().chain([UserKey::String(key.to_owned().into())]);
        for key in keys {
            for set in &sets {
                if let Some(found) = cluster.get_by_key(part, set.as_deref(), &key, self.look())? {
                    return Ok(Some(found.record));
                }
            }
        }
        Ok(None)
    }

    /// What is in each namespace.
    fn overview(&self, context: &Context, cluster: &EmbeddedCluster) -> Result<u8> {
        let (wanted, filter) = (self.source.parts(), self.source.filter());
        let mut namespaces = serde_json::Map::new();
        let mut lines = Vec::new();
        for (name, about) in cluster.namespaces()? {
            if !wanted.is_empty() && !wanted.contains(&name) {
                continue;
            }
            let alive = cluster.count_where(&name, &filter, self.look())?;
            let indexes = cluster.indexes(&name)?;
            lines.push(format!("namespace '{name}': {}, {} indexes", count(alive, "record"), indexes.len()));
            let mut sets = serde_json::Map::new();
            let meant = |set: &String| filter.tables.as_ref().is_none_or(|tables| tables.contains(set));
            for (set, held) in about.sets.iter().filter(|(set, _)| meant(set)) {
                let shown = if set.is_empty() { "no set".to_owned() } else { format!("set '{set}'") };
                lines.push(format!("  {shown}: {}", count(held.records, "record")));
                sets.insert(set.clone(), json!(held.records));
            }
            let names = indexes.iter().map(|index| index.name.to_string());
            lines.extend(names.clone().map(|name| format!("  index '{name}'")));
            let value = json!({ "records": alive, "sets": sets, "indexes": names.collect::<Vec<_>>() });
            namespaces.insert(name, value);
        }
        if namespaces.is_empty() {
            lines.push("no namespaces".to_owned());
        }
        let functions: Vec<String> = cluster.functions()?.iter().map(|function| function.name.to_string()).collect();
        lines.extend(functions.iter().map(|name| format!("function '{name}'")));
        context.output.result(&json!({ "namespaces": namespaces, "functions": functions }), || lines.join("\n"))?;
        Ok(DONE)
    }
}

fn one(record: Record) -> (Vec<Record>, bool) {
    (vec![record], false)
}

fn missing(what: &str, part: &str) -> Error {
    Error::not_found(format!("no record with {what} in namespace '{part}'"))
        .hint("a user key belongs to a set: name it with --set")
}

fn digest(text: &str) -> Result<Digest> {
    Digest::from_hex(text)
        .ok_or_else(|| Error::invalid(format!("'{text}' is no digest")).hint("a digest has 40 hexadecimal digits"))
}

fn tell(context: &Context, part: &str, (records, more): (Vec<Record>, bool)) -> Result<u8> {
    let shown: Vec<Value> = records.iter().map(json::record).collect();
    context.output.result(&json!({ "records": shown, "more": more }), || {
        let mut lines: Vec<String> = records.iter().zip(&shown).map(|(record, shown)| line(record, shown)).collect();
        if lines.is_empty() {
            lines.push(format!("no records in namespace '{part}'"));
        }
        if more {
            lines.push("there are more: see --limit".to_owned());
        }
        lines.join("\n")
    })?;
    Ok(DONE)
}

/// One record on one line: `set key (digest) generation, expiry: bins`.
fn line(record: &Record, shown: &Value) -> String {
    let set = record.set.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let key = if record.key.is_some() { shown["key"].to_string() } else { "-".to_owned() };
    let expires = record.expires_at().and_then(|at| i64::try_from(at).ok()).map(Timestamp::from_secs);
    let expires = expires.map_or_else(|| "never expires".to_owned(), |at| format!("expires {at}"));
    let (digest, generation, bins) = (record.digest.to_hex(), record.generation, &shown["bins"]);
    format!("{set} {key} {digest} generation {generation}, {expires}: {bins}")
}
