//! Commit logs: how far a state can be carried forward by replaying every node's log.
//!
//! ```text
//!   node a   ──[1]──[2]──[3]──[4]──        contiguous by the ledger: a run
//!   node b   ──[1]──[2]      [5]──[6]──    two runs: between them a proven hole
//!                 ▲ state      ▲ b's log can't carry any state over the hole
//! ```

use std::borrow::Cow;

use super::lane::Lane;
use super::reason::Reason;
use super::rows::{Rows, number};
use super::terms::Terms;
use crate::Timestamp;

/// Segments of one node that follow each other without a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: u32,
    pub(super) end: u32,
    /// The first change in it.
    pub(super) first: i64,
    /// The last change in it.
    pub(super) last: i64,
    /// Whether no segment ends earlier than the one before it: a clock that went back makes it false.
    pub(super) steady: bool,
}

/// The log of one node.
#[derive(Debug)]
pub(super) struct NodeLog<'a> {
    pub(super) lane: &'a Lane,
    pub(super) runs: Cow<'a, [Run]>,
}

/// The logs of all nodes of a cluster that hold the changes of a part.
#[derive(Debug)]
pub(super) struct Logs<'a> {
    pub(super) rows: &'a Rows,
    pub(super) nodes: Vec<NodeLog<'a>>,
    /// The bound on clock differences, microseconds.
    pub(super) margin: i64,
}

/// How far the logs carry a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cover {
    /// Every change up to here can be replayed.
    pub(super) upto: i64,
    /// The node whose log ends first, and why it goes no further.
    pub(super) ends: Option<(String, Reason, String)>,
}

/// The runs of one node's log: by the ledger alone, in its own order; times are compared only within a run.
pub(super) fn runs(terms: &Terms<'_>, lane: &Lane) -> Vec<Run> {
    let rows = terms.rows;
    let mut runs: Vec<Run> = Vec::new();
    let mut before = None;
    for row in lane.rows.clone() {
        let place = rows.place(row);
        if terms.own(row).is_none() {
            before = None;
            continue;
        }
        let (first, last) = (rows.from[row as usize], rows.until[row as usize]);
        let follows = place.is_some_and(|place| place.previous.is_some() && place.previous == before);
        match runs.last_mut() {
            Some(run) if follows => {
                run.end = row + 1;
                run.steady &= last >= run.last;
                run.last = run.last.max(last);
            }
            _ => runs.push(Run { start: row, end: row + 1, first, last, steady: true }),
        }
        before = place.map(|place| place.at);
    }
    runs
}

impl NodeLog<'_> {
    fn name(&self) -> &str {
        self.lane.node.as_deref().unwrap_or_default()
    }

    /// The run that holds every change after `after`: the newest that begins at or before it. A node that is not
    /// `known` to the state joined later: its log begins with its first run.
    fn run(&self, after: i64, known: bool) -> Option<(usize, Run)> {
        let found = self.runs.iter().enumerate().rev().find(|(_, run)| run.first <= after);
        found.or_else(|| self.runs.iter().enumerate().next().filter(|_| !known)).map(|(at, run)| (at, *run))
    }
}

impl Logs<'_> {
    /// The nodes whose logs a state needs: those it was taken of, and those that wrote since.
    fn needed(&self, nodes: &[String], after: i64) -> Vec<(String, bool)> {
        let mut needed: Vec<(String, bool)> = nodes.iter().map(|node| (node.clone(), true)).collect();
        for log in &self.nodes {
            let wrote = log.runs.iter().any(|run| run.last > after);
            if wrote && !nodes.iter().any(|node| node == log.name()) {
                needed.push((log.name().to_owned(), nodes.is_empty()));
            }
        }
        needed
    }

    /// How far a state that holds every change up to `after`, taken of `nodes`, is carried.
    pub(super) fn cover(&self, nodes: &[String], after: i64) -> Option<Cover> {
        let needed = self.needed(nodes, after);
        if needed.is_empty() || self.nodes.is_empty() {
            return None;
        }
        let mut cover = Cover { upto: i64::MAX, ends: None };
        for (node, known) in needed {
            let log = self.nodes.iter().find(|log| log.name() == node);
            let (upto, reason, detail) = match log.map(|log| (log, log.run(after, known))) {
                None => (i64::MIN, Reason::LogEndsEarly, "no segment has arrived".to_owned()),
                Some((log, None)) => {
                    let first = log.runs.first().map_or(after, |run| run.first);
                    let text = format!("its log begins at {}, after the state", Timestamp::from_micros(first));
                    (i64::MIN, Reason::LogStartsLate, text)
                }
                Some((log, Some((at, run)))) => {
                    let last = Timestamp::from_micros(run.last);
                    let upto = run.last.saturating_sub(self.margin);
                    match log.runs.get(at + 1) {
                        Some(next) => {
                            let next = Timestamp::from_micros(next.first);
                            (upto, Reason::LogGap, format!("its log has a hole between {last} and {next}"))
                        }
                        None => (upto, Reason::LogEndsEarly, format!("its log has arrived up to {last}")),
                    }
                }
            };
            if upto < cover.upto {
                cover = Cover { upto, ends: Some((node, reason, detail)) };
            }
        }
        Some(cover)
    }

    /// The segments to replay from `after` to `until`, by node and in the ledger's order; `until` is covered.
    pub(super) fn segments(&self, nodes: &[String], after: i64, until: i64) -> Vec<u32> {
        let mut rows = Vec::new();
        let enough = until.saturating_add(self.margin);
        for (node, known) in self.needed(nodes, after) {
            let Some(log) = self.nodes.iter().find(|log| log.name() == node) else { continue };
            let Some((_, run)) = log.run(after, known) else { continue };
            let mut last = i64::MIN;
            let column = &self.rows.until[run.start as usize..run.end as usize];
            let skipped = if run.steady { column.partition_point(|until| *until <= after) } else { 0 };
            for row in run.start + number(skipped)..run.end {
                if last >= enough {
                    break;
                }
                last = last.max(self.rows.until[row as usize]);
                if last > after {
                    rows.push(row);
                }
            }
        }
        rows
    }

    /// Whether a hole in a log, not mere lateness, keeps the state from `wanted` although later segments hold changes
    /// up to there.
    pub(super) fn hole(&self, cover: &Cover, wanted: i64) -> Option<(Reason, String)> {
        let (node, reason, detail) = cover.ends.as_ref()?;
        let log = self.nodes.iter().find(|log| log.name() == *node)?;
        let beyond =
            log.runs.iter().any(|run| run.last > cover.upto.saturating_add(self.margin) && run.first <= wanted);
        (cover.upto < wanted && *reason != Reason::LogEndsEarly && beyond)
            .then(|| (*reason, format!("node {node}: {detail}")))
    }
}
