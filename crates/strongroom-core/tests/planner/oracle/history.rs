//! The timelines of one part, when each was live, and the best point at or before a moment.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_core::id::{ClusterId, TimelineId};
use strongroom_core::model::{BackupKind, Filter};
use strongroom_core::planner::{Reason, Request};

use super::chains::{Chain, chains};
use super::facts::{Fact, Score, facts, sum};
use super::logs::{Carry, State, Stream, carry, replay};
use crate::picture::World;

/// One timeline of a part.
pub(crate) struct History<'a> {
    pub(crate) timeline: TimelineId,
    pub(crate) began: i64,
    /// When a restore ended it.
    pub(crate) ended: i64,
    pub(crate) lane: Vec<Fact<'a>>,
    pub(crate) worth: Vec<Result<Score, Reason>>,
    pub(crate) chains: Vec<Chain>,
    pub(crate) streams: Vec<Stream>,
    /// The segments that the streams were made of.
    pub(crate) segments: Vec<Fact<'a>>,
    pub(crate) filter: Filter,
    margin: i64,
}

/// A point that can be reached: by a chain alone, or by logs after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) history: usize,
    pub(crate) until: i64,
    pub(crate) settled: i64,
    pub(crate) score: Score,
}

/// One part.
pub(crate) struct Part<'a> {
    pub(crate) name: &'a str,
    pub(crate) histories: Vec<History<'a>>,
}

impl<'a> Part<'a> {
    pub(crate) fn of(world: &'a World, cluster: ClusterId, name: &'a str, request: &Request) -> Self {
        let filter = request.scope.filter_of(name).unwrap_or_default();
        let all = facts(world);
        let own = |fact: &&Fact<'_>| fact.entry.cluster == cluster && fact.entry.kind != BackupKind::LogSegment;
        let mine: Vec<Fact<'_>> = all.iter().filter(own).filter(|fact| fact.entry.part == name).copied().collect();
        let mut histories = Vec::new();
        for (timeline, began, ended) in spans(world, cluster, name, &mine) {
            let lane: Vec<Fact<'a>> = mine.iter().filter(|fact| fact.entry.timeline == timeline).copied().collect();
            let named = request.timelines.get(name);
            if lane.is_empty() || named.is_some_and(|named| *named != timeline) {
                continue;
            }
            let (began, ended) = if named.is_some() { (i64::MIN, i64::MAX) } else { (began, ended) };
            let worth: Vec<_> = lane.iter().map(|fact| fact.judge(request, &filter)).collect();
            let usable: Vec<Option<Score>> = worth.iter().map(|worth| worth.ok()).collect();
            let own = |fact: &&Fact<'_>| fact.entry.part == name && fact.entry.timeline == timeline;
            let logged = all.iter().filter(|fact| fact.entry.cluster == cluster && fact.entry.log.is_some());
            let logged = logged.filter(|fact| fact.entry.part.is_empty() || own(fact)).copied();
            let segments: Vec<Fact<'a>> = logged.filter(|_| !request.no_logs).collect();
            histories.push(History {
                timeline,
                began,
                ended,
                chains: chains(&lane, &usable),
                lane,
                worth,
                streams: streams(&segments, request, &filter),
                segments,
                filter: filter.clone(),
                margin: request.log_margin_micros.max(0),
            });
        }
        Self { name, histories }
    }

    /// The best point with no change after `limit`: on the history that was live then or, if that has none, an earlier
    /// one; the newest, then the least risk, then the least cost.
    pub(crate) fn newest(&self, limit: i64) -> Option<Point> {
        let live = self.histories.iter().enumerate().filter(|(_, history)| history.began <= limit);
        live.rev().find_map(|(at, history)| history.best(at, limit.min(history.ended)))
    }

    /// Why something that was backed up after `from` and is settled by `limit` is out of reach: a reason for each.
    pub(crate) fn losses(&self, point: Option<Point>, limit: i64) -> BTreeSet<Reason> {
        let from = point.map_or(i64::MIN, |point| point.until);
        let mut losses = BTreeSet::new();
        for history in &self.histories[point.map_or(0, |point| point.history)..] {
            if history.began <= limit {
                losses.extend(history.losses(from, limit.min(history.ended)));
            }
        }
        let Some(point) = point else { return losses };
        let history = &self.histories[point.history];
        let limit = limit.min(history.ended);
        if point.until < limit && history.newest_carry(limit).is_some_and(|carry| carry.broken) {
            losses.extend([Reason::LogGap, Reason::LogStartsLate, Reason::LogEndsEarly, Reason::NodesUnknown]);
        }
        losses
    }

    /// Every moment at which something new may be had.
    pub(crate) fn settling(&self) -> BTreeSet<i64> {
        self.histories.iter().flat_map(|history| history.lane.iter().map(Fact::settled)).collect()
    }
}

impl History<'_> {
    pub(crate) fn state(&self, until: i64) -> State<'_> {
        let told = self.lane.iter().filter(|fact| fact.has_time());
        State { until, told: told.map(|fact| (fact.until(), fact.entry.nodes.as_slice())).collect() }
    }

    pub(crate) fn carry(&self, chain: &Chain, limit: i64) -> Option<Carry> {
        carry(&self.streams, &self.state(chain.until), limit, self.margin)
    }

    pub(crate) fn replay(&self, chain: &Chain, goal: i64) -> (Vec<(String, strongroom_core::planner::LogSeq)>, Score) {
        replay(&self.streams, &self.state(chain.until), goal, self.margin)
    }

    fn best(&self, history: usize, limit: i64) -> Option<Point> {
        let chains = || self.chains.iter().filter(|chain| chain.settled <= limit);
        // Where each chain can get to at most, with the logs.
        let carried: Vec<(&Chain, i64)> = chains()
            .filter_map(|chain| Some((chain, self.carry(chain, limit)?.upto.min(limit))))
            .filter(|(chain, goal)| *goal > chain.until && *goal >= chain.settled)
            .collect();
        let plain = chains().map(|chain| chain.until);
        let until = plain.chain(carried.iter().map(|(_, goal)| *goal)).max()?;
        let ends = chains().filter(|chain| chain.until == until);
        let ends = ends.map(|chain| Point { history, until, settled: chain.settled, score: chain.score });
        let fits = |(chain, goal): &&(&Chain, i64)| *goal >= until && chain.until < until && chain.settled <= until;
        let logs = carried.iter().filter(fits).map(|(chain, _)| Point {
            history,
            until,
            settled: until,
            score: sum(chain.score, self.replay(chain, until).1),
        });
        ends.chain(logs).min_by_key(|point| (point.score, point.settled))
    }

    /// How far the logs carry the newest state.
    fn newest_carry(&self, limit: i64) -> Option<Carry> {
        let newest = self.chains.iter().filter(|chain| chain.settled <= limit).max_by_key(|chain| chain.until)?;
        self.carry(newest, limit)
    }

    fn losses(&self, from: i64, limit: i64) -> BTreeSet<Reason> {
        let mut losses = BTreeSet::new();
        for (at, fact) in self.lane.iter().enumerate() {
            let within = fact.has_time() && fact.until() > from && fact.until() <= limit && fact.settled() <= limit;
            let ends = self.chains.iter().any(|chain| chain.steps.last() == Some(&at));
            let free = matches!(self.worth[at], Err(Reason::Deleted | Reason::FilterTooNarrow));
            if within && !ends && !free {
                losses.extend(self.causes(at));
            }
        }
        losses
    }

    /// Why no chain ends at a backup: its own fault, or that of what it needs.
    pub(crate) fn causes(&self, at: usize) -> BTreeSet<Reason> {
        if let Err(reason) = self.worth[at] {
            return BTreeSet::from([reason]);
        }
        let faults = self.worth.iter().filter_map(|worth| worth.err());
        faults.chain([Reason::Gap, Reason::ParentMissing, Reason::ParentUnusable]).collect()
    }
}

/// The ledgers of some segments.
fn streams(segments: &[Fact<'_>], request: &Request, filter: &Filter) -> Vec<Stream> {
    let mut ledgers: BTreeMap<(&str, bool), Vec<_>> = BTreeMap::new();
    for fact in segments {
        let Some(log) = &fact.entry.log else { continue };
        let ledger = ledgers.entry((&log.node, fact.entry.part.is_empty())).or_default();
        ledger.push((*fact, fact.judge(request, filter)));
    }
    ledgers.into_iter().map(|((node, _), facts)| Stream::of(node, &facts)).collect()
}

/// Timelines with the time in which each was live, oldest first. One that nothing is told of began with its first backup.
fn spans(world: &World, cluster: ClusterId, part: &str, mine: &[Fact<'_>]) -> Vec<(TimelineId, i64, i64)> {
    let known = world.timelines.iter().filter(|told| told.cluster == cluster && told.part == part);
    let mut ids: BTreeSet<TimelineId> = mine.iter().map(|fact| fact.entry.timeline).collect();
    ids.extend(known.clone().map(|told| told.id));
    let began = |id: TimelineId| {
        let told = known.clone().find(|told| told.id == id).and_then(|told| told.began);
        let own = mine.iter().filter(|fact| fact.entry.timeline == id && fact.has_time());
        told.map(strongroom_core::Timestamp::micros).or_else(|| own.map(Fact::until).min())
    };
    let mut spans: Vec<(i64, TimelineId)> = ids.into_iter().filter_map(|id| Some((began(id)?, id))).collect();
    spans.sort_unstable();
    let ends: Vec<i64> = spans.iter().skip(1).map(|(began, _)| *began).chain([i64::MAX]).collect();
    let start = |at: usize, began: i64| if at == 0 { i64::MIN } else { began };
    spans.iter().zip(ends).enumerate().map(|(at, ((began, id), ended))| (*id, start(at, *began), ended)).collect()
}
