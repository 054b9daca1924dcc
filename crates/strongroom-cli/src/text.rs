//! Plans and backups as text.

use std::fmt::Write as _;

use strongroom::Plan;
use strongroom::core::model::Status;
use strongroom::core::planner::Entry;

/// The points reached, the steps, the backups that were left out, the warnings; every line after `margin`.
pub(crate) fn plan(plan: &Plan, margin: &str) -> String {
    let mut out = String::new();
    for (name, part) in &plan.parts {
        let _ = writeln!(out, "{margin}part '{name}' reaches {}", part.reached.until);
        for step in &part.steps {
            let from = step.window.from.map_or_else(|| "the beginning".to_owned(), |from| from.to_string());
            let _ = writeln!(
                out,
                "{margin}  {}. {} from {from} until {}: {} records, {} bytes",
                step.step + 1,
                step.kind,
                step.window.until,
                step.records,
                step.bytes
            );
        }
    }
    for refusal in &plan.refused {
        let _ = writeln!(out, "{margin}left out [{}] {}: {}", refusal.reason, refusal.backup, refusal.detail);
    }
    for warning in &plan.warnings {
        let _ = writeln!(out, "{margin}warning: {}", warning.message);
    }
    out.truncate(out.trim_end().len());
    out
}

/// A backup on one line.
pub(crate) fn entry(entry: &Entry) -> String {
    let checked =
        entry.verified.map_or_else(|| "not verified".to_owned(), |verified| format!("verified {}", verified.when));
    let status = match entry.status {
        Status::Complete => "complete",
        Status::Partial => "PARTIAL",
        Status::Corrupt => "DAMAGED",
        Status::Deleted => "deleted",
    };
    format!(
        "{} part '{}' {} until {}: {} records, {} deletes, {} bytes, {}, {checked}",
        entry.id,
        entry.part,
        entry.kind,
        entry.window.until,
        entry.size.records,
        entry.size.deletes,
        entry.size.stored_bytes,
        status,
    )
}
