//! `resume`.

use clap::Args;
use strongroom::{BackupRequest, Result};

use super::backup::{Resume, TOOL, finish};
use crate::choice::id;
use crate::context::Context;
use crate::settings::Pace;

/// Go on with an interrupted backup
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    cluster: String,
    repository: String,
    /// The interrupted run, as its error named it
    #[arg(long, value_name = "ID")]
    run: String,
    /// The codecs that the run was begun with [default: the repository's]
    #[arg(long)]
    codecs: Option<String>,
    /// The process that began the run is surely dead, so do not wait until its lease ends by itself
    #[arg(long)]
    take_over: bool,
    #[command(flatten)]
    pace: Pace,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let run = id("run", &self.run)?;
        let strongroom = context.strongroom()?;
        let cluster = strongroom.cluster(&self.cluster)?;
        let mut repository = strongroom.repository(&self.repository).await?;
        if let Some(codecs) = &self.codecs {
            repository = repository.with_codecs(codecs)?;
        }
        let request = BackupRequest {
            settings: self.pace.settings(),
            take_over: self.take_over,
            tool: TOOL.to_owned(),
            ..BackupRequest::default()
        };
        let again =
            Resume { cluster: &self.cluster, repository: &self.repository, run, codecs: self.codecs.as_deref() };
        finish(context, repository.resume(cluster, run, request)?, &again).await
    }
}
