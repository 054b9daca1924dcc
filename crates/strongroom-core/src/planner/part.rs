//! One part of a request: its timelines in the order in which they were live, and what can be reached on them.

use std::collections::BTreeSet;

use super::carried::best_start;
use super::catalogue::Catalogue;
use super::end::Cover;
use super::entry::Timeline;
use super::lane::Lane;
use super::logs::Logs;
use super::plan::Reached;
use super::reason::Reason;
use super::target::Request;
use super::terms::Score;
use super::view::{Route, View};
use crate::Timestamp;
use crate::id::{ClusterId, TimelineId};
use crate::model::Filter;

/// Later than every backup.
pub(super) const LATEST: i64 = 1 << 61;

/// A lane and the time in which it was its part's live history.
#[derive(Debug)]
pub(in crate::planner) struct History<'a> {
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
    /// Log segments to be replayed after it, up to `reached.until`. `None`: it is reached without logs. Empty: the logs
    /// prove that nothing changed since.
    pub(super) replay: Option<Vec<u32>>,
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
            let logs = catalogue.logs(lane, request, Some(&filter), gone);
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
        let limit = limit.min(self.histories[choice.history].ended);
        let (reason, what) = choice.cover.as_ref()?.hole(limit)?;
        (choice.reached.until.micros() < limit).then_some(Lost { reason, what })
    }
}

impl History<'_> {
    /// The newest point with no change after `limit`, then the least risk, then the least cost: a chain by itself, or
    /// one that the logs carry there.
    fn newest(&self, limit: i64, history: usize) -> Option<Choice> {
        let route = self.view.best_at(limit)?;
        let cover = self.logs.cover(route.until);
        let goal = cover.as_ref().and_then(|cover| self.carried(&route, cover.upto, limit));
        let until = goal.unwrap_or(route.until);
        // Logs may also reach the end of a chain, from an older state and at less risk.
        let start = cover.as_ref().and_then(|_| {
            let bound = goal.is_none().then(|| self.score(&route));
            best_start(&self.view, &self.logs, until, bound)
        });
        if let Some(start) = start {
            let replay = self.logs.segments(start.until, until);
            let moment = Timestamp::from_micros(until);
            let reached = Reached { until: moment, settled: moment };
            return Some(Choice { history, route: start, replay: Some(replay), reached, cover });
        }
        let reached = route.reached();
        Some(Choice { history, route, replay: None, reached, cover })
    }

    /// The moment after the end of `newest` to which logs carry it, whose cover ends at `upto`, or an earlier state: one
    /// that is settled later than its logs go can't be cut at their end.
    fn carried(&self, newest: &Route, upto: i64, limit: i64) -> Option<i64> {
        let (mut goal, mut settled) = (limit.min(upto), newest.settled);
        loop {
            if goal <= newest.until {
                return None;
            }
            if goal >= settled {
                return Some(goal);
            }
            let earlier = self.view.best_at(goal)?;
            settled = earlier.settled;
            goal = goal.min(self.logs.cover(earlier.until)?.upto);
        }
    }

    fn score(&self, route: &Route) -> Score {
        route.rows.iter().filter_map(|row| self.view.terms.own(*row)).map(|(own, _)| own).sum()
    }
}

/// The timelines of a part with the time in which each was live, oldest first. A timeline that the catalogue does not
/// tell of began with its first backup.
fn spans(catalogue: &Catalogue, cluster: ClusterId, part: &str, lanes: &[&Lane]) -> Vec<(TimelineId, i64, i64, bool)> {
    let known: Vec<&Timeline> =
        catalogue.timelines().iter().filter(|it| it.cluster == cluster && it.part == part).collect();
    let first = |id: TimelineId| {
        let lane = lanes.iter().find(|lane| lane.timeline == id)?;
        let rows = &catalogue.rows;
        let timed = |row: &u32| rows.bad.get(row) != Some(&Reason::BadWindow);
        lane.rows.clone().find(timed).map(|row| rows.until[row as usize])
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
