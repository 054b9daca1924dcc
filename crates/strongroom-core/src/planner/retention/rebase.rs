//! What keeps needed backups there: until when, and which kept increment a new base would free them from.

use std::collections::BTreeMap;

use super::marks::{Marks, size_of};
use super::plan::{Block, Freed, Later, Rebase};
use super::series::PartSeries;
use crate::Timestamp;
use crate::planner::rows::Rows;
use crate::planner::terms::Kind;

/// None, or more than one.
const NONE: u32 = u32::MAX - 1;
const MANY: u32 = u32::MAX;

/// Why the rows of one history stay; by row.
#[derive(Debug)]
struct Holds<'a> {
    marks: &'a Marks,
    first: u32,
    /// The one row that stays by itself and on whose behalf alone this row stays.
    head: Vec<u32>,
    /// When the last one that keeps this row lets it go; `i64::MAX`: nobody knows.
    freed: Vec<i64>,
    /// Whether an exact increment that stays applies to it: no base can take its place.
    exact: Vec<bool>,
}

impl<'a> Holds<'a> {
    fn of(part: &PartSeries<'_>, history: usize, marks: &'a Marks, blocked: &BTreeMap<u32, Vec<Block>>) -> Self {
        let view = &part.series[0].part.histories[history].view;
        let range = view.lane.rows.clone();
        let own = |row: u32| match blocked.get(&row) {
            _ if marks.is_kept(row) => i64::MAX,
            Some(by) if marks.is_blocked(row) => free_at(by),
            _ => i64::MIN,
        };
        let mut holds = Self {
            marks,
            first: range.start,
            head: vec![NONE; range.len()],
            freed: range.clone().map(own).collect(),
            exact: vec![false; range.len()],
        };
        let kinds = &view.rows.classes.list;
        let is_exact = |row: u32| {
            let class = &kinds[view.rows.class[row as usize] as usize];
            Kind::of(class.kind, class.applies) == Kind::Exact
        };
        part.descend(
            history,
            &mut holds,
            |holds, row| holds.marks.stays(row),
            |holds, row, previous| {
                let (at, to) = (holds.at(row), holds.at(previous));
                let head = if marks.needed_by(row).is_some() { holds.head[at] } else { row };
                holds.head[to] = if [NONE, head].contains(&holds.head[to]) { head } else { MANY };
                holds.freed[to] = holds.freed[to].max(holds.freed[at]);
                holds.exact[to] |= is_exact(row);
            },
        );
        holds
    }

    fn at(&self, row: u32) -> usize {
        (row - self.first) as usize
    }

    /// The kept increment that alone keeps `row`, if a base could take its place.
    fn replaceable(&self, row: u32) -> Option<u32> {
        let head = Some(self.head[self.at(row)]).filter(|head| *head < NONE && self.marks.is_kept(*head))?;
        (!self.exact[self.at(head)]).then_some(head)
    }
}

/// When the last of these blocks no more; `i64::MAX`: nobody knows.
pub(super) fn free_at(by: &[Block]) -> i64 {
    by.iter().map(|block| block.until().map_or(i64::MAX, Timestamp::micros)).max().unwrap_or(i64::MIN)
}

/// Notes that a backup becomes free.
pub(super) fn add(later: &mut BTreeMap<Timestamp, Later>, at: Timestamp, freed: Freed) {
    let entry = later.entry(at).or_insert(Later { at, backups: 0, freed: Freed::default() });
    entry.backups += 1;
    entry.freed += freed;
}

/// The bases that would be worth making, oldest first; and what goes by itself one day.
pub(super) fn outlook(
    part: &PartSeries<'_>,
    marks: &Marks,
    rows: &Rows,
    blocked: &BTreeMap<u32, Vec<Block>>,
    later: &mut BTreeMap<Timestamp, Later>,
) -> Vec<Rebase> {
    let mut rebase: BTreeMap<u32, Rebase> = BTreeMap::new();
    for history in 0..part.histories() {
        let holds = Holds::of(part, history, marks, blocked);
        for row in part.series[0].part.histories[history].view.lane.rows.clone() {
            let needed = marks.needed_by(row).is_some();
            if !needed && (!marks.is_blocked(row) || marks.is_kept(row)) {
                continue;
            }
            let (size, freed) = (size_of(rows, row), holds.freed[holds.at(row)]);
            if freed < i64::MAX {
                add(later, Timestamp::from_micros(freed), size);
            }
            if let Some(head) = holds.replaceable(row).filter(|_| needed) {
                let at = rows.id[head as usize];
                let entry = rebase.entry(head).or_insert(Rebase { at, backups: 0, freed: Freed::default() });
                entry.backups += 1;
                entry.freed += size;
            }
        }
    }
    rebase.into_values().collect()
}
