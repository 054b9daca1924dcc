//! What the search leaves behind: for every row the one before it in its best chain.

use std::collections::BTreeMap;

use super::terms::{Score, Terms};

/// This row begins its chain.
pub(super) const BEGIN: u32 = 0x7fff_ffff;
/// Set when no chain ends at the row; the other bits are the nearest earlier row where one does, or [`BEGIN`].
pub(super) const UNREACHED: u32 = 0x8000_0000;
/// No row.
pub(super) const NONE: u32 = u32::MAX;

/// For every row of a range: the row before it in the best chain, and the nearest earlier row with a lower score.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    /// The first row.
    pub(super) first: u32,
    pub(super) previous: Vec<u32>,
    pub(super) lower: Vec<u32>,
    /// For exact rows whose parent is not reached by its own best chain: all rows before them, newest first.
    pub(super) detours: BTreeMap<u32, Vec<u32>>,
}

impl Links {
    fn link(&self, row: u32) -> u32 {
        self.previous[(row - self.first) as usize]
    }

    /// The row before `row` in its best chain, if that is no detour.
    pub(super) fn previous(&self, row: u32) -> Option<u32> {
        Some(self.link(row)).filter(|link| *link < BEGIN)
    }

    /// Whether a chain ends at `row`.
    pub(super) fn is_reached(&self, row: u32) -> bool {
        self.link(row) & UNREACHED == 0
    }

    /// The nearest row before `row` with a lower score, or [`NONE`].
    pub(super) fn lower(&self, row: u32) -> u32 {
        self.lower[(row - self.first) as usize]
    }

    /// The newest row of `start..end` where a chain ends.
    pub(super) fn newest_before(&self, end: u32, start: u32) -> Option<u32> {
        let row = end.checked_sub(1).filter(|row| *row >= start)?;
        let link = self.link(row);
        if link & UNREACHED == 0 { Some(row) } else { Some(link & BEGIN).filter(|row| *row != BEGIN) }
    }
}

/// The links of a zone, and of what is before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chains<'l> {
    pub(super) near: &'l Links,
    far: Option<&'l Links>,
}

impl<'l> Chains<'l> {
    pub(super) fn new(near: &'l Links, far: Option<&'l Links>) -> Self {
        Self { near, far }
    }

    fn of(&self, row: u32) -> &'l Links {
        self.far.filter(|_| row < self.near.first).unwrap_or(self.near)
    }

    pub(super) fn is_reached(&self, row: u32) -> bool {
        self.of(row).is_reached(row)
    }

    /// The rows of the best chain to `row`, from `row` backwards. There must be one.
    pub(super) fn back(&self, row: u32) -> Back<'l> {
        Back { chains: *self, next: Some(row), detour: &[] }
    }

    pub(super) fn score(&self, terms: &Terms<'_>, row: u32) -> Score {
        self.back(row).filter_map(|row| terms.own(row)).map(|(own, _)| own).sum()
    }
}

/// A chain, backwards.
#[derive(Debug, Clone)]
pub(super) struct Back<'l> {
    chains: Chains<'l>,
    next: Option<u32>,
    detour: &'l [u32],
}

impl Iterator for Back<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if let Some((row, rest)) = self.detour.split_first() {
            self.detour = rest;
            return Some(*row);
        }
        let row = self.next.take()?;
        let links = self.chains.of(row);
        match links.detours.get(&row).filter(|_| !links.detours.is_empty()) {
            Some(detour) => self.detour = detour,
            None => self.next = Some(links.link(row)).filter(|link| *link < BEGIN),
        }
        Some(row)
    }
}
