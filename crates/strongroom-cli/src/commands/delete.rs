//! `delete`.

use clap::Args;
use strongroom::core::units::Span;
use strongroom::{Error, PruneRequest, Removal, Result};

use crate::choice::backups;
use crate::context::Context;
use crate::output::{DONE, FOUND, exit_code};
use crate::removal;

/// Condemn backups by their ids, if nothing that stays needs them
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    /// The backups
    #[arg(value_name = "ID", required = true)]
    backups: Vec<String>,
    /// Delete what could not be restored without them as well
    #[arg(long)]
    cascade: bool,
    /// Allow that a part's last point goes, or its last one that is verified
    #[arg(long)]
    last: bool,
    /// Say what would go and what speaks against it, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// How long what is condemned stays, such as 24h; 0s deletes it at once [default: the profile's, else 24h]
    #[arg(long, value_name = "SPAN")]
    grace: Option<Span>,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let named = backups(&self.backups)?.unwrap_or_default();
        let strongroom = context.strongroom()?;
        let repository = strongroom.repository(&self.repository).await?;
        let default = strongroom.prune_request(&self.repository);
        let request = PruneRequest {
            what: Removal::Backups { backups: named, cascade: self.cascade, allow_last: self.last },
            grace: self.grace.map_or(default.grace, |span| span.0),
            dry_run: self.dry_run,
            ..default
        };
        let report = context.wait(repository.prune(request)).await?;
        context.output.result(&report, || removal::text(&report))?;
        Ok(match &report.refusal {
            Some(refusal) => exit_code(Error::from(Box::new(refusal.clone())).kind()),
            None if removal::was_refused(&report) => FOUND,
            None => DONE,
        })
    }
}
