//! The chains of a lane that hold no change after a limit.

use super::links::{Chains, Links};
use super::sweep::Span;
use super::terms::Score;
use super::view::{Route, View};

/// A view with a limit. Rows before the zone can't be settled after it; those of the zone are swept again without what
/// is, if there is any.
#[derive(Debug)]
pub(super) struct Within<'v, 'a> {
    view: &'v View<'a>,
    end: u32,
    swept: Option<Links>,
}

impl<'v, 'a> Within<'v, 'a> {
    /// Sweeps the zone if any chain may end in it that holds too much.
    pub(super) fn of(view: &'v View<'a>, limit: i64) -> Self {
        let (zone, end) = (view.search().settled_before(limit), view.after(limit));
        if (zone..end).any(|row| view.is_reached(row) && view.rows.settled(row) > limit) {
            Self::swept(view, limit)
        } else {
            Self { view, end, swept: None }
        }
    }

    /// Sweeps the zone.
    pub(super) fn swept(view: &'v View<'a>, limit: i64) -> Self {
        let (zone, end) = (view.search().settled_before(limit), view.after(limit));
        let span = Span { first: zone, end: end.max(zone), limit: Some(limit), except: None };
        Self { view, end, swept: Some(view.search().sweep(span, Some(&view.links))) }
    }

    fn chains(&self) -> Chains<'_> {
        let near = self.swept.as_ref().unwrap_or(&self.view.links);
        Chains::new(near, self.swept.as_ref().map(|_| &*self.view.links))
    }

    /// Rows where a chain ends, newest first.
    pub(super) fn ends(&self) -> impl Iterator<Item = u32> {
        let before = |end: u32| {
            let swept = self.swept.as_ref().filter(|swept| end > swept.first);
            swept.unwrap_or(&self.view.links).newest_before(end, self.view.lane.rows.start)
        };
        std::iter::successors(before(self.end), move |row| before(*row))
    }

    /// The best of the chains that end last.
    pub(super) fn best(&self) -> Option<Route> {
        let newest = self.ends().next()?;
        let tied = self.view.tied(newest).filter(|row| self.chains().is_reached(*row));
        self.view.pick(tied.map(|row| self.route(row)).collect())
    }

    /// The best chain that ends at `row`, one of [`Within::ends`].
    pub(super) fn route(&self, row: u32) -> Route {
        self.view.route(self.chains(), row)
    }

    /// Its rows, newest first.
    pub(super) fn back(&self, row: u32) -> impl Iterator<Item = u32> {
        self.chains().back(row)
    }

    pub(super) fn has_detours(&self) -> bool {
        let some = |links: &Links| !links.detours.is_empty();
        some(&self.view.links) || self.swept.as_ref().is_some_and(some)
    }

    /// What `row` adds to a chain.
    pub(super) fn own(&self, row: u32) -> Score {
        self.view.terms.own(row).map_or(0, |(own, _)| own)
    }
}
