//! What the rules of a policy choose. Each rule by itself: a point stays if one wants it, and a wider rule wants all
//! that a narrower one wants.

use super::logs::carried;
use super::policy::RetentionPolicy;
use super::reasons::{KeepReason, Reasons};
use super::series::{Point, Series};
use super::zone::{Calendar, Period};
use crate::Timestamp;

/// Why each point of `series` is kept; in its order.
pub(super) fn choose(series: &Series<'_>, policy: &RetentionPolicy, now: Timestamp) -> Vec<Reasons> {
    let mut chosen = Chosen { series, why: vec![Reasons::default(); series.points.len()] };
    chosen.in_any_case(policy.min_redundancy as usize);
    if !policy.has_rules() {
        chosen.why.iter_mut().for_each(|why| why.insert(KeepReason::NoRule));
    }
    if let Some(count) = policy.keep_last {
        chosen.newest_moments(count);
    }
    if let Some(span) = policy.keep_within {
        let since = now.micros().saturating_sub(span.micros());
        chosen.every(KeepReason::Within, |point| point.until > since);
    }
    let mut calendar = Calendar::new(&policy.zone);
    for (count, period, reason) in [
        (policy.keep_hourly, Period::Hour, KeepReason::Hourly),
        (policy.keep_daily, Period::Day, KeepReason::Daily),
        (policy.keep_weekly, Period::Week, KeepReason::Weekly),
        (policy.keep_monthly, Period::Month, KeepReason::Monthly),
        (policy.keep_yearly, Period::Year, KeepReason::Yearly),
    ] {
        chosen.last_of_each(count.unwrap_or(0), period, reason, &mut calendar);
    }
    if let Some(span) = policy.point_in_time {
        chosen.every_moment_since(now.micros().saturating_sub(span.micros()));
    }
    chosen.why
}

struct Chosen<'a> {
    series: &'a Series<'a>,
    why: Vec<Reasons>,
}

impl Chosen<'_> {
    fn every(&mut self, reason: KeepReason, wanted: impl Fn(&Point) -> bool) {
        for (point, why) in self.series.points.iter().zip(&mut self.why) {
            if wanted(point) {
                why.insert(reason);
            }
        }
    }

    fn keep(&mut self, at: usize, reason: KeepReason) {
        self.why[at].insert(reason);
    }

    /// The newest point, the latest one, the newest verified one, and the newest bases.
    fn in_any_case(&mut self, redundancy: usize) {
        let points = &self.series.points;
        // A restore to the latest point asks the timeline that is live first.
        let latest = |history: usize| {
            let ended = self.series.part.histories[history].ended;
            newest(points, |point| point.history == history && point.ready <= ended)
        };
        let latest = (0..self.series.part.histories.len()).rev().find_map(latest);
        for until in [points.last().map(|point| point.until), latest].into_iter().flatten() {
            self.every(KeepReason::Latest, |point| point.until == until);
        }
        if let Some(at) = points.iter().rposition(|point| point.verified) {
            self.keep(at, KeepReason::NewestVerified);
        }
        let bases = |verified: bool| {
            let wanted = move |(_, point): &(usize, &Point)| point.base && point.verified == verified;
            points.iter().enumerate().rev().filter(wanted).map(|(at, _)| at)
        };
        let kept: Vec<usize> = bases(true).chain(bases(false)).take(redundancy).collect();
        for at in kept {
            self.keep(at, KeepReason::MinRedundancy);
        }
    }

    fn newest_moments(&mut self, count: u32) {
        for moment in self.series.moments().take(count as usize) {
            moment.for_each(|at| self.keep(at, KeepReason::Last));
        }
    }

    /// The last moment of each of the newest `count` periods that have one.
    fn last_of_each(&mut self, count: u32, period: Period, reason: KeepReason, calendar: &mut Calendar<'_>) {
        let (mut left, mut before) = (count, None);
        for moment in self.series.moments() {
            if left == 0 {
                break;
            }
            let now = calendar.period(period, self.series.points[moment.start].until);
            if before != Some(now) {
                before = Some(now);
                left -= 1;
                moment.for_each(|at| self.keep(at, reason));
            }
        }
    }

    /// What a restore to any moment since `start` may end at.
    ///
    /// ```text
    ///   began₁                ended₁ = began₂
    ///   ├──●────●──────●─────●──┤──●───●──▶         ● points
    ///             ▲ start                           kept: the newest that is ready by then, and all later ones
    /// ```
    fn every_moment_since(&mut self, start: i64) {
        let histories = &self.series.part.histories;
        // Newest first. A moment that a timeline does not reach falls to the one before it.
        let mut falls = true;
        for (at, history) in histories.iter().enumerate().rev() {
            let bound = if history.ended > start { history.began.max(start) } else { history.ended };
            if history.ended <= start && !falls {
                break;
            }
            let anchor = newest(&self.series.points, |point| point.history == at && point.ready <= bound);
            self.every(KeepReason::PointInTime, |point| {
                point.history == at && (point.ready > bound && history.ended > start || Some(point.until) == anchor)
            });
            falls = anchor.is_none();
            self.what_logs_carry_further(at);
        }
    }

    /// A state that is settled later than the logs go can't be cut at their end: an earlier one is carried there.
    fn what_logs_carry_further(&mut self, history: usize) {
        let points = &self.series.points;
        let mine = |at: &usize| points[*at].history == history && self.why[*at].contains(KeepReason::PointInTime);
        let mut open: Vec<usize> = (0..points.len()).filter(mine).collect();
        while let Some(at) = open.pop() {
            let point = points[at];
            let carried = carried(&self.series.part.histories[history], point.row);
            let Some(upto) = carried.filter(|upto| (point.until + 1..point.ready).contains(upto)) else { continue };
            let earlier = newest(points, |point| point.history == history && point.ready <= upto);
            for (at, point) in points.iter().enumerate().filter(|(_, point)| Some(point.until) == earlier) {
                if point.history == history && !self.why[at].contains(KeepReason::PointInTime) {
                    self.why[at].insert(KeepReason::PointInTime);
                    open.push(at);
                }
            }
        }
    }
}

/// The end of the newest point that is wanted.
fn newest(points: &[Point], wanted: impl Fn(&Point) -> bool) -> Option<i64> {
    points.iter().rev().find(|point| wanted(point)).map(|point| point.until)
}
