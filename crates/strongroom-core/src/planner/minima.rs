//! The least value over all rows that end at or after a moment, while rows come in the order of their ends.

/// A stack of suffix minima: below the top are earlier and lower rows only. It holds rows alone, since the stack of one
/// long chain is as long as the chain: what they are worth is asked for.
#[derive(Debug)]
pub(super) struct Minima(Vec<u32>);

impl Minima {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// The lowest row that ends at or after `from`.
    pub(super) fn best_from(&self, from: i64, until: impl Fn(u32) -> i64) -> Option<u32> {
        let length = self.0.len();
        let mut step = 1;
        while step <= length && until(self.0[length - step]) >= from {
            step *= 2;
        }
        let low = length.saturating_sub(step);
        let at = low + self.0[low..].partition_point(|row| until(*row) < from);
        self.0.get(at).copied()
    }

    /// Adds a row; gives the nearest earlier row with a lower score.
    pub(super) fn push<S: Ord>(&mut self, row: u32, score: &S, score_of: impl Fn(u32) -> S) -> Option<u32> {
        while self.0.pop_if(|top| score_of(*top) >= *score).is_some() {}
        let lower = self.0.last().copied();
        self.0.push(row);
        lower
    }
}
