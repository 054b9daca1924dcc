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

use super::minima::Minima;
use super::sweep::parent;
use super::terms::Kind;
use super::view::View;

/// No chain ends there.
pub(super) const UNREADY: i64 = i64::MAX;

/// The chain that is settled first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Earliest {
    /// When it is settled, or [`UNREADY`].
    pub(super) ready: i64,
    /// The row before the last one.
    pub(super) previous: Option<u32>,
}

/// The moments of [`earliest`].
pub(super) fn ready(view: &View<'_>) -> Vec<i64> {
    earliest(view).into_iter().map(|chain| chain.ready).collect()
}

/// For each row of the lane, in its order.
pub(super) fn earliest(view: &View<'_>) -> Vec<Earliest> {
    let rows = view.rows;
    let first = view.lane.rows.start;
    let mut all: Vec<Earliest> = Vec::with_capacity(view.lane.rows.len());
    // What a cover row is put onto, when that is settled as early as possible.
    let mut onto: BTreeMap<u32, i64> = BTreeMap::new();
    let exact = view.lane.classes.iter().any(|class| {
        let class = &rows.classes.list[*class as usize];
        Kind::of(class.kind, class.applies) == Kind::Exact
    });
    let mut minima = Minima::new();
    let (mut waiting, mut since): (Vec<u32>, _) = (Vec::new(), i64::MIN);
    for row in view.lane.rows.clone() {
        let until = rows.until[row as usize];
        let ready = |row: u32| all[(row - first) as usize].ready;
        if since < until {
            for kept in waiting.drain(..) {
                minima.push(kept, &ready(kept), ready);
            }
            since = until;
        }
        let kind = view.terms.own(row).map(|(_, kind)| kind);
        let before = match kind {
            Some(Kind::Begin) => Some((i64::MIN, None)),
            Some(Kind::Cover) => {
                let best = minima.best_from(rows.from[row as usize], |row| rows.until[row as usize]);
                best.map(|row| (ready(row), Some(row)))
            }
            Some(Kind::Exact) => {
                let parent = parent(&view.terms, view.ids, row);
                // A cover parent leaves the state that it was taken of only where nothing before it caught more.
                let as_taken = |parent: &u32| onto.get(parent).is_none_or(|onto| *onto <= rows.until[*parent as usize]);
                let parent = parent.filter(as_taken);
                parent.and_then(|parent| Some((all.get((parent - first) as usize)?.ready, Some(parent))))
            }
            Some(Kind::Log) | None => None,
        };
        if let (true, Some(Kind::Cover), Some((before, _))) = (exact, kind, before) {
            onto.insert(row, before);
        }
        let before = before.filter(|(before, _)| *before != UNREADY);
        let chain = before.map_or(Earliest { ready: UNREADY, previous: None }, |(before, previous)| Earliest {
            ready: before.max(rows.settled(row)),
            previous,
        });
        if chain.ready != UNREADY {
            waiting.push(row);
        }
        all.push(chain);
    }
    all
}
