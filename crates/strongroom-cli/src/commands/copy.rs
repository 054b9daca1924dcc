//! `copy`.

use clap::Args;
use strongroom::core::engine::Unreachable;
use strongroom::{CopyRequest, Result};

use crate::choice::backups;
use crate::context::Context;
use crate::output::{DONE, FOUND, count};
use crate::settings::Pace;

/// Copy backups to another storage
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    /// The other storage, by URL or profile
    to: String,
    /// Only this backup and the chain it needs (repeatable) [default: all that are not there yet]
    #[arg(long = "backup", value_name = "ID")]
    backups: Vec<String>,
    #[command(flatten)]
    pace: Pace,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let backups = backups(&self.backups)?;
        let destination = strongroom.storage(&self.to)?;
        // Only a name means something to whoever looks it up later; a URL may hold secrets.
        let name = strongroom.profiles().repositories.contains_key(&self.to).then_some(self.to);
        let request = CopyRequest { backups, name, settings: self.pace.settings() };
        let report = context.wait(strongroom.repository(&self.repository).await?.copy(destination, request)).await?;
        context.output.result(&report, || {
            let mut lines = vec![format!(
                "{} there now, {} of them new; {} copied, {} were there already",
                count(report.backups.len() as u64, "backup"),
                report.copied,
                count(report.objects, "object"),
                report.present
            )];
            if report.deleted > 0 {
                let deleted = count(report.deleted, "backup");
                lines.push(format!(
                    "{deleted} left out: deleted there before (name them with --backup to bring them back)"
                ));
            }
            for left in &report.left_out {
                lines.push(format!("NOT COPIED {} part '{}': {}", left.backup, left.part, left.why));
                lines.extend(left.findings.iter().map(|finding| format!("  {}: {}", finding.key, finding.problem)));
            }
            let unreachable =
                |one: &Unreachable| format!("NO RESTORE there of {} part '{}': {}", one.backup, one.part, one.why);
            lines.extend(report.unreachable.iter().map(unreachable));
            lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
            lines.join("\n")
        })?;
        Ok(if report.is_whole() { DONE } else { FOUND })
    }
}
