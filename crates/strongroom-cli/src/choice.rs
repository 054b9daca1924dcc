//! What several commands let one choose: parts, backups, and the moment to restore.

use std::collections::BTreeSet;
use std::str::FromStr;

use clap::Args;
use strongroom::core::id::BackupId;
use strongroom::core::model::{Filter, PartName, Scope};
use strongroom::core::planner::{Catalogue, Strictness};
use strongroom::{Error, OpenRepository, Plan, Request, Result, Target, Timestamp};

/// Which parts, and what of them.
#[derive(Debug, Args)]
pub(crate) struct Parts {
    /// Only this keyspace or namespace (repeatable) [default: all]
    #[arg(id = "parts", long = "part", value_name = "NAME")]
    named: Vec<String>,
    /// Only this table or set of the parts (repeatable) [default: all]
    #[arg(long = "table", visible_alias = "set", value_name = "NAME")]
    tables: Vec<String>,
    /// Only this column or bin (repeatable) [default: all]
    #[arg(long = "column", visible_alias = "bin", value_name = "NAME")]
    columns: Vec<String>,
    /// Only these partitions: one, or so many from a first one (repeatable) [default: all]
    #[arg(long = "partitions", value_name = "N|START-COUNT", value_parser = partitions)]
    partitions: Vec<(u16, u16)>,
    /// Only records that this expression of the cluster's own holds for: packed, in base64
    #[arg(long, value_name = "BASE64")]
    filter_expression: Option<String>,
}

/// Reads `N` or `START-COUNT` as a first partition and a number of them.
fn partitions(text: &str) -> std::result::Result<(u16, u16), String> {
    let (start, count) = text.split_once('-').unwrap_or((text, "1"));
    match (start.parse::<u16>(), count.parse::<u16>()) {
        (Ok(start), Ok(count)) if count > 0 && start.checked_add(count).is_some() => Ok((start, count)),
        _ => Err("write a partition, or START-COUNT such as 0-4096".to_owned()),
    }
}

impl Parts {
    /// Whether [`Parts::scope`] needs to be told of the parts that there are.
    pub(crate) fn need_names(&self) -> bool {
        self.named.is_empty() && !self.filter().is_everything()
    }

    /// The parts by name; empty: all.
    pub(crate) fn names(&self) -> &[String] {
        &self.named
    }

    /// What of each part is meant.
    pub(crate) fn filter(&self) -> Filter {
        let named = |names: &[String]| (!names.is_empty()).then(|| names.iter().cloned().collect());
        let partitions = self.partitions.iter().flat_map(|(start, count)| *start..start + count);
        Filter {
            tables: named(&self.tables),
            bins: named(&self.columns),
            partitions: (!self.partitions.is_empty()).then(|| partitions.collect()),
            expression: self.filter_expression.clone(),
        }
    }

    /// What is meant; `known` are the parts that there are, for tables of all of them.
    pub(crate) fn scope(&self, known: impl IntoIterator<Item = PartName>) -> Scope {
        let filter = self.filter();
        let named = |part: PartName| (part, filter.clone());
        if self.need_names() {
            Scope { parts: Some(known.into_iter().map(named).collect()) }
        } else if self.named.is_empty() {
            Scope::all()
        } else {
            Scope { parts: Some(self.named.iter().cloned().map(named).collect()) }
        }
    }
}

/// Which parts of which cluster, whatever the moment.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    #[command(flatten)]
    parts: Parts,
    /// The cluster whose backups are meant, by name or id, where the repository holds those of several
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
}

impl Subject {
    /// A request for `target` of what is meant.
    ///
    /// # Errors
    /// `NotFound` for a cluster that has no backups here.
    pub(crate) async fn request(
        &self,
        repository: &OpenRepository,
        catalogue: &Catalogue,
        target: Target,
    ) -> Result<Request> {
        let cluster = match &self.cluster {
            Some(cluster) => Some(repository.cluster_id(cluster).await?),
            None => None,
        };
        let known: BTreeSet<PartName> = match &target {
            _ if !self.parts.need_names() => BTreeSet::new(),
            Target::Backup(backup) => catalogue.entry(*backup).map(|entry| entry.part).into_iter().collect(),
            _ => catalogue.entries().filter(|entry| entry.log.is_none()).map(|entry| entry.part).collect(),
        };
        Ok(Request { cluster, ..Request::at(target).of(self.parts.scope(known)) })
    }
}

/// Which moment or backup, and of which parts.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// The newest state at or before this moment, such as 2026-11-22T23:01:58Z [default: the newest]
    #[arg(long, value_name = "TIME", group = "target")]
    at: Option<Timestamp>,
    /// Exactly this moment
    #[arg(long, value_name = "TIME", group = "target")]
    exactly: Option<Timestamp>,
    /// The state of this backup, by id
    #[arg(long, value_name = "ID", group = "target")]
    backup: Option<String>,
    #[command(flatten)]
    subject: Subject,
    /// If the moment cannot be reached, take the nearest earlier one instead of refusing
    #[arg(long)]
    nearest_earlier: bool,
}

impl Choice {
    /// Which parts, and what of them.
    pub(crate) fn parts(&self) -> &Parts {
        &self.subject.parts
    }

    /// Whether anything was said that only a repository can answer.
    pub(crate) fn is_of_a_repository(&self) -> bool {
        self.at.is_some()
            || self.exactly.is_some()
            || self.backup.is_some()
            || self.subject.cluster.is_some()
            || self.nearest_earlier
    }

    /// Plans what the arguments ask for.
    ///
    /// # Errors
    /// As [`Choice::request`] and [`OpenRepository::plan`].
    pub(crate) async fn plan(&self, repository: &OpenRepository) -> Result<Plan> {
        let loaded = repository.load().await?;
        let request = self.request(repository, loaded.catalogue()).await?;
        Ok(loaded.catalogue().plan(&request)?)
    }

    /// The same for another target.
    ///
    /// # Errors
    /// As [`Choice::request`].
    pub(crate) async fn request_at(
        &self,
        repository: &OpenRepository,
        catalogue: &Catalogue,
        target: Target,
    ) -> Result<Request> {
        Ok(Request { target, ..self.request(repository, catalogue).await? })
    }

    /// What the arguments ask the planner for.
    ///
    /// # Errors
    /// `Invalid` for a text that is no id; `NotFound` for a cluster that has no backups here.
    pub(crate) async fn request(&self, repository: &OpenRepository, catalogue: &Catalogue) -> Result<Request> {
        let target = match (self.at, self.exactly, &self.backup) {
            (Some(at), ..) => Target::AtOrBefore(at),
            (_, Some(at), _) => Target::Exactly(at),
            (_, _, Some(backup)) => Target::Backup(id("backup", backup)?),
            _ => Target::Latest,
        };
        let strictness = if self.nearest_earlier { Strictness::NearestEarlier } else { Strictness::Refuse };
        let request = self.subject.request(repository, catalogue, target).await?;
        Ok(Request { strictness, ..request })
    }
}

/// An id as people copy it from a list.
pub(crate) fn id<T: FromStr>(what: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| {
        Error::invalid(format!("'{text}' is no id of a {what}")).hint("ids are 32 hexadecimal digits: see 'list'")
    })
}

/// The named backups; `None` if none is named: all.
pub(crate) fn backups(names: &[String]) -> Result<Option<BTreeSet<BackupId>>> {
    if names.is_empty() {
        return Ok(None);
    }
    names.iter().map(|name| id("backup", name)).collect::<Result<_>>().map(Some)
}
