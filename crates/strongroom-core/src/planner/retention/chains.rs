//! The chains of one lane as retention sees them: what each row needs, and what its chain is like.
//!
//! A row is reached in two ways that must both outlive a deletion: by its best chain, which a restore to this very
//! backup takes, and by the chain that is settled first, which a restore to a moment takes before the best one is
//! settled. They are the same chain nearly always.

use crate::planner::ready::{Earliest, earliest};
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
    early: Vec<Earliest>,
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
            let alone = rows.settled(row);
            let (mut chain, mut whole) = (alone, is_verified(rows.class[row as usize]));
            if let Some(detour) = view.links.detours.get(&row) {
                for row in detour {
                    chain = chain.max(rows.settled(*row));
                    whole &= is_verified(rows.class[*row as usize]);
                }
            } else if let Some(before) = view.links.previous(row) {
                chain = chain.max(settled[(before - first) as usize]);
                whole &= verified[(before - first) as usize];
            }
            some_early |= chain > alone;
            settled.push(chain);
            verified.push(whole);
        }
        let own = lane.rows.clone().zip(&settled).map(|(row, settled)| *settled != UNREACHED && own(row)).collect();
        let early = if some_early { earliest(view) } else { Vec::new() };
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
        self.early.get(self.at(row)).map_or_else(|| self.settled(row), |early| early.ready)
    }

    /// Whether a chain ends at `row`, and that is a matter of this series.
    pub(super) fn is_own(&self, row: u32) -> bool {
        self.own[self.at(row)]
    }

    pub(super) fn is_verified(&self, row: u32) -> bool {
        self.verified[self.at(row)]
    }

    /// The rows that `row`'s chains apply right before it; of a detour all. `view` is that of [`Chains::of`].
    pub(super) fn previous<'v>(&self, view: &'v View<'_>, row: u32) -> impl Iterator<Item = u32> + use<'v> {
        let detour = view.links.detours.get(&row).map(Vec::as_slice).unwrap_or_default();
        let best = if detour.is_empty() { view.links.previous(row) } else { None };
        let early = self.early.get(self.at(row)).filter(|early| early.ready < self.settled(row));
        let early = early.and_then(|early| early.previous).filter(|early| Some(*early) != best);
        detour.iter().copied().chain(best).chain(early)
    }
}
