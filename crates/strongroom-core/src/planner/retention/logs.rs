//! Which log segments stay: those after the points that need them.

use std::collections::BTreeMap;

use super::policy::RetentionPolicy;
use super::reasons::{KeepReason, Reasons};
use super::series::PartSeries;
use crate::id::{ClusterId, TimelineId};
use crate::model::PartName;
use crate::planner::catalogue::Catalogue;
use crate::planner::lane::Lane;
use crate::planner::part::History;
use crate::planner::reason::Reason;
use crate::planner::target::Request;
use crate::planner::terms::Terms;

impl RetentionPolicy {
    /// Whether logs are replayed after a point that is kept for these reasons.
    pub(super) fn needs_logs(&self, why: Reasons) -> bool {
        let all = self.point_in_time.is_none() && !why.is_empty();
        all || why.contains(KeepReason::PointInTime) || why.contains(KeepReason::Latest)
    }
}

/// For each timeline of a part: the moment since which its logs must stay.
#[derive(Debug, Default)]
pub(super) struct LogNeeds(BTreeMap<(ClusterId, PartName, TimelineId), i64>);

impl LogNeeds {
    pub(super) fn add(&mut self, part: &PartSeries<'_>, why: &[Vec<Reasons>], policy: &RetentionPolicy) {
        for (series, why) in part.series.iter().zip(why) {
            for (point, _) in series.points.iter().zip(why).filter(|(_, why)| policy.needs_logs(**why)) {
                let timeline = series.part.histories[point.history].view.lane.timeline;
                let since = self.0.entry((part.cluster, part.name.to_owned(), timeline)).or_insert(i64::MAX);
                *since = point.until.min(*since);
            }
        }
    }

    /// The moment since which `log` must stay; `None`: no point needs it.
    pub(super) fn of(&self, log: &Lane) -> Option<i64> {
        let uses = |((cluster, part, timeline), _): &(&(ClusterId, PartName, TimelineId), &i64)| {
            *cluster == log.cluster && (log.part.is_empty() || (*part == log.part && *timeline == log.timeline))
        };
        self.0.iter().filter(uses).map(|(_, since)| *since).min()
    }

    /// The timelines of a part that need logs, with the moment since which.
    pub(super) fn of_part<'a>(&'a self, part: &PartSeries<'_>) -> impl Iterator<Item = (TimelineId, i64)> + use<'a> {
        let (cluster, name) = (part.cluster, part.name.to_owned());
        let mine = move |key: &(ClusterId, PartName, TimelineId)| (key.0, &key.1) == (cluster, &name);
        self.0.iter().filter(move |(key, _)| mine(key)).map(|(key, since)| (key.2, *since))
    }

    /// The moment since which the logs of a timeline of a part must stay.
    pub(super) fn since(&self, cluster: ClusterId, part: &str, timeline: TimelineId) -> Option<i64> {
        self.0.get(&(cluster, part.to_owned(), timeline)).copied()
    }
}

/// How far logs carry the state of a row; at least to its end. `None`: there are no logs.
pub(super) fn carried(history: &History<'_>, row: u32) -> Option<i64> {
    let until = history.view.rows.until[row as usize];
    history.logs.cover(until).map(|cover| cover.upto.max(until))
}

/// By how much a log must begin before a state to be known to go back far enough, whatever bound on clock differences a
/// restore is asked with: ten minutes.
const MARGIN: i64 = 600_000_000;

/// The first segment of `log` that stays for the states since `since`.
///
/// Every segment with a later change, and at least one that can be used and begins well before: it proves that nothing is missing in
/// between, or that something is. Where none does, the log's beginning itself is what proves that.
pub(super) fn first_needed(catalogue: &Catalogue, log: &Lane, since: i64) -> u32 {
    let rows = &catalogue.rows;
    let early = since.saturating_sub(MARGIN);
    let (terms, _) = Terms::of(rows, log, &Request::anything(), None, None);
    let later = log.rows.clone().find(|row| rows.until[*row as usize] > since).unwrap_or(log.rows.end);
    let begins = log
        .rows
        .clone()
        .rev()
        .find(|row| rows.from[*row as usize] <= early && terms.own(*row).is_some())
        .unwrap_or(log.rows.start);
    later.min(begins)
}

/// The rows of `lane` that tell which nodes its cluster had since `since`, where that changes: the last that tells of the
/// nodes before, and the first that tells of those after. Which logs a point needs hangs on them.
pub(super) fn witnesses(catalogue: &Catalogue, lane: &Lane, since: i64) -> Vec<u32> {
    if !catalogue.lanes.iter().any(|log| carries(log, lane)) {
        return Vec::new();
    }
    let rows = &catalogue.rows;
    let nodes = |row: u32| &rows.class_of(row).nodes;
    let tells = |row: &u32| !nodes(*row).is_empty() && rows.bad.get(row) != Some(&Reason::BadWindow);
    let telling: Vec<u32> = lane.rows.clone().filter(tells).collect();
    let first = telling.partition_point(|row| rows.until[*row as usize] <= since).saturating_sub(1);
    let telling = telling.get(first..).unwrap_or_default();
    let changes = telling.windows(2).filter(|pair| nodes(pair[0]) != nodes(pair[1])).flatten();
    telling.first().into_iter().chain(changes).copied().collect()
}

/// Whether the segments of `log` carry the states of `lane` forward.
fn carries(log: &Lane, lane: &Lane) -> bool {
    log.node.is_some()
        && log.cluster == lane.cluster
        && (log.part.is_empty() || (log.part == lane.part && log.timeline == lane.timeline))
}

/// What the logs of a part take after a moment.
#[derive(Debug, Default)]
pub(super) struct LogSizes {
    /// Ends of segments, growing, each with the bytes of it and all later ones.
    sums: Vec<(i64, u64)>,
}

impl LogSizes {
    pub(super) fn of(catalogue: &Catalogue, part: &PartSeries<'_>) -> Self {
        let rows = &catalogue.rows;
        let mine = |log: &&Lane| part.lanes.iter().any(|lane| carries(log, lane));
        let segments = catalogue.lanes.iter().filter(mine).flat_map(|log| log.rows.clone());
        let mut sums: Vec<(i64, u64)> =
            segments.map(|row| (rows.until[row as usize], rows.counts(row).size.stored_bytes)).collect();
        sums.sort_unstable();
        let mut sum = 0_u64;
        for (_, bytes) in sums.iter_mut().rev() {
            sum = sum.saturating_add(*bytes);
            *bytes = sum;
        }
        Self { sums }
    }

    /// Bytes of the segments with changes after `moment`.
    pub(super) fn after(&self, moment: i64) -> u64 {
        self.sums.get(self.sums.partition_point(|(end, _)| *end <= moment)).map_or(0, |(_, bytes)| *bytes)
    }
}
