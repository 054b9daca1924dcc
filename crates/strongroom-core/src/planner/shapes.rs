//! Shapes of names by number.

use std::collections::BTreeMap;

/// Shapes by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes {
    pub(super) list: Vec<Vec<u8>>,
    by_shape: BTreeMap<Vec<u8>, u32>,
    room: Vec<u8>,
    last: u32,
}

impl Shapes {
    /// The shapes with these numbers.
    pub(super) fn of(list: Vec<Vec<u8>>) -> Self {
        let by_shape = list.iter().cloned().zip(0..).collect();
        Self { list, by_shape, ..Self::default() }
    }

    /// The number of the shape that `write` writes.
    pub(super) fn number(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> u32 {
        write(&mut self.room);
        if self.list.get(self.last as usize) == Some(&self.room) {
            return self.last;
        }
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.last = self.by_shape.get(&self.room).copied().unwrap_or_else(|| {
            self.list.push(self.room.clone());
            self.by_shape.insert(self.room.clone(), next);
            next
        });
        self.last
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        let texts: usize = self.list.iter().map(|shape| 2 * shape.capacity() + 24 + 40).sum();
        texts + self.room.capacity()
    }
}
