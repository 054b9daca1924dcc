//! `list`, `plan`, `verify`.

use serde_json::json;
use strongroom::core::model::Depth;
use strongroom::core::planner::Strictness;
use strongroom::{Request, Result, Strongroom, Target, VerifyRequest};

use super::{backups, id, scope};
use crate::arguments::{ChoiceArguments, VerifyDepth};
use crate::output::{FOUND, Output, count};
use crate::text;

pub(super) async fn list(strongroom: &Strongroom, output: Output, repository: &str) -> Result<()> {
    let mut loaded = strongroom.repository(repository).await?.load().await?;
    loaded.entries.sort_by_key(|entry| (entry.window.until, entry.id));
    let quarantined: Vec<_> =
        loaded.report.quarantined.iter().map(|broken| json!({ "key": broken.key, "why": broken.why })).collect();
    let value = json!({
        "backups": loaded.entries,
        "complete": loaded.is_complete(),
        "quarantined": quarantined,
        "damaged": loaded.report.damaged,
    });
    output.result(&value, || {
        let mut lines: Vec<String> = loaded.entries.iter().map(text::entry).collect();
        if lines.is_empty() {
            lines.push("no backups yet".to_owned());
        }
        let broken = loaded.report.quarantined.iter();
        lines.extend(broken.map(|broken| format!("unusable: {}: {}", broken.key, broken.why)));
        lines.extend(loaded.report.damaged.iter().map(|damage| format!("catalogue: {damage}")));
        lines.join("\n")
    })
}

/// What the arguments ask for.
pub(super) fn request(choice: &ChoiceArguments) -> Result<Request> {
    let target = match (choice.at, choice.exactly, &choice.backup) {
        (Some(at), ..) => Target::AtOrBefore(at),
        (_, Some(at), _) => Target::Exactly(at),
        (_, _, Some(backup)) => Target::Backup(id("backup", backup)?),
        _ => Target::Latest,
    };
    let strictness = if choice.nearest_earlier { Strictness::NearestEarlier } else { Strictness::Refuse };
    Ok(Request { strictness, ..Request::at(target).of(scope(&choice.parts)) })
}

pub(super) async fn plan(
    strongroom: &Strongroom,
    output: Output,
    repository: &str,
    choice: &ChoiceArguments,
) -> Result<()> {
    let request = request(choice)?;
    let plan = strongroom.repository(repository).await?.plan(&request).await?;
    output.result(&plan, || text::plan(&plan, ""))
}

pub(super) async fn verify(
    strongroom: &Strongroom,
    output: Output,
    repository: &str,
    named: &[String],
    depth: VerifyDepth,
) -> Result<u8> {
    let depth = match depth {
        VerifyDepth::Exists => Depth::Exists,
        VerifyDepth::Hash => Depth::Hash,
        VerifyDepth::Decode => Depth::Decode,
    };
    let request = VerifyRequest { backups: backups(named)?, depth, ..VerifyRequest::default() };
    let report = strongroom.repository(repository).await?.verify(request).await?;
    output.result(&report, || {
        let mut lines = Vec::new();
        for backup in &report.backups {
            let found = if backup.findings.is_empty() { "whole" } else { "DAMAGED" };
            let objects = count(backup.objects, "object");
            lines.push(format!("{} part '{}': {found}, {objects} looked at", backup.backup, backup.part));
            lines.extend(backup.findings.iter().map(|finding| format!("  {}: {}", finding.key, finding.problem)));
        }
        if lines.is_empty() {
            lines.push("no backups to check".to_owned());
        }
        lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines.join("\n")
    })?;
    Ok(if report.is_whole() { 0 } else { FOUND })
}
