//! What keeps a backup that no rule keeps.

use std::collections::BTreeMap;

use super::plan::Block;
use super::request::Activity;
use crate::Timestamp;
use crate::planner::catalogue::Catalogue;
use crate::planner::class::Class;
use crate::planner::entry::{HeldState, PinKind};
use crate::planner::lane::Lane;
use crate::planner::reason::Reason;
use crate::planner::view::View;

/// Everything that blocks, by row, and what blocks everything.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    catalogue: &'a Catalogue,
    now: Timestamp,
    all: Vec<Block>,
    /// Leases and backups in flight.
    busy: BTreeMap<u32, Vec<Block>>,
    /// By class: the storage that does not answer and holds the only copy.
    unreachable: Vec<Option<&'a str>>,
}

impl<'a> Blocks<'a> {
    pub(super) fn of(catalogue: &'a Catalogue, now: Timestamp, activity: &Activity) -> Self {
        let mut all = Vec::new();
        if !catalogue.is_complete() {
            all.push(Block::CatalogueIncomplete);
        }
        all.extend(activity.needs_all.iter().map(|name| Block::Lease { name: name.clone() }));
        let mut busy: BTreeMap<u32, Vec<Block>> = BTreeMap::new();
        for (backup, name) in &activity.leases {
            if let Some(row) = catalogue.ids.find(&catalogue.rows, *backup) {
                busy.entry(row).or_default().push(Block::Lease { name: name.clone() });
            }
        }
        for flight in &activity.in_flight {
            let Some(from) = flight.from.map(Timestamp::micros) else { continue };
            let lanes = catalogue.lanes_of_part(flight.cluster, &flight.part);
            for lane in lanes.filter(|lane| lane.timeline == flight.timeline) {
                for row in continued(catalogue, lane, from) {
                    busy.entry(row).or_default().push(Block::InFlight { backup: flight.backup });
                }
            }
        }
        let unreachable = catalogue.rows.classes.list.iter().map(only_unreachable).collect();
        Self { catalogue, now, all, busy, unreachable }
    }

    /// What blocks every row of `lane`: a chain of which a storage does not tell is no broken chain.
    pub(super) fn of_lane(&self, lane: &Lane) -> Vec<Block> {
        let storage = lane.classes.iter().find_map(|class| self.unreachable[*class as usize]);
        let storage = storage.map(|storage| Block::StorageUnreachable { storage: storage.to_owned() });
        self.all.iter().cloned().chain(storage).collect()
    }

    /// What blocks `row` itself.
    pub(super) fn of_row(&self, row: u32) -> Vec<Block> {
        let mut found = self.busy.get(&row).cloned().unwrap_or_default();
        let rows = &self.catalogue.rows;
        if rows.bad.get(&row) == Some(&Reason::DuplicateId) {
            found.push(Block::DuplicateId);
        }
        if !rows.is_pinned_or_locked(row) {
            return found;
        }
        let detail = rows.detail(row);
        for pin in detail.pins.into_iter().filter(|pin| pin.until.is_none_or(|until| until > self.now)) {
            let (reason, until, by) = (pin.reason, pin.until, pin.by);
            found.push(match pin.kind {
                PinKind::Pin => Block::Pin { reason, until, by },
                PinKind::Hold => Block::Hold { reason, until, by },
                PinKind::Lease => Block::Lease { name: reason },
            });
        }
        let copies = &rows.class_of(row).copies;
        for (at, until) in detail.locks.into_iter().filter(|(_, until)| *until > self.now) {
            let storage = copies.get(at as usize).map(|copy| copy.storage.clone()).unwrap_or_default();
            found.push(Block::Locked { storage, until });
        }
        found
    }
}

/// The storage of a copy that may be there, if none is there for certain.
fn only_unreachable(class: &Class) -> Option<&str> {
    if class.copies.iter().any(|copy| copy.state == HeldState::Present) {
        return None;
    }
    class.copies.iter().find(|copy| copy.state == HeldState::Unreachable).map(|copy| copy.storage.as_str())
}

/// The rows that a backup which takes the changes since `from` may continue: those that end right there, and the newest.
fn continued(catalogue: &Catalogue, lane: &Lane, from: i64) -> Vec<u32> {
    let view: View<'_> = catalogue.view(lane, &crate::planner::target::Request::anything(), None, None);
    let newest = view.newest_before(lane.rows.end);
    let end = view.after(from);
    let right_there = (lane.rows.start..end).rev().take_while(|row| catalogue.rows.until[*row as usize] == from);
    right_there.chain(newest).collect()
}
