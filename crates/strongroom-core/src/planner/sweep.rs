//! The search: one sweep over a lane in the order of time, which finds for every row the best chain that ends there.
//!
//! ```text
//!   best(i) = own(i) + min { best(j) : from(i) ≤ until(j) < until(i) }        a cover incremental
//!   best(i) = own(i) + best(parent(i))                                        an exact one
//!   best(i) = own(i)                                                          a base
//! ```
//!
//! The minimum is over a suffix of what was swept, so a stack of suffix minima answers it: below the top are earlier
//! and cheaper rows only. Each row is pushed and popped once, and the place of `from` in the stack is found by growing
//! steps from the top: O(n log n) at worst, O(n) for the usual chains.

use super::ids::Ids;
use super::rows::NEVER;
use super::terms::{Kind, Score, Terms};

/// This row begins its chain.
pub(super) const BEGIN: u32 = 0x7fff_ffff;
/// Set when no chain ends at the row; the other bits are the nearest earlier row where one does, or [`BEGIN`].
pub(super) const UNREACHED: u32 = 0x8000_0000;
/// No row.
pub(super) const NONE: u32 = u32::MAX;

/// For every row of a range: the row before it in the best chain, and the nearest earlier row with a lower score.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    /// The first row.
    pub(super) first: u32,
    pub(super) previous: Vec<u32>,
    pub(super) lower: Vec<u32>,
}

/// Chains that end before the range of a sweep.
pub(super) trait Earlier {
    /// The best of those that end at or after `from`.
    fn best_from(&self, from: i64) -> Option<(Score, u32)>;
    /// The score of the chain that ends at `row`, if one does.
    fn score(&self, row: u32) -> Option<Score>;
    /// The newest row where one ends.
    fn newest(&self) -> Option<u32>;
}

/// Nothing is earlier.
#[derive(Debug)]
pub(super) struct Nothing;

impl Earlier for Nothing {
    fn best_from(&self, _: i64) -> Option<(Score, u32)> {
        None
    }
    fn score(&self, _: u32) -> Option<Score> {
        None
    }
    fn newest(&self) -> Option<u32> {
        None
    }
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    until: i64,
    row: u32,
    score: Score,
}

/// The stack of suffix minima.
#[derive(Debug, Default)]
struct Minima(Vec<Kept>);

impl Minima {
    /// The best chain that ends at or after `from`.
    fn best_from(&self, from: i64) -> Option<Kept> {
        let length = self.0.len();
        let mut step = 1;
        while step <= length && self.0[length - step].until >= from {
            step *= 2;
        }
        let low = length.saturating_sub(step);
        let at = low + self.0[low..].partition_point(|kept| kept.until < from);
        self.0.get(at).copied()
    }

    /// Adds a row; gives the nearest earlier row with a lower score.
    fn push(&mut self, kept: Kept) -> u32 {
        while self.0.pop_if(|top| top.score >= kept.score).is_some() {}
        let lower = self.0.last().map_or(NONE, |below| below.row);
        self.0.push(kept);
        lower
    }
}

/// Sweeps `first..end`, leaving out rows settled after `limit`.
pub(super) fn sweep(
    terms: &Terms<'_>,
    ids: &Ids,
    (first, end): (u32, u32),
    limit: Option<i64>,
    earlier: &dyn Earlier,
) -> Links {
    let rows = terms.rows;
    let length = (end - first) as usize;
    let mut links = Links { first, previous: Vec::with_capacity(length), lower: vec![NONE; length] };
    let mut scores: Vec<Score> = Vec::with_capacity(length);
    let mut minima = Minima::default();
    // Rows with the same `until` can't follow each other: they wait until a later one comes.
    let mut waiting: Vec<Kept> = Vec::new();
    let mut newest = earlier.newest().unwrap_or(BEGIN);
    for row in first..end {
        let until = rows.until[row as usize];
        if waiting.last().is_some_and(|kept| kept.until < until) {
            for kept in waiting.drain(..) {
                links.lower[(kept.row - first) as usize] = minima.push(kept);
            }
        }
        let usable = limit.is_none_or(|limit| rows.settled(row) <= limit);
        let found = terms.own(row).filter(|_| usable).and_then(|(own, kind)| {
            let (score, previous) = match kind {
                Kind::Begin => (0, BEGIN),
                Kind::Cover => {
                    let from = rows.from[row as usize];
                    let late = minima.best_from(from).map(|kept| (kept.score, kept.row));
                    let early = earlier.best_from(from);
                    match (late, early) {
                        (Some(late), Some(early)) => {
                            if early.0 < late.0 {
                                early
                            } else {
                                late
                            }
                        }
                        (late, early) => late.or(early)?,
                    }
                }
                Kind::Exact => {
                    let parent = parent(terms, ids, row)?;
                    if parent < first {
                        (earlier.score(parent)?, parent)
                    } else {
                        let at = (parent - first) as usize;
                        let reached = links.previous.get(at)? & UNREACHED == 0;
                        (reached.then(|| scores[at])?, parent)
                    }
                }
                Kind::Log => return None,
            };
            Some((score + own, previous))
        });
        if let Some((score, previous)) = found {
            links.previous.push(previous);
            scores.push(score);
            waiting.push(Kept { until, row, score });
            newest = row;
        } else {
            links.previous.push(UNREACHED | newest);
            scores.push(Score::MAX);
        }
    }
    for kept in waiting {
        links.lower[(kept.row - first) as usize] = minima.push(kept);
    }
    links
}

/// The parent of an exact row, if it is there and ends where the row starts, in the same lane.
pub(super) fn parent(terms: &Terms<'_>, ids: &Ids, row: u32) -> Option<u32> {
    let rows = terms.rows;
    let parent = ids.find(rows, rows.detail(row).parent?)?;
    let alike = |a: &super::class::Class, b: &super::class::Class| {
        (a.cluster, &a.part, a.timeline, &a.node) == (b.cluster, &b.part, b.timeline, &b.node)
    };
    let from = rows.from[row as usize];
    let fits = parent < row
        && from != NEVER
        && rows.until[parent as usize] == from
        && from < rows.until[row as usize]
        && alike(rows.class_of(parent), rows.class_of(row));
    fits.then_some(parent)
}
