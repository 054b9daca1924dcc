//! `doctor`.

use clap::Args;
use strongroom::Result;
use strongroom::doctor::{DoctorRequest, State};

use crate::context::Context;
use crate::output::{DONE, FOUND};

/// Look for what would go wrong: access, clocks, keys, room, catalogue, profiles
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The repositories to look at [default: with no --cluster either, everything in the profiles]
    #[arg(value_name = "REPOSITORY")]
    repositories: Vec<String>,
    /// A cluster to look at (repeatable)
    #[arg(long = "cluster", value_name = "CLUSTER")]
    clusters: Vec<String>,
    /// Write nothing: leave out the probe object, and so what only it can tell
    #[arg(long)]
    read_only: bool,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let Self { repositories, clusters, read_only } = self;
        let request = DoctorRequest { repositories, clusters, read_only };
        let diagnosis = context.strongroom()?.diagnose(&request).await;
        context.output.result(&diagnosis, || {
            let mut lines = Vec::new();
            for check in &diagnosis.checks {
                let state = match check.state {
                    State::Ok => "ok  ",
                    State::Warn => "WARN",
                    State::Fail => "FAIL",
                };
                lines.push(format!("{state}  {}: {}: {}", check.subject, check.check, check.detail));
                lines.extend(check.advice.iter().map(|advice| format!("      next: {advice}")));
            }
            lines.join("\n")
        })?;
        Ok(if diagnosis.is_healthy() { DONE } else { FOUND })
    }
}
