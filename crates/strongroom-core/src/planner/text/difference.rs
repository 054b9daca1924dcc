//! A difference as text.

use std::fmt;

use crate::model::Depth;
use crate::planner::difference::{Changed, Difference, PartDifference, PlanSide, StepChange, StepSide};
use crate::planner::entry::HOME;
use crate::planner::page::{Page, bytes, count};
use crate::planner::plan::{Apply, Reached};
use crate::planner::reason::Warning;

/// Parts, and steps of each kind of change in a part.
const PARTS: usize = 20;
const STEPS: usize = 12;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut page = Page::default();
        if self.is_none() {
            page.line("Both plans do the same.");
        }
        page.entry("Before: ", &side(&self.before));
        page.entry("After:  ", &side(&self.after));
        for (name, part) in self.parts.iter().take(PARTS) {
            page.line("");
            tell(name, part, &mut page);
        }
        if self.parts.len() > PARTS {
            page.line("");
            page.line(format!("… and {} that differ", count((self.parts.len() - PARTS) as u64, "more part")));
        }
        if self.same_parts > 0 && !self.parts.is_empty() {
            page.line("");
            page.line(format!("The same: {}", count(self.same_parts, "other part")));
        }
        if !self.warnings_added.is_empty() || !self.warnings_removed.is_empty() {
            page.line("");
            page.line("Warnings");
            self.warnings_added.iter().take(PARTS).for_each(|it| warning("  + ", it, &mut page));
            self.warnings_removed.iter().take(PARTS).for_each(|it| warning("  - ", it, &mut page));
        }
        page.write(f)
    }
}

fn side(side: &PlanSide) -> String {
    let asked = side.asked.map_or_else(String::new, |asked| format!("asked for {asked}, "));
    format!(
        "{asked}reaches {}, {}, {} (catalogue {}, plan {:.12})",
        side.reached.until,
        count(side.totals.steps, "step"),
        bytes(side.totals.bytes),
        side.generation,
        side.hash.to_string(),
    )
}

fn tell(name: &str, part: &PartDifference, page: &mut Page) {
    let point = |point: Reached| {
        if point.is_exact() { point.until.to_string() } else { format!("{} to {}", point.until, point.settled) }
    };
    let what = match (part.reached.before, part.reached.after) {
        (Some(before), Some(after)) if before == after => format!("reaches {} in both", point(after)),
        (Some(before), Some(after)) => format!("reaches {} instead of {}", point(after), point(before)),
        (None, Some(after)) => format!("is new, and reaches {}", point(after)),
        (_, None) => "is left out".to_owned(),
    };
    let read = match part.bytes {
        Changed { before, after } if before == after => String::new(),
        Changed { before, after } => format!("; {} to read instead of {}", bytes(after), bytes(before)),
    };
    page.entry(&format!("part '{name}' "), &format!("{what}{read}"));
    if let Some(Changed { before, after }) = part.timeline {
        page.entry("  ~ ", &format!("taken from timeline {after} instead of {before}"));
    }
    if part.filter.is_some() {
        page.entry("  ~ ", "other tables, bins or partitions of it are restored");
    }
    listed(&part.added, |step, page| one_sided("  + ", step, page), page);
    listed(&part.removed, |step, page| one_sided("  - ", step, page), page);
    listed(&part.changed, changed, page);
}

fn listed<T>(all: &[T], tell: impl Fn(&T, &mut Page), page: &mut Page) {
    all.iter().take(STEPS).for_each(|it| tell(it, page));
    if all.len() > STEPS {
        page.line(format!("    … and {}", count((all.len() - STEPS) as u64, "more such step")));
    }
}

fn one_sided(head: &str, step: &StepSide, page: &mut Page) {
    let from = if step.storage == HOME { String::new() } else { format!(" from {}", step.storage) };
    let text = format!(
        "step {}: {} until {}, {}, {}{from}",
        step.step + 1,
        step.kind,
        step.window.until,
        step.backup,
        bytes(step.bytes),
    );
    page.entry(head, &text);
}

fn changed(step: &StepChange, page: &mut Page) {
    let mut what = Vec::new();
    if let Some(Changed { before, after }) = &step.storage {
        what.push(format!("read from {after} instead of {before}"));
    }
    if let Some(Changed { before, after }) = step.apply {
        what.push(format!("{} instead of {}", mode(after), mode(before)));
    }
    if let Some(Changed { before, after }) = step.verified {
        what.push(format!("verified: {} instead of {}", depth(after), depth(before)));
    }
    if let Some(Changed { before, after }) = step.alternates {
        what.push(format!("{} instead of {before}", count(after, "spare")));
    }
    if step.moved {
        what.push("at another place".to_owned());
    }
    let text = format!("{} until {}, {}: {}", step.kind, step.window.until, step.backup, what.join("; "));
    page.entry("  ~ ", &text);
}

fn mode(apply: Apply) -> String {
    match apply {
        Apply::Begin => "begins the state".to_owned(),
        Apply::Cover => "last write wins".to_owned(),
        Apply::Exact => "onto its parent".to_owned(),
        Apply::Replay { after, until } => format!("replayed from {after} to {until}"),
    }
}

fn depth(depth: Option<Depth>) -> &'static str {
    match depth {
        None => "never",
        Some(Depth::Exists) => "that it exists",
        Some(Depth::Hash) => "by hash",
        Some(Depth::Decode) => "by decoding",
    }
}

fn warning(head: &str, warning: &Warning, page: &mut Page) {
    let code = serde_json::to_value(warning.code).ok();
    let code = code.as_ref().and_then(|code| code.as_str()).unwrap_or_default();
    let whose = warning.part.as_ref().map_or_else(String::new, |part| format!("part '{part}': "));
    page.entry(head, &format!("{code}  {whose}{}", warning.message));
}
