//! What became of each row so far.

use std::collections::BTreeSet;

use super::plan::Freed;
use super::series::PartSeries;
use crate::planner::rows::Rows;

/// Stays by itself: a rule keeps it, or something blocks it.
const KEPT: u8 = 1;
const BLOCKED: u8 = 2;
/// Something that stays needs it.
const NEEDED: u8 = 4;
const STAYS: u8 = KEPT | BLOCKED | NEEDED;
/// A chain ends there, and a policy may choose it.
const POINT: u8 = 8;

/// Marks by row.
#[derive(Debug)]
pub(super) struct Marks {
    marks: Vec<u8>,
    /// For needed rows: the nearest row that needs it.
    by: Vec<u32>,
}

impl Marks {
    pub(super) fn new(rows: usize) -> Self {
        Self { marks: vec![0; rows], by: vec![u32::MAX; rows] }
    }

    pub(super) fn keep(&mut self, row: u32) {
        self.marks[row as usize] |= KEPT;
    }

    pub(super) fn block(&mut self, row: u32) {
        self.marks[row as usize] |= BLOCKED;
    }

    pub(super) fn point(&mut self, row: u32) {
        self.marks[row as usize] |= POINT;
    }

    pub(super) fn is_point(&self, row: u32) -> bool {
        self.marks[row as usize] & POINT != 0
    }

    pub(super) fn is_kept(&self, row: u32) -> bool {
        self.marks[row as usize] & KEPT != 0
    }

    pub(super) fn is_blocked(&self, row: u32) -> bool {
        self.marks[row as usize] & BLOCKED != 0
    }

    pub(super) fn stays(&self, row: u32) -> bool {
        self.marks[row as usize] & STAYS != 0
    }

    /// The row that needs `row`, if nothing else keeps it.
    pub(super) fn needed_by(&self, row: u32) -> Option<u32> {
        (self.marks[row as usize] & STAYS == NEEDED).then(|| self.by[row as usize])
    }

    /// `by` needs `row`.
    fn need(&mut self, row: u32, by: u32) {
        self.marks[row as usize] |= NEEDED;
        let nearest = &mut self.by[row as usize];
        *nearest = by.min(*nearest);
    }

    /// Whatever stays keeps its chains.
    pub(super) fn close(&mut self, part: &PartSeries<'_>) {
        for history in 0..part.histories() {
            part.descend(history, self, Self::stays, |marks, row, previous| marks.need(previous, row));
        }
    }

    /// Keeps `row`, and with it its chains.
    pub(super) fn keep_chain(&mut self, part: &PartSeries<'_>, row: u32) {
        for needed in self.chain(part, vec![row]) {
            self.marks[needed as usize] |= NEEDED;
        }
        self.keep(row);
    }

    /// The bytes of what would stay with `points` and does not stay yet.
    pub(super) fn cost(&self, part: &PartSeries<'_>, rows: &Rows, points: Vec<u32>) -> u64 {
        self.chain(part, points).into_iter().fold(0, |sum, row| size_of(rows, row).bytes.saturating_add(sum))
    }

    /// `points` and all they need, of which nothing stays yet.
    fn chain(&self, part: &PartSeries<'_>, points: Vec<u32>) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        // Rows, with the series in whose chain they are applied.
        let mut open: Vec<(u32, Option<usize>)> = points.into_iter().map(|row| (row, None)).collect();
        let mut seen = BTreeSet::new();
        while let Some((row, applied)) = open.pop() {
            let stays = self.stays(row);
            if !stays {
                found.insert(row);
            }
            for (number, series) in part.series.iter().enumerate() {
                let lane = series.part.histories.iter().position(|history| history.view.lane.rows.contains(&row));
                let Some(history) = lane else { continue };
                let chains = &series.chains[history];
                // Where a row that stays is applied by its own series, its chain stays already.
                let follow = if chains.is_own(row) { !stays } else { applied == Some(number) };
                if follow && seen.insert((row, number)) {
                    let previous = chains.previous(&series.part.histories[history].view, row);
                    open.extend(previous.map(|previous| (previous, Some(number))));
                }
            }
        }
        found
    }
}

/// The objects and bytes of a row.
pub(super) fn size_of(rows: &Rows, row: u32) -> Freed {
    let size = rows.counts(row).size;
    Freed { objects: size.objects, bytes: size.stored_bytes }
}
