//! An axis of time in text, and rows of signs under it.

use super::page::Page;
use super::windows::Span;
use crate::Timestamp;

/// Columns of the axis.
pub(super) const AXIS: usize = 56;
/// Columns before it.
pub(super) const LABEL: usize = 22;

/// Where moments stand.
pub(super) struct Axis {
    from: i64,
    until: i64,
}

impl Axis {
    pub(super) fn of(from: Timestamp, until: Timestamp) -> Self {
        Self { from: from.micros(), until: until.micros() }
    }

    /// The ends and the line.
    pub(super) fn write(&self, page: &mut Page) {
        let moment = |at| Timestamp::from_micros(at).to_string();
        let (left, right) = (moment(self.from), moment(self.until));
        let gap = AXIS.saturating_sub(left.chars().count() + right.chars().count());
        page.line(format!("{:LABEL$}{left}{:gap$}{right}", "", ""));
        page.line(format!("{:LABEL$}├{}┤", "", "─".repeat(AXIS - 2)));
    }

    /// The column of a moment, and whether it lies on the axis.
    pub(super) fn column(&self, at: Timestamp) -> (usize, bool) {
        let at = at.micros();
        let inside = (self.from..=self.until).contains(&at);
        let length = (i128::from(self.until) - i128::from(self.from)).max(1);
        let way = i128::from(at.clamp(self.from, self.until)) - i128::from(self.from);
        let column = (way * (AXIS as i128 - 1) + length / 2) / length;
        (usize::try_from(column).unwrap_or(0).min(AXIS - 1), inside)
    }
}

/// Signs under the axis.
pub(super) struct Row(Vec<char>);

impl Row {
    pub(super) fn new() -> Self {
        Self(vec![' '; AXIS])
    }

    /// A sign at a moment; beyond the ends of the axis an arrow.
    pub(super) fn put(&mut self, axis: &Axis, at: Timestamp, sign: char) {
        let (column, inside) = axis.column(at);
        let sign = match (inside, at.micros() < axis.from) {
            (true, _) => sign,
            (false, true) => '◂',
            (false, false) => '▸',
        };
        if let Some(cell) = self.0.get_mut(column) {
            *cell = sign;
        }
    }

    /// A sign at all moments of a span that have none yet.
    pub(super) fn fill(&mut self, axis: &Axis, span: &Span, sign: char) {
        let end = span.until.map_or(AXIS - 1, |until| axis.column(until).0);
        for cell in self.0.iter_mut().take(end + 1).skip(axis.column(span.from).0) {
            if *cell == ' ' {
                *cell = sign;
            }
        }
    }

    pub(super) fn write(&self, label: &str, note: &str, page: &mut Page) {
        let cells: String = self.0.iter().collect();
        page.line(format!("{label:LABEL$}{cells}  {note}"));
    }
}
