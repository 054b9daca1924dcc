//! How far logs carry a state, and what ends them.

use super::reason::Reason;

/// How far the logs carry a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cover {
    /// Every change up to here can be replayed.
    pub(super) upto: i64,
    /// What they end with.
    pub(super) end: End,
}

/// The node whose log ends first, and why it goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) node: String,
    pub(super) reason: Reason,
    pub(super) detail: String,
    /// The first change that was archived beyond it: a break, not mere lateness.
    pub(super) beyond: Option<i64>,
}

impl End {
    /// A break comes before lateness, the earlier one first.
    pub(super) fn rank(&self) -> (bool, Option<i64>) {
        (self.beyond.is_none(), self.beyond)
    }
}

impl Cover {
    /// Whether a break keeps the state from `wanted` although changes of before were archived beyond it.
    pub(super) fn hole(&self, wanted: i64) -> Option<(Reason, String)> {
        let End { node, reason, detail, beyond } = &self.end;
        let lost = self.upto < wanted && beyond.is_some_and(|beyond| beyond <= wanted);
        lost.then(|| (*reason, format!("node {node}: {detail}")))
    }

    /// The first moment for which [`Cover::hole`] has an answer.
    pub(super) fn hole_from(&self) -> Option<i64> {
        self.end.beyond.map(|beyond| beyond.max(self.upto.saturating_add(1)))
    }
}
