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
//!
//! An exact incremental says what changed in the very state that its parent was taken of. Where the best chain to a
//! cover parent leaves more than that (an earlier step caught changes after the parent's end), another chain is looked
//! for among the rows that are settled by then, and kept as a detour.

use std::collections::BTreeMap;

use super::ids::Ids;
use super::lane::Lane;
use super::links::{BEGIN, Chains, Links, NONE, UNREACHED};
use super::minima::Minima;
use super::rows::{NEVER, number};
use super::terms::{Kind, Score, Terms};

/// A lane under the rules of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'s, 'a> {
    pub(super) terms: &'s Terms<'a>,
    pub(super) ids: &'s Ids,
    pub(super) lane: &'s Lane,
}

/// The rows of a sweep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) first: u32,
    pub(super) end: u32,
    /// Rows that are settled later are left out,
    pub(super) limit: Option<i64>,
    /// but for this one.
    pub(super) except: Option<u32>,
}

/// What the sweep found for a row.
struct Found {
    score: Score,
    previous: u32,
    detour: Option<Vec<u32>>,
}

impl Search<'_, '_> {
    /// Sweeps `span`; `known` are the links of all rows before it, when there are any.
    pub(super) fn sweep(self, span: Span, known: Option<&Links>) -> Links {
        let Span { first, end, .. } = span;
        let rows = self.terms.rows;
        let length = (end - first) as usize;
        let mut links =
            Links { first, previous: Vec::with_capacity(length), lower: vec![NONE; length], detours: BTreeMap::new() };
        let mut scores: Vec<Score> = Vec::with_capacity(length);
        let mut minima = Minima::new();
        // Rows with the same `until` can't follow each other: they wait until a later one comes.
        let (mut waiting, mut since): (Vec<u32>, _) = (Vec::new(), i64::MIN);
        let mut newest = known.and_then(|known| known.newest_before(first, self.lane.rows.start)).unwrap_or(BEGIN);
        for row in first..end {
            let until = rows.until[row as usize];
            if since < until {
                for kept in waiting.drain(..) {
                    let score = |row: u32| scores[(row - first) as usize];
                    links.lower[(kept - first) as usize] = minima.push(kept, &score(kept), score).unwrap_or(NONE);
                }
                since = until;
            }
            let fits = span.limit.is_none_or(|limit| rows.settled(row) <= limit) || span.except == Some(row);
            let own = self.terms.own(row).filter(|_| fits);
            let found = own.and_then(|(own, kind)| {
                let found = match kind {
                    Kind::Begin => Found { score: 0, previous: BEGIN, detour: None },
                    Kind::Cover => {
                        let until = |row: u32| rows.until[row as usize];
                        let late = minima.best_from(rows.from[row as usize], until);
                        let late = late.map(|row| (scores[(row - first) as usize], row));
                        let early = known.and_then(|known| self.best_before(known, first, rows.from[row as usize]));
                        let (score, previous) = match (late, early) {
                            (Some(late), Some(early)) if early.0 < late.0 => early,
                            (late, early) => late.or(early)?,
                        };
                        Found { score, previous, detour: None }
                    }
                    Kind::Exact => {
                        let chains = Chains::new(&links, known);
                        let swept = |row: u32| scores.get(row.checked_sub(first)? as usize).copied();
                        self.onto_parent(row, &chains, known, swept)?
                    }
                    Kind::Log => return None,
                };
                Some(Found { score: found.score + own, ..found })
            });
            if let Some(found) = found {
                links.previous.push(found.previous);
                scores.push(found.score);
                waiting.push(row);
                links.detours.extend(found.detour.map(|detour| (row, detour)));
                newest = row;
            } else {
                links.previous.push(UNREACHED | newest);
                scores.push(Score::MAX);
            }
        }
        for kept in waiting {
            let score = |row: u32| scores[(row - first) as usize];
            links.lower[(kept - first) as usize] = minima.push(kept, &score(kept), score).unwrap_or(NONE);
        }
        links
    }

    /// The best of the chains that end before row `end`, at or after `from`.
    fn best_before(self, known: &Links, end: u32, from: i64) -> Option<(Score, u32)> {
        let until = |row: u32| self.terms.rows.until[row as usize];
        let newest = known.newest_before(end, self.lane.rows.start);
        let mut best = newest.filter(|row| until(*row) >= from)?;
        loop {
            let lower = known.lower(best);
            if lower == NONE || until(lower) < from {
                return Some((Chains::new(known, None).score(self.terms, best), best));
            }
            best = lower;
        }
    }

    /// The chain that an exact row continues.
    fn onto_parent(
        self,
        row: u32,
        chains: &Chains<'_>,
        known: Option<&Links>,
        swept: impl Fn(u32) -> Option<Score>,
    ) -> Option<Found> {
        let parent = parent(self.terms, self.ids, row)?;
        if !chains.is_reached(parent) {
            return None;
        }
        if self.is_as_taken(parent, chains) {
            let score = swept(parent).unwrap_or_else(|| chains.score(self.terms, parent));
            return Some(Found { score, previous: parent, detour: None });
        }
        let until = self.terms.rows.until[parent as usize];
        let zone = self.settled_before(until);
        let span = Span { first: zone, end: parent + 1, limit: Some(until), except: Some(parent) };
        // What is before the zone is settled by then, whatever the limit of this sweep.
        let known = known.unwrap_or(chains.near);
        let near = self.sweep(span, Some(known));
        if !near.is_reached(parent) {
            return None;
        }
        let detour: Vec<u32> = Chains::new(&near, Some(known)).back(parent).collect();
        let score = detour.iter().filter_map(|row| self.terms.own(*row)).map(|(own, _)| own).sum();
        Some(Found { score, previous: parent, detour: Some(detour) })
    }

    /// Whether the best chain to `parent` leaves the state that it was taken of: a base is itself, an exact row makes its
    /// own state, and a cover one leaves what an earlier step caught after its end.
    fn is_as_taken(self, parent: u32, chains: &Chains<'_>) -> bool {
        let rows = self.terms.rows;
        let class = rows.class_of(parent);
        if Kind::of(class.kind, class.applies) != Kind::Cover {
            return true;
        }
        let until = rows.until[parent as usize];
        let early = self.settled_before(until);
        chains.back(parent).skip(1).take_while(|row| *row >= early).all(|row| rows.settled(row) <= until)
    }

    /// The first row of the lane that could be settled after `moment`.
    pub(super) fn settled_before(self, moment: i64) -> u32 {
        let range = &self.lane.rows;
        let column = &self.terms.rows.until[range.start as usize..range.end as usize];
        let least = moment.saturating_sub(self.lane.fuzz);
        range.start + number(column.partition_point(|until| *until <= least))
    }
}

/// The parent of an exact row, if it is there and ends where the row starts, in the same lane.
pub(super) fn parent(terms: &Terms<'_>, ids: &Ids, row: u32) -> Option<u32> {
    let rows = terms.rows;
    let id = rows.detail(row).parent?;
    // Mostly it is the row before; of several with one id the first is meant.
    let before = row.checked_sub(1).filter(|before| rows.id[*before as usize] == id && !rows.bad.contains_key(before));
    let parent = before.or_else(|| ids.find(rows, id))?;
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
