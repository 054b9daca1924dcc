//! The points of a part: what policies choose from.

use std::collections::BTreeMap;

use super::chains::Chains;
use crate::id::ClusterId;
use crate::model::{Filter, Scope, Status};
use crate::planner::catalogue::Catalogue;
use crate::planner::lane::Lane;
use crate::planner::part::Part;
use crate::planner::target::Request;

/// A state that can be restored: a row where a chain ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) row: u32,
    /// Which of the part's histories.
    pub(super) history: usize,
    pub(super) until: i64,
    /// From which moment on a restore to a moment can reach it.
    pub(super) ready: i64,
    pub(super) verified: bool,
    pub(super) base: bool,
}

/// The points of a part that a restore of a certain filter can reach: a backup of some tables is no point of a whole part.
#[derive(Debug)]
pub(super) struct Series<'a> {
    pub(super) part: Part<'a>,
    /// Of each history.
    pub(super) chains: Vec<Chains>,
    /// Whether missing ranges are allowed.
    pub(super) partial: bool,
    /// Oldest first.
    pub(super) points: Vec<Point>,
}

/// Everything of one part.
#[derive(Debug)]
pub(super) struct PartSeries<'a> {
    pub(super) cluster: ClusterId,
    pub(super) name: &'a str,
    pub(super) lanes: Vec<&'a Lane>,
    pub(super) series: Vec<Series<'a>>,
}

impl<'a> PartSeries<'a> {
    pub(super) fn of(catalogue: &'a Catalogue, cluster: ClusterId, name: &'a str) -> Self {
        let classes = catalogue
            .lanes_of_part(cluster, name)
            .flat_map(|lane| &lane.classes)
            .map(|class| &catalogue.rows.classes.list[*class as usize]);
        let mut filters: Vec<&Filter> = Vec::new();
        let mut partial = false;
        for class in classes.filter(|class| class.status != Status::Deleted) {
            partial |= class.status == Status::Partial || class.missing > 0;
            if !filters.contains(&&class.filter) {
                filters.push(&class.filter);
            }
        }
        filters.sort_by_cached_key(|filter| format!("{filter:?}"));
        Self::with(catalogue, (cluster, name), &filters, partial)
    }

    /// The same part with what is left of it.
    pub(super) fn left<'b>(&self, catalogue: &'b Catalogue, name: &'b str) -> PartSeries<'b> {
        let mut filters: Vec<&Filter> = self.series.iter().map(|series| &series.part.filter).collect();
        filters.dedup();
        let partial = self.series.iter().any(|series| series.partial);
        PartSeries::with(catalogue, (self.cluster, name), &filters, partial)
    }

    fn with(
        catalogue: &'a Catalogue,
        (cluster, name): (ClusterId, &'a str),
        filters: &[&Filter],
        partial: bool,
    ) -> Self {
        let lanes: Vec<&Lane> = catalogue.lanes_of_part(cluster, name).collect();
        let mut series = Vec::with_capacity(filters.len());
        for filter in filters {
            let whole = Series::of(catalogue, cluster, name, filter, None);
            let some = if partial { Series::of(catalogue, cluster, name, filter, whole.as_ref()) } else { None };
            series.extend(whole);
            series.extend(some);
        }
        Self { cluster, name, lanes, series }
    }

    /// Goes through the rows of one history, newest first, and tells `visit` of each row that stays, or that the chain of
    /// one that stays applies, and of each row that its chains apply right before it.
    pub(super) fn descend<T>(
        &self,
        history: usize,
        state: &mut T,
        stays: impl Fn(&T, u32) -> bool,
        mut visit: impl FnMut(&mut T, u32, u32),
    ) {
        let Some(lane) = self.series.first().map(|series| series.part.histories[history].view.lane) else { return };
        let first = lane.rows.start;
        // By series: a chain may apply rows of others.
        let mut applied = vec![vec![false; lane.rows.len()]; self.series.len()];
        for row in lane.rows.clone().rev() {
            let stays = stays(state, row);
            for (series, applied) in self.series.iter().zip(&mut applied) {
                let chains = &series.chains[history];
                if applied[(row - first) as usize] || (stays && chains.is_own(row)) {
                    for previous in chains.previous(&series.part.histories[history].view, row) {
                        applied[(previous - first) as usize] = true;
                        visit(state, row, previous);
                    }
                }
            }
        }
    }

    /// The series that tells best how `row` is reached, and in which history: that of its own filter, and whole.
    pub(super) fn owner(&self, row: u32) -> Option<(&Series<'a>, usize)> {
        let mut found: Option<((bool, bool), &Series<'a>, usize)> = None;
        for series in &self.series {
            let lane = series.part.histories.iter().position(|history| history.view.lane.rows.contains(&row));
            if let Some(at) = lane.filter(|at| series.chains[*at].is_own(row)) {
                let filter = &series.part.histories[at].view.rows.class_of(row).filter;
                let rank = (series.partial, *filter != series.part.filter);
                if found.is_none_or(|(other, ..)| rank < other) {
                    found = Some((rank, series, at));
                }
            }
        }
        found.map(|(_, series, at)| (series, at))
    }

    /// How many histories there are; all series have the same.
    pub(super) fn histories(&self) -> usize {
        self.series.first().map_or(0, |series| series.part.histories.len())
    }

    /// The newest point's `until`.
    pub(super) fn newest(&self) -> Option<i64> {
        self.series.iter().filter_map(|series| series.points.last()).map(|point| point.until).max()
    }
}

impl<'a> Series<'a> {
    /// The whole points of `filter`; or, where the whole ones are given, those that are partial and newer than all of
    /// them.
    fn of(
        catalogue: &'a Catalogue,
        cluster: ClusterId,
        name: &'a str,
        filter: &Filter,
        whole: Option<&Self>,
    ) -> Option<Self> {
        let scope = Scope { parts: Some(BTreeMap::from([(name.to_owned(), filter.clone())])) };
        let request = Request { allow_partial: whole.is_some(), ..Request::anything().of(scope) };
        let part = Part::of(catalogue, cluster, name, &request, None)?;
        let rows = &catalogue.rows;
        let mut chains = Vec::with_capacity(part.histories.len());
        for (at, history) in part.histories.iter().enumerate() {
            let whole = whole.map(|whole| &whole.chains[at]);
            chains.push(Chains::of(&history.view, |row| whole.is_none_or(|whole| !whole.is_reached(row))));
        }
        let newest = whole.and_then(|whole| whole.points.last()).map_or(i64::MIN, |point| point.until);
        let mut points = Vec::new();
        for ((at, history), chains) in part.histories.iter().enumerate().zip(&chains) {
            for row in history.view.lane.rows.clone().filter(|row| chains.is_own(*row)) {
                let until = rows.until[row as usize];
                if whole.is_none() || until > newest {
                    let base = rows.class_of(row).kind.starts_a_chain();
                    let (ready, verified) = (chains.ready(row), chains.is_verified(row));
                    points.push(Point { row, history: at, until, ready, verified, base });
                }
            }
        }
        if part.histories.len() > 1 {
            points.sort_by_key(|point| (point.until, point.row));
        }
        Some(Self { part, chains, partial: whole.is_some(), points })
    }

    /// The points that end at the same moment, newest moment first.
    pub(super) fn moments(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let mut end = self.points.len();
        std::iter::from_fn(move || {
            let until = self.points.get(end.checked_sub(1)?)?.until;
            let start = self.points[..end].iter().rposition(|point| point.until != until).map_or(0, |at| at + 1);
            Some(start..std::mem::replace(&mut end, start))
        })
    }
}
