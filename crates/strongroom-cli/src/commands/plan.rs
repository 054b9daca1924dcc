//! `plan`.

use clap::Args;
use strongroom::Result;

use crate::choice::Choice;
use crate::context::Context;
use crate::output::{DONE, refused};
use crate::text;

/// Say what a restore would do
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    #[command(flatten)]
    choice: Choice,
    /// Say why: a drawing, why each step, why not the others, what is near, what one lost backup would cost
    #[arg(long)]
    explain: bool,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let repository = context.strongroom()?.repository(&self.repository).await?;
        if !self.explain {
            let plan = self.choice.plan(&repository).await?;
            context.output.result(&plan, || text::plan(&plan, ""))?;
            return Ok(DONE);
        }
        let loaded = repository.load().await?;
        let request = self.choice.request(&repository, loaded.catalogue()).await?;
        let explanation = loaded.catalogue().explain(&request);
        context.output.result(&explanation, || explanation.to_string())?;
        // A refusal that is explained is still one.
        Ok(explanation.refusal.map_or(DONE, |refusal| refused(refusal.reason)))
    }
}
