//! `verify`.

use clap::{Args, ValueEnum};
use strongroom::core::model::Depth;
use strongroom::{Result, VerifyRequest};

use crate::choice::backups;
use crate::context::Context;
use crate::output::{DONE, FOUND, count};
use crate::settings::Pace;

/// Check that stored backups are whole
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    /// Only this backup (repeatable) [default: all]
    #[arg(long = "backup", value_name = "ID")]
    backups: Vec<String>,
    /// How deep to look; each depth includes those before it
    #[arg(long, value_enum, default_value_t = How::Hash)]
    depth: How,
    #[command(flatten)]
    pace: Pace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// Every object is there with its size
    Exists,
    /// Every object has its hash
    Hash,
    /// Every frame decodes and every piece adds up
    Decode,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let depth = match self.depth {
            How::Exists => Depth::Exists,
            How::Hash => Depth::Hash,
            How::Decode => Depth::Decode,
        };
        let request = VerifyRequest {
            backups: backups(&self.backups)?,
            depth,
            settings: self.pace.settings(),
            ..VerifyRequest::default()
        };
        let report = context.wait(context.strongroom()?.repository(&self.repository).await?.verify(request)).await?;
        context.output.result(&report, || {
            let mut lines = Vec::new();
            for backup in &report.backups {
                let found = if backup.findings.is_empty() { "whole" } else { "DAMAGED" };
                let objects = count(backup.objects, "object");
                lines.push(format!("{} part '{}': {found}, {objects} looked at", backup.backup, backup.part));
                lines.extend(backup.findings.iter().map(|finding| format!("  {}: {}", finding.key, finding.problem)));
            }
            lines
                .extend(report.unusable.iter().map(|finding| format!("UNUSABLE {}: {}", finding.key, finding.problem)));
            if lines.is_empty() {
                lines.push("no backups to check".to_owned());
            }
            lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
            lines.join("\n")
        })?;
        Ok(if report.is_whole() { DONE } else { FOUND })
    }
}
