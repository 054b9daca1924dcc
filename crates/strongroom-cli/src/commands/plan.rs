//! `plan`.

use clap::Args;
use strongroom::core::planner::Catalogue;
use strongroom::{Error, OpenRepository, Plan, Result, Target, Timestamp};

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
    /// Say what differs from another plan: a file that holds one as JSON, or a moment, to plan for that with the same options
    #[arg(long, value_name = "FILE|TIME", conflicts_with = "explain")]
    compare_with: Option<String>,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let repository = context.strongroom()?.repository(&self.repository).await?;
        let loaded = repository.load().await?;
        let catalogue = loaded.catalogue();
        let request = self.choice.request(&repository, catalogue).await?;
        if self.explain {
            let explanation = catalogue.explain(&request);
            context.output.result(&explanation, || explanation.to_string())?;
            // A refusal that is explained is still one.
            return Ok(explanation.refusal.map_or(DONE, |refusal| refused(refusal.reason)));
        }
        let plan = catalogue.plan(&request)?;
        match &self.compare_with {
            None => context.output.result(&plan, || text::plan(&plan, ""))?,
            Some(other) => {
                let difference = self.other(&repository, catalogue, other).await?.difference(&plan);
                context.output.result(&difference, || difference.to_string())?;
            }
        }
        Ok(DONE)
    }

    async fn other(&self, repository: &OpenRepository, catalogue: &Catalogue, name: &str) -> Result<Plan> {
        if let Ok(moment) = name.parse::<Timestamp>() {
            let request = self.choice.request_at(repository, catalogue, Target::AtOrBefore(moment)).await?;
            return Ok(catalogue.plan(&request)?);
        }
        let text = std::fs::read_to_string(name).map_err(|error| {
            Error::from(error)
                .within(format!("the plan to compare with, {name}"))
                .hint("name a file made by 'plan --json', or a moment such as 2026-11-22T23:01:58Z")
        })?;
        serde_json::from_str(&text).map_err(|error| {
            Error::invalid(format!("{name} holds no plan")).because(error).hint("make one with 'plan --json'")
        })
    }
}
