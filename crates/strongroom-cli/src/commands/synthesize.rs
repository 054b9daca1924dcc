//! `synthesize`.

use clap::Args;
use indicatif::HumanBytes;
use serde_json::json;
use strongroom::core::model::Scope;
use strongroom::{Error, Request, Result, SynthesizeReport, SynthesizeRequest};

use super::backup::TOOL;
use crate::choice::{Choice, id};
use crate::context::Context;
use crate::output::{DONE, count};
use crate::settings::Pace;

/// Merge a chain of record backups into a new base, without touching the cluster
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    #[command(flatten)]
    choice: Choice,
    /// Codecs of the new base [default: the repository's]
    #[arg(long)]
    codecs: Option<String>,
    /// Go on with this interrupted run, as its error named it
    #[arg(long, value_name = "ID", conflicts_with = "target")]
    run: Option<String>,
    /// The process that began the run is surely dead, so do not wait until its lease ends by itself
    #[arg(long, requires = "run")]
    take_over: bool,
    #[command(flatten)]
    pace: Pace,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let mut repository = context.strongroom()?.repository(&self.repository).await?;
        if let Some(codecs) = &self.codecs {
            repository = repository.with_codecs(codecs)?;
        }
        let request = |state: Request| SynthesizeRequest {
            state,
            settings: self.pace.settings(),
            take_over: self.take_over,
            tool: TOOL.to_owned(),
            ..SynthesizeRequest::default()
        };
        let mut reports: Vec<SynthesizeReport> = Vec::new();
        let mut alone = Vec::new();
        if let Some(run) = &self.run {
            let request = SynthesizeRequest { run: Some(id("run", run)?), ..request(Request::default()) };
            reports.push(context.wait(repository.synthesize(request)).await?);
        } else {
            let loaded = repository.load().await?;
            let asked = self.choice.request(&repository, loaded.catalogue()).await?;
            let plan = loaded.catalogue().plan(&Request { no_logs: true, ..asked.clone() })?;
            for (name, part) in &plan.parts {
                if part.steps.len() < 2 {
                    alone.push(name.clone());
                    continue;
                }
                let scope = Scope { parts: Some([(name.clone(), part.filter.clone())].into()) };
                let state = Request { cluster: Some(plan.cluster), ..asked.clone().of(scope) };
                reports.push(context.wait(repository.synthesize(request(state))).await?);
            }
            if reports.is_empty() {
                return Err(Error::invalid("the state is one backup already: there is nothing to merge"));
            }
        }
        context.output.result(&json!({ "made": reports, "alone": alone }), || {
            let mut lines: Vec<String> = reports.iter().flat_map(told).collect();
            lines.extend(alone.iter().map(|part| format!("part '{part}' is one backup already")));
            lines.join("\n")
        })?;
        Ok(DONE)
    }
}

fn told(report: &SynthesizeReport) -> Vec<String> {
    let mut lines = vec![format!(
        "part '{}': a base until {} out of {}, {}, {} stored, backup {}",
        report.part,
        report.window.until,
        count(report.made_from.len() as u64, "backup"),
        count(report.totals.records, "record"),
        HumanBytes(report.totals.stored_bytes),
        report.backup
    )];
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines
}
