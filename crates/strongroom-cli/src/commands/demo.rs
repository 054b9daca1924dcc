//! `demo`.

use std::path::PathBuf;

use clap::Args;
use strongroom::Result;

use crate::context::Context;
use crate::demo;
use crate::output::DONE;

/// Show a chain of backups restored to a moment in between, on real data
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Keep what the demo makes in this folder (must not exist) instead of a temporary one
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        demo::run(self.keep, context.output).await?;
        Ok(DONE)
    }
}
