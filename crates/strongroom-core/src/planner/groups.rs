//! Which steps may run at the same time.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cluster::StepId;

/// Steps that may run at the same time, in order: a group begins when the one before has ended. In JSON a list of lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepGroups {
    /// All groups in one list: a long chain has as many groups as steps.
    steps: Vec<StepId>,
    /// Where each group ends.
    ends: Vec<usize>,
}

impl StepGroups {
    /// The first steps of all parts, then the second ones, and so on; steps are numbered part by part.
    pub(super) fn of(lengths: &[usize]) -> Self {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let mut groups = Self { steps: Vec::with_capacity(lengths.iter().sum()), ends: Vec::with_capacity(longest) };
        // The parts that still have steps, and the number of the next step of each.
        let mut first = 0;
        let mut open: Vec<(StepId, usize)> = Vec::with_capacity(lengths.len());
        for length in lengths {
            open.push((first, *length));
            first = first.saturating_add(StepId::try_from(*length).unwrap_or(StepId::MAX));
        }
        for at in 0..longest {
            open.retain(|(_, length)| *length > at);
            for (next, _) in &mut open {
                groups.steps.push(*next);
                *next = next.saturating_add(1);
            }
            groups.ends.push(groups.steps.len());
        }
        groups
    }

    /// The groups, in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[StepId]> {
        let start = |at: usize| at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.iter().enumerate().map(move |(at, end)| self.steps.get(start(at)..*end).unwrap_or_default())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl Serialize for StepGroups {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for StepGroups {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut groups = Self::default();
        for group in Vec::<Vec<StepId>>::deserialize(deserializer)? {
            groups.steps.extend(group);
            groups.ends.push(groups.steps.len());
        }
        Ok(groups)
    }
}
