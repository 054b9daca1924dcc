//! `mend`.

use clap::Args;
use serde_json::json;
use strongroom::Result;

use crate::context::Context;
use crate::output::{DONE, FOUND, count};

/// Make a damaged catalogue good by reading every manifest
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    /// Say what is damaged and what would be found again, and write nothing
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let repository = context.strongroom()?.repository(&self.repository).await?;
        let report = if self.dry_run { repository.load().await?.report } else { repository.core().mend().await? };
        let quarantined: Vec<_> =
            report.quarantined.iter().map(|broken| json!({ "key": broken.key, "why": broken.why })).collect();
        let value = json!({
            "dry_run": self.dry_run,
            "mended": report.rebuilt && !self.dry_run,
            "damaged": report.damaged,
            "vanished": report.vanished,
            "quarantined": quarantined,
        });
        context.output.result(&value, || {
            let mut lines: Vec<String> = report.damaged.iter().map(|what| format!("damaged: {what}")).collect();
            lines.extend(report.vanished.iter().map(|backup| format!("forgotten, since its manifest is gone: {backup}")));
            let broken = report.quarantined.iter();
            lines.extend(broken.map(|broken| format!("unusable: {}: {}", broken.key, broken.why)));
            lines.push(match (report.rebuilt, self.dry_run) {
                (false, _) if report.damaged.is_empty() => "the catalogue is whole".to_owned(),
                (false, _) => "nothing is lost by it: a newer snapshot has all of it".to_owned(),
                (true, true) => "mend would make it good by every manifest".to_owned(),
                (true, false) => format!(
                    "the catalogue is whole again: {} made good by every manifest\nnext: pins, holds and checks that were \
                     recorded there are lost; look at them with 'list' before the next prune",
                    count(report.damaged.len() as u64, "loss").replace("losss", "losses")
                ),
            });
            lines.join("\n")
        })?;
        Ok(if report.quarantined.is_empty() && !(self.dry_run && report.rebuilt) { DONE } else { FOUND })
    }
}
