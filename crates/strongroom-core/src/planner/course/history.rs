//! The course of one timeline, as if it were the only one.

use super::{Piece, Reach, Why};
use crate::planner::part::History;
use crate::planner::ready::{UNREADY, ready};
use crate::planner::reason::Reason;

/// From `from` on, chains end at `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stair {
    from: i64,
    settled: i64,
    until: i64,
    row: u32,
}

/// One timeline's pieces, growing, and its stranded backups as `(settled, row)`, growing.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) pieces: Vec<Piece>,
    pub(super) stranded: Vec<(i64, u32)>,
}

/// The course of `history`, the `number`th of its part.
pub(super) fn own(history: &History<'_>, number: u32) -> Own {
    let ready = ready(&history.view);
    let stairs = stairs(history, &ready);
    let pieces = if history.logs.streams.is_empty() {
        stairs.iter().map(|stair| stair.piece(number)).collect()
    } else {
        Carried { history, number, stairs: &stairs }.pieces()
    };
    Own { pieces, stranded: stranded(history, &ready) }
}

/// Backups that no chain can use although somebody may count on them: what [`super::part`] calls lost.
fn stranded(history: &History<'_>, ready: &[i64]) -> Vec<(i64, u32)> {
    let view = &history.view;
    let counts = |row: u32| {
        view.rows.bad.get(&row) != Some(&Reason::BadWindow)
            && !matches!(view.terms.refusal(row), Some(Reason::Deleted | Reason::FilterTooNarrow))
    };
    let unready = view.lane.rows.clone().zip(ready).filter(|(_, ready)| **ready == UNREADY).map(|(row, _)| row);
    let mut stranded: Vec<(i64, u32)> =
        unready.filter(|row| counts(*row)).map(|row| (view.rows.settled(row), row)).collect();
    stranded.sort_unstable();
    stranded
}

impl Stair {
    fn point(&self, history: u32) -> Reach {
        Reach::Point { history, row: self.row, until: self.until, settled: self.settled }
    }

    fn piece(&self, history: u32) -> Piece {
        Piece { from: self.from, reach: self.point(history), refused: None }
    }
}

/// When each further point becomes the newest that can be had.
fn stairs(history: &History<'_>, ready: &[i64]) -> Vec<Stair> {
    let (rows, first) = (history.view.rows, history.view.lane.rows.start);
    let mut order: Vec<(i64, u32)> =
        ready.iter().copied().zip(first..).filter(|(ready, _)| *ready != UNREADY).collect();
    order.sort_unstable();
    let mut stairs: Vec<Stair> = Vec::new();
    for (ready, row) in order {
        let until = rows.until[row as usize];
        match stairs.last_mut() {
            Some(last) if last.until >= until => {}
            Some(last) if last.from == ready => *last = Stair { from: ready, settled: ready, until, row },
            _ => stairs.push(Stair { from: ready, settled: ready, until, row }),
        }
    }
    stairs
}

/// Stairs that logs carry forward.
struct Carried<'a, 'b> {
    history: &'b History<'a>,
    number: u32,
    stairs: &'b [Stair],
}

impl Carried<'_, '_> {
    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(self.stairs.len());
        for (at, stair) in self.stairs.iter().enumerate() {
            let end = self.stairs.get(at + 1).map_or(i64::MAX, |next| next.from);
            let point = stair.point(self.number);
            let mut push = |from: i64, reach: Reach, refused: Option<Why>| {
                let from = from.max(stair.from);
                if from < end {
                    // A later piece that begins no later takes the place.
                    while pieces.pop_if(|last: &mut Piece| last.from >= from).is_some() {}
                    pieces.push(Piece { from, reach, refused });
                }
            };
            push(stair.from, point, None);
            let Some(cover) = self.history.logs.cover(stair.until) else { continue };
            if cover.upto >= stair.from {
                push(stair.from, Reach::Every { history: self.number, row: stair.row }, None);
            }
            let rest = match self.carried(stair, cover.upto) {
                Some((goal, row)) => Reach::Point { history: self.number, row, until: goal, settled: goal },
                None => point,
            };
            push(cover.upto.saturating_add(1), rest, None);
            if let Some(hole) = cover.hole_from() {
                let why = cover.hole(hole).map(|why| Why::Log(Box::new(why)));
                push(hole.max(stair.until.saturating_add(1)), rest, why);
            }
        }
        pieces
    }

    /// The moment after `newest` at which its logs, or those of an earlier state, end, and the row that they carry; as
    /// the plan looks for it.
    fn carried(&self, newest: &Stair, upto: i64) -> Option<(i64, u32)> {
        let (mut goal, mut by) = (upto, *newest);
        while goal > newest.until {
            if goal >= by.settled {
                return Some((goal, by.row));
            }
            by = *self.stairs.get(self.stairs.partition_point(|stair| stair.from <= goal).checked_sub(1)?)?;
            goal = goal.min(self.history.logs.cover(by.until)?.upto);
        }
        None
    }
}
