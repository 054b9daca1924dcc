//! `list`.

use clap::{Args, ValueEnum};
use indicatif::HumanBytes;
use strongroom::core::model::{BackupKind, Status};
use strongroom::core::planner::{Entry, Pin, PinKind};
use strongroom::{Listing, Result, Timestamp};

use crate::context::Context;
use crate::output::{DONE, count, table};
use crate::text;

/// List the backups of a repository, oldest first
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    /// Only of this keyspace or namespace (repeatable) [default: all]
    #[arg(long = "part", value_name = "NAME")]
    parts: Vec<String>,
    /// Only of this cluster, by name or id
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Only of this kind (repeatable) [default: all]
    #[arg(long = "kind", value_name = "KIND", value_enum)]
    kinds: Vec<Kind>,
    /// Only backups that reach at least this moment
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only backups that reach at most this moment
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Only backups that are damaged, partial, or have not been verified
    #[arg(long)]
    doubtful: bool,
    /// Only the newest so many
    #[arg(long, value_name = "NUMBER")]
    last: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Everything at a moment
    Base,
    /// Changes since an earlier moment
    Incremental,
    /// Made from other backups; stands for a base
    Synthetic,
    /// Archived commit log
    LogSegment,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let repository = context.strongroom()?.repository(&self.repository).await?;
        let cluster = match &self.cluster {
            Some(cluster) => Some(repository.cluster_id(cluster).await?),
            None => None,
        };
        let loaded = repository.load().await?;
        let of_cluster = |entry: &Entry| cluster.is_none_or(|cluster| entry.cluster == cluster);
        let mut listing = Listing::of(&loaded, |entry| of_cluster(entry) && self.wants(entry));
        listing.backups.drain(..listing.backups.len().saturating_sub(self.last.unwrap_or(usize::MAX)));
        context.output.result(&listing, || {
            let mut lines = rows(&listing.backups);
            lines.extend(listing.backups.iter().flat_map(pins));
            lines.extend(listing.unfinished.iter().map(|unfinished| {
                let (run, backups) = (unfinished.run, count(unfinished.backups as u64, "backup"));
                format!("unfinished: run {run}, begun {}, {backups}: running, or to be resumed", unfinished.begun)
            }));
            lines.extend(listing.quarantined.iter().map(|broken| format!("unusable: {}: {}", broken.key, broken.why)));
            lines.extend(listing.damaged.iter().map(|damage| format!("catalogue: {damage}")));
            lines.join("\n")
        })?;
        Ok(DONE)
    }

    fn wants(&self, entry: &Entry) -> bool {
        let kind = match entry.kind {
            BackupKind::Base => Kind::Base,
            BackupKind::Incremental => Kind::Incremental,
            BackupKind::Synthetic => Kind::Synthetic,
            BackupKind::LogSegment => Kind::LogSegment,
        };
        let sound = entry.status == Status::Complete && entry.verified.is_some();
        (self.parts.is_empty() || self.parts.contains(&entry.part))
            && (self.kinds.is_empty() || self.kinds.contains(&kind))
            && self.since.is_none_or(|since| entry.window.until >= since)
            && self.until.is_none_or(|until| entry.window.until <= until)
            && !(self.doubtful && (sound || entry.status == Status::Deleted))
    }
}

fn rows(entries: &[Entry]) -> Vec<String> {
    if entries.is_empty() {
        return vec!["no backups".to_owned()];
    }
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            [
                entry.window.until.to_string(),
                entry.part.clone(),
                entry.kind.to_string(),
                entry.size.records.to_string(),
                entry.size.deletes.to_string(),
                HumanBytes(entry.size.stored_bytes).to_string(),
                text::status(entry.status).to_owned(),
                entry.verified.map_or_else(|| "-".to_owned(), |verified| verified.when.to_string()),
                entry.id.to_string(),
            ]
        })
        .collect();
    let heading = ["UNTIL", "PART", "KIND", "RECORDS", "DELETES", "STORED", "STATUS", "VERIFIED", "BACKUP"];
    table(heading, [false, false, false, true, true, true, false, false, false], &rows)
}

/// Who keeps a backup, since when, until when and why.
fn pins(entry: &Entry) -> Vec<String> {
    let line = |pin: &Pin| {
        let what = if pin.kind == PinKind::Hold { "on hold" } else { "pinned" };
        let by = if pin.by.is_empty() { String::new() } else { format!(" by {}", pin.by) };
        let set = pin.set.map_or_else(String::new, |set| format!(" at {set}"));
        let until = pin.until.map_or_else(String::new, |until| format!(" until {until}"));
        let reason = if pin.reason.is_empty() { String::new() } else { format!(": {}", pin.reason) };
        format!("{what}: {}{by}{set}{until}{reason}", entry.id)
    };
    entry.pins.iter().map(line).collect()
}
