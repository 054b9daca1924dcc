//! A plan as text.

use std::fmt::Write as _;

use strongroom::Plan;

/// The points reached, the steps, the backups that were left out, the warnings.
pub(super) fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    for (name, part) in &plan.parts {
        let _ = writeln!(out, "    part '{name}' reaches {}", part.reached.until);
        for step in &part.steps {
            let from = step.window.from.map_or_else(|| "the beginning".to_owned(), |from| from.to_string());
            let _ = writeln!(
                out,
                "      {}. {} from {from} until {}: {} records, {} bytes",
                step.step + 1,
                step.kind,
                step.window.until,
                step.records,
                step.bytes
            );
        }
    }
    for refusal in &plan.refused {
        let _ = writeln!(out, "    left out [{}] {}: {}", refusal.reason, refusal.backup, refusal.detail);
    }
    for warning in &plan.warnings {
        let _ = writeln!(out, "    warning: {}", warning.message);
    }
    out.truncate(out.trim_end().len());
    out
}
