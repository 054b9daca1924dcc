//! `plan`.

use clap::Args;
use strongroom::Result;

use crate::choice::Choice;
use crate::context::Context;
use crate::output::DONE;
use crate::text;

/// Say what a restore would do
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    #[command(flatten)]
    choice: Choice,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let plan = self.choice.plan(&context.strongroom()?.repository(&self.repository).await?).await?;
        context.output.result(&plan, || text::plan(&plan, ""))?;
        Ok(DONE)
    }
}
