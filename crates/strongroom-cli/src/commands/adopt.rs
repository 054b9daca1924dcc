//! `adopt`.

use std::ffi::OsString;

use clap::Args;
use strongroom::adopt::{AdoptReport, AdoptRequest};
use strongroom::service_folder::ServiceFolder;
use strongroom::{BackupRequest, Result};

use super::backup::TOOL;
use crate::context::Context;
use crate::output::{DONE, FOUND, count};
use crate::settings::Pace;
use crate::tool_key::ToolKey;

/// Take over the storage of a backup service: its backups into a repository, chains and moments included
///
/// The storage is only read. What is in the repository already is not taken again.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The root of a backup service's storage: a folder, or `s3://…`, `gcs://…`, `azblob://…`, a name from strongroom.toml, which is brought into a
    /// temporary folder first
    folder: OsString,
    repository: String,
    /// Which routine, if there are several
    #[arg(long, value_name = "NAME")]
    routine: Option<String>,
    /// Only this namespace [default: all]
    #[arg(long = "part", value_name = "NAME")]
    part: Option<String>,
    /// What the cluster is called in the repository [default: as the routine]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    key: ToolKey,
    #[command(flatten)]
    pace: Pace,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let repository = strongroom.repository(&self.repository).await?;
        let folder = strongroom.fetch_folder(&self.folder, self.routine.as_deref()).await?;
        let service = ServiceFolder::open(folder.path(), self.routine.as_deref())?;
        let request = AdoptRequest {
            name: self.name,
            key: self.key.read()?,
            namespace: self.part,
            backup: BackupRequest { settings: self.pace.settings(), tool: TOOL.to_owned(), ..BackupRequest::default() },
            ..AdoptRequest::default()
        };
        let report = repository.adopt(&service, &request).await?;
        context.output.result(&report, || told(&report))?;
        Ok(if report.left_out.is_empty() { DONE } else { FOUND })
    }
}

fn told(report: &AdoptReport) -> String {
    let mut lines: Vec<String> = report
        .adopted
        .iter()
        .map(|one| {
            let records = count(one.records, "record");
            format!("part '{}': {} {} until {}: {records}", one.part, one.kind, one.backup, one.window.until)
        })
        .collect();
    lines.push(format!("{} adopted, {} there already", count(report.adopted.len() as u64, "backup"), report.already));
    lines.extend(report.left_out.iter().map(|why| format!("left out: {why}")));
    lines.join("\n")
}
