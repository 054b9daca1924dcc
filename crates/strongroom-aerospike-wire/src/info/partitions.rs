//! Which node owns which partition.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::number;
use crate::{Malformed, PARTITIONS};

/// What one node says of its partitions of one namespace: a bitmap for each replica, the masters' first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replicas {
    /// The regime of strong consistency; 0 where there is none. A higher one is newer.
    pub regime: u32,
    bitmaps: Vec<Vec<u8>>,
}

impl Replicas {
    /// How many replicas the node tells of.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bitmaps.len()
    }

    /// Whether the node holds replica `replica` of a partition; replica 0 is the master.
    #[must_use]
    pub fn holds(&self, replica: usize, partition: u16) -> bool {
        let bitmap = self.bitmaps.get(replica);
        bitmap.is_some_and(|bits| bits[usize::from(partition) / 8] & (0x80 >> (partition % 8)) != 0)
    }

    /// The partitions that the node is master of.
    pub fn masters(&self) -> impl Iterator<Item = u16> + '_ {
        (0..PARTITIONS).filter(|partition| self.holds(0, *partition))
    }
}

/// Reads the answer of `replicas`: `namespace:regime,count,bitmap,…;…`, each bitmap 512 bytes in base64.
///
/// # Errors
/// When it is of another form.
pub fn replicas(value: &str) -> Result<BTreeMap<String, Replicas>, Malformed> {
    let mut found = BTreeMap::new();
    for entry in value.trim().split(';').filter(|entry| !entry.is_empty()) {
        let parts = entry.split_once(':').ok_or(Malformed::new("a partition map without a namespace", 0))?;
        let mut words = parts.1.split(',');
        let mut word = || words.next().ok_or(Malformed::new("a partition map that is cut off", 0));
        let regime = number(word()?, "a partition map with a senseless regime")?;
        let count: usize = number(word()?, "a partition map with a senseless count")?;
        if count > 256 {
            return Err(Malformed::new("a partition map of too many replicas", 0));
        }
        let bitmaps = (0..count).map(|_| bitmap(word()?)).collect::<Result<_, _>>()?;
        found.insert(parts.0.to_owned(), Replicas { regime, bitmaps });
    }
    Ok(found)
}

fn bitmap(text: &str) -> Result<Vec<u8>, Malformed> {
    let bits = STANDARD.decode(text).map_err(|_| Malformed::new("a partition map that is not base64", 0))?;
    if bits.len() == usize::from(PARTITIONS) / 8 {
        Ok(bits)
    } else {
        Err(Malformed::new("a partition map that does not hold 4096 partitions", 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bit_is_partition_0() {
        let mut bits = vec![0_u8; 512];
        bits[0] = 0x80;
        bits[511] = 0x01;
        let text = STANDARD.encode(&bits);
        let map = replicas(&format!("test:3,2,{text},{}", STANDARD.encode([0_u8; 512]))).unwrap();
        let found = &map["test"];
        assert_eq!((found.regime, found.count()), (3, 2));
        assert_eq!(found.masters().collect::<Vec<_>>(), [0, 4095]);
        assert!(!found.holds(1, 0) && !found.holds(9, 0));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["test", "test:x,1,AA==", "test:0,1", "test:0,1,AA==", "test:0,1,!!", "test:0,9999999,AA=="] {
            assert!(replicas(text).is_err(), "{text}");
        }
        assert!(replicas("").unwrap().is_empty());
    }
}
