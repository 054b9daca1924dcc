//! `init`, `backup`, `resume`.

use serde_json::json;
use strongroom::{BackupKindWish, BackupReport, BackupRequest, PartOutcome, Result, Strongroom};

use super::{id, scope};
use crate::arguments::{BackupArguments, Kind};
use crate::output::{Output, count};

pub(super) async fn init(
    strongroom: &Strongroom,
    output: Output,
    name: &str,
    codecs: Option<&str>,
    keys: &[String],
) -> Result<()> {
    let repository = strongroom.init(name, codecs, keys).await?;
    let info = repository.core().info();
    let stack: Vec<String> = repository.stack().ids().iter().map(ToString::to_string).collect();
    output.result(&json!({ "repository": info.id, "created": info.created, "codecs": stack }), || {
        let stack = if stack.is_empty() { "none".to_owned() } else { stack.join(", ") };
        format!("repository {} made; codecs: {stack}", info.id)
    })
}

pub(super) async fn backup(strongroom: &Strongroom, output: Output, arguments: BackupArguments) -> Result<()> {
    let cluster = strongroom.cluster(&arguments.cluster)?;
    let mut repository = strongroom.repository(&arguments.repository).await?;
    if let Some(codecs) = &arguments.codecs {
        repository = repository.with_codecs(codecs)?;
    }
    let request = BackupRequest {
        scope: scope(&arguments.parts),
        kind: match arguments.kind {
            Kind::Auto => BackupKindWish::Auto,
            Kind::Base => BackupKindWish::Base,
            Kind::Incremental => BackupKindWish::Incremental,
        },
        accept_cluster: arguments.accept_fingerprint,
        dry_run: arguments.dry_run,
        tool: concat!("strongroom ", env!("CARGO_PKG_VERSION")).to_owned(),
        ..BackupRequest::default()
    };
    report(output, repository.backup(cluster, request)?.await?)
}

pub(super) async fn resume(
    strongroom: &Strongroom,
    output: Output,
    cluster: &str,
    repository: &str,
    run: &str,
    codecs: Option<&str>,
) -> Result<()> {
    let run = id("run", run)?;
    let cluster = strongroom.cluster(cluster)?;
    let mut repository = strongroom.repository(repository).await?;
    if let Some(codecs) = codecs {
        repository = repository.with_codecs(codecs)?;
    }
    let request = BackupRequest {
        tool: concat!("strongroom ", env!("CARGO_PKG_VERSION")).to_owned(),
        ..BackupRequest::default()
    };
    report(output, repository.resume(cluster, run, request)?.await?)
}

/// Tells what was done; a part that failed is an error, after all parts were told.
fn report(output: Output, report: BackupReport) -> Result<()> {
    if report.parts.is_empty() {
        output.note("there was nothing to back up: the cluster has no parts");
    }
    output.result(&report, || text(&report))?;
    report.into_result().map(drop)
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
            PartOutcome::Already => format!("part '{name}': backed up already"),
            PartOutcome::Estimated(estimate) => format!(
                "part '{name}': would be a backup of kind {}, {}, {} before the codecs",
                estimate.kind,
                count(estimate.pieces, "piece"),
                count(estimate.plain_bytes, "byte"),
            ),
            PartOutcome::Failed { what, .. } => format!("part '{name}': FAILED: {what}"),
        });
        lines.extend(part.reason.iter().map(|reason| format!("  {reason}")));
        lines.extend(part.warnings.iter().map(|warning| format!("  warning: {warning}")));
    }
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}
