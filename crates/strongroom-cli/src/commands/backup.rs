//! `backup`.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use strongroom::core::id::RunId;
use strongroom::storage::redact_url;
use strongroom::{BackupKindWish, BackupReport, BackupRequest, Error, Job, PartOutcome, Result};

use crate::choice::Parts;
use crate::commands::snapshot::cluster_at;
use crate::context::Context;
use crate::output::{DONE, count};
use crate::settings::Pace;
use crate::text;

/// What a backup says of the program that made it.
pub(crate) const TOOL: &str = concat!("strongroom ", env!("CARGO_PKG_VERSION"));

/// Back up a cluster into a repository
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    cluster: String,
    repository: String,
    #[command(flatten)]
    parts: Parts,
    /// Everything, or the changes since the backup before
    #[arg(long, value_enum, default_value_t = Kind::Auto)]
    kind: Kind,
    /// The state of this snapshot, which the cluster keeps: see 'snapshot list'
    #[arg(long, value_name = "ID")]
    snapshot: Option<String>,
    /// Let the first incremental after a base start at that base, not where the backup before the base ended
    #[arg(long)]
    no_bridging: bool,
    /// Codecs of this backup [default: the repository's]
    #[arg(long)]
    codecs: Option<String>,
    /// Say what would be backed up and about how much, and store nothing
    #[arg(long)]
    dry_run: bool,
    /// Accept a cluster whose fingerprint changed
    #[arg(long)]
    accept_fingerprint: bool,
    #[command(flatten)]
    pace: Pace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Incremental where the chain allows it, else base
    Auto,
    /// Everything
    Base,
    /// Changes only; fails where the chain does not allow it
    Incremental,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let cluster = strongroom.cluster(&self.cluster)?;
        let cluster = cluster_at(cluster, &self.cluster, self.snapshot.as_deref())?;
        let mut repository = strongroom.repository(&self.repository).await?;
        if let Some(codecs) = &self.codecs {
            repository = repository.with_codecs(codecs)?;
        }
        let known = if self.parts.need_names() { cluster.describe().await?.parts } else { BTreeMap::new() };
        let run = RunId::fresh(strongroom.environment())?;
        let request = BackupRequest {
            scope: self.parts.scope(known.into_keys()),
            kind: match self.kind {
                Kind::Auto => BackupKindWish::Auto,
                Kind::Base => BackupKindWish::Base,
                Kind::Incremental => BackupKindWish::Incremental,
            },
            no_bridging: self.no_bridging,
            settings: self.pace.settings(),
            accept_cluster: self.accept_fingerprint,
            run: Some(run),
            dry_run: self.dry_run,
            tool: TOOL.to_owned(),
            ..BackupRequest::default()
        };
        if !self.dry_run {
            // A process that is killed tells nothing any more.
            context.output.note(format!("run {run}"));
        }
        let resume =
            Resume { cluster: &self.cluster, repository: &self.repository, run, codecs: self.codecs.as_deref() };
        finish(context, repository.backup(cluster, request)?, &resume).await
    }
}

/// The command that goes on with a run.
#[derive(Debug)]
pub(crate) struct Resume<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) repository: &'a str,
    pub(crate) run: RunId,
    pub(crate) codecs: Option<&'a str>,
}

impl Resume<'_> {
    /// Where the advice is to resume the run, says with which command.
    fn told(&self, error: Error) -> Error {
        let run = self.run.to_string();
        if !error.advice().is_some_and(|advice| advice.contains(&run)) {
            return error;
        }
        let repository = redact_url(self.repository);
        let mut words = vec!["strongroom", "resume", self.cluster, &repository, "--run", &run];
        words.extend(self.codecs.into_iter().flat_map(|codecs| ["--codecs", codecs]));
        error.hint(format!("go on where it ended: {}", text::command(&words)))
    }
}

/// Waits for a backup and tells what was done; a part that failed is an error, after all parts were told.
pub(crate) async fn finish(context: &Context, job: Job<BackupReport>, resume: &Resume<'_>) -> Result<u8> {
    let report = context.wait(job).await.map_err(|error| resume.told(error))?;
    context.output.result(&report, || told(&report))?;
    report.into_result().map_err(|error| resume.told(error))?;
    Ok(DONE)
}

fn told(report: &BackupReport) -> String {
    let mut lines = vec![format!("run {}", report.run)];
    for part in &report.parts {
        let name = &part.part;
        lines.push(match &part.outcome {
            PartOutcome::Committed(done) => format!(
                "part '{name}': {} {} until {}: {}, {}, {} stored",
                done.kind,
                done.backup,
                done.window.until,
                count(done.totals.records, "record"),
                count(done.totals.deletes, "delete"),
                count(done.totals.stored_bytes, "byte"),
            ),
            PartOutcome::Already(done) => format!("part '{name}': backed up already as {}", done.backup),
            PartOutcome::Estimated(estimate) => format!(
                "part '{name}': would be a backup of kind {}, {}, {} before the codecs",
                estimate.kind,
                count(estimate.pieces, "piece"),
                count(estimate.plain_bytes, "byte"),
            ),
            PartOutcome::Failed { what, .. } => format!("part '{name}': FAILED: {what}"),
        });
        lines.extend(part.reason.iter().map(|reason| format!("  {reason}")));
        if let Some(done) = part.outcome.committed() {
            lines.extend(done.bridges.map(|base| format!("  reaches over base {base}, which may be lost without it")));
            lines.extend(done.restorable.map(|reached| format!("  a restore reaches {}", reached.until)));
        }
        lines.extend(part.warnings.iter().map(|warning| format!("  warning: {warning}")));
    }
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}
