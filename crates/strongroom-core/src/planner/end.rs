//! How far logs carry a state, and what ends them.

use super::reason::Reason;
use crate::Timestamp;

/// How far the logs carry a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cover {
    /// Every change up to here can be replayed.
    pub(super) upto: i64,
    /// What they end with.
    pub(super) end: End,
}

/// Why the log that ends first goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) reason: Reason,
    pub(super) detail: String,
    /// The first change that was archived beyond it: a break, not mere lateness.
    pub(super) beyond: Option<i64>,
}

/// An [`End`] that nobody has asked for in words yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending<'a> {
    pub(super) upto: i64,
    pub(super) node: &'a str,
    pub(super) kind: EndKind,
    pub(super) beyond: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum EndKind {
    /// The run that carries the state ends.
    Ends { last: i64 },
    /// No run goes back to the state.
    StartsLate { first: Option<i64> },
    /// Nothing has arrived since the state.
    Silent,
    /// The node joined after the state.
    Stranger { since: i64 },
    /// No backup tells which nodes there were.
    NodesUnknown,
}

impl Ending<'_> {
    /// What ends first; of several a break before mere lateness, the earlier one first.
    pub(super) fn rank(&self) -> (i64, bool, Option<i64>) {
        (self.upto, self.beyond.is_none(), self.beyond)
    }

    /// Of the logs that carry a state that ends at `after`.
    pub(super) fn in_words(&self, after: i64) -> End {
        let moment = Timestamp::from_micros;
        let late = || if self.beyond.is_some() { Reason::LogStartsLate } else { Reason::LogEndsEarly };
        let (reason, what) = match (self.kind, self.beyond) {
            (EndKind::Ends { last }, Some(next)) => {
                (Reason::LogGap, format!("its log has a hole between {} and {}", moment(last), moment(next)))
            }
            (EndKind::Ends { last }, None) => {
                (Reason::LogEndsEarly, format!("its log has arrived up to {}", moment(last)))
            }
            (EndKind::StartsLate { first: Some(first) }, _) => {
                (Reason::LogStartsLate, format!("its log begins at {}, after the state", moment(first)))
            }
            (EndKind::StartsLate { first: None }, _) => {
                (Reason::LogStartsLate, "none of its segments since the state can be used".to_owned())
            }
            (EndKind::Silent, _) => (Reason::LogEndsEarly, format!("no segment has arrived since {}", moment(after))),
            (EndKind::Stranger { since }, _) => {
                (late(), format!("it was there at {}, and its log does not tell since when", moment(since)))
            }
            (EndKind::NodesUnknown, _) => {
                let what = "no backup up to the state tells of which nodes it was taken, so no log can be proven whole";
                return End { detail: what.to_owned(), reason: Reason::NodesUnknown, beyond: self.beyond };
            }
        };
        End { detail: format!("node {}: {what}", self.node), reason, beyond: self.beyond }
    }
}

impl Cover {
    /// Whether a break keeps the state from `wanted` although changes of before were archived beyond it.
    pub(super) fn hole(&self, wanted: i64) -> Option<(Reason, String)> {
        let End { reason, detail, beyond } = &self.end;
        let lost = self.upto < wanted && beyond.is_some_and(|beyond| beyond <= wanted);
        lost.then(|| (*reason, detail.clone()))
    }

    /// The first moment for which [`Cover::hole`] has an answer.
    pub(super) fn hole_from(&self) -> Option<i64> {
        self.end.beyond.map(|beyond| beyond.max(self.upto.saturating_add(1)))
    }
}
