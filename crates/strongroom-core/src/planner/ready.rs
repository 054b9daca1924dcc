//! When each state can be had at all: the earliest moment at which nothing in some chain to it is still in doubt.
//!
//! ```text
//!   ready(i) = max(settled(i), min { ready(j) : from(i) ≤ until(j) < until(i) })        a cover incremental
//!   ready(i) = max(settled(i), ready(parent(i)))                                        an exact one, if the state
//!                                             that its parent was taken of can be had
//!   ready(i) = settled(i)                                                               a base
//! ```
//!
//! The same sweep as that for cost, with the largest `settled` of a chain in place of its sum.

use std::collections::BTreeMap;

use super::minima::{Kept, Minima};
use super::sweep::parent;
use super::terms::Kind;
use super::view::View;

/// No chain ends there.
pub(super) const UNREADY: i64 = i64::MAX;

/// For each row of the lane, in its order.
pub(super) fn ready(view: &View<'_>) -> Vec<i64> {
    let rows = view.rows;
    let first = view.lane.rows.start;
    let mut ready: Vec<i64> = Vec::with_capacity(view.lane.rows.len());
    // What a cover row is put onto, when that is settled as early as possible.
    let mut onto: BTreeMap<u32, i64> = BTreeMap::new();
    let exact = view.lane.classes.iter().any(|class| {
        let class = &rows.classes.list[*class as usize];
        Kind::of(class.kind, class.applies) == Kind::Exact
    });
    let mut minima = Minima::new();
    let mut waiting: Vec<Kept<i64>> = Vec::new();
    for row in view.lane.rows.clone() {
        let until = rows.until[row as usize];
        if waiting.last().is_some_and(|kept| kept.until < until) {
            for kept in waiting.drain(..) {
                minima.push(kept);
            }
        }
        let kind = view.terms.own(row).map(|(_, kind)| kind);
        let before = match kind {
            Some(Kind::Begin) => Some(i64::MIN),
            Some(Kind::Cover) => minima.best_from(rows.from[row as usize]).map(|kept| kept.score),
            Some(Kind::Exact) => {
                let parent = parent(&view.terms, view.ids, row);
                // A cover parent leaves the state that it was taken of only where nothing before it caught more.
                let as_taken = |parent: &u32| onto.get(parent).is_none_or(|onto| *onto <= rows.until[*parent as usize]);
                parent.filter(as_taken).and_then(|parent| ready.get((parent - first) as usize).copied())
            }
            Some(Kind::Log) | None => None,
        };
        if let (true, Some(Kind::Cover), Some(before)) = (exact, kind, before) {
            onto.insert(row, before);
        }
        let score = before.filter(|before| *before != UNREADY).map_or(UNREADY, |before| before.max(rows.settled(row)));
        if score != UNREADY {
            waiting.push(Kept { until, row, score });
        }
        ready.push(score);
    }
    ready
}
