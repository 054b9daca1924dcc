//! The drawing as text: one axis, one row for each step or group of them.
//!
//! ```text
//!   ╞════●   chosen: from, until        ├────○   not chosen        ┄  up to where it is settled
//!   ░░░░░    refused moments            ┃        a restore began a new timeline
//! ```

use std::collections::BTreeMap;

use crate::Timestamp;
use crate::model::{BackupKind, Window};
use crate::planner::explain::{Drawing, ExplainedStep, Mark};
use crate::planner::page::Page;
use crate::planner::reason::Reason;

/// Columns of the axis.
const AXIS: usize = 56;
/// Columns before it.
const LABEL: usize = 22;
/// Rows of backups that were chosen.
const ROWS: usize = 16;

/// One row under the axis.
struct Row(Vec<char>);

/// Where moments stand on the axis.
struct Axis {
    from: i64,
    until: i64,
}

impl Axis {
    /// The column of a moment, and whether it lies on the axis.
    fn column(&self, at: Timestamp) -> (usize, bool) {
        let at = at.micros();
        let inside = (self.from..=self.until).contains(&at);
        let (way, length) = (i128::from(at.clamp(self.from, self.until)) - i128::from(self.from), self.length());
        let column = (way * (AXIS as i128 - 1) + length / 2) / length;
        (usize::try_from(column).unwrap_or(0).min(AXIS - 1), inside)
    }

    fn length(&self) -> i128 {
        (i128::from(self.until) - i128::from(self.from)).max(1)
    }
}

impl Row {
    fn new() -> Self {
        Self(vec![' '; AXIS])
    }

    fn put(&mut self, axis: &Axis, at: Timestamp, sign: char, beyond: [char; 2]) {
        let (column, inside) = axis.column(at);
        let sign = match (inside, at.micros() < axis.from) {
            (true, _) => sign,
            (false, true) => beyond[0],
            (false, false) => beyond[1],
        };
        if let Some(cell) = self.0.get_mut(column) {
            *cell = sign;
        }
    }

    fn fill(&mut self, axis: &Axis, from: Timestamp, until: Timestamp, sign: char) {
        let (a, b) = (axis.column(from).0, axis.column(until).0);
        for cell in self.0.iter_mut().take(b + 1).skip(a) {
            if *cell == ' ' || sign == '░' {
                *cell = sign;
            }
        }
    }

    fn window(&mut self, axis: &Axis, window: &Window, chosen: bool) {
        let [line, begin, end] = if chosen { ['═', '╞', '●'] } else { ['─', '├', '○'] };
        if let Some(from) = window.from {
            self.fill(axis, from, window.until, line);
            self.put(axis, from, begin, ['◂', '▸']);
        }
        if axis.column(window.settled).0 > axis.column(window.until).0 {
            self.fill(axis, window.until, window.settled, '┄');
        }
        self.put(axis, window.until, end, ['◂', '▸']);
    }
}

pub(super) fn draw(drawing: &Drawing, groups: &[&[ExplainedStep]], page: &mut Page) {
    let (from, until) = (drawing.axis.from, drawing.axis.until.unwrap_or(drawing.axis.from));
    let axis = Axis { from: from.micros(), until: until.micros() };
    let (left, right) = (from.to_string(), until.to_string());
    let gap = AXIS.saturating_sub(left.chars().count() + right.chars().count());
    page.line(format!("{:LABEL$}{left}{:gap$}{right}", "", ""));
    page.line(format!("{:LABEL$}├{}┤", "", "─".repeat(AXIS - 2)));
    let (first, last) = if groups.len() > ROWS { (ROWS - 4, groups.len() - 3) } else { (groups.len(), 0) };
    for (at, group) in groups.iter().enumerate() {
        if at < first || at >= last {
            chosen(&axis, group, page);
        } else if at == first {
            row(&format!("  … {} more rows", last - first), &Row::new(), "", page);
        }
    }
    others(&axis, &drawing.marks, page);
    let mut gaps = Row::new();
    for gap in &drawing.gaps {
        gaps.fill(&axis, gap.span.from, gap.span.until.unwrap_or(until), '░');
    }
    match drawing.gaps.as_slice() {
        [] => {}
        [only] => row("    gap", &gaps, only.reason.code(), page),
        several => row(&format!("    {} gaps", several.len()), &gaps, "", page),
    }
    if !drawing.restores.is_empty() {
        let mut restores = Row::new();
        drawing.restores.iter().for_each(|at| restores.put(&axis, *at, '┃', [' ', ' ']));
        row("    restored", &restores, "", page);
    }
    if let Some(point) = drawing.reached {
        let mut reached = Row::new();
        if axis.column(point.settled).0 > axis.column(point.until).0 {
            reached.fill(&axis, point.until, point.settled, '┄');
        }
        reached.put(&axis, point.until, '▲', ['◂', '▸']);
        row("    reached", &reached, "", page);
    }
    if let Some(target) = drawing.target {
        let mut asked = Row::new();
        asked.put(&axis, target, '▼', ['◂', '▸']);
        row("    asked for", &asked, "", page);
    }
}

fn row(label: &str, cells: &Row, note: &str, page: &mut Page) {
    let cells: String = cells.0.iter().collect();
    page.line(format!("{label:LABEL$}{cells}  {note}"));
}

fn chosen(axis: &Axis, group: &[ExplainedStep], page: &mut Page) {
    let ([first, ..], Some(last)) = (group, group.last()) else { return };
    let mut cells = Row::new();
    if group.len() == 1 {
        cells.window(axis, &first.window, true);
    } else {
        let begin = first.window.from.unwrap_or(first.window.until);
        cells.window(axis, &Window { from: Some(begin), ..last.window }, true);
        // Ends that are too near to each other say nothing.
        for step in group.iter().filter(|_| group.len() <= AXIS / 3) {
            cells.put(axis, step.window.until, '●', ['◂', '▸']);
        }
    }
    let kind = short(first.kind);
    let numbers = if group.len() == 1 {
        format!("{:>3} ", first.step + 1)
    } else {
        format!("{:>3}–{} ", first.step + 1, last.step + 1)
    };
    row(&format!("{numbers}{kind}"), &cells, first.node.as_deref().unwrap_or_default(), page);
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
        let mut cells = Row::new();
        for mark in group.iter().rev() {
            cells.window(axis, &mark.window, false);
        }
        let label = match group.len() {
            1 => format!("    {}", short(kind)),
            several => format!("    {} ×{several}", short(kind)),
        };
        row(&label, &cells, reason.code(), page);
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
