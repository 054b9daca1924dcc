//! Parents in one byte a row: mostly a parent stands a few rows before its child.

use std::collections::BTreeMap;

use crate::id::BackupId;

/// The parents of rows, as far as their details do not tell them.
#[derive(Debug, Clone, Default)]
pub(super) struct Parents {
    /// How many rows before each row its parent's id stands; 0: it is not told here.
    back: Vec<u8>,
    /// Where the last parent stood: what follows one base has the same one.
    last: usize,
    /// Those that stood near before rows were moved.
    moved: BTreeMap<u32, BackupId>,
}

impl Parents {
    /// Appends a row that comes after `ids`. Tells whether its parent stands near: else somebody else must keep it.
    pub(super) fn push(&mut self, parent: Option<BackupId>, ids: &[BackupId]) -> bool {
        let back = parent.map_or(0, |parent| self.near(parent, ids));
        self.back.push(back);
        back != 0
    }

    fn near(&mut self, parent: BackupId, ids: &[BackupId]) -> u8 {
        let row = ids.len();
        let there = |at: &usize| *at < row && ids[*at] == parent;
        let Some(at) = [row.wrapping_sub(1), self.last].into_iter().find(there) else { return 0 };
        self.last = at;
        u8::try_from(row - at).unwrap_or(0)
    }

    /// The parent of a row, if it is told here.
    pub(super) fn of(&self, row: u32, ids: &[BackupId]) -> Option<BackupId> {
        match self.back.get(row as usize) {
            None | Some(0) => self.moved.get(&row).copied(),
            Some(back) => ids.get((row as usize).checked_sub(usize::from(*back))?).copied(),
        }
    }

    /// Puts the rows into `order`; `before` are the ids in the old order, `ids` those in the new one.
    pub(super) fn permute(&mut self, order: &[u32], before: &[BackupId], ids: &[BackupId]) {
        if self.moved.is_empty() && self.back.iter().all(|back| *back == 0) {
            self.back.truncate(order.len());
            return;
        }
        let mut new = Self { back: Vec::with_capacity(order.len()), ..Self::default() };
        for (old, row) in order.iter().zip(0_u32..) {
            let parent = self.of(*old, before);
            if !new.push(parent, &ids[..row as usize])
                && let Some(parent) = parent
            {
                new.moved.insert(row, parent);
            }
        }
        *self = new;
    }

    pub(super) fn reserve(&mut self, count: usize) {
        self.back.reserve_exact(count);
    }

    pub(super) fn shrink(&mut self) {
        self.back.shrink_to_fit();
    }

    /// Bytes of the column, and bytes beside it.
    pub(super) fn bytes(&self) -> (usize, usize) {
        (self.back.capacity(), self.moved.len() * 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(numbers: &[u128]) -> Vec<BackupId> {
        numbers.iter().map(|number| BackupId::from_u128(*number)).collect()
    }

    proptest! {
        #[test]
        fn parents_stay_whatever_moves_or_goes(
            rows in prop::collection::vec((0_u128..40, prop::option::of(0_u128..40)), 0..400),
            keys in prop::collection::vec(any::<u16>(), 400),
            kept in 0_usize..400,
        ) {
            let before = ids(&rows.iter().map(|(id, _)| *id).collect::<Vec<_>>());
            let mut parents = Parents::default();
            let mut told: Vec<Option<BackupId>> = Vec::new();
            for (at, (_, parent)) in rows.iter().enumerate() {
                let parent = parent.map(BackupId::from_u128);
                told.push(parents.push(parent, &before[..at]).then_some(parent).flatten());
            }
            for (at, parent) in (0..).zip(&told) {
                prop_assert_eq!(parents.of(at, &before), *parent);
            }
            for _ in 0..2 {
                let mut order: Vec<u32> = (0..).take(rows.len()).collect();
                order.sort_by_key(|row| keys[*row as usize]);
                order.truncate(kept);
                let after: Vec<BackupId> = order.iter().map(|row| before[*row as usize]).collect();
                let mut moved = parents.clone();
                moved.permute(&order, &before, &after);
                for (old, row) in order.iter().zip(0..) {
                    prop_assert_eq!(moved.of(row, &after), told[*old as usize]);
                }
            }
        }
    }

    #[test]
    fn what_stands_near_is_told_here() {
        let ids = ids(&[1, 2, 3, 4]);
        let mut parents = Parents::default();
        assert!(!parents.push(None, &ids[..0]) && !parents.push(Some(BackupId::from_u128(9)), &ids[..1]));
        assert!(parents.push(Some(ids[1]), &ids[..2]) && parents.push(Some(ids[1]), &ids[..3]));
        assert_eq!(parents.of(3, &ids), Some(ids[1]));
    }
}
