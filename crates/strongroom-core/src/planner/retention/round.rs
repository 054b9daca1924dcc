//! One round: rules, what blocks, closure, outcome, check.

use std::collections::{BTreeMap, BTreeSet};

use super::blocks::Blocks;
use super::logs::{LogNeeds, LogSizes, witnesses};
use super::marks::Marks;
use super::outcome::Outcome;
use super::plan::{Block, RetentionPlan};
use super::policy::RetentionPolicy;
use super::reasons::Reasons;
use super::request::RetentionRequest;
use super::series::PartSeries;
use super::{check, rules, size};
use crate::id::ClusterId;
use crate::model::Status;
use crate::planner::catalogue::Catalogue;
use crate::planner::reason::Reason;
use crate::{Result, Timestamp};

/// One part, and what was decided of it.
pub(super) struct Decided<'a> {
    pub(super) part: PartSeries<'a>,
    /// Why points are kept, by series.
    pub(super) why: Vec<Vec<Reasons>>,
    /// What blocks rows, kept ones too.
    pub(super) blocked: BTreeMap<u32, Vec<Block>>,
    pub(super) over_size: u64,
}

pub(super) fn retain(catalogue: &Catalogue, request: &RetentionRequest) -> Result<RetentionPlan> {
    let blocks = Blocks::of(catalogue, request.now, &request.activity);
    let mut marks = Marks::new(catalogue.len());
    let mut needs = LogNeeds::default();
    let mut decided = Vec::new();
    for part in parts_of(catalogue, request.cluster) {
        let policy = request.policy_of(part.name);
        let why = part.series.iter().map(|series| rules::choose(series, policy, request.now)).collect();
        let blocked = block(catalogue, &part, &blocks, policy, request.now, &mut marks);
        let mut one = Decided { part, why, blocked, over_size: 0 };
        one.settle(catalogue, policy, &mut marks);
        needs.add(&one.part, &one.why, policy);
        one.keep_witnesses(catalogue, &needs, &mut marks);
        one.measure(catalogue, policy, &needs, &marks);
        decided.push(one);
    }
    let mut outcome = Outcome::new(catalogue, request.now, &marks);
    for one in &decided {
        outcome.part(one);
    }
    outcome.logs(&needs, request, &blocks);
    let (plan, gone) = outcome.finish();
    check::nothing_lost(catalogue, &decided, &marks, &needs, &gone)?;
    Ok(plan)
}

/// Every part of the clusters that are meant.
pub(super) fn parts_of(catalogue: &Catalogue, cluster: Option<ClusterId>) -> impl Iterator<Item = PartSeries<'_>> {
    let lanes = catalogue
        .lanes
        .iter()
        .filter(move |lane| lane.node.is_none() && cluster.is_none_or(|cluster| cluster == lane.cluster));
    let names: BTreeSet<(ClusterId, &str)> = lanes.map(|lane| (lane.cluster, lane.part.as_str())).collect();
    names.into_iter().map(|(cluster, name)| PartSeries::of(catalogue, cluster, name))
}

/// Whether a row is none of this round's business: it is condemned already, or another row is the same backup.
pub(super) fn is_settled_already(catalogue: &Catalogue, row: u32) -> bool {
    let rows = &catalogue.rows;
    let twice = || {
        let first = catalogue.ids.find(rows, rows.id[row as usize]);
        first.is_some_and(|first| first != row && rows.bad.get(&first) != Some(&Reason::DuplicateId))
    };
    rows.class_of(row).status == Status::Deleted || (rows.bad.get(&row) == Some(&Reason::DuplicateId) && twice())
}

/// Marks points, and everything that is blocked.
fn block(
    catalogue: &Catalogue,
    part: &PartSeries<'_>,
    blocks: &Blocks<'_>,
    policy: &RetentionPolicy,
    now: Timestamp,
    marks: &mut Marks,
) -> BTreeMap<u32, Vec<Block>> {
    for point in part.series.iter().flat_map(|series| &series.points) {
        marks.point(point.row);
    }
    let rows = &catalogue.rows;
    let newest = part.newest();
    let mut blocked = BTreeMap::new();
    for lane in &part.lanes {
        let of_lane = blocks.of_lane(lane);
        for row in lane.rows.clone().filter(|row| !is_settled_already(catalogue, *row)) {
            let mut by = blocks.of_row(row);
            by.extend_from_slice(&of_lane);
            if !marks.is_point(row) {
                let until = rows.counts(row).created.plus_micros(policy.keep_unusable.micros());
                by.extend((until > now).then_some(Block::Unusable { until }));
                let nothing_newer = newest.is_none_or(|newest| newest <= rows.until[row as usize]);
                by.extend(nothing_newer.then_some(Block::NothingNewer));
            }
            if !by.is_empty() {
                marks.block(row);
                blocked.insert(row, by);
            }
        }
    }
    blocked
}

impl Decided<'_> {
    /// Marks what is kept, as far as there is room, and all that stays with it.
    fn settle(&mut self, catalogue: &Catalogue, policy: &RetentionPolicy, marks: &mut Marks) {
        if let Some(bound) = policy.max_size {
            let logs = LogSizes::of(catalogue, &self.part);
            size::limit(&self.part, &mut self.why, marks, &catalogue.rows, &logs, policy, bound.0);
        }
        for (series, why) in self.part.series.iter().zip(&self.why) {
            for (point, _) in series.points.iter().zip(why).filter(|(_, why)| !why.is_empty()) {
                marks.keep(point.row);
            }
        }
        marks.close(&self.part);
    }

    /// Logs are worth as much as what is known of the nodes that wrote them.
    fn keep_witnesses(&mut self, catalogue: &Catalogue, needs: &LogNeeds, marks: &mut Marks) {
        let mut more = false;
        for (timeline, since) in needs.of_part(&self.part) {
            let lanes = self.part.lanes.iter().filter(|lane| lane.timeline == timeline);
            for row in lanes.flat_map(|lane| witnesses(catalogue, lane, since)) {
                if !marks.stays(row) && !is_settled_already(catalogue, row) {
                    marks.block(row);
                    self.blocked.insert(row, vec![Block::LogWitness]);
                    more = true;
                }
            }
        }
        if more {
            marks.close(&self.part);
        }
    }

    /// What must stay beyond the bound.
    fn measure(&mut self, catalogue: &Catalogue, policy: &RetentionPolicy, needs: &LogNeeds, marks: &Marks) {
        if let Some(bound) = policy.max_size {
            let since = needs.of_part(&self.part).map(|(_, since)| since).min();
            let logs = since.map_or(0, |since| LogSizes::of(catalogue, &self.part).after(since));
            let total = size::staying(&self.part, marks, &catalogue.rows).saturating_add(logs);
            self.over_size = total.saturating_sub(bound.0);
        }
    }
}
