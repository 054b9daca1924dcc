//! An explanation as text for people.

use std::collections::BTreeMap;
use std::fmt;

use super::{ExplainedPart, ExplainedStep, ExplainedWarning, Explanation, LossOfStep, StepReason};
use crate::model::{BackupKind, PartName};
use crate::planner::page::{Page, bytes, count, grouped, span};
use crate::planner::plan::Reached;
use crate::planner::reason::{Reason, Refusal};
use crate::planner::target::Target;

mod timeline;

/// More parts than this are not all told in full.
const PARTS: usize = 8;
/// Then so many are, those that hold the others back.
const IN_FULL: usize = 3;
/// And so many get a line.
const IN_A_LINE: usize = 20;
/// More steps than this are told in groups.
const STEPS: usize = 12;

impl fmt::Display for Explanation {
    /// Text of at most 100 columns, a name or sentence without spaces aside; long plans are told in groups.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut page = Page::default();
        self.head(&mut page);
        let mut parts: Vec<(&PartName, &ExplainedPart)> = self.parts.iter().collect();
        parts.sort_by_key(|(name, part)| (part.reached.is_some(), part.reached, *name));
        let full = if parts.len() > PARTS { IN_FULL } else { PARTS };
        for (name, part) in parts.iter().take(full) {
            page.line("");
            part.write(name, &mut page);
        }
        if let Some(rest) = parts.get(full..).filter(|rest| !rest.is_empty()) {
            others(rest, &mut page);
        }
        warnings(&self.warnings, &mut page);
        page.write(f)
    }
}

impl Explanation {
    fn head(&self, page: &mut Page) {
        let asked = match (&self.request.target, self.asked) {
            (Target::Exactly(_), Some(at)) => format!("exactly {at}"),
            (_, Some(at)) => format!("the newest state at or before {at}"),
            (Target::Backup(id), None) => format!("the state of backup {id}"),
            (Target::Run(id), None) => format!("the states of run {id}"),
            (Target::LogPosition { node, epoch, seq }, None) => format!("segment {epoch}-{seq} of the log of {node}"),
            _ => "the newest state".to_owned(),
        };
        page.entry("Asked for: ", &asked);
        if let Some(plan) = &self.plan {
            let point = plan.reached;
            let text = if self.parts.values().all(|part| part.reached == Some(point)) {
                reached(point)
            } else {
                format!("each part its own moment: all changes up to {}, and none after {}", point.until, point.settled)
            };
            page.entry("Reached:   ", &text);
            let totals = &plan.totals;
            let what = format!(
                "{} in {}: {} to read in {}, {}",
                count(totals.steps, "step"),
                count(self.parts.len() as u64, "part"),
                bytes(totals.bytes),
                count(totals.objects, "object"),
                count(totals.records, "record"),
            );
            page.entry("By:        ", &what);
        }
        if let Some(refusal) = &self.refusal {
            page.entry("REFUSED:   ", &format!("{} [{}]", refusal.message, refusal.reason));
            page.entry("Next:      ", &refusal.advice);
        }
        if !self.complete {
            page.entry("Note:      ", "the catalogue is not complete; more may be restorable than is told here");
        }
    }
}

/// A point in words.
pub(in crate::planner) fn reached(point: Reached) -> String {
    if point.is_exact() {
        format!("{}, exactly: all that changed up to then, and nothing after", point.until)
    } else {
        format!("{}, and some of what changed up to {} later", point.until, span(point.settled.since(point.until)))
    }
}

impl ExplainedPart {
    fn write(&self, name: &str, page: &mut Page) {
        match (&self.reached, &self.refusal) {
            (Some(point), _) => page.entry(&format!("part '{name}' reaches "), &reached(*point)),
            (None, Some(refusal)) => {
                page.entry(
                    &format!("part '{name}' is REFUSED "),
                    &format!("[{}]: {}", refusal.reason, refusal.message),
                );
            }
            (None, None) => page.line(format!("part '{name}'")),
        }
        if let Some(drawing) = &self.drawing {
            page.line("");
            timeline::draw(drawing, &groups(&self.steps), page);
        }
        if !self.steps.is_empty() {
            page.line("");
            page.line(if self.reached.is_some() {
                "  Why each step"
            } else {
                "  What would reach the nearest point before"
            });
            steps(&self.steps, page);
        }
        if !self.refused.is_empty() {
            page.line("");
            page.line("  Why not the others");
            refused(&self.refused, page);
        }
        self.near(page);
        if !self.losses.steps.is_empty() {
            page.line("");
            page.line("  What one lost backup would cost (a lost object of it costs the same)");
            self.losses.steps.iter().for_each(|loss| lost(loss, self.reached, page));
            if self.losses.others > 0 {
                page.line(format!("    ({} not looked at)", count(self.losses.others, "other step")));
            }
        }
    }

    fn near(&self, page: &mut Page) {
        let nearest = &self.nearest;
        let point = |point: Option<Reached>| point.map_or_else(|| "none".to_owned(), |point| point.until.to_string());
        page.line("");
        page.line("  Nearest points that backups reach");
        page.line(format!("    before  {}", point(nearest.before)));
        page.line(format!("    after   {}", point(nearest.after)));
        if let Some(every) = nearest.every_moment {
            let until = every.until.map_or_else(|| "the newest".to_owned(), |until| until.to_string());
            page.entry("    ", &format!("By logs every moment can be reached from {} until {until}.", every.from));
        }
    }
}

/// Steps that are told together: alone, unless there are many.
fn groups(steps: &[ExplainedStep]) -> Vec<&[ExplainedStep]> {
    if steps.len() <= STEPS {
        return steps.chunks(1).collect();
    }
    let key = |step: &ExplainedStep| {
        (step.kind, step.why, step.node.clone(), step.storage.clone(), step.misses_deletes, step.verified.is_some())
    };
    steps.chunk_by(|a, b| key(a) == key(b)).collect()
}

fn steps(steps: &[ExplainedStep], page: &mut Page) {
    let groups = groups(steps);
    let (first, last) = if groups.len() > STEPS { (STEPS - 4, groups.len() - 3) } else { (groups.len(), 0) };
    for (at, group) in groups.iter().enumerate() {
        if at < first || at >= last {
            step_group(group, page);
        } else if at == first {
            let left: usize = groups[first..last].iter().map(|group| group.len()).sum();
            page.line(format!("    …  {}", count(left as u64, "more step")));
        }
    }
}

fn step_group(group: &[ExplainedStep], page: &mut Page) {
    let ([first, ..], Some(last)) = (group, group.last()) else { return };
    let sum = |of: fn(&ExplainedStep) -> u64| group.iter().map(of).fold(0, u64::saturating_add);
    let sizes = format!(
        "{}, {} in {}, from {}{}{}{}",
        count(sum(|step| step.records), "record"),
        bytes(sum(|step| step.bytes)),
        count(sum(|step| step.objects), "object"),
        first.storage,
        match first.alternates {
            0 => String::new(),
            1 => " (or one more copy)".to_owned(),
            more => format!(" (or {more} more copies)"),
        },
        if first.misses_deletes { " [deletes not seen]" } else { "" },
        if first.verified.is_none() { " [never verified]" } else { "" },
    );
    if group.len() == 1 {
        let head = format!("    {}  ", first.step + 1);
        page.entry(&head, &format!("{} until {}, {}", first.kind, last.window.until, first.backup));
        page.entry("       ", &sizes);
        page.entry("       ", &first.detail);
        return;
    }
    let begin = first.window.from.unwrap_or(first.window.until);
    let head = format!("    {}–{}  ", first.step + 1, last.step + 1);
    let kinds = kinds(first.kind, group.len() as u64);
    page.entry(&head, &format!("{kinds} from {begin} until {}", last.window.until));
    page.entry("       ", &sizes);
    let why = match first.why {
        StepReason::Begins => "each begins a state",
        StepReason::Carries => "each carries the state on: the last write wins",
        StepReason::FollowsParent => "each holds the changes since the one before",
        StepReason::Replays => "the log of the node is replayed, segment by segment",
    };
    page.entry("       ", why);
}

fn kinds(kind: BackupKind, number: u64) -> String {
    match kind {
        BackupKind::Base => count(number, "base"),
        BackupKind::Incremental => count(number, "incremental"),
        BackupKind::Synthetic => count(number, "synthetic base"),
        BackupKind::LogSegment => count(number, "log segment"),
    }
}

/// By reason and kind, each with its newest.
fn refused(refused: &[Refusal], page: &mut Page) {
    let mut groups: BTreeMap<(Reason, BackupKind), Vec<&Refusal>> = BTreeMap::new();
    for refusal in refused {
        groups.entry((refusal.reason, refusal.kind)).or_default().push(refusal);
    }
    for ((reason, kind), group) in groups {
        let detail = group.first().map_or("", |refusal| refusal.detail.as_str());
        let text = match group.len() as u64 {
            1 => detail.to_owned(),
            several => format!("{}; the newest: {detail}", kinds(kind, several)),
        };
        page.entry(&format!("    {:17}  ", reason.code()), &text);
    }
}

fn lost(loss: &LossOfStep, now: Option<Reached>, page: &mut Page) {
    let spare = match loss.copies {
        0 | 1 => String::new(),
        copies => format!("with all its {copies} copies: "),
    };
    let points = match (loss.points, loss.moments) {
        (_, None) => "no point".to_owned(),
        (0, Some(moments)) => format!("no backup's point, but moments that logs reach, from {} on", moments.from),
        (points, Some(_)) => format!("{} that can be restored now", count(points, "point")),
    };
    let request = match (loss.refused, loss.instead) {
        (Some(reason), None) => format!("; this request would be refused [{reason}], with nothing before"),
        (Some(reason), Some(point)) => {
            format!("; this request would be refused [{reason}], with {} before", point.until)
        }
        (None, point) if point == now => "; this request would still reach what it reaches".to_owned(),
        (None, Some(point)) => format!("; this request would reach {}", point.until),
        (None, None) => String::new(),
    };
    page.entry(&format!("    {}  ", loss.step + 1), &format!("{spare}{points}{request}"));
}

/// The parts that are not told in full: a line each, then a count.
fn others(rest: &[(&PartName, &ExplainedPart)], page: &mut Page) {
    page.line("");
    page.line(format!("The other {}", count(rest.len() as u64, "part")));
    for (name, part) in rest.iter().take(IN_A_LINE) {
        let what = match (&part.reached, &part.refusal) {
            (Some(point), _) => format!("reaches {}", point.until),
            (None, refusal) => {
                format!("REFUSED [{}]", refusal.as_ref().map_or(Reason::Unknown, |refusal| refusal.reason))
            }
        };
        let bytes = bytes(part.steps.iter().map(|step| step.bytes).fold(0, u64::saturating_add));
        page.entry("  ", &format!("'{name}' {what} by {}, {bytes}", count(part.steps.len() as u64, "step")));
    }
    if let Some(more) = rest.get(IN_A_LINE..).filter(|more| !more.is_empty()) {
        let points: Vec<Reached> = more.iter().filter_map(|(_, part)| part.reached).collect();
        let number = grouped(more.len() as u64);
        let reach = match (points.iter().min(), points.iter().max()) {
            (Some(min), Some(max)) => format!("they reach from {} to {}", min.until, max.until),
            _ => "all refused".to_owned(),
        };
        page.entry("  ", &format!("… and {number} more: {reach}"));
    }
}

fn warnings(warnings: &[ExplainedWarning], page: &mut Page) {
    if warnings.is_empty() {
        return;
    }
    page.line("");
    page.line("Warnings");
    for warning in warnings {
        warning.write("  ", page);
    }
}

impl fmt::Display for ExplainedWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut page = Page::default();
        self.write("", &mut page);
        page.write(f)
    }
}

impl ExplainedWarning {
    fn write(&self, margin: &str, page: &mut Page) {
        let code = serde_json::to_value(self.code).ok();
        let code = code.as_ref().and_then(|code| code.as_str()).unwrap_or_default();
        let first = self.messages.first().map_or("", String::as_str);
        let whose = match self.parts.as_slice() {
            [] => String::new(),
            [only] => format!("part '{only}': "),
            [first, ..] => format!("{}, the first '{first}': ", count(self.parts.len() as u64, "part")),
        };
        page.entry(&format!("{margin}{code}  "), &format!("{whose}{first}"));
        page.entry(&format!("{margin}    "), &self.meaning);
    }
}
