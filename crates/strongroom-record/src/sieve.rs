//! What of a namespace's records is meant.

use std::collections::BTreeSet;

use strongroom_core::model::Filter;
use strongroom_core::{Error, Result};

use crate::model::{Name, PARTITIONS, Record};

/// A filter, made ready to be asked of every record.
#[derive(Debug, Clone, Default)]
pub struct Sieve {
    sets: Option<BTreeSet<Vec<u8>>>,
    bins: Option<BTreeSet<Vec<u8>>>,
    partitions: Option<BTreeSet<u16>>,
}

impl Sieve {
    /// A filter without an expression.
    ///
    /// # Errors
    /// `Unsupported` for a filter expression; `Invalid` for a partition that does not exist.
    pub fn new(filter: &Filter) -> Result<Self> {
        if let Some(expression) = &filter.expression {
            let what = format!("the filter expression '{expression}' can only be evaluated by a server");
            return Err(Error::unsupported(what).hint("filter by sets, bins and partitions, or leave it out"));
        }
        Self::beside_expression(filter)
    }

    /// A filter whose expression, if it has one, is seen to by somebody else.
    ///
    /// # Errors
    /// `Invalid` for a partition that does not exist.
    pub fn beside_expression(filter: &Filter) -> Result<Self> {
        if let Some(partition) = filter.partitions.iter().flatten().find(|partition| **partition >= PARTITIONS) {
            return Err(Error::invalid(format!(
                "there is no partition {partition}; they go from 0 to {}",
                PARTITIONS - 1
            )));
        }
        let bytes = |names: &Option<BTreeSet<String>>| {
            names.as_ref().map(|names| names.iter().map(|name| name.clone().into_bytes()).collect())
        };
        Ok(Self { sets: bytes(&filter.tables), bins: bytes(&filter.bins), partitions: filter.partitions.clone() })
    }

    /// Whether records of a set are meant; an empty name: those without a set.
    #[must_use]
    pub fn takes_set(&self, set: &[u8]) -> bool {
        self.sets.as_ref().is_none_or(|sets| sets.contains(set))
    }

    /// Whether a partition is meant.
    #[must_use]
    pub fn takes_partition(&self, partition: u16) -> bool {
        self.partitions.as_ref().is_none_or(|partitions| partitions.contains(&partition))
    }

    /// Whether a record is meant, whatever its bins.
    #[must_use]
    pub fn takes_record(&self, record: &Record) -> bool {
        self.takes_set(record.set.as_ref().map_or(&[], Name::as_bytes))
            && self.takes_partition(record.digest.partition())
    }

    /// Leaves only the bins that are meant. A record that has none of them stays, without bins: it exists.
    pub fn strip(&self, record: &mut Record) {
        if let Some(bins) = &self.bins {
            record.bins.retain(|bin| bins.contains(bin.name.as_bytes()));
        }
    }

    /// Whether whole namespaces pass, but for their bins.
    #[must_use]
    pub const fn takes_all_records(&self) -> bool {
        self.sets.is_none() && self.partitions.is_none()
    }

    /// The partitions within `first..=last` that are meant, as ranges.
    #[must_use]
    pub fn ranges(&self, (first, last): (u16, u16)) -> Vec<(u16, u16)> {
        let Some(partitions) = &self.partitions else { return vec![(first, last)] };
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for &partition in partitions.range(first..=last) {
            match ranges.last_mut() {
                Some((_, end)) if *end + 1 == partition => *end = partition,
                _ => ranges.push((partition, partition)),
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_partitions_become_ranges() {
        let filter = Filter { partitions: Some([0, 1, 2, 7, 9, 10, 4095].into()), ..Filter::default() };
        let sieve = Sieve::new(&filter).unwrap();
        assert_eq!(sieve.ranges((0, 4095)), [(0, 2), (7, 7), (9, 10), (4095, 4095)]);
        assert_eq!(sieve.ranges((1, 9)), [(1, 2), (7, 7), (9, 9)]);
        assert_eq!(Sieve::default().ranges((3, 9)), [(3, 9)]);
    }

    #[test]
    fn an_expression_is_refused_by_whoever_can_not_evaluate_it() {
        let filter = Filter { expression: Some("kwE=".into()), ..Filter::default() };
        assert_eq!(Sieve::new(&filter).unwrap_err().kind(), strongroom_core::ErrorKind::Unsupported);
        assert!(Sieve::beside_expression(&filter).unwrap().takes_all_records());
        let filter = Filter { partitions: Some([4096].into()), ..Filter::default() };
        assert!(Sieve::new(&filter).unwrap_err().message().contains("no partition 4096"));
    }
}
