//! `backup`.

use clap::{Args, ValueEnum};
use strongroom::{BackupKindWish, BackupReport, BackupRequest, PartOutcome, Result};

use crate::choice::scope;
use crate::context::Context;
use crate::output::{DONE, Output, count};

/// What a backup says of the program that made it.
pub(crate) const TOOL: &str = concat!("strongroom ", env!("CARGO_PKG_VERSION"));

/// Back up a cluster into a repository
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    cluster: String,
    repository: String,
    /// Only this keyspace or namespace (repeatable) [default: all]
    #[arg(long = "part", value_name = "NAME")]
    parts: Vec<String>,
    #[arg(long, value_enum, default_value_t = Kind::Auto)]
    kind: Kind,
    /// Codecs of this backup [default: the repository's]
    #[arg(long)]
    codecs: Option<String>,
    /// Say what would be backed up and about how much, and store nothing
    #[arg(long)]
    dry_run: bool,
    /// Accept a cluster whose fingerprint changed
    #[arg(long)]
    accept_fingerprint: bool,
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
        let mut repository = strongroom.repository(&self.repository).await?;
        if let Some(codecs) = &self.codecs {
            repository = repository.with_codecs(codecs)?;
        }
        let request = BackupRequest {
            scope: scope(&self.parts),
            kind: match self.kind {
                Kind::Auto => BackupKindWish::Auto,
                Kind::Base => BackupKindWish::Base,
                Kind::Incremental => BackupKindWish::Incremental,
            },
            accept_cluster: self.accept_fingerprint,
            dry_run: self.dry_run,
            tool: TOOL.to_owned(),
            ..BackupRequest::default()
        };
        report(context.output, context.wait(repository.backup(cluster, request)?).await?)
    }
}

/// Tells what was done; a part that failed is an error, after all parts were told.
pub(crate) fn report(output: Output, report: BackupReport) -> Result<u8> {
    if report.parts.is_empty() {
        output.note("there was nothing to back up: the cluster has no parts");
    }
    output.result(&report, || text(&report))?;
    report.into_result()?;
    Ok(DONE)
}

fn text(report: &BackupReport) -> String {
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
