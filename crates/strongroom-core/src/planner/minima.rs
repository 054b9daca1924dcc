//! The least value over all rows that end at or after a moment, while rows come in the order of their ends.

/// A row that has come in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<S> {
    pub(super) until: i64,
    pub(super) row: u32,
    pub(super) score: S,
}

/// A stack of suffix minima: below the top are earlier and lower rows only.
#[derive(Debug)]
pub(super) struct Minima<S>(Vec<Kept<S>>);

impl<S: Ord + Copy> Minima<S> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// The lowest row that ends at or after `from`.
    pub(super) fn best_from(&self, from: i64) -> Option<Kept<S>> {
        let length = self.0.len();
        let mut step = 1;
        while step <= length && self.0[length - step].until >= from {
            step *= 2;
        }
        let low = length.saturating_sub(step);
        let at = low + self.0[low..].partition_point(|kept| kept.until < from);
        self.0.get(at).copied()
    }

    /// Adds a row; gives the nearest earlier row with a lower score.
    pub(super) fn push(&mut self, kept: Kept<S>) -> Option<u32> {
        while self.0.pop_if(|top| top.score >= kept.score).is_some() {}
        let lower = self.0.last().map(|below| below.row);
        self.0.push(kept);
        lower
    }
}
