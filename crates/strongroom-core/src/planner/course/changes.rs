//! Two courses of one part, and where they differ.

use super::windows::explain;
use super::{Course, Piece, Reach};
use crate::planner::part::Part;
use crate::planner::plan::Reached;
use crate::planner::what_if::{Change, Effect};
use crate::planner::windows::Span;

/// Moments at which both courses stay the same.
#[derive(Debug, Clone, Copy)]
struct Stretch<'a> {
    from: i64,
    until: i64,
    now: &'a Piece,
    then: &'a Piece,
    effect: Effect,
}

impl Course {
    /// What changes if this becomes `after`, whose part is `then`.
    pub(in crate::planner) fn changes(&self, then: &Part<'_>, after: &Self) -> Vec<Change> {
        let stretches: Vec<Stretch<'_>> = overlay(self, after).collect();
        let alike = |a: &Stretch<'_>, b: &Stretch<'_>| {
            a.until + 1 == b.from
                && a.effect == b.effect
                && a.then.reach == b.then.reach
                && a.then.kind() == b.then.kind()
        };
        stretches.chunk_by(alike).filter_map(|run| change(run, then)).collect()
    }
}

fn change(run: &[Stretch<'_>], then: &Part<'_>) -> Option<Change> {
    let (first, last) = (run.first()?, run.last()?);
    let mut points: Vec<i64> = Vec::new();
    for stretch in run {
        if let Reach::Point { until, .. } = stretch.now.reach
            && points.last() != Some(&until)
        {
            points.push(until);
        }
    }
    Some(Change {
        span: Span::of(first.from, last.until),
        effect: first.effect,
        points: points.len() as u64,
        first: first.now.reach.at(first.from),
        last: last.now.reach.at(last.until),
        instead: last.then.reach.at(last.until),
        refused: first.then.refused.as_ref().map(|why| explain(then, why).0),
    })
}

/// The moments at which the two differ.
fn overlay<'a>(now: &'a Course, then: &'a Course) -> impl Iterator<Item = Stretch<'a>> {
    let (mut mine, mut theirs) = (now.spans().peekable(), then.spans().peekable());
    let mut from = i64::MIN;
    std::iter::from_fn(move || {
        loop {
            let ((now, now_until), (then, then_until)) = (*mine.peek()?, *theirs.peek()?);
            let until = now_until.min(then_until);
            let begin = from.max(now.from).max(then.from);
            if now_until == until {
                mine.next();
            }
            if then_until == until {
                theirs.next();
            }
            from = until.saturating_add(1);
            // A log and the point where it ends give the same at that very moment.
            let begin = match (now.reach, then.reach) {
                (Reach::Every { .. }, Reach::Point { until, .. })
                | (Reach::Point { until, .. }, Reach::Every { .. })
                    if until == begin && now.refused.is_some() == then.refused.is_some() =>
                {
                    begin + 1
                }
                _ => begin,
            };
            let effect = effect(now, then, until).filter(|_| begin <= until);
            if let Some(effect) = effect {
                return Some(Stretch { from: begin, until, now, then, effect });
            }
        }
    })
}

/// What changes from `now` to `then` at `moment`.
fn effect(now: &Piece, then: &Piece, moment: i64) -> Option<Effect> {
    let until = |piece: &Piece| piece.reach.at(moment).map(|Reached { until, .. }| until);
    match (now.refused.is_none(), then.refused.is_none()) {
        (true, false) => Some(Effect::Refused),
        (false, true) => Some(Effect::Gained),
        (true, true) if until(then) < until(now) => Some(Effect::Earlier),
        (true, true) if until(then) > until(now) => Some(Effect::Later),
        _ => None,
    }
}
