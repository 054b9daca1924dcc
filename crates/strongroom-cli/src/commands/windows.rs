//! `windows`.

use clap::Args;
use strongroom::{Result, Target};

use crate::choice::Subject;
use crate::context::Context;
use crate::output::DONE;

/// Say which moments can be restored, and where the gaps are
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    #[command(flatten)]
    subject: Subject,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let repository = context.strongroom()?.repository(&self.repository).await?;
        let loaded = repository.load().await?;
        let request = self.subject.request(&repository, loaded.catalogue(), Target::Latest).await?;
        let windows = loaded.catalogue().windows(&request)?;
        context.output.result(&windows, || windows.to_string())?;
        Ok(DONE)
    }
}
