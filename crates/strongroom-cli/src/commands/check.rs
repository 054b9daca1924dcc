//! `check`.

use clap::Args;
use strongroom::Result;

use crate::choice::Choice;
use crate::context::Context;
use crate::output::{DONE, FOUND};

/// Say whether a moment can be restored: yes, or no and why, with code 3
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    #[command(flatten)]
    choice: Choice,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let repository = context.strongroom()?.repository(&self.repository).await?;
        let loaded = repository.load().await?;
        let request = self.choice.request(&repository, loaded.catalogue()).await?;
        let check = loaded.catalogue().check(&request);
        context.output.result(&check, || check.to_string())?;
        Ok(if check.is_possible() { DONE } else { FOUND })
    }
}
