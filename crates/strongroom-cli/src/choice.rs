//! What several commands let one choose: parts, backups, and the moment to restore.

use std::collections::BTreeSet;
use std::str::FromStr;

use clap::Args;
use strongroom::core::id::BackupId;
use strongroom::core::model::Scope;
use strongroom::core::planner::Strictness;
use strongroom::{Error, Request, Result, Target, Timestamp};

/// Which moment or backup, and of which parts.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// The newest state at or before this moment, such as 2026-11-22T23:01:58Z [default: the newest]
    #[arg(long, value_name = "TIME", group = "target")]
    pub at: Option<Timestamp>,
    /// Exactly this moment
    #[arg(long, value_name = "TIME", group = "target")]
    pub exactly: Option<Timestamp>,
    /// The state of this backup, by id
    #[arg(long, value_name = "ID", group = "target")]
    pub backup: Option<String>,
    /// Only this keyspace or namespace (repeatable) [default: all]
    #[arg(long = "part", value_name = "NAME")]
    pub parts: Vec<String>,
    /// If the moment cannot be reached, take the nearest earlier one instead of refusing
    #[arg(long)]
    pub nearest_earlier: bool,
}

impl Choice {
    /// What the arguments ask the planner for.
    ///
    /// # Errors
    /// `Invalid` for a text that is no id.
    pub(crate) fn request(&self) -> Result<Request> {
        let target = match (self.at, self.exactly, &self.backup) {
            (Some(at), ..) => Target::AtOrBefore(at),
            (_, Some(at), _) => Target::Exactly(at),
            (_, _, Some(backup)) => Target::Backup(id("backup", backup)?),
            _ => Target::Latest,
        };
        let strictness = if self.nearest_earlier { Strictness::NearestEarlier } else { Strictness::Refuse };
        Ok(Request { strictness, ..Request::at(target).of(scope(&self.parts)) })
    }
}

/// All parts, or those that were named.
pub(crate) fn scope(parts: &[String]) -> Scope {
    if parts.is_empty() { Scope::all() } else { Scope::of_parts(parts.iter().cloned()) }
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
