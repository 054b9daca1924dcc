//! `import`, `export`.

use std::path::Path;

use serde_json::json;
use strongroom::embedded::{ExportOptions, ImportOptions};
use strongroom::service_folder::ServiceFolder;
use strongroom::{Access, Error, Result, Strongroom, Timestamp};

use crate::output::{Output, count};
use crate::text;

pub(super) fn import(
    strongroom: &Strongroom,
    output: Output,
    folder: &Path,
    into: &str,
    at: Option<Timestamp>,
    routine: Option<&str>,
) -> Result<()> {
    let mut folders = Vec::new();
    if ServiceFolder::is_one(folder)? {
        let service = ServiceFolder::open(folder, routine)?;
        for unusable in &service.unusable {
            output.note(format!("unusable: {unusable}"));
        }
        let plan = service.plan(at, None)?;
        output.note(text::plan(&plan, ""));
        for part in plan.parts.keys() {
            folders.extend(service.folders(&plan, part));
        }
    } else if at.is_some() || routine.is_some() {
        return Err(Error::invalid(format!("{} is no backup service's folder", folder.display()))
            .hint("leave out --at and --routine, or give the root of the service's storage"));
    } else {
        folders.push(folder.to_owned());
    }
    let cluster = strongroom.embedded(into, Access::Create)?;
    let report = cluster.import_folders(&folders, &ImportOptions::default())?;
    let value = json!({
        "written": report.written, "kept": report.kept, "indexes": report.indexes, "functions": report.functions,
        "refused": report.refused, "refusals": report.refusals, "namespaces": report.namespaces,
    });
    output.result(&value, || {
        let mut lines = vec![format!(
            "{} written (one in several folders counts each time), {} indexes, {}",
            count(report.written, "record"),
            report.indexes,
            count(report.functions, "function")
        )];
        lines.extend(report.refusals.iter().map(|refusal| format!("refused: {refusal}")));
        lines.join("\n")
    })
}

pub(super) fn export(strongroom: &Strongroom, output: Output, from: &str, folder: &Path, part: &str) -> Result<()> {
    let cluster = strongroom.embedded(from, Access::Read)?;
    let held = cluster.count(part)?.records;
    cluster.export_folder(part, folder, &ExportOptions::default())?;
    output.result(&json!({ "folder": folder, "records": held }), || {
        format!("{} written to {}", count(held, "record"), folder.display())
    })
}
