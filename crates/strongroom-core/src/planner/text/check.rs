//! A check as text.

use std::fmt;

use crate::planner::check::{Check, PartCheck, Verdict};
use crate::planner::page::{Page, count};

/// Parts that get a line; refused ones first.
const PARTS: usize = 40;

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut page = Page::default();
        let head = if self.is_possible() { "YES  " } else { "NO   " };
        let code = self.reason.map_or_else(String::new, |reason| format!(" [{reason}]"));
        page.entry(head, &format!("{}{code}", self.message));
        if !self.is_possible() && (self.before.is_some() || self.after.is_some()) {
            let near = match (self.before, self.after) {
                (Some(before), Some(after)) => format!("{before} before, {after} after"),
                (Some(before), None) => format!("{before} before"),
                (None, Some(after)) => format!("{after} after"),
                (None, None) => String::new(),
            };
            page.entry("     ", &format!("nearest moments at which every part can be restored: {near}"));
        }
        let mut parts: Vec<_> = self.parts.iter().collect();
        parts.sort_by_key(|(name, part)| (part.verdict != Verdict::Refused, part.reached, *name));
        for (name, part) in parts.iter().take(PARTS) {
            page.entry(&format!("  '{name}'  "), &line(part));
        }
        if parts.len() > PARTS {
            page.line(format!("  … and {}", count((parts.len() - PARTS) as u64, "more part")));
        }
        for warning in &self.warnings {
            let whose = warning.part.as_ref().map_or_else(String::new, |part| format!("part '{part}': "));
            page.entry("  warning: ", &format!("{whose}{}", warning.message));
        }
        page.write(f)
    }
}

fn line(part: &PartCheck) -> String {
    let logs = match part.logs.iter().min_by_key(|(_, newest)| **newest) {
        None => String::new(),
        Some((node, newest)) => {
            format!(
                "; logs of {} are archived, the least of {node}, up to {newest}",
                count(part.logs.len() as u64, "node")
            )
        }
    };
    match (part.verdict, part.reached, &part.base) {
        (Verdict::Refused, ..) | (_, None, _) => {
            let code = part.reason.map_or_else(String::new, |reason| format!(" [{reason}]"));
            format!("refused: {}{code}{logs}", part.message.as_deref().unwrap_or_default())
        }
        (verdict, Some(reached), base) => {
            let how = if verdict == Verdict::Exact { "exactly " } else { "" };
            let base = base
                .as_ref()
                .map_or_else(String::new, |base| format!(", from a {} until {}", base.kind, base.window.until));
            format!("reaches {how}{} by {}{base}{logs}", reached.until, count(part.steps, "step"))
        }
    }
}
