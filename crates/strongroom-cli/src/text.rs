//! Plans and backups as text.

use std::fmt::Write as _;

use strongroom::Plan;
use strongroom::core::model::Status;

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

/// The same text, every line after `margin`.
pub(crate) fn indented(text: &str, margin: &str) -> String {
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{margin}{line}") };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A status as one word; what needs a look is loud.
pub(crate) fn status(status: Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::Partial => "PARTIAL",
        Status::Corrupt => "DAMAGED",
        Status::Deleted => "condemned",
    }
}

/// A command line that a shell takes as it is.
pub(crate) fn command(words: &[&str]) -> String {
    let plain =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c));
    let quoted =
        |word: &&str| if plain(word) { (*word).to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
