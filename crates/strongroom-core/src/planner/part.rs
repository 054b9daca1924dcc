//! One part of a request: its timelines in the order in which they were live, and what can be reached on them.

use std::collections::BTreeSet;

use super::catalogue::Catalogue;
use super::entry::Timeline;
use super::lane::Lane;
use super::logs::{Cover, Logs};
use super::plan::Reached;
use super::reason::Reason;
use super::target::Request;
use super::view::{Route, View};
use crate::Timestamp;
use crate::id::{ClusterId, TimelineId};
use crate::model::Filter;

/// Later than every backup.
pub(super) const LATEST: i64 = 1 << 61;

/// A lane and the time in which it was its part's live history.
#[derive(Debug)]
pub(super) struct History<'a> {
    pub(super) view: View<'a>,
    pub(super) logs: Logs<'a>,
    pub(super) began: i64,
    /// When a restore ended it; [`LATEST`] for the one that is live.
    pub(super) ended: i64,
    /// Whether the catalogue tells when it began.
    pub(super) known: bool,
}

/// One part as a request sees it.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    pub(super) filter: Filter,
    /// Oldest first.
    pub(super) histories: Vec<History<'a>>,
}

/// A point that is chosen.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    /// Which of the part's histories.
    pub(super) history: usize,
    pub(super) route: Route,
    /// Log segments to be replayed after it, up to `reached.until`.
    pub(super) replay: Vec<u32>,
    pub(super) reached: Reached,
    /// What kept logs from going further.
    pub(super) cover: Option<Cover>,
}

/// Something that was backed up between what is reached and what was asked.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    pub(super) reason: Reason,
    pub(super) what: String,
}

impl<'a> Part<'a> {
    /// The part `name` of `cluster`; `None` if the catalogue has no backup of it.
    pub(super) fn of(
        catalogue: &'a Catalogue,
        cluster: ClusterId,
        name: &'a str,
        request: &Request,
        gone: Option<&'a BTreeSet<u32>>,
    ) -> Option<Self> {
        let filter = request.scope.filter_of(name)?;
        let lanes: Vec<&Lane> = catalogue.lanes_of_part(cluster, name).collect();
        let named = request.timelines.get(name);
        let mut histories: Vec<History<'a>> = Vec::with_capacity(lanes.len());
        for (timeline, began, ended, known) in spans(catalogue, cluster, name, &lanes) {
            let Some(lane) = lanes.iter().find(|lane| lane.timeline == timeline) else { continue };
            let (began, ended) = match named {
                Some(named) if *named != timeline => continue,
                Some(_) => (i64::MIN, LATEST),
                None => (began, ended),
            };
            let view = catalogue.view(lane, request, Some(&filter), gone);
            let logs = catalogue.logs(lane, request, gone);
            histories.push(History { view, logs, began, ended, known });
        }
        (!histories.is_empty()).then_some(Self { name, filter, histories })
    }

    /// The newest point with no change after `limit`.
    pub(super) fn newest(&self, limit: i64) -> Option<Choice> {
        let live = self.histories.iter().enumerate().rev().filter(|(_, history)| history.began <= limit);
        live.into_iter().find_map(|(at, history)| history.newest(limit.min(history.ended), at))
    }

    /// The earliest point that `limit` excludes.
    pub(super) fn next_after(&self, limit: i64) -> Option<Reached> {
        let live = self.histories.iter().filter(|history| history.ended > limit);
        let routes = live.filter_map(|history| {
            history.view.next_after(limit).filter(|route| route.settled <= history.ended).map(|route| route.reached())
        });
        routes.min()
    }

    /// What was backed up after `reached` with no change after `limit`, and is out of reach. Deleted backups and those
    /// of a narrower filter are no loss: nobody promised them to this request.
    pub(super) fn lost(&self, choice: Option<&Choice>, limit: i64) -> Option<Lost> {
        let from = choice.map_or(i64::MIN, |choice| choice.reached.until.micros());
        let oldest = choice.map_or(0, |choice| choice.history);
        for history in self.histories[oldest..].iter().rev().filter(|history| history.began <= limit) {
            let limit = limit.min(history.ended);
            let view = &history.view;
            let range = view.after(from).max(view.lane.rows.start)..view.after(limit);
            for row in range.rev() {
                if view.rows.settled(row) > limit || view.rows.bad.get(&row) == Some(&Reason::BadWindow) {
                    continue;
                }
                let refusal = view.terms.refusal(row);
                if !view.is_reached(row) && !matches!(refusal, Some(Reason::Deleted | Reason::FilterTooNarrow)) {
                    let (reason, what) = view.explain_unreached(row);
                    return Some(Lost { reason, what });
                }
            }
        }
        let choice = choice?;
        let (logs, cover) = (&self.histories[choice.history].logs, choice.cover.as_ref()?);
        let (reason, what) = logs.hole(cover, limit.min(self.histories[choice.history].ended))?;
        (choice.reached.until.micros() < limit).then_some(Lost { reason, what })
    }
}

impl History<'_> {
    fn newest(&self, limit: i64, history: usize) -> Option<Choice> {
        let mut route = self.view.best_at(limit)?;
        let plain = |route: Route, cover| {
            let reached = route.reached();
            Choice { history, route, replay: Vec::new(), reached, cover }
        };
        if self.logs.nodes.is_empty() || route.until == limit {
            return Some(plain(route, None));
        }
        let first = self.cover(&route);
        let mut best = plain(route.clone(), first.clone());
        let mut cover = first.clone();
        // A state that is settled later than the logs go can't be cut at their end: an earlier one can.
        while let Some(now) = cover {
            let goal = limit.min(now.upto);
            if goal <= best.reached.until.micros() {
                break;
            }
            if goal >= route.settled {
                let replay = self.logs.segments(self.nodes(&route), route.until, goal);
                let moment = Timestamp::from_micros(goal);
                let reached = Reached { until: moment, settled: moment };
                best = Choice { history, route, replay, reached, cover: Some(now) };
                break;
            }
            let Some(earlier) = self.view.best_at(goal) else { break };
            route = earlier;
            cover = self.cover(&route);
        }
        Some(best)
    }

    fn nodes(&self, route: &Route) -> &[String] {
        route.rows.last().map_or(&[], |row| self.view.rows.class_of(*row).nodes.as_slice())
    }

    fn cover(&self, route: &Route) -> Option<Cover> {
        self.logs.cover(self.nodes(route), route.until)
    }
}

/// The timelines of a part with the time in which each was live, oldest first. A timeline that the catalogue does not
/// tell of began with its first backup.
fn spans(catalogue: &Catalogue, cluster: ClusterId, part: &str, lanes: &[&Lane]) -> Vec<(TimelineId, i64, i64, bool)> {
    let known: Vec<&Timeline> =
        catalogue.timelines().iter().filter(|it| it.cluster == cluster && it.part == part).collect();
    let first = |id: TimelineId| {
        let lane = lanes.iter().find(|lane| lane.timeline == id)?;
        Some(catalogue.rows.until[lane.rows.start as usize])
    };
    let mut ids: BTreeSet<TimelineId> = lanes.iter().map(|lane| lane.timeline).collect();
    ids.extend(known.iter().map(|timeline| timeline.id));
    let mut spans: Vec<(i64, TimelineId, bool)> = ids
        .into_iter()
        .map(|id| {
            let told = known.iter().find(|timeline| timeline.id == id);
            let began = told.and_then(|timeline| timeline.began).map(Timestamp::micros);
            // A timeline without parent is the first one, if it is known at all.
            let root = told.is_some_and(|timeline| timeline.parent.is_none());
            (began.or_else(|| first(id)).unwrap_or(LATEST), id, began.is_some() || root)
        })
        .filter(|(began, ..)| *began < LATEST)
        .collect();
    spans.sort_unstable();
    let alone = spans.len() == 1;
    if let Some(oldest) = spans.first_mut() {
        *oldest = (i64::MIN, oldest.1, true);
    }
    let ends = spans.iter().skip(1).map(|(began, ..)| *began).chain([LATEST]);
    spans.iter().zip(ends).map(|((began, id, known), ended)| (*id, *began, ended, *known || alone)).collect()
}

impl Catalogue {
    /// The lanes of a part, without logs.
    pub(super) fn lanes_of_part<'a>(&'a self, cluster: ClusterId, part: &str) -> impl Iterator<Item = &'a Lane> {
        let key = |lane: &Lane| lane.node.is_some();
        let logs = self.lanes.partition_point(|lane| !key(lane));
        let lanes = &self.lanes[..logs];
        let start = lanes.partition_point(|lane| (lane.cluster, lane.part.as_str()) < (cluster, part));
        let end = start + lanes[start..].partition_point(|lane| lane.cluster == cluster && lane.part == part);
        lanes[start..end].iter()
    }
}
