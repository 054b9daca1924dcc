//! `restore`, `copy`.

use strongroom::core::cluster::RestoreOptions;
use strongroom::{CopyRequest, RestoreRequest, Result, Strongroom};

use super::{backups, look};
use crate::arguments::RestoreArguments;
use crate::output::{Output, count};
use crate::text;

pub(super) async fn restore(strongroom: &Strongroom, output: Output, arguments: RestoreArguments) -> Result<()> {
    let request = look::request(&arguments.choice)?;
    let repository = strongroom.repository(&arguments.repository).await?;
    // The plan comes before the target: a refused one makes no file.
    let plan = repository.plan(&request).await?;
    output.note(text::plan(&plan, ""));
    let target =
        if arguments.dry_run { strongroom.cluster(&arguments.into)? } else { strongroom.target(&arguments.into)? };
    let request = RestoreRequest {
        options: RestoreOptions { truncate: arguments.truncate, now: arguments.now, ..RestoreOptions::default() },
        dry_run: arguments.dry_run,
        ..RestoreRequest::default()
    };
    let summary = repository.restore(plan, target, request).await?;
    output.result(&summary, || {
        let mut lines = Vec::new();
        for (part, reached) in &summary.parts {
            lines.push(format!("part '{part}': reached {}", reached.until));
        }
        lines.push(if summary.dry_run {
            "dry run: nothing was changed".to_owned()
        } else {
            let applied = summary.applied;
            format!(
                "{} written, {} deleted, {} expired, {}",
                count(applied.written, "record"),
                applied.deleted,
                applied.expired,
                count(applied.definitions, "definition")
            )
        });
        lines.extend(summary.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines.join("\n")
    })
}

pub(super) async fn copy(
    strongroom: &Strongroom,
    output: Output,
    repository: &str,
    to: &str,
    named: &[String],
) -> Result<()> {
    let backups = backups(named)?;
    let destination = strongroom.storage(to)?;
    // Only a name means something to whoever looks it up later; a URL may hold secrets.
    let name = strongroom.profiles().repositories.contains_key(to).then(|| to.to_owned());
    let request = CopyRequest { backups, name, ..CopyRequest::default() };
    let report = strongroom.repository(repository).await?.copy(destination, request).await?;
    output.result(&report, || {
        let mut lines = vec![format!(
            "{} there now; {} copied, {} were there already",
            count(report.backups.len() as u64, "backup"),
            count(report.objects, "object"),
            report.present
        )];
        lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines.join("\n")
    })
}
