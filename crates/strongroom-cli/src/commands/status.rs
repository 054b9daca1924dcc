//! `status`.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use strongroom::core::id::{BackupId, ClusterId};
use strongroom::core::model::{Filter, PartName, Scope, Status};
use strongroom::core::planner::{Catalogue, Reached, Request, Target};
use strongroom::core::units::Span;
use strongroom::{Result, Timestamp};

use crate::context::Context;
use crate::output::{DONE, TOO_OLD, table};
use crate::progress::span;

/// Say up to when each part can be restored, and whether that is recent enough
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    /// End with code 12 if a part's newest restorable point is older than this, such as 26h or 7d
    #[arg(long, value_name = "SPAN")]
    max_age: Option<Span>,
    /// Only this keyspace or namespace; without any backup of it the code is 12 too (repeatable) [default: all]
    #[arg(long = "part", value_name = "NAME")]
    parts: Vec<String>,
    /// Only this table or set of the parts (repeatable) [default: all]
    #[arg(long = "table", visible_alias = "set", value_name = "NAME")]
    tables: Vec<String>,
    /// Only the parts of this cluster, by name or id
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
}

/// What can be restored of one part.
#[derive(Debug, Serialize)]
struct Line {
    part: PartName,
    cluster: Option<ClusterId>,
    /// The newest restorable point.
    reached: Option<Reached>,
    /// Its age in microseconds.
    age_micros: Option<u64>,
    /// The backups that are needed.
    backups: Vec<BackupId>,
    /// Whether it is there, and no older than asked for.
    recent: bool,
    /// Why there is none.
    why: Option<String>,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let repository = strongroom.repository(&self.repository).await?;
        let cluster = match &self.cluster {
            Some(cluster) => Some(repository.cluster_id(cluster).await?),
            None => None,
        };
        let now = strongroom.environment().now();
        let lines = self.lines(repository.load().await?.catalogue(), cluster, now);
        let recent = lines.iter().all(|line| line.recent) && !(lines.is_empty() && self.max_age.is_some());
        let value = json!({ "now": now, "recent": recent, "parts": lines });
        context.output.result(&value, || {
            if lines.is_empty() {
                return "no backups".to_owned();
            }
            let rows: Vec<_> = lines.iter().map(Line::row).collect();
            table(["PART", "RESTORABLE UNTIL", "AGE", "BACKUPS", "STATUS"], [false, false, true, true, false], &rows)
                .join("\n")
        })?;
        Ok(if recent { DONE } else { TOO_OLD })
    }

    fn lines(&self, catalogue: &Catalogue, cluster: Option<ClusterId>, now: Timestamp) -> Vec<Line> {
        let live = catalogue.entries().filter(|entry| entry.status != Status::Deleted && entry.log.is_none());
        let mut parts: BTreeSet<(PartName, Option<ClusterId>)> = live
            .filter(|entry| cluster.is_none_or(|cluster| entry.cluster == cluster))
            .filter(|entry| self.parts.is_empty() || self.parts.contains(&entry.part))
            .map(|entry| (entry.part, Some(entry.cluster)))
            .collect();
        // What was asked for by name and was never backed up is no reason to be silent.
        let known: BTreeSet<PartName> = parts.iter().map(|(part, _)| part.clone()).collect();
        parts.extend(self.parts.iter().filter(|part| !known.contains(*part)).map(|part| (part.clone(), cluster)));
        parts.into_iter().map(|(part, cluster)| self.line(catalogue, part, cluster, now)).collect()
    }

    fn line(&self, catalogue: &Catalogue, part: PartName, cluster: Option<ClusterId>, now: Timestamp) -> Line {
        let tables = (!self.tables.is_empty()).then(|| self.tables.iter().cloned().collect());
        let filter = Filter { tables, ..Filter::default() };
        let scope = Scope { parts: Some([(part.clone(), filter)].into()) };
        let request = Request { cluster, ..Request::at(Target::Latest).of(scope) };
        match catalogue.plan(&request) {
            Ok(plan) => {
                let age = u64::try_from(now.since(plan.reached.until)).unwrap_or(0);
                let recent = self.max_age.is_none_or(|most| u128::from(age) <= most.0.as_micros());
                let backups = plan.steps().map(|(_, step)| step.backup).collect();
                let (reached, age_micros) = (Some(plan.reached), Some(age));
                Line { part, cluster, reached, age_micros, backups, recent, why: None }
            }
            Err(error) => {
                let why = Some(strongroom::Error::from(error).to_string());
                Line { part, cluster, reached: None, age_micros: None, backups: Vec::new(), recent: false, why }
            }
        }
    }
}

impl Line {
    fn row(&self) -> [String; 5] {
        let status = match (&self.why, self.recent) {
            (Some(why), _) => format!("NOT RESTORABLE: {why}"),
            (None, true) => "ok".to_owned(),
            (None, false) => "TOO OLD".to_owned(),
        };
        let dash = || "-".to_owned();
        [
            self.part.clone(),
            self.reached.map_or_else(dash, |reached| reached.until.to_string()),
            self.age_micros.map_or_else(dash, span),
            self.backups.len().to_string(),
            status,
        ]
    }
}
