//! How far commit logs carry a state. A stream is the log of one node, by its archiver's ledger; every stream that
//! holds changes of the part must be whole from the state on.

use std::collections::BTreeSet;

use strongroom_core::planner::{LogSeq, Reason};

use super::facts::{Fact, Score, sum};

/// What stands at one place of a ledger.
#[derive(Debug, Clone)]
struct Segment {
    place: LogSeq,
    previous: Option<LogSeq>,
    /// `None`: nothing tells when its changes were made.
    span: Option<(i64, i64)>,
    /// `None`: it can't be replayed.
    worth: Option<Score>,
    /// Whether somebody may expect it to be there.
    promised: bool,
}

/// The log of one node.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) node: String,
    segments: Vec<Segment>,
}

/// How far a state is carried, and whether a break (not mere lateness) ends it though more was archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carry {
    pub(crate) upto: i64,
    pub(crate) broken: bool,
}

impl Stream {
    /// Out of the segments of one ledger, each with what it is worth.
    pub(crate) fn of(node: &str, facts: &[(Fact<'_>, Result<Score, Reason>)]) -> Self {
        let place = |fact: &Fact<'_>| fact.entry.log.as_ref().map(|log| LogSeq { epoch: log.epoch, seq: log.seq });
        let places: BTreeSet<LogSeq> = facts.iter().filter_map(|(fact, _)| place(fact)).collect();
        let segment = |at: LogSeq| {
            let here = || facts.iter().filter(move |(fact, _)| place(fact) == Some(at) && fact.has_time());
            let says = |fact: &Fact<'_>| (fact.from(), fact.until(), fact.entry.log.as_ref().unwrap().previous);
            let Some((first, _)) = here().next() else {
                return Segment { place: at, previous: None, span: None, worth: None, promised: false };
            };
            let agreed = here().all(|(fact, _)| says(fact) == says(first));
            let free = |worth: &Result<Score, Reason>| matches!(worth, Err(Reason::Deleted | Reason::FilterTooNarrow));
            Segment {
                place: at,
                previous: says(first).2,
                span: Some((here().map(|it| it.0.from()).min().unwrap(), here().map(|it| it.0.until()).max().unwrap())),
                // The same segment archived twice is as good as its best copy; two that differ prove nothing.
                worth: here().filter_map(|it| it.1.ok()).min().filter(|_| agreed),
                promised: here().any(|(_, worth)| !free(worth)),
            }
        };
        Self { node: node.to_owned(), segments: places.into_iter().map(segment).collect() }
    }

    fn wrote_since(&self, moment: i64) -> bool {
        self.segments.iter().any(|segment| segment.span.is_some_and(|(_, last)| last > moment))
    }

    /// Runs of segments that follow each other by the ledger, as ranges.
    fn runs(&self) -> Vec<std::ops::Range<usize>> {
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        for (at, segment) in self.segments.iter().enumerate().filter(|(_, segment)| segment.worth.is_some()) {
            match runs.last_mut() {
                Some(run) if run.end == at && segment.previous == Some(self.segments[at - 1].place) => run.end += 1,
                _ => runs.push(at..at + 1),
            }
        }
        runs
    }

    /// The run that holds every change after `moment`. A log is known to go back far enough when it holds something of
    /// before, by more than clocks differ. A node that the state was not taken of joined later: its log may begin with
    /// its first segment, if that is the ledger's first.
    fn run_from(&self, moment: i64, known: bool, margin: i64) -> Option<std::ops::Range<usize>> {
        let first = |run: &std::ops::Range<usize>| self.segments[run.start].span.unwrap().0;
        let runs = self.runs();
        let covering = runs.iter().rev().find(|run| first(run) <= moment - margin);
        let whole = runs.first().filter(|run| !known && run.start == 0 && self.segments[0].previous.is_none());
        covering.or(whole).cloned()
    }

    fn last(&self, run: &std::ops::Range<usize>) -> i64 {
        self.segments[run.clone()].iter().map(|segment| segment.span.unwrap().1).max().unwrap()
    }

    /// Up to where `run` holds every change: its last one, but where it is followed by something out of sequence, no
    /// further than the first change of that, since what is missing between them may be as early.
    fn proven(&self, run: &std::ops::Range<usize>) -> i64 {
        let next = self.segments.get(run.end).and_then(|next| next.span);
        next.map_or(i64::MAX, |(first, _)| first).min(self.last(run))
    }

    /// Whether the next segment in the ledger that somebody may expect beyond `run` holds something of before `limit`.
    fn has_more(&self, run: Option<&std::ops::Range<usize>>, after: i64, limit: i64) -> bool {
        let last = run.map_or(after, |run| self.last(run)).max(after);
        let rest = &self.segments[run.map_or(0, |run| run.end)..];
        let next = rest.iter().find(|it| it.promised && it.span.is_some_and(|span| span.1 > last));
        next.is_some_and(|segment| segment.span.unwrap().0 <= limit)
    }
}

/// A state in a lane: when it ends, and who was in the cluster then and later.
#[derive(Debug, Clone)]
pub(crate) struct State<'a> {
    pub(crate) until: i64,
    /// What every backup of the lane says: when it ended, and of which nodes it was taken.
    pub(crate) told: Vec<(i64, &'a [String])>,
}

impl State<'_> {
    /// The nodes of the cluster at its end, as far as any backup tells: by those that end there, else by the last before.
    fn nodes(&self) -> BTreeSet<&str> {
        let told = || self.told.iter().filter(|(until, nodes)| *until <= self.until && !nodes.is_empty());
        let newest = told().map(|(until, _)| *until).max();
        let here = told().filter(|(until, _)| Some(*until) == newest);
        here.flat_map(|(_, nodes)| nodes.iter().map(String::as_str)).collect()
    }
}

/// How far `streams` carry a state towards `limit`; `None` when no log is needed or none is there.
pub(crate) fn carry(streams: &[Stream], state: &State<'_>, limit: i64, margin: i64) -> Option<Carry> {
    let (after, nodes) = (state.until, state.nodes());
    let run_of = |stream: &Stream| stream.run_from(after, nodes.contains(stream.node.as_str()), margin);
    if nodes.is_empty() {
        // Nobody tells whose logs there must be.
        let more = |stream: &Stream| stream.has_more(None, after, limit);
        let unproven = Carry { upto: i64::MIN, broken: streams.iter().any(more) };
        return streams.iter().any(|stream| stream.wrote_since(after)).then_some(unproven);
    }
    let wrote = |node: &str| streams.iter().any(|stream| stream.node == node && stream.wrote_since(after));
    let mut ends: Vec<Carry> = Vec::new();
    for stream in streams.iter().filter(|stream| stream.wrote_since(after)) {
        let run = run_of(stream);
        let upto = run.as_ref().map_or(i64::MIN, |run| stream.proven(run) - margin);
        ends.push(Carry { upto, broken: stream.has_more(run.as_ref(), after, limit) });
    }
    if nodes.iter().any(|node| !wrote(node)) {
        ends.push(Carry { upto: i64::MIN, broken: false });
    }
    if streams.is_empty() || ends.is_empty() {
        return None;
    }
    // A later backup may name a node that must have joined in between, and whose log does not tell since when.
    let mut later: Vec<_> = state.told.iter().filter(|(until, nodes)| *until > after && !nodes.is_empty()).collect();
    later.sort();
    let mut proven = after;
    for at in later.chunk_by(|a, b| a.0 == b.0) {
        let until = at[0].0;
        let joined = at.iter().flat_map(|(_, names)| *names).filter(|node| !nodes.contains(node.as_str()));
        let mut strangers = joined.filter_map(|node| {
            let mut own = streams.iter().filter(|stream| stream.node == *node && stream.wrote_since(after));
            let early = |stream: &Stream| {
                run_of(stream).is_some_and(|run| stream.segments[run.start].span.unwrap().0 <= until - margin)
            };
            let fine = own.clone().any(early);
            (!fine).then(|| own.any(|stream| stream.has_more(None, after, limit)))
        });
        if let Some(first) = strangers.next() {
            ends.push(Carry { upto: proven, broken: first || strangers.any(|broken| broken) });
            break;
        }
        proven = until;
    }
    let upto = ends.iter().map(|end| end.upto).min().unwrap();
    Some(Carry { upto, broken: ends.iter().any(|end| end.upto == upto && end.broken) })
}

/// What replaying from a state up to `goal` takes: the place of each segment and the sum of what they are worth.
pub(crate) fn replay(streams: &[Stream], state: &State<'_>, goal: i64, margin: i64) -> (Vec<(String, LogSeq)>, Score) {
    let (after, nodes) = (state.until, state.nodes());
    let (mut places, mut score) = (Vec::new(), (0, 0, 0, 0));
    for stream in streams.iter().filter(|stream| stream.wrote_since(after)) {
        let run = stream.run_from(after, nodes.contains(stream.node.as_str()), margin).unwrap();
        for segment in &stream.segments[run] {
            let (first, last) = segment.span.unwrap();
            if last > after && first <= goal {
                places.push((stream.node.clone(), segment.place));
                score = sum(score, segment.worth.unwrap());
            }
        }
    }
    (places, score)
}
