//! `restore`.

use clap::Args;
use strongroom::core::cluster::RestoreOptions;
use strongroom::{RestoreRequest, Result, Timestamp};

use crate::choice::Choice;
use crate::context::Context;
use crate::output::{DONE, count};
use crate::settings::Pace;
use crate::text;

/// Restore a cluster from a repository
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    /// The cluster to restore into; an embedded one is made if it does not exist
    #[arg(long, value_name = "CLUSTER")]
    into: String,
    #[command(flatten)]
    choice: Choice,
    /// Empty the target's parts first, after all checks
    #[arg(long)]
    truncate: bool,
    /// Leave out what has expired at this moment [default: keep everything]
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// Plan and check everything, and restore nothing; the target must exist
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pace: Pace,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let repository = strongroom.repository(&self.repository).await?;
        // The plan comes before the target: a refused one makes no file.
        let plan = self.choice.plan(&repository).await?;
        context.output.note(text::plan(&plan, ""));
        let target = if self.dry_run { strongroom.cluster(&self.into)? } else { strongroom.target(&self.into)? };
        let request = RestoreRequest {
            options: RestoreOptions { truncate: self.truncate, now: self.now, ..RestoreOptions::default() },
            settings: self.pace.settings(),
            dry_run: self.dry_run,
            ..RestoreRequest::default()
        };
        let summary = context.wait(repository.restore(plan, target, request)).await?;
        context.output.result(&summary, || {
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
        })?;
        Ok(DONE)
    }
}
