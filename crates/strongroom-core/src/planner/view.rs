//! One lane as one request sees it, and the chains that can be had from it.

use std::borrow::Cow;

use super::ids::Ids;
use super::lane::Lane;
use super::links::{Chains, Links};
use super::plan::Reached;
use super::rows::{Rows, number};
use super::sweep::Search;
use super::terms::{Score, Terms};
use super::within::Within;
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

impl<'a> View<'a> {
    pub(super) fn search(&self) -> Search<'_, 'a> {
        Search { terms: &self.terms, ids: self.ids, lane: self.lane }
    }

    /// Whether a chain ends at `row`.
    pub(super) fn is_reached(&self, row: u32) -> bool {
        self.links.is_reached(row)
    }

    /// The newest row before `end` where a chain ends.
    pub(super) fn newest_before(&self, end: u32) -> Option<u32> {
        self.links.newest_before(end, self.lane.rows.start)
    }

    /// The first row whose `until` lies after `moment`.
    pub(super) fn after(&self, moment: i64) -> u32 {
        let range = &self.lane.rows;
        let column = &self.rows.until[range.start as usize..range.end as usize];
        range.start + number(column.partition_point(|until| *until <= moment))
    }

    /// The best chain that ends at `row`, whatever the target.
    pub(super) fn route_to(&self, row: u32) -> Option<Route> {
        let reached = self.lane.rows.contains(&row) && self.is_reached(row);
        reached.then(|| self.route(Chains::new(&self.links, None), row))
    }

    /// The chain to `row`.
    pub(super) fn route(&self, chains: Chains<'_>, row: u32) -> Route {
        let mut rows: Vec<u32> = chains.back(row).collect();
        rows.reverse();
        let until = self.rows.until[row as usize];
        let settled = rows.iter().map(|row| self.rows.settled(*row)).max().unwrap_or(until);
        Route { rows, until, settled }
    }

    /// The best chain to the newest moment that has no change after `limit` in it.
    ///
    /// The prepared chains know no limit. Most fit it; where one holds a row that is settled too late, the rows that
    /// can be (those within the largest fuzz of the limit) are swept again.
    pub(super) fn best_at(&self, limit: i64) -> Option<Route> {
        let end = self.after(limit);
        let zone = self.search().settled_before(limit);
        let mut row = self.newest_before(end)?;
        while row >= zone && self.rows.settled(row) > limit {
            row = self.newest_before(row)?;
        }
        let ends = self.tied(row).filter(|row| self.rows.settled(*row) <= limit);
        let routes: Vec<Route> = ends.filter_map(|row| self.route_to(row)).collect();
        if routes.iter().any(|route| route.settled > limit) {
            return Within::swept(self, limit).best();
        }
        self.pick(routes)
    }

    /// The rows that end at the same moment as `row`, from `row` backwards.
    pub(super) fn tied(&self, row: u32) -> impl Iterator<Item = u32> {
        let until = self.rows.until[row as usize];
        (self.lane.rows.start..=row).rev().take_while(move |row| self.rows.until[*row as usize] == until)
    }

    /// The best of routes that end at the same moment: risk, then cost, then what is settled first.
    pub(super) fn pick(&self, mut routes: Vec<Route>) -> Option<Route> {
        if routes.len() > 1 {
            let score = |route: &Route| {
                route.rows.iter().filter_map(|row| self.terms.own(*row)).map(|(own, _)| own).sum::<Score>()
            };
            routes.sort_by_cached_key(|route| (score(route), route.settled, route.rows.clone()));
        }
        routes.into_iter().next()
    }

    /// The nearest point that holds every change up to `moment` and is not reached by `limit` itself: the earliest
    /// end after it.
    pub(super) fn next_after(&self, limit: i64) -> Option<Route> {
        let start = self.search().settled_before(limit);
        let routes = (start..self.lane.rows.end).filter_map(|row| self.route_to(row));
        routes.into_iter().find(|route| route.settled > limit)
    }
}
