//! One lane as one request sees it, and the chains that can be had from it.

use std::borrow::Cow;

use super::ids::Ids;
use super::lane::Lane;
use super::plan::Reached;
use super::rows::{Rows, number};
use super::sweep::{BEGIN, Earlier, Links, NONE, UNREACHED, sweep};
use super::terms::{Score, Terms};
use crate::Timestamp;

/// A lane with the rules and the search of a request.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) rows: &'a Rows,
    pub(super) ids: &'a Ids,
    pub(super) lane: &'a Lane,
    pub(super) terms: Terms<'a>,
    pub(super) links: Cow<'a, Links>,
}

/// A chain: rows in the order of application, and what they reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) rows: Vec<u32>,
    pub(super) until: i64,
    pub(super) settled: i64,
}

impl Route {
    pub(super) fn reached(&self) -> Reached {
        Reached { until: Timestamp::from_micros(self.until), settled: Timestamp::from_micros(self.settled) }
    }
}

impl View<'_> {
    fn link(&self, row: u32) -> u32 {
        self.links.previous[(row - self.links.first) as usize]
    }

    /// Whether a chain ends at `row`.
    pub(super) fn is_reached(&self, row: u32) -> bool {
        self.link(row) & UNREACHED == 0
    }

    /// The row before `row` in its best chain.
    pub(super) fn previous(&self, row: u32) -> Option<u32> {
        let link = self.link(row);
        (link < BEGIN).then_some(link)
    }

    /// The newest row before `end` where a chain ends.
    pub(super) fn newest_before(&self, end: u32) -> Option<u32> {
        let row = end.checked_sub(1).filter(|row| *row >= self.lane.rows.start)?;
        let link = self.link(row);
        if link & UNREACHED == 0 { Some(row) } else { Some(link & BEGIN).filter(|row| *row != BEGIN) }
    }

    /// The first row whose `until` lies after `moment`.
    pub(super) fn after(&self, moment: i64) -> u32 {
        let range = &self.lane.rows;
        let column = &self.rows.until[range.start as usize..range.end as usize];
        range.start + number(column.partition_point(|until| *until <= moment))
    }

    fn score(&self, row: u32) -> Score {
        let chain = std::iter::successors(Some(row), |row| self.previous(*row));
        chain.filter_map(|row| self.terms.own(row)).map(|(own, _)| own).sum()
    }

    /// The best chain that ends at `row`, whatever the target.
    pub(super) fn route_to(&self, row: u32) -> Option<Route> {
        if !self.lane.rows.contains(&row) || !self.is_reached(row) {
            return None;
        }
        let mut rows: Vec<u32> = std::iter::successors(Some(row), |row| self.previous(*row)).collect();
        rows.reverse();
        Some(self.route(rows))
    }

    fn route(&self, rows: Vec<u32>) -> Route {
        let until = rows.last().map_or(0, |row| self.rows.until[*row as usize]);
        let settled = rows.iter().map(|row| self.rows.settled(*row)).max().unwrap_or(until);
        Route { rows, until, settled }
    }

    /// The best chain to the newest moment that has no change after `limit` in it.
    ///
    /// The prepared chains know no limit. Most fit it; where one holds a row that is settled too late, the rows that
    /// can be (those within the largest fuzz of the limit) are swept again.
    pub(super) fn best_at(&self, limit: i64) -> Option<Route> {
        let end = self.after(limit);
        let zone = self.after(limit.saturating_sub(self.lane.fuzz).saturating_sub(1));
        let mut row = self.newest_before(end)?;
        while row >= zone && self.rows.settled(row) > limit {
            row = self.newest_before(row)?;
        }
        let ends = self.tied(row).filter(|row| self.rows.settled(*row) <= limit);
        let routes: Vec<Route> = ends.filter_map(|row| self.route_to(row)).collect();
        if routes.iter().any(|route| route.settled > limit) {
            return self.best_in_zone(zone, end, limit);
        }
        self.pick(routes)
    }

    /// The rows that end at the same moment as `row`, from `row` backwards.
    fn tied(&self, row: u32) -> impl Iterator<Item = u32> {
        let until = self.rows.until[row as usize];
        (self.lane.rows.start..=row).rev().take_while(move |row| self.rows.until[*row as usize] == until)
    }

    /// The best of routes that end at the same moment: risk, then cost, then what is settled first.
    fn pick(&self, mut routes: Vec<Route>) -> Option<Route> {
        if routes.len() > 1 {
            let score = |route: &Route| {
                route.rows.iter().filter_map(|row| self.terms.own(*row)).map(|(own, _)| own).sum::<Score>()
            };
            routes.sort_by_cached_key(|route| (score(route), route.settled, route.rows.clone()));
        }
        routes.into_iter().next()
    }

    /// As [`View::best_at`], by sweeping `zone..end` again without what is settled after `limit`.
    fn best_in_zone(&self, zone: u32, end: u32, limit: i64) -> Option<Route> {
        let before = Before { view: self, zone };
        let links = sweep(&self.terms, self.ids, (zone, end), Some(limit), &before);
        let lane = Lane { rows: zone..end, ..self.lane.clone() };
        let local = View {
            rows: self.rows,
            ids: self.ids,
            lane: &lane,
            terms: self.terms.clone(),
            links: Cow::Borrowed(&links),
        };
        let Some(newest) = local.newest_before(end).filter(|row| *row >= zone) else {
            // Whatever ends before the zone fits the limit with its whole chain.
            let newest = before.newest()?;
            return self.pick(self.tied(newest).filter_map(|row| self.route_to(row)).collect());
        };
        let whole = |end: u32| {
            let view = |row: u32| if row >= zone { &local } else { self };
            let mut rows: Vec<u32> = std::iter::successors(Some(end), |row| view(*row).previous(*row)).collect();
            rows.reverse();
            self.route(rows)
        };
        self.pick(local.tied(newest).filter(|row| local.is_reached(*row)).map(whole).collect())
    }

    /// The nearest point that holds every change up to `moment` and is not reached by `limit` itself: the earliest
    /// end after it.
    pub(super) fn next_after(&self, limit: i64) -> Option<Route> {
        let start = self.after(limit.saturating_sub(self.lane.fuzz).saturating_sub(1));
        let routes = (start..self.lane.rows.end).filter_map(|row| self.route_to(row));
        routes.into_iter().find(|route| route.settled > limit)
    }
}

/// The prepared chains that end before a zone.
struct Before<'a, 'b> {
    view: &'b View<'a>,
    zone: u32,
}

impl Earlier for Before<'_, '_> {
    fn best_from(&self, from: i64) -> Option<(Score, u32)> {
        let until = |row: u32| self.view.rows.until[row as usize];
        let mut best = self.newest().filter(|row| until(*row) >= from)?;
        loop {
            let lower = self.view.links.lower[(best - self.view.links.first) as usize];
            if lower == NONE || until(lower) < from {
                return Some((self.view.score(best), best));
            }
            best = lower;
        }
    }

    fn score(&self, row: u32) -> Option<Score> {
        (self.view.lane.rows.contains(&row) && self.view.is_reached(row)).then(|| self.view.score(row))
    }

    fn newest(&self) -> Option<u32> {
        self.view.newest_before(self.zone)
    }
}
