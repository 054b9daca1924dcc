//! The best way to a moment by logs: from which state, when several can be carried there.
//!
//! An older state needs more log, so from the newest backwards the cost of the log alone grows: the search ends where
//! it alone costs what the best way so far costs.

use std::collections::BTreeMap;

use super::logs::{Logs, Run, Segment, Stream};
use super::terms::Score;
use super::view::{Route, View};
use super::within::Within;

/// The best chain that the logs carry to exactly `goal`, among those that end before it, if any does and it is better
/// than `bound`.
pub(super) fn best_start(view: &View<'_>, logs: &Logs<'_>, goal: i64, bound: Option<Score>) -> Option<Route> {
    let within = Within::of(view, goal);
    let mut log = Replay { logs, goal, after: goal, sums: BTreeMap::new() };
    let mut known: BTreeMap<u32, Score> = BTreeMap::new();
    let mut best: Option<(Score, u32)> = None;
    let mut reached = None;
    for row in within.ends() {
        let until = view.rows.until[row as usize];
        if until >= goal {
            continue;
        }
        let least = [best.map(|(score, _)| score), bound].into_iter().flatten().min();
        if reached != Some(until) {
            if !logs.carries(until, goal) {
                break;
            }
            log.back_to(until, least);
            reached = Some(until);
        }
        let replay = log.score();
        if least.is_some_and(|least| replay >= least) {
            break;
        }
        let score = replay.saturating_add(score_of(&within, row, &mut known));
        if least.is_none_or(|least| score < least) {
            best = Some((score, row));
        }
    }
    best.map(|(_, row)| within.route(row))
}

/// The score of the chain to `row`. Chains share their beginnings, detours aside: each row is added once.
fn score_of(within: &Within<'_, '_>, row: u32, known: &mut BTreeMap<u32, Score>) -> Score {
    if within.has_detours() {
        return within.back(row).map(|row| within.own(row)).sum();
    }
    let mut path = Vec::new();
    let mut sum = 0;
    for row in within.back(row) {
        if let Some(score) = known.get(&row) {
            sum = *score;
            break;
        }
        path.push(row);
    }
    for row in path.into_iter().rev() {
        sum += within.own(row);
        known.insert(row, sum);
    }
    sum
}

/// What replaying costs, from a moment that moves backwards up to a fixed one.
struct Replay<'l> {
    logs: &'l Logs<'l>,
    goal: i64,
    after: i64,
    /// By stream: its run, and the sum so far.
    sums: BTreeMap<usize, (Run, Score)>,
}

impl Replay<'_> {
    fn score(&self) -> Score {
        self.sums.values().map(|(_, score)| *score).sum()
    }

    /// Moves back; where the sum gets to `enough`, it need not be whole.
    fn back_to(&mut self, after: i64, enough: Option<Score>) {
        let before = std::mem::replace(&mut self.after, after);
        let mut left = enough.unwrap_or(Score::MAX);
        let mut sums = BTreeMap::new();
        for (stream, run) in self.logs.needed(after) {
            let Some(run) = run else { continue };
            let number = stream.lane.rows.start as usize;
            let known = self.sums.get(&number).filter(|(known, _)| *known == run && run.steady);
            let (upto, sum) = known.map_or((i64::MAX, 0), |(_, sum)| (before, *sum));
            let mut whole = sum;
            for score in added(stream, run, after, upto, self.goal) {
                if whole >= left {
                    break;
                }
                whole += score;
            }
            left = left.saturating_sub(whole);
            sums.insert(number, (run, whole));
        }
        self.sums = sums;
    }
}

/// What each segment adds that ends after `after` but not after `upto`.
fn added(stream: &Stream<'_>, run: Run, after: i64, upto: i64, goal: i64) -> impl Iterator<Item = Score> {
    let ended = move |segment: &Segment| run.steady && segment.last > upto;
    let all = stream.between(run, after, goal).take_while(move |segment| !ended(segment));
    let new = all.filter(move |it| it.last > after && it.last <= upto);
    new.filter_map(|segment| segment.best).map(|(score, _)| score)
}
