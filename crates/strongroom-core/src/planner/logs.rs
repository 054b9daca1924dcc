//! Commit logs: how far a state can be carried forward by replaying every node's log.
//!
//! ```text
//!   node a   ──[1]──[2]──[3]──[4]──        contiguous by the ledger: a run
//!   node b   ──[1]──[2]      [5]──[6]──    two runs: between them a proven hole
//!                 ▲ state      ▲ b's log can't carry any state over the hole
//! ```
//!
//! A **stream** is what one archiver's ledger tells of one node. Every stream that holds changes of after the state must
//! be whole from the state on, and every node that the cluster had must have one.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::end::{Cover, EndKind, Ending};
use super::lane::Lane;
use super::reason::Reason;
use super::rows::{Place, number};
use super::terms::{Score, Terms};
use super::told::Told;

/// Segments of one node that follow each other without a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: u32,
    pub(super) end: u32,
    /// The first change of its first segment.
    pub(super) first: i64,
    /// The last change in it.
    pub(super) last: i64,
    /// The first change of what comes after it in the ledger: between them something is missing, and nothing after
    /// that change is proven.
    pub(super) next: i64,
    /// Whether no row ends earlier than the one before it: a clock that went back makes it false.
    pub(super) steady: bool,
    /// The most by which a segment begins before an earlier one does: after one that begins later than a moment by more
    /// than this, none begins before that moment.
    back: i64,
    /// Whether the ledger begins with it.
    pub(super) whole: bool,
}

/// The log of one node, by one ledger.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    pub(super) lane: &'a Lane,
    pub(super) terms: Terms<'a>,
    pub(super) runs: Cow<'a, [Run]>,
    /// The newest change that any segment tells of, usable or not.
    pub(super) newest: i64,
}

/// The logs of all nodes of a cluster that hold the changes of a part.
#[derive(Debug)]
pub(super) struct Logs<'a> {
    pub(super) streams: Vec<Stream<'a>>,
    pub(super) told: Cow<'a, Told>,
    /// The bound on clock differences, microseconds.
    pub(super) margin: i64,
}

/// What stands at one place of a ledger: mostly one row, more if a segment was archived twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) first: i64,
    pub(super) last: i64,
    place: Option<Place>,
    /// The row after its last.
    end: u32,
    /// The row to replay and what it adds, if there is one. Rows of one place that differ prove nothing.
    pub(super) best: Option<(Score, u32)>,
    /// Whether somebody may expect it to be there.
    promised: bool,
    /// Whether all its rows end at the same moment: one with a window that makes no sense ends anywhere.
    even: bool,
}

impl Segment {
    fn previous(&self) -> Option<super::entry::LogSeq> {
        self.place.and_then(|place| place.previous)
    }
}

/// The segments of some rows of a log lane, in the ledger's order.
pub(super) fn segments<'t>(
    terms: &'t Terms<'_>,
    range: std::ops::Range<u32>,
) -> impl Iterator<Item = (u32, Segment)> + 't {
    let rows = terms.rows;
    let mut at = range.start;
    // The place of the row `at`: each is looked up once.
    let mut ahead = (at < range.end).then(|| rows.place(at)).flatten();
    std::iter::from_fn(move || {
        let start = at;
        let place = (start < range.end).then_some(ahead)?;
        let mut found: Option<Segment> = None;
        let (mut agreed, mut even) = (true, true);
        while at < range.end && (at == start || ahead.map(|it| it.at) == place.map(|it| it.at)) {
            let (row, place) = (at, ahead);
            at += 1;
            ahead = (at < range.end).then(|| rows.place(at)).flatten();
            if rows.bad.get(&row) == Some(&Reason::BadWindow) {
                even = false;
                continue;
            }
            let (first, last) = (rows.from[row as usize], rows.until[row as usize]);
            let best = terms.own(row).map(|(own, _)| (own, row));
            let free = || matches!(terms.refusal(row), Some(Reason::Deleted | Reason::FilterTooNarrow));
            let own = Segment { first, last, place, end: 0, best, promised: best.is_some() || !free(), even };
            found = Some(found.map_or(own, |other: Segment| {
                agreed &= (other.first, other.last, other.place) == (first, last, place);
                Segment {
                    first: other.first.min(first),
                    last: other.last.max(last),
                    best: [other.best, best].into_iter().flatten().min(),
                    promised: other.promised || own.promised,
                    ..other
                }
            }));
        }
        let unknown = Segment { first: i64::MAX, last: i64::MIN, place, end: at, best: None, promised: false, even };
        let segment = found.map_or(unknown, |it| Segment { best: it.best.filter(|_| agreed), end: at, even, ..it });
        Some((start, segment))
    })
}

/// The runs of one node's log: by the ledger alone, in its own order; times are compared only within a run.
pub(super) fn runs(terms: &Terms<'_>, lane: &Lane) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut before = None;
    let mut latest = i64::MIN;
    for (row, segment) in segments(terms, lane.rows.clone()) {
        let follows = segment.best.is_some() && before.is_some() && segment.previous() == before;
        if let Some(run) = runs.last_mut().filter(|run| !follows && run.end == row) {
            run.next = segment.first;
        }
        if segment.best.is_none() {
            before = None;
            continue;
        }
        let Segment { first, last, end, even, .. } = segment;
        if let Some(run) = runs.last_mut().filter(|_| follows) {
            run.steady &= even && last >= run.last;
            run.back = run.back.max(latest.saturating_sub(first));
            latest = latest.max(first);
            run.last = run.last.max(last);
            run.end = end;
        } else {
            let whole = row == lane.rows.start && segment.previous().is_none();
            runs.push(Run { start: row, end, first, last, next: i64::MAX, steady: even, back: 0, whole });
            latest = first;
        }
        before = segment.place.map(|place| place.at);
    }
    runs
}

impl Stream<'_> {
    pub(super) fn node(&self) -> &str {
        self.lane.node.as_deref().unwrap_or_default()
    }

    /// The run that holds every change after `after`. A log is known to go back far enough when it begins before that
    /// by more than clocks differ. A node that the state was not taken of joined later: its log may begin with its
    /// first segment, if that is the ledger's first.
    fn run(&self, after: i64, known: bool, margin: i64) -> Option<Run> {
        let early = after.saturating_sub(margin);
        let found = self.runs.iter().rfind(|run| run.first <= early);
        found.or_else(|| self.runs.first().filter(|run| !known && run.whole)).copied()
    }

    /// The first change of the next segment that somebody may expect, after `run` in the ledger.
    fn beyond(&self, run: Option<Run>, after: i64) -> Option<i64> {
        let start = run.map_or(self.lane.rows.start, |run| run.end);
        let after = run.map_or(after, |run| run.last.max(after));
        let promised = |rows: std::ops::Range<u32>| {
            let mut next = segments(&self.terms, rows).map(|(_, segment)| segment);
            next.find(|segment| segment.promised && segment.last > after).map(|segment| segment.first)
        };
        // Of a run it is known how far it goes, and mostly where it gets there; only what is in no run is walked.
        let mut at = start;
        for run in &self.runs[self.runs.partition_point(|run| run.start < start)..] {
            let found = promised(at..run.start);
            let found = found.or_else(|| (run.last > after).then(|| promised(self.since(*run, after)))?);
            if found.is_some() {
                return found;
            }
            at = run.end;
        }
        promised(at..self.lane.rows.end)
    }
}

impl Logs<'_> {
    /// The streams that hold changes after `after`, and the run of each that carries the state.
    pub(super) fn needed(&self, after: i64) -> impl Iterator<Item = (&Stream<'_>, Option<Run>)> {
        let nodes = self.told.at(after);
        let wrote = self.streams.iter().filter(move |stream| stream.newest > after);
        wrote.map(move |stream| {
            let known = nodes.is_some_and(|nodes| nodes.contains(stream.node()));
            (stream, stream.run(after, known, self.margin))
        })
    }

    /// The streams of `node` that hold changes after `after`.
    fn of<'s>(&'s self, node: &'s str, after: i64) -> impl Iterator<Item = &'s Stream<'s>> {
        self.streams.iter().filter(move |stream| stream.node() == node && stream.newest > after)
    }

    /// How far a state that holds every change up to `after` is carried; `None` when nothing was logged since.
    pub(super) fn cover(&self, after: i64) -> Option<Cover> {
        self.end(after).map(|end| Cover { upto: end.upto, end: end.in_words(after) })
    }

    /// Whether a state that ends at `after` is carried to `goal`.
    pub(super) fn carries(&self, after: i64, goal: i64) -> bool {
        self.end(after).is_some_and(|end| end.upto >= goal)
    }

    /// What ends the logs first.
    fn end(&self, after: i64) -> Option<Ending<'_>> {
        let Some(nodes) = self.told.at(after) else {
            let beyond = self.needed(after).filter_map(|(stream, _)| stream.beyond(None, after)).min();
            let unknown = Ending { upto: i64::MIN, node: "", kind: EndKind::NodesUnknown, beyond };
            return self.needed(after).next().map(|_| unknown);
        };
        let silent = |node: &&String| self.of(node, after).next().is_none();
        let silent = nodes.iter().filter(|_| !self.streams.is_empty()).find(silent);
        let silent = silent.map(|node| Ending { upto: i64::MIN, node, kind: EndKind::Silent, beyond: None });
        let mut ends = self.needed(after).map(|(stream, run)| self.end_of(stream, run, after)).chain(silent).peekable();
        ends.peek()?;
        ends.chain(self.strangers(after, nodes)).min_by_key(Ending::rank)
    }

    fn end_of<'s>(&self, stream: &'s Stream<'_>, run: Option<Run>, after: i64) -> Ending<'s> {
        let beyond = stream.beyond(run, after);
        let (upto, kind) = match run {
            None => {
                let first = beyond.or_else(|| stream.runs.first().map(|run| run.first));
                (i64::MIN, EndKind::StartsLate { first })
            }
            Some(Run { last, next, .. }) => (last.min(next).saturating_sub(self.margin), EndKind::Ends { last }),
        };
        Ending { upto, node: stream.node(), kind, beyond }
    }

    /// Nodes that a later backup tells of, that must have joined after the state, and whose log does not tell since
    /// when: before them, nothing is proven past the last backup that did not tell of them.
    fn strangers<'s>(&'s self, after: i64, nodes: &'s BTreeSet<String>) -> Option<Ending<'s>> {
        let early = |stream: &Stream<'_>, since: i64| {
            let run = stream.run(after, nodes.contains(stream.node()), self.margin);
            run.is_some_and(|run| run.first <= since.saturating_sub(self.margin))
        };
        self.told.after(after).find_map(|(before, since, told)| {
            let joined = told.iter().filter(|node| !nodes.contains(*node));
            let bad = joined.filter(|node| !self.of(node, after).any(|stream| early(stream, since)));
            let end = |node: &'s String| {
                let beyond = self.of(node, after).filter_map(|stream| stream.beyond(None, after)).min();
                Ending { upto: before, node, kind: EndKind::Stranger { since }, beyond }
            };
            bad.map(end).min_by_key(Ending::rank)
        })
    }

    /// The segments to replay from `after` to `until`, by node and in the ledger's order; `until` is covered.
    pub(super) fn segments(&self, after: i64, until: i64) -> Vec<u32> {
        let mut chosen = Vec::new();
        for (stream, run) in self.needed(after) {
            let Some(run) = run else { continue };
            let within = stream.between(run, after, until).filter(|segment| segment.last > after);
            chosen.extend(within.filter_map(|segment| segment.best).map(|(_, row)| row));
        }
        chosen
    }
}

impl Stream<'_> {
    /// The segments of `run` that can hold changes after `after` and begin at or before `until`.
    pub(super) fn between(&self, run: Run, after: i64, until: i64) -> impl Iterator<Item = Segment> {
        let all = segments(&self.terms, self.since(run, after)).map(|(_, segment)| segment);
        let past = until.saturating_add(run.back);
        all.take_while(move |segment| segment.first <= past).filter(move |segment| segment.first <= until)
    }

    /// The rows of `run` that can hold changes after `after`.
    fn since(&self, run: Run, after: i64) -> std::ops::Range<u32> {
        let column = &self.terms.rows.until[run.start as usize..run.end as usize];
        let skipped = if run.steady { column.partition_point(|until| *until <= after) } else { 0 };
        run.start + number(skipped)..run.end
    }
}
