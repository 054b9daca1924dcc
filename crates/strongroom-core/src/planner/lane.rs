//! Lanes: the backups of one part on one timeline, in the order of time; the log segments of one node, in the order of
//! its ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::entry::LogSeq;
use super::ids::Ids;
use super::reason::Reason;
use super::rows::Rows;
use crate::id::{ClusterId, TimelineId};
use crate::model::PartName;

/// One lane.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub(super) cluster: ClusterId,
    /// Empty: log segments of every part.
    pub(super) part: PartName,
    pub(super) timeline: TimelineId,
    /// The node, for log segments.
    pub(super) node: Option<String>,
    pub(super) rows: Range<u32>,
    /// The largest `settled − until`.
    pub(super) fuzz: i64,
    /// The classes of its rows, growing.
    pub(super) classes: Vec<u32>,
}

/// Sorts the rows by lane and, within a lane, by `until` (log segments: by the ledger), then by `settled` and id: the
/// order of arrival is forgotten. Tells whether any row was moved.
pub(super) fn arrange(rows: &mut Rows) -> (Vec<Lane>, bool) {
    let mut lanes = BTreeMap::<_, Vec<u32>>::new();
    for (class, number) in rows.classes.list.iter().zip(0_u32..) {
        let name = (class.node.is_some(), class.cluster, &class.part, &class.node, class.timeline);
        lanes.entry(name).or_default().push(number);
    }
    let mut lane_of_class = vec![0_usize; rows.classes.list.len()];
    let mut made: Vec<Lane> = Vec::with_capacity(lanes.len());
    for ((_, cluster, part, node, timeline), classes) in lanes {
        for class in &classes {
            lane_of_class[*class as usize] = made.len();
        }
        let (part, node) = (part.clone(), node.clone());
        made.push(Lane { cluster, part, timeline, node, rows: 0..0, fuzz: 0, classes });
    }
    for class in &rows.class {
        made[lane_of_class[*class as usize]].rows.end += 1;
    }
    let mut start = 0;
    for lane in &mut made {
        lane.rows = start..start + lane.rows.end;
        start = lane.rows.end;
    }
    let mut next: Vec<u32> = made.iter().map(|lane| lane.rows.start).collect();
    let mut order = vec![0_u32; rows.len()];
    // Lanes of log segments are the last ones.
    let logs = made.iter().find(|lane| lane.node.is_some()).map_or(start, |lane| lane.rows.start);
    let mut ledger = vec![LogSeq { epoch: 0, seq: 0 }; (start - logs) as usize];
    let mut places = rows.places.iter().peekable();
    for (class, row) in rows.class.iter().zip(0_u32..) {
        let at = &mut next[lane_of_class[*class as usize]];
        order[*at as usize] = row;
        if let Some((_, place)) = places.next_if(|(of, _)| *of == row) {
            ledger[(*at - logs) as usize] = place.at;
        }
        *at += 1;
    }
    for lane in &made {
        let slice = &mut order[lane.rows.start as usize..lane.rows.end as usize];
        if lane.node.is_some() {
            sort_by_ledger(rows, slice, &ledger[(lane.rows.start - logs) as usize..(lane.rows.end - logs) as usize]);
        } else {
            sort_by_time(rows, slice);
        }
    }
    let moved = order.iter().zip(0_u32..).any(|(row, at)| *row != at);
    if moved {
        rows.permute(&order);
    }
    for lane in &mut made {
        let fuzz = |row: u32| rows.settled(row).saturating_sub(rows.until[row as usize]);
        lane.fuzz = lane.rows.clone().filter(|row| !rows.bad.contains_key(row)).map(fuzz).max().unwrap_or(0).max(0);
    }
    made.retain(|lane| !lane.rows.is_empty());
    (made, moved)
}

fn sort_by_time(rows: &Rows, slice: &mut [u32]) {
    let until = |row: u32| rows.until[row as usize];
    if slice.is_sorted_by(|a, b| until(*a) < until(*b)) {
        return;
    }
    let keyed = slice.iter().map(|row| (until(*row), *row)).collect();
    sort_by_keys(slice, keyed, |row| (rows.settled(row), rows.id[row as usize]));
}

/// `ledger` has the place of each row of `slice`.
fn sort_by_ledger(rows: &Rows, slice: &mut [u32], ledger: &[LogSeq]) {
    if ledger.is_sorted_by(|a, b| a < b) {
        return;
    }
    let keyed = ledger.iter().copied().zip(slice.iter().copied()).collect();
    sort_by_keys(slice, keyed, |row| (rows.until[row as usize], rows.id[row as usize]));
}

/// Sorts by keys that were looked up once a row, then by `rest`: ties are rare.
fn sort_by_keys<K: Ord, R: Ord>(slice: &mut [u32], mut keyed: Vec<(K, u32)>, rest: impl Fn(u32) -> R) {
    keyed.sort_unstable();
    for tied in keyed.chunk_by_mut(|a, b| a.0 == b.0) {
        if tied.len() > 1 {
            tied.sort_unstable_by_key(|(_, row)| rest(*row));
        }
    }
    for (at, (_, row)) in slice.iter_mut().zip(&keyed) {
        *at = *row;
    }
}

/// Marks rows that share an id: neither can be trusted to be meant. The same entry twice is one: gives the rows to drop.
pub(super) fn judge_ids(rows: &mut Rows, ids: &Ids) -> BTreeSet<u32> {
    let mut twins = BTreeSet::new();
    for group in ids.groups(rows) {
        let whole: Vec<_> = group.iter().map(|row| rows.entry(*row)).collect();
        if whole.windows(2).all(|pair| pair[0].is_some() && pair[0] == pair[1]) {
            twins.extend(&group[1..]);
        } else {
            for row in &group {
                rows.bad.entry(*row).or_insert(Reason::DuplicateId);
            }
        }
    }
    twins
}
