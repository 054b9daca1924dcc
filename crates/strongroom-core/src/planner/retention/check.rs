//! The post-condition: with what is left, everything that stays is reached as before.

use super::logs::{LogNeeds, carried};
use super::marks::Marks;
use super::plan::{KeptPoint, RetentionPlan};
use super::round::Decided;
use super::series::{PartSeries, Series};
use crate::id::BackupId;
use crate::planner::catalogue::Catalogue;
use crate::planner::part::History;
use crate::planner::plan::Reached;
use crate::{Error, Result, Timestamp};

/// A point that is lost, or moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) row: u32,
    /// Whether no chain ends there any more; else its chain reaches another point.
    pub(super) lost: bool,
}

/// Plans with what is left and compares.
pub(super) fn nothing_lost(
    catalogue: &Catalogue,
    decided: &[Decided<'_>],
    marks: &Marks,
    needs: &LogNeeds,
    gone: &[u32],
) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let left = catalogue.without(gone);
    // How far logs carry a point changes only with them.
    let segments = gone.iter().any(|row| catalogue.rows.place(*row).is_some());
    for Decided { part, .. } in decided {
        let after = part.left(&left, part.name);
        let since = |history: &History<'_>| needs.since(part.cluster, part.name, history.view.lane.timeline);
        let logs = |history: &History<'_>| if segments { since(history) } else { None };
        let broken = broken(catalogue, part, &left, &after, |row| marks.stays(row), logs);
        if let Some(first) = broken.first() {
            let what = if first.lost { "lost" } else { "moved" };
            return Err(Error::internal(format!(
                "the point of backup {} of '{}' would be {what} by this round",
                catalogue.rows.id[first.row as usize], part.name
            ))
            .hint("nothing was deleted; please report this"));
        }
    }
    Ok(())
}

/// Of the rows that stay and that a chain reached before, those that are not reached as before. `logs` gives the moment
/// since which logs must carry them as far as before.
pub(super) fn broken<'a>(
    catalogue: &Catalogue,
    before: &PartSeries<'a>,
    left: &Catalogue,
    after: &PartSeries<'_>,
    stays: impl Fn(u32) -> bool,
    logs: impl Fn(&History<'a>) -> Option<i64>,
) -> Vec<Broken> {
    let mut broken = Vec::new();
    for series in &before.series {
        let same = after.series.iter().find(|other| is_same(series, other));
        for (at, history) in series.part.histories.iter().enumerate() {
            let chains = &series.chains[at];
            let since = logs(history);
            let mut there = same.and_then(|same| Walk::of(same, history, left));
            for row in history.view.lane.rows.clone().filter(|row| stays(*row) && chains.is_own(*row)) {
                let id = catalogue.rows.id[row as usize];
                let found = there.as_mut().and_then(|there| there.reached(id));
                let state = State {
                    settled: chains.settled(row),
                    ready: chains.ready(row),
                    upto: since
                        .filter(|since| catalogue.rows.until[row as usize] >= *since)
                        .and_then(|_| carried(history, row)),
                };
                let found = found.map(|(row, settled, ready)| {
                    let history = there.as_ref().map(|there| there.history);
                    let upto = state.upto.and(history).and_then(|history| carried(history, row));
                    State { settled, ready, upto }
                });
                if found != Some(state) {
                    broken.push(Broken { row, lost: found.is_none() });
                }
            }
        }
    }
    broken
}

fn is_same(a: &Series<'_>, b: &Series<'_>) -> bool {
    a.partial == b.partial && a.part.filter == b.part.filter
}

/// How a row is reached.
#[derive(Debug, PartialEq, Eq)]
struct State {
    settled: i64,
    ready: i64,
    /// How far logs carry it.
    upto: Option<i64>,
}

/// One history of what is left. It has the same order, so both are gone through side by side.
struct Walk<'a, 'b> {
    left: &'b Catalogue,
    history: &'b History<'a>,
    chains: &'b super::chains::Chains,
    next: u32,
}

impl<'a, 'b> Walk<'a, 'b> {
    fn of(series: &'b Series<'a>, like: &History<'_>, left: &'b Catalogue) -> Option<Self> {
        let timeline = like.view.lane.timeline;
        let at = series.part.histories.iter().position(|history| history.view.lane.timeline == timeline)?;
        let history = &series.part.histories[at];
        Some(Self { left, history, chains: &series.chains[at], next: history.view.lane.rows.start })
    }

    /// The row of `id`, and how a chain reaches it, if one does.
    fn reached(&mut self, id: BackupId) -> Option<(u32, i64, i64)> {
        let end = self.history.view.lane.rows.end;
        let row = (self.next..end).find(|row| self.left.rows.id[*row as usize] == id)?;
        self.next = row + 1;
        self.chains.is_reached(row).then(|| (row, self.chains.settled(row), self.chains.ready(row)))
    }
}

impl RetentionPlan {
    /// Checks that every kept point can be restored as it was planned, with the backups of `catalogue`: called again with
    /// fresh knowledge before anything is deleted.
    ///
    /// # Errors
    /// `BrokenChain`, with the first point that would be lost.
    pub fn check(&self, catalogue: &Catalogue) -> Result<()> {
        for part in &self.parts {
            let now = PartSeries::of(catalogue, part.cluster, &part.part);
            for point in &part.kept {
                if reached(catalogue, &now, point) != Some(point.reached) {
                    return Err(Error::broken_chain(format!(
                        "the point {} of '{}' (backup {}) would be lost",
                        point.reached.until, part.part, point.backup
                    ))
                    .hint("nothing was deleted; look at the backups that have changed since, and try again"));
                }
            }
        }
        Ok(())
    }
}

fn reached(catalogue: &Catalogue, part: &PartSeries<'_>, point: &KeptPoint) -> Option<Reached> {
    let row = catalogue.ids.find(&catalogue.rows, point.backup)?;
    let (series, history) = part.owner(row).filter(|(series, _)| series.partial == point.partial)?;
    let until = Timestamp::from_micros(catalogue.rows.until[row as usize]);
    Some(Reached { until, settled: Timestamp::from_micros(series.chains[history].settled(row)) })
}
