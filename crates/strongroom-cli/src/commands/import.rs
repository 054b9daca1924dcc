//! `import`.

use std::ffi::OsString;
use std::path::Path;

use clap::Args;
use serde_json::json;
use strongroom::embedded::ImportOptions;
use strongroom::record::folder::FolderReader;
use strongroom::service_folder::ServiceFolder;
use strongroom::{Access, Error, RestoreRequest, Result, Timestamp};

use crate::choice::Parts;
use crate::context::Context;
use crate::output::{DONE, count};
use crate::text;
use crate::tool_key::ToolKey;
use crate::writing::Writing;

/// Load folders of the reference tools into a cluster
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A folder of .asb files, or the root of a backup service's storage: in `s3://…`, `gcs://…`, `azblob://…` or by a name from strongroom.toml
    /// it is brought into a temporary folder first
    folder: OsString,
    /// The cluster; an embedded one is made if it does not exist, into any other one it is a restore
    #[arg(long, value_name = "CLUSTER")]
    into: String,
    /// For a backup service's folder: the newest backups that began at or before this moment [default: the newest]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// For a backup service's folder with several routines: which
    #[arg(long, value_name = "NAME")]
    routine: Option<String>,
    #[command(flatten)]
    key: ToolKey,
    #[command(flatten)]
    parts: Parts,
    #[command(flatten)]
    writing: Writing,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let options = self.options()?;
        let strongroom = context.strongroom()?;
        let fetched = strongroom.fetch_folder(&self.folder, self.routine.as_deref()).await?;
        let folder = fetched.path();
        let mut folders = Vec::new();
        if ServiceFolder::is_one(folder)? {
            let service = ServiceFolder::open(folder, self.routine.as_deref())?;
            for unusable in &service.unusable {
                context.output.note(format!("unusable: {unusable}"));
            }
            let plan = service.plan(self.at, None)?;
            context.output.note(text::plan(&plan, ""));
            for part in plan.parts.keys() {
                folders.extend(service.folders(&plan, part));
            }
        } else if self.at.is_some() || self.routine.is_some() {
            return Err(Error::invalid(format!("{} is no backup service's folder", Path::new(&self.folder).display()))
                .hint("leave out --at and --routine, or give the root of the service's storage"));
        } else {
            folders.push(folder.to_owned());
        }
        // Before a cluster is made: a mistyped folder leaves none behind.
        for folder in &folders {
            FolderReader::open(folder, options.key.clone(), options.limits)
                .map_err(|error| error.within("nothing was imported"))?;
        }
        if strongroom.embedded_path(&self.into)?.is_none() {
            let request = RestoreRequest { options: self.writing.options(), ..RestoreRequest::default() };
            let target = strongroom.target(&self.into)?;
            let summary = strongroom.restore_folders(folders, options, target, request).await?;
            context.output.result(&summary, || super::restore::told(&summary))?;
            return Ok(DONE);
        }
        let cluster = strongroom.embedded(&self.into, Access::Create)?;
        let report = context.block(move || cluster.import_folders(&folders, &options)).await?;
        let value = json!({
            "written": report.written, "kept": report.kept, "expired": report.expired, "filtered": report.filtered,
            "indexes": report.indexes, "functions": report.functions, "refused": report.refused,
            "refusals": report.refusals, "namespaces": report.namespaces,
        });
        context.output.result(&value, || {
            let mut lines = vec![format!(
                "{} written (one in several folders counts each time), {} indexes, {}",
                count(report.written, "record"),
                report.indexes,
                count(report.functions, "function")
            )];
            lines.extend(report.refusals.iter().map(|refusal| format!("refused: {refusal}")));
            lines.join("\n")
        })?;
        Ok(DONE)
    }

    fn options(&self) -> Result<ImportOptions> {
        let names = self.parts.names();
        Ok(ImportOptions {
            key: self.key.read()?,
            namespaces: (!names.is_empty()).then(|| names.iter().cloned().collect()),
            rename: self.writing.renames.iter().cloned().collect(),
            filter: self.parts.filter(),
            conflict: self.writing.conflict(),
            now: self.writing.now,
            no_definitions: self.writing.no_definitions,
            no_data: self.writing.no_data,
            ..ImportOptions::default()
        })
    }
}
