//! What goes and what stays, as text.

use std::fmt::Write as _;

use indicatif::HumanBytes;
use strongroom::core::planner::{DeleteRefusal, PartRetention, Reasons, RetentionPlan};
use strongroom::core::repository::{Spared, Why};
use strongroom::{PruneReport, Timestamp};

use crate::output::count;

/// Whether the storage refused to delete something.
pub(crate) fn was_refused(report: &PruneReport) -> bool {
    report.deleted.spared.iter().any(|spared| spared.why == Why::Refused)
}

/// What a prune did, or would do. What stays is told one by one only where nothing was done yet.
pub(crate) fn text(report: &PruneReport) -> String {
    let mut out = String::new();
    if let Some(refusal) = &report.refusal {
        refused(&mut out, refusal);
    }
    if let Some(plan) = &report.retention {
        retention(&mut out, plan, report.dry_run);
    }
    let would = if report.dry_run { "would be " } else { "" };
    let condemned = &report.condemned;
    if condemned.is_empty() {
        let _ = writeln!(out, "nothing {would}condemned");
    } else {
        let mut what = vec![count(condemned.backups.len() as u64, "backup")];
        if !condemned.unfinished.is_empty() {
            what.push(count(condemned.unfinished.len() as u64, "unfinished backup"));
        }
        if !condemned.content.is_empty() {
            what.push(count(condemned.content.len() as u64, "shared object"));
        }
        let bytes = HumanBytes(condemned.bytes);
        let due = condemned.due.map_or_else(String::new, |due| format!("; to be deleted by a prune after {due}"));
        let _ = writeln!(out, "{would}condemned: {}, {bytes} to be free{due}", what.join(", "));
    }
    spared(&mut out, &condemned.spared);
    let deleted = &report.deleted;
    if deleted.objects > 0 {
        let (backups, objects) = (deleted.backups.len() + deleted.unfinished.len(), deleted.objects);
        let (backups, objects) = (count(backups as u64, "backup"), count(objects, "object"));
        let _ = writeln!(out, "{would}deleted: {backups}, {objects}, {}", HumanBytes(deleted.bytes));
    }
    spared(&mut out, &deleted.spared);
    if let Some(due) = deleted.next_due {
        let _ = writeln!(out, "what was condemned before is due at {due}");
    }
    for warning in deleted.notes.iter().chain(&report.warnings) {
        let _ = writeln!(out, "warning: {warning}");
    }
    out
}

fn retention(out: &mut String, plan: &RetentionPlan, all: bool) {
    for part in &plan.parts {
        let counts = [(part.kept.len(), "kept"), (part.needed.len(), "needed"), (part.blocked.len(), "blocked")];
        let counts = counts.map(|(number, what)| format!("{number} {what}")).join(", ");
        let _ = writeln!(out, "part '{}': {counts}, {} to go", part.part, part.going.len());
        if all {
            stays(out, part);
        }
        for blocked in &part.blocked {
            let by: Vec<String> = blocked.by.iter().map(ToString::to_string).collect();
            let _ = writeln!(out, "  blocked  {}  kept by {}", blocked.backup, by.join("; and by "));
        }
        for going in &part.going {
            let bytes = HumanBytes(going.freed.bytes);
            let _ = writeln!(out, "  goes     {}  {} until {}, {bytes}", going.backup, going.kind, going.until);
        }
        if part.over_size > 0 {
            let _ = writeln!(out, "  what must stay is {} more than the policy's bound", HumanBytes(part.over_size));
        }
    }
    for log in &plan.logs {
        let _ = writeln!(out, "log of node '{}': {} kept, {} to go", log.node, log.kept, log.going.len());
    }
    for later in &plan.later {
        let bytes = HumanBytes(later.freed.bytes);
        let _ = writeln!(out, "from {} on: {} more, {bytes}", later.at, count(later.backups, "backup"));
    }
}

fn stays(out: &mut String, part: &PartRetention) {
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    for point in &part.kept {
        let why = reasons(point.why);
        lines.push((point.reached.until, format!("  kept     {}  until {}: {why}", point.backup, point.reached.until)));
    }
    lines.sort();
    for (_, line) in lines {
        let _ = writeln!(out, "{line}");
    }
    for needed in &part.needed {
        let _ = writeln!(out, "  needed   {}  by {}", needed.backup, needed.by);
    }
}

/// `latest, daily`: the codes as words.
fn reasons(why: Reasons) -> String {
    let word = |reason| serde_json::to_value(reason).ok().and_then(|code| code.as_str().map(str::to_lowercase));
    let words: Vec<String> = why.iter().filter_map(word).map(|word| word.replace('_', " ")).collect();
    words.join(", ")
}

fn spared(out: &mut String, all: &[Spared]) {
    for spared in all {
        let until = spared.until.map_or_else(String::new, |until| format!(" until {until}"));
        let why = match spared.why {
            Why::Unknown => "is not there",
            Why::Pinned => "is pinned",
            Why::Leased => "is being read",
            Why::Needed => "is needed",
            Why::Committed => "was committed after all",
            Why::Written => "is being written",
            Why::MayBeUsed => "may be used by a running backup",
            Why::Unclear => "may be needed by what can't be read",
            Why::Locked => "is locked by its storage",
            Why::Refused => "could not be deleted",
        };
        let _ = writeln!(out, "stays: {} {why}{until} ({})", spared.what, spared.by);
    }
}

fn refused(out: &mut String, refusal: &DeleteRefusal) {
    let _ = writeln!(out, "it would be refused:");
    for backup in &refusal.unknown {
        let _ = writeln!(out, "  there is no backup {backup}");
    }
    for blocked in &refusal.blocked {
        let by: Vec<String> = blocked.by.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "  {} is kept by {}", blocked.backup, by.join("; and by "));
    }
    for dependent in &refusal.dependents {
        let verb = if dependent.moves { "reaches its point through" } else { "needs" };
        let _ = writeln!(out, "  {} until {} {verb} {}", dependent.backup, dependent.until, dependent.needs);
    }
    for (_, part) in &refusal.last {
        let _ = writeln!(out, "  '{part}' would lose its last point, or its last verified one");
    }
}
