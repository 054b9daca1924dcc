//! A course as windows and gaps, and as answers.

use super::{Course, Piece, Reach, Why};
use crate::Timestamp;
use crate::id::BackupId;
use crate::planner::part::{LATEST, Part};
use crate::planner::plan::Reached;
use crate::planner::reason::Reason;
use crate::planner::why::in_words;
use crate::planner::windows::{Answer, Gap, PartWindows, RestoreWindow, Span};

/// Pieces with their last moments.
type Spans<'a> = [(&'a Piece, i64)];

/// What neighbouring pieces make together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Nothing,
    Window,
    Gap,
}

impl Piece {
    pub(super) fn kind(&self) -> Kind {
        match &self.refused {
            None => Kind::Window,
            Some(Why::BeforeFirst) => Kind::Nothing,
            Some(Why::Row { .. } | Why::Log(_)) => Kind::Gap,
        }
    }
}

impl Course {
    /// Its windows and gaps.
    pub(in crate::planner) fn windows(&self, part: &Part<'_>) -> PartWindows {
        let mut made = PartWindows { windows: Vec::new(), gaps: Vec::new() };
        let mut after: Option<Reached> = None;
        let spans: Vec<(&Piece, i64)> = self.spans().collect();
        for run in spans.chunk_by(|a, b| a.0.kind() == b.0.kind()) {
            let [(first, _), ..] = run else { continue };
            match first.kind() {
                Kind::Nothing => {}
                Kind::Window => {
                    let window = window(run);
                    let before = window.as_ref().map(|window| window.oldest);
                    // The gap right before, if no window has come since.
                    if let Some(gap) = made.gaps.last_mut().filter(|gap| gap.before.is_none()) {
                        gap.before = before;
                    }
                    after = window.as_ref().map(|window| window.newest);
                    made.windows.extend(window);
                }
                Kind::Gap => made.gaps.push(self.gap(part, run, after)),
            }
        }
        made
    }

    fn gap(&self, part: &Part<'_>, run: &Spans<'_>, after: Option<Reached>) -> Gap {
        let ends = (run.first().map_or(0, |(piece, _)| piece.from), run.last().map_or(0, |(_, until)| *until));
        let why = run.iter().find_map(|(piece, _)| piece.refused.as_ref()).unwrap_or(&Why::BeforeFirst);
        let (reason, detail, backup) = explain(part, why);
        let settled = |moment: i64| self.stranded.partition_point(|settled| *settled <= moment);
        let stranded = (settled(ends.1) - settled(ends.0 - 1)) as u64;
        Gap { span: Span::of(ends.0, ends.1), after, before: None, reason, detail, backup, stranded }
    }

    /// All of it.
    pub(in crate::planner) fn answers(&self, part: &Part<'_>) -> Vec<Answer> {
        let answer = |(piece, until): (&Piece, i64)| Answer {
            from: (piece.from > -LATEST).then(|| Timestamp::from_micros(piece.from)),
            until: (until < LATEST).then(|| Timestamp::from_micros(until)),
            reached: piece.reach.at(until).filter(|_| !piece.reach.is_every()),
            every_moment: piece.reach.is_every(),
            backup: piece.reach.end().map(|(history, row)| part.histories[history].view.rows.id[row as usize]),
            refused: piece.refused.as_ref().map(|why| explain(part, why).0),
        };
        self.spans().map(answer).collect()
    }
}

/// Why, with the code, in words, and the backup that stands in the way.
pub(in crate::planner) fn explain(part: &Part<'_>, why: &Why) -> (Reason, String, Option<BackupId>) {
    match why {
        Why::BeforeFirst => (Reason::BeforeFirst, in_words(Reason::BeforeFirst).to_owned(), None),
        Why::Row { history, row } => {
            let view = &part.histories[*history as usize].view;
            let (reason, detail) = view.explain_unreached(*row);
            (reason, detail, Some(view.rows.id[*row as usize]))
        }
        Why::Log(what) => (what.0, what.1.clone(), None),
    }
}

/// The window of neighbouring pieces.
fn window(run: &Spans<'_>) -> Option<RestoreWindow> {
    let ((first, _), (last, end)) = (*run.first()?, *run.last()?);
    let mut every: Vec<(i64, i64)> = Vec::new();
    for (piece, until) in run.iter().filter(|(piece, _)| piece.reach.is_every()) {
        match every.last_mut() {
            Some(before) if before.1 + 1 == piece.from => before.1 = *until,
            _ => every.push((piece.from, *until)),
        }
    }
    // Where a log ends, the last moment that it reaches is no further point.
    let in_every = |moment: i64| {
        let at = every.partition_point(|(from, _)| *from <= moment);
        at > 0 && every[at - 1].1 >= moment
    };
    let mut points: Vec<i64> = Vec::new();
    for (piece, _) in run {
        if let Reach::Point { until, .. } = piece.reach
            && points.last() != Some(&until)
            && !in_every(until)
        {
            points.push(until);
        }
    }
    let points = points.len() as u64;
    Some(RestoreWindow {
        span: Span::of(first.from, end),
        oldest: first.reach.at(first.from)?,
        newest: last.reach.at(end)?,
        points,
        every_moment: every.iter().map(|(from, until)| Span::of(*from, *until)).collect(),
    })
}
