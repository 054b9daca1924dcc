//! Rows by id, in four bytes a row: sorted by a hash, and found by where the hash must be.

use super::rows::Rows;
use crate::id::BackupId;

/// Rows in the order of the hash of their id.
#[derive(Debug, Clone, Default)]
pub(super) struct Ids {
    rows: Vec<u32>,
    /// Places in `rows` where the hash is that of the place before: few.
    alike: Vec<u32>,
}

/// Spreads ids evenly, those made of small numbers too.
fn hash(id: BackupId) -> u32 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let bytes = id.as_bytes();
    let half = |at: usize| bytes[at..].first_chunk().copied().map_or(0, u64::from_le_bytes);
    let (low, high) = (half(0), half(8));
    let mixed = (low.wrapping_mul(ODD) ^ high).wrapping_mul(ODD);
    ((mixed ^ (mixed >> 29)).wrapping_mul(ODD) >> 32) as u32
}

impl Ids {
    pub(super) fn of(rows: &Rows) -> Self {
        let mut keyed: Vec<u64> =
            rows.id.iter().zip(0_u64..).map(|(id, row)| (u64::from(hash(*id)) << 32) | row).collect();
        sort_by_high_half(&mut keyed);
        let same = |pair: &(&[u64], u32)| pair.0[0] >> 32 == pair.0[1] >> 32;
        let alike = keyed.windows(2).zip(1..).filter(same).map(|(_, at)| at).collect();
        Self { rows: keyed.iter().map(|key| (key & 0xffff_ffff) as u32).collect(), alike }
    }

    /// The first row with this id.
    pub(super) fn find(&self, rows: &Rows, id: BackupId) -> Option<u32> {
        self.all(rows, id).min()
    }

    /// All rows with this id.
    pub(super) fn all<'a>(&'a self, rows: &'a Rows, id: BackupId) -> impl Iterator<Item = u32> + use<'a> {
        let wanted = hash(id);
        let of = |at: usize| hash(rows.id[self.rows[at] as usize]);
        // Where it must be if hashes are spread evenly; then outwards in growing steps.
        let guess = ((u64::from(wanted) * self.rows.len() as u64) >> 32) as usize;
        let (mut low, mut high, mut step) = (guess, guess, 8);
        while low > 0 && of(low) >= wanted {
            low = low.saturating_sub(step);
            step *= 2;
        }
        step = 8;
        while high < self.rows.len() && of(high) <= wanted {
            high = self.rows.len().min(high + step);
            step *= 2;
        }
        let (mut from, mut to) = (low, high);
        while from < to {
            let middle = usize::midpoint(from, to);
            if of(middle) < wanted { from = middle + 1 } else { to = middle }
        }
        let same_hash = self.rows[from..].iter().take_while(move |row| hash(rows.id[**row as usize]) == wanted);
        same_hash.copied().filter(move |row| rows.id[*row as usize] == id)
    }

    /// Rows that share an id, each group growing.
    pub(super) fn groups(&self, rows: &Rows) -> Vec<Vec<u32>> {
        let id = |row: &u32| rows.id[*row as usize];
        let mut groups = Vec::new();
        for run in self.alike.chunk_by(|a, b| a + 1 == *b) {
            let mut alike = self.rows[run[0] as usize - 1..=run[run.len() - 1] as usize].to_vec();
            alike.sort_unstable_by_key(|row| (id(row), *row));
            groups.extend(alike.chunk_by(|a, b| id(a) == id(b)).filter(|same| same.len() > 1).map(<[u32]>::to_vec));
        }
        groups
    }

    pub(super) fn bytes(&self) -> usize {
        (self.rows.capacity() + self.alike.capacity()) * 4
    }
}

/// Sorts by the upper 32 bits, keeping the order of equals: counting, eleven bits at a time.
fn sort_by_high_half(keys: &mut Vec<u64>) {
    if keys.len() < 4096 {
        keys.sort_unstable();
        return;
    }
    let mut other = vec![0_u64; keys.len()];
    for shift in [32, 43, 54] {
        let digit = |key: u64| ((key >> shift) & 0x7ff) as usize;
        let mut next = [0_usize; 0x800];
        for key in keys.iter() {
            next[digit(*key)] += 1;
        }
        let mut start = 0;
        for count in &mut next {
            start += std::mem::replace(count, start);
        }
        for key in keys.iter() {
            let at = &mut next[digit(*key)];
            other[*at] = *key;
            *at += 1;
        }
        std::mem::swap(keys, &mut other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(ids: &[u128]) -> Rows {
        Rows { id: ids.iter().map(|id| BackupId::from_u128(*id)).collect(), ..Rows::default() }
    }

    proptest! {
        #[test]
        fn every_id_is_found_and_no_other(ids in prop::collection::vec(0_u128..200, 0..100), random: Vec<u128>) {
            let all: Vec<u128> = ids.into_iter().chain(random).collect();
            let rows = rows(&all);
            let index = Ids::of(&rows);
            for wanted in all.iter().copied().chain(0..200) {
                let first = all.iter().position(|id| *id == wanted).map(super::super::rows::number);
                prop_assert_eq!(index.find(&rows, BackupId::from_u128(wanted)), first);
            }
        }

        #[test]
        fn counting_sorts(mut keys in prop::collection::vec(any::<u64>(), 4096..5000)) {
            let mut sorted = keys.clone();
            sorted.sort_by_key(|key| key >> 32);
            sort_by_high_half(&mut keys);
            prop_assert_eq!(keys, sorted);
        }
    }
}
