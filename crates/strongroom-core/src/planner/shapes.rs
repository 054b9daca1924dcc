//! Shapes of names by number.

use std::collections::BTreeMap;

use super::shape::{Facts, Shape};

/// Shapes by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes {
    pub(super) list: Vec<Shape>,
    by_bytes: BTreeMap<Vec<u8>, u32>,
    /// The shape that a backup of a class had last: the next one most likely has it too.
    by_class: Vec<u32>,
}

impl Shapes {
    /// The shapes with these numbers.
    pub(super) fn of(list: Vec<Vec<u8>>) -> Self {
        let by_bytes = list.iter().cloned().zip(0..).collect();
        Self { list: list.into_iter().map(Shape::of_bytes).collect(), by_bytes, by_class: Vec::new() }
    }

    /// The number of the shape of `name`, which is that of a backup of `class`.
    pub(super) fn number(&mut self, class: u32, name: &str, facts: &Facts) -> u32 {
        let class = class as usize;
        let likely = self.by_class.get(class).copied().unwrap_or(u32::MAX);
        if self.list.get(likely as usize).is_some_and(|shape| shape.is_of(name, facts)) {
            return likely;
        }
        let shape = Shape::of_name(name, facts);
        let number = self.by_bytes.get(&shape.bytes).copied().unwrap_or_else(|| {
            let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
            self.by_bytes.insert(shape.bytes.clone(), number);
            self.list.push(shape);
            number
        });
        if self.by_class.len() <= class {
            self.by_class.resize(class + 1, u32::MAX);
        }
        self.by_class[class] = number;
        number
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        let texts: usize = self.list.iter().map(|shape| 2 * shape.bytes.capacity() + size_of::<Shape>() + 300).sum();
        texts + self.by_class.capacity() * 4
    }
}
