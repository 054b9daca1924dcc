//! `list`.

use clap::Args;
use serde_json::json;
use strongroom::Result;

use crate::context::Context;
use crate::output::DONE;
use crate::text;

/// List the backups of a repository
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let loaded = context.strongroom()?.repository(&self.repository).await?.load().await?;
        let mut entries: Vec<_> = loaded.entries().collect();
        entries.sort_by_key(|entry| (entry.window.until, entry.id));
        let quarantined: Vec<_> =
            loaded.report.quarantined.iter().map(|broken| json!({ "key": broken.key, "why": broken.why })).collect();
        let value = json!({
            "backups": entries,
            "complete": loaded.is_complete(),
            "quarantined": quarantined,
            "damaged": loaded.report.damaged,
        });
        context.output.result(&value, || {
            let mut lines: Vec<String> = entries.iter().map(text::entry).collect();
            if lines.is_empty() {
                lines.push("no backups yet".to_owned());
            }
            let broken = loaded.report.quarantined.iter();
            lines.extend(broken.map(|broken| format!("unusable: {}: {}", broken.key, broken.why)));
            lines.extend(loaded.report.damaged.iter().map(|damage| format!("catalogue: {damage}")));
            lines.join("\n")
        })?;
        Ok(DONE)
    }
}
