//! The chains of one lane as retention sees them: what each row needs, and what its chain is like.
//!
//! A row is reached in two ways that must both outlive a deletion: by its best chain, which a restore to this very
//! backup takes, and by the chain that is settled first, which a restore to a moment takes before the best one is
//! settled. They are the same chain nearly always.

use crate::planner::sweep::parent;
use crate::planner::terms::Kind;
use crate::planner::view::View;

/// No chain ends at the row.
pub(super) const UNREACHED: i64 = i64::MAX;

/// Chains by row.
#[derive(Debug)]
pub(super) struct Chains {
    first: u32,
    /// When the best chain is settled.
    settled: Vec<i64>,
    /// Whether a check found the whole best chain whole.
    verified: Vec<bool>,
    /// Whether the row is a matter of the series whose chains these are.
    own: Vec<bool>,
    /// The chain that is settled first; empty where that is the best one for every row.
    early: Vec<Early>,
}

#[derive(Debug, Clone, Copy)]
struct Early {
    settled: i64,
    previous: Option<u32>,
}

impl Chains {
    /// `own` is asked of rows where a chain ends.
    pub(super) fn of(view: &View<'_>, own: impl Fn(u32) -> bool) -> Self {
        let (lane, rows) = (view.lane, view.rows);
        let first = lane.rows.start;
        let is_verified = |class: u32| rows.classes.list[class as usize].verified.is_some();
        let mut settled = Vec::with_capacity(lane.rows.len());
        let mut verified = Vec::with_capacity(lane.rows.len());
        let mut some_early = false;
        for row in lane.rows.clone() {
            if !view.is_reached(row) {
                settled.push(UNREACHED);
                verified.push(false);
                continue;
            }
            let before = view.previous(row).map(|previous| (previous - first) as usize);
            let alone = rows.settled(row);
            let chain = before.map_or(alone, |before| alone.max(settled[before]));
            some_early |= chain > alone;
            settled.push(chain);
            verified.push(is_verified(rows.class[row as usize]) && before.is_none_or(|before| verified[before]));
        }
        let own = lane.rows.clone().zip(&settled).map(|(row, settled)| *settled != UNREACHED && own(row)).collect();
        let early = if some_early { early(view) } else { Vec::new() };
        Self { first, settled, verified, own, early }
    }

    fn at(&self, row: u32) -> usize {
        (row - self.first) as usize
    }

    /// Whether a chain ends at `row`.
    pub(super) fn is_reached(&self, row: u32) -> bool {
        self.settled[self.at(row)] != UNREACHED
    }

    /// When the best chain to `row` is settled.
    pub(super) fn settled(&self, row: u32) -> i64 {
        self.settled[self.at(row)]
    }

    /// From which moment on a restore to a moment can reach `row`.
    pub(super) fn ready(&self, row: u32) -> i64 {
        self.early.get(self.at(row)).map_or_else(|| self.settled(row), |early| early.settled)
    }

    /// Whether a chain ends at `row`, and that is a matter of this series.
    pub(super) fn is_own(&self, row: u32) -> bool {
        self.own[self.at(row)]
    }

    pub(super) fn is_verified(&self, row: u32) -> bool {
        self.verified[self.at(row)]
    }

    /// The rows that `row`'s chains apply right before it. `view` is that of [`Chains::of`].
    pub(super) fn previous(&self, view: &View<'_>, row: u32) -> impl Iterator<Item = u32> + use<> {
        let best = view.previous(row);
        let early = self.early.get(self.at(row)).filter(|early| early.settled < self.settled(row));
        let early = early.and_then(|early| early.previous).filter(|early| Some(*early) != best);
        best.into_iter().chain(early)
    }
}

/// The sweep for the chain that is settled first: as that for the best one, with the largest `settled` of a chain in
/// place of the sum of costs.
fn early(view: &View<'_>) -> Vec<Early> {
    struct Open {
        until: i64,
        settled: i64,
        row: u32,
    }
    let rows = view.rows;
    let first = view.lane.rows.start;
    let mut all: Vec<Early> = Vec::with_capacity(view.lane.rows.len());
    // Both `until` and `settled` grow in it: what ends earlier and is settled later is of no use.
    let mut open: Vec<Open> = Vec::new();
    // Rows that end at the same moment can't follow each other.
    let mut waiting: Vec<Open> = Vec::new();
    for row in view.lane.rows.clone() {
        let until = rows.until[row as usize];
        if waiting.last().is_some_and(|last| last.until < until) {
            for next in waiting.drain(..) {
                while open.pop_if(|top| top.settled >= next.settled).is_some() {}
                open.push(next);
            }
        }
        let at = |row: u32| all[(row - first) as usize].settled;
        let before = match view.terms.own(row).filter(|_| view.is_reached(row)).map(|(_, kind)| kind) {
            Some(Kind::Begin) => Some((i64::MIN, None)),
            Some(Kind::Cover) => {
                let from = rows.from[row as usize];
                let found = open.get(open.partition_point(|end| end.until < from));
                found.map(|end| (end.settled, Some(end.row)))
            }
            Some(Kind::Exact) => parent(&view.terms, view.ids, row).map(|parent| (at(parent), Some(parent))),
            Some(Kind::Log) | None => None,
        };
        let own = rows.settled(row);
        let early = before.map_or(Early { settled: UNREACHED, previous: None }, |(settled, previous)| Early {
            settled: own.max(settled),
            previous,
        });
        if early.settled != UNREACHED {
            waiting.push(Open { until, settled: early.settled, row });
        }
        all.push(early);
    }
    all
}
