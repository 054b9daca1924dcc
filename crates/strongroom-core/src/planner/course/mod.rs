//! What "at or before T" reaches, for every T at once: the answer to all questions about what can be restored.
//!
//! ```text
//!   T        ──────┬───────────┬──────────┬─────────────┬──────────────▶
//!   reached   none │ until 10  │ until 20 │ T itself    │ refused: GAP
//!                  10          20         22 (logs)     31
//! ```
//!
//! One sweep instead of a plan for every moment. Between two neighbouring moments at which a backup settles, a log ends
//! or a timeline begins, a restore reaches either always the same point or, by logs, the very moment asked for.

mod changes;
mod history;
mod part;
mod windows;

use super::plan::Reached;
use super::reason::Reason;
use crate::Timestamp;

/// What is the same for all moments from `from` until the next piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) from: i64,
    pub(super) reach: Reach,
    /// Why the request is refused at these moments although something could be reached, or because nothing can.
    pub(super) refused: Option<Why>,
}

/// What is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nothing at all.
    Nothing,
    /// A point, by a chain that ends with `row`; `settled` is the earliest possible.
    Point { history: u32, row: u32, until: i64, settled: i64 },
    /// By logs, every moment exactly.
    Every { history: u32, row: u32 },
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// Nothing was backed up that early.
    BeforeFirst,
    /// A backup that no chain can use.
    Row { history: u32, row: u32 },
    /// A log does not carry the state over a hole.
    Log(Box<(Reason, String)>),
}

/// The pieces of a part, over all of time.
#[derive(Debug, Clone)]
pub(super) struct Course {
    /// Growing; the first begins before everything.
    pub(super) pieces: Vec<Piece>,
    /// When each backup settled that no chain can use, growing.
    pub(super) stranded: Vec<i64>,
}

impl Reach {
    /// The point that is reached at `moment`.
    pub(super) fn at(self, moment: i64) -> Option<Reached> {
        let reached = |until, settled| {
            Some(Reached { until: Timestamp::from_micros(until), settled: Timestamp::from_micros(settled) })
        };
        match self {
            Self::Nothing => None,
            Self::Point { until, settled, .. } => reached(until, settled),
            Self::Every { .. } => reached(moment, moment),
        }
    }

    /// Whether it is every moment.
    pub(super) fn is_every(self) -> bool {
        matches!(self, Self::Every { .. })
    }

    /// Where a chain to it ends: history and row.
    pub(super) fn end(self) -> Option<(usize, u32)> {
        match self {
            Self::Nothing => None,
            Self::Point { history, row, .. } | Self::Every { history, row } => Some((history as usize, row)),
        }
    }
}

impl Course {
    /// Every piece with its last moment.
    pub(super) fn spans(&self) -> impl Iterator<Item = (&Piece, i64)> {
        let ends = self.pieces.iter().skip(1).map(|next| next.from - 1).chain([super::part::LATEST]);
        self.pieces.iter().zip(ends)
    }
}
