//! The drawing as text: one axis, one row for each step or group of them.
//!
//! ```text
//!   ╞════●   chosen: from, until        ├────○   not chosen        ┄  up to where it is settled
//!   ░░░░░    refused moments            ┃        a restore began a new timeline
//! ```

use std::collections::BTreeMap;

use crate::Timestamp;
use crate::model::{BackupKind, Window};
use crate::planner::axis::{AXIS, Axis, Row};
use crate::planner::explain::{Drawing, ExplainedStep, Mark};
use crate::planner::page::Page;
use crate::planner::reason::Reason;
use crate::planner::windows::Span;

/// Rows of backups that were chosen.
const ROWS: usize = 16;

pub(super) fn draw(drawing: &Drawing, groups: &[&[ExplainedStep]], page: &mut Page) {
    let axis = Axis::of(drawing.axis.from, drawing.axis.until.unwrap_or(drawing.axis.from));
    axis.write(page);
    let (first, last) = if groups.len() > ROWS { (ROWS - 4, groups.len() - 3) } else { (groups.len(), 0) };
    for (at, group) in groups.iter().enumerate() {
        if at < first || at >= last {
            chosen(&axis, group, page);
        } else if at == first {
            Row::new().write(&format!("  … {} more rows", last - first), "", page);
        }
    }
    others(&axis, &drawing.marks, page);
    let mut gaps = Row::new();
    drawing.gaps.iter().for_each(|gap| gaps.fill(&axis, &gap.span, '░'));
    match drawing.gaps.as_slice() {
        [] => {}
        [only] => gaps.write("    gap", only.reason.code(), page),
        several => gaps.write(&format!("    {} gaps", several.len()), "", page),
    }
    if !drawing.restores.is_empty() {
        let mut restores = Row::new();
        drawing.restores.iter().for_each(|at| restores.put(&axis, *at, '┃'));
        restores.write("    restored", "", page);
    }
    if let Some(point) = drawing.reached {
        let mut reached = Row::new();
        reached.put(&axis, point.until, '▲');
        fuzz(&mut reached, &axis, point.until, point.settled);
        reached.write("    reached", "", page);
    }
    if let Some(target) = drawing.target {
        let mut asked = Row::new();
        asked.put(&axis, target, '▼');
        asked.write("    asked for", "", page);
    }
}

/// From where a point is to where it is settled, if that can be seen.
fn fuzz(row: &mut Row, axis: &Axis, until: Timestamp, settled: Timestamp) {
    if axis.column(settled).0 > axis.column(until).0 {
        row.fill(axis, &Span { from: until, until: Some(settled) }, '┄');
    }
}

fn window(row: &mut Row, axis: &Axis, window: &Window, chosen: bool) {
    let [line, begin, end] = if chosen { ['═', '╞', '●'] } else { ['─', '├', '○'] };
    if let Some(from) = window.from {
        row.fill(axis, &Span { from, until: Some(window.until) }, line);
        row.put(axis, from, begin);
    }
    row.put(axis, window.until, end);
    fuzz(row, axis, window.until, window.settled);
}

fn chosen(axis: &Axis, group: &[ExplainedStep], page: &mut Page) {
    let ([first, ..], Some(last)) = (group, group.last()) else { return };
    let mut row = Row::new();
    if group.len() == 1 {
        window(&mut row, axis, &first.window, true);
    } else {
        let begin = first.window.from.unwrap_or(first.window.until);
        window(&mut row, axis, &Window { from: Some(begin), ..last.window }, true);
        // Ends that are too near to each other say nothing.
        for step in group.iter().filter(|_| group.len() <= AXIS / 3) {
            row.put(axis, step.window.until, '●');
        }
    }
    let kind = short(first.kind);
    let numbers = if group.len() == 1 {
        format!("{:>3} ", first.step + 1)
    } else {
        format!("{:>3}–{} ", first.step + 1, last.step + 1)
    };
    row.write(&format!("{numbers}{kind}"), first.node.as_deref().unwrap_or_default(), page);
}

/// What was not chosen, by reason and kind.
fn others(axis: &Axis, marks: &[Mark], page: &mut Page) {
    let mut groups: BTreeMap<(BackupKind, Reason), Vec<&Mark>> = BTreeMap::new();
    for mark in marks {
        if let Some(reason) = mark.reason {
            groups.entry((mark.kind, reason)).or_default().push(mark);
        }
    }
    for ((kind, reason), group) in groups {
        let mut row = Row::new();
        for mark in group.iter().rev() {
            window(&mut row, axis, &mark.window, false);
        }
        let label = match group.len() {
            1 => format!("    {}", short(kind)),
            several => format!("    {} ×{several}", short(kind)),
        };
        row.write(&label, reason.code(), page);
    }
}

fn short(kind: BackupKind) -> &'static str {
    match kind {
        BackupKind::Base => "base",
        BackupKind::Incremental => "incremental",
        BackupKind::Synthetic => "synthetic",
        BackupKind::LogSegment => "log",
    }
}
