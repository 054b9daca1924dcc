//! From marks to a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::blocks::Blocks;
use super::logs::{LogNeeds, first_needed};
use super::marks::{Marks, size_of};
use super::plan::{
    Block, Blocked, Going, KeptPoint, Later, LogRetention, Needed, PartRetention, RETENTION_FORMAT, RetentionPlan,
    RetentionTotals,
};
use super::reasons::Reasons;
use super::rebase;
use super::request::RetentionRequest;
use super::round::{Decided, is_settled_already};
use super::series::Series;
use crate::Timestamp;
use crate::planner::catalogue::Catalogue;
use crate::planner::lane::Lane;
use crate::planner::plan::Reached;
use crate::planner::rows::Rows;

/// A plan in the making.
pub(super) struct Outcome<'a> {
    catalogue: &'a Catalogue,
    marks: &'a Marks,
    plan: RetentionPlan,
    later: BTreeMap<Timestamp, Later>,
    gone: Vec<u32>,
}

impl<'a> Outcome<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, now: Timestamp, marks: &'a Marks) -> Self {
        let plan = RetentionPlan {
            format: RETENTION_FORMAT,
            generation: catalogue.generation(),
            now,
            parts: Vec::new(),
            logs: Vec::new(),
            totals: RetentionTotals::default(),
            later: Vec::new(),
        };
        Self { catalogue, marks, plan, later: BTreeMap::new(), gone: Vec::new() }
    }

    /// The plan, and the rows that go, growing.
    pub(super) fn finish(mut self) -> (RetentionPlan, Vec<u32>) {
        self.plan.later = self.later.into_values().collect();
        self.gone.sort_unstable();
        (self.plan, self.gone)
    }

    fn going(&self, row: u32) -> Going {
        let rows = &self.catalogue.rows;
        let (kind, until) = (rows.class_of(row).kind, Timestamp::from_micros(rows.until[row as usize]));
        Going { backup: rows.id[row as usize], kind, until, freed: size_of(rows, row) }
    }

    pub(super) fn part(&mut self, decided: &Decided<'_>) {
        let rows = &self.catalogue.rows;
        let part = &decided.part;
        let kept = decided.kept(rows);
        let mut all: Vec<u32> = part.lanes.iter().flat_map(|lane| lane.rows.clone()).collect();
        if part.lanes.len() > 1 {
            all.sort_by_key(|row| (rows.until[*row as usize], *row));
        }
        let (mut needed, mut blocked, mut going) = (Vec::new(), Vec::new(), Vec::new());
        for row in all {
            if self.marks.is_kept(row) || is_settled_already(self.catalogue, row) {
                continue;
            }
            let backup = rows.id[row as usize];
            if self.marks.is_blocked(row) {
                let by = decided.blocked.get(&row).cloned().unwrap_or_default();
                blocked.push(Blocked { backup, by, freed: size_of(rows, row) });
            } else if let Some(by) = self.marks.needed_by(row) {
                needed.push(Needed { backup, by: rows.id[by as usize], freed: size_of(rows, row) });
            } else {
                self.gone.push(row);
                going.push(self.going(row));
            }
        }
        going.reverse();
        let rebase = rebase::outlook(part, self.marks, rows, &decided.blocked, &mut self.later);
        let totals = &mut self.plan.totals;
        totals.points += kept.len() as u64;
        totals.needed += needed.len() as u64;
        totals.add(&blocked, &going);
        self.plan.parts.push(PartRetention {
            cluster: part.cluster,
            part: part.name.to_owned(),
            kept,
            needed,
            blocked,
            going,
            rebase,
            over_size: decided.over_size,
        });
    }

    pub(super) fn logs(&mut self, needs: &LogNeeds, request: &RetentionRequest, blocks: &Blocks<'_>) {
        let meant = |lane: &&Lane| request.cluster.is_none_or(|cluster| cluster == lane.cluster);
        let lanes: Vec<&Lane> = self.catalogue.lanes.iter().filter(meant).collect();
        for lane in lanes {
            if let Some(node) = &lane.node {
                self.log(lane, node, needs.of(lane), request, blocks);
            }
        }
    }

    fn log(&mut self, lane: &Lane, node: &str, since: Option<i64>, request: &RetentionRequest, blocks: &Blocks<'_>) {
        let rows = &self.catalogue.rows;
        let first = since.map_or(lane.rows.end, |since| first_needed(self.catalogue, lane, since));
        let keep_unusable = request.policy_of(&lane.part).keep_unusable.micros();
        let of_lane = blocks.of_lane(lane);
        let mut log = LogRetention {
            cluster: lane.cluster,
            part: lane.part.clone(),
            node: node.to_owned(),
            needed_from: since.map(Timestamp::from_micros),
            kept: u64::from(lane.rows.end - first),
            blocked: Vec::new(),
            going: Vec::new(),
        };
        for row in (lane.rows.start..first).rev().filter(|row| !is_settled_already(self.catalogue, *row)) {
            let mut by = blocks.of_row(row);
            by.extend_from_slice(&of_lane);
            if since.is_none() {
                // Nothing can be said of them yet: a base may be on its way.
                let until = rows.counts(row).created.plus_micros(keep_unusable);
                by.extend((until > request.now).then_some(Block::Unusable { until }));
            }
            if by.is_empty() {
                self.gone.push(row);
                log.going.push(self.going(row));
            } else {
                let freed = size_of(rows, row);
                self.add_later(&by, freed);
                log.kept += 1;
                log.blocked.push(Blocked { backup: rows.id[row as usize], by, freed });
            }
        }
        log.blocked.reverse();
        self.plan.totals.add(&log.blocked, &log.going);
        self.plan.logs.push(log);
    }

    /// Log segments that were named.
    pub(super) fn segments(&mut self, gone: &BTreeSet<u32>) {
        let catalogue = self.catalogue;
        for lane in &catalogue.lanes {
            let Some(node) = &lane.node else { continue };
            let going: Vec<u32> = gone.range(lane.rows.clone()).rev().copied().collect();
            if !going.is_empty() {
                let log = LogRetention {
                    cluster: lane.cluster,
                    part: lane.part.clone(),
                    node: node.clone(),
                    needed_from: None,
                    kept: lane.rows.len() as u64 - going.len() as u64,
                    blocked: Vec::new(),
                    going: going.iter().map(|row| self.going(*row)).collect(),
                };
                self.plan.totals.add(&log.blocked, &log.going);
                self.plan.logs.push(log);
            }
        }
    }

    fn add_later(&mut self, by: &[Block], freed: super::plan::Freed) {
        let at = rebase::free_at(by);
        if at < i64::MAX {
            rebase::add(&mut self.later, Timestamp::from_micros(at), freed);
        }
    }
}

impl Decided<'_> {
    /// The kept points, oldest first.
    fn kept(&self, rows: &Rows) -> Vec<KeptPoint> {
        let points = |(series, why): (&Series<'_>, &Vec<Reasons>)| {
            let kept = series.points.iter().zip(why).filter(|(_, why)| !why.is_empty());
            kept.map(|(point, why)| (point.until, point.row, *why)).collect::<Vec<_>>()
        };
        let mut all: Vec<(i64, u32, Reasons)> = self.part.series.iter().zip(&self.why).flat_map(points).collect();
        if self.part.series.len() > 1 {
            all.sort_by_key(|(until, row, _)| (*until, *row));
        }
        let mut kept = Vec::with_capacity(all.len());
        for same in all.chunk_by(|a, b| a.1 == b.1) {
            let (until, row, _) = same[0];
            let Some((series, history)) = self.part.owner(row) else { continue };
            let settled = Timestamp::from_micros(series.chains[history].settled(row));
            let reached = Reached { until: Timestamp::from_micros(until), settled };
            let why = same.iter().flat_map(|(.., why)| why.iter()).collect();
            kept.push(KeptPoint { backup: rows.id[row as usize], reached, why, partial: series.partial });
        }
        kept
    }
}

impl RetentionTotals {
    fn add(&mut self, blocked: &[Blocked], going: &[Going]) {
        self.blocked += blocked.len() as u64;
        self.going += going.len() as u64;
        for one in blocked {
            self.blocked_size += one.freed;
        }
        for one in going {
            self.going_size += one.freed;
        }
    }
}
