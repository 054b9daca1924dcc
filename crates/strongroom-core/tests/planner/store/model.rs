//! A database that forgets nothing: every version of every key, on the node that wrote it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use fastrand::Rng;

/// Keys are numbers; a key lives on one node.
pub(crate) type Key = usize;

pub(crate) const KEYS: usize = 8;
pub(crate) const NODES: [&str; 3] = ["a", "b", "c"];

/// The moments of a history, in seconds.
pub(crate) const SPAN: RangeInclusive<i64> = 1..=60;

/// A write (a value is the moment at which it was written) or a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) at: i64,
    pub(crate) key: Key,
    pub(crate) put: bool,
}

/// What a key holds.
pub(crate) type Value = Option<i64>;

/// What all keys hold.
pub(crate) type Contents = BTreeMap<Key, i64>;

/// A part's changes, one at a moment at most, in order.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) changes: Vec<Change>,
    /// What was there before the first change.
    start: Contents,
    /// When each node joined; its keys are not written before.
    pub(crate) joined: [i64; NODES.len()],
}

impl Model {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let late = rng.u8(..3) == 0;
        let joined = [0, if late { rng.i64(1..50) } else { 0 }, if rng.bool() { 100 } else { 0 }];
        let mut model = Self { changes: Vec::new(), start: Contents::new(), joined };
        let busy = 30 + rng.u32(..60);
        for at in SPAN {
            let key = rng.usize(..KEYS);
            if rng.u32(..100) < busy && at >= joined[node_of(key)] {
                let put = model.at(key, at).is_none() || rng.u8(..3) > 0;
                model.changes.push(Change { at, key, put });
            }
        }
        model
    }

    /// What comes after a restore of `point` at `began`: other changes from there on.
    pub(crate) fn restored(&self, rng: &mut Rng, point: i64, began: i64) -> Self {
        let mut after = Self { changes: Vec::new(), start: self.contents(point), joined: self.joined };
        for at in began + 1..=*SPAN.end() {
            let key = rng.usize(..KEYS);
            if rng.bool() && at >= self.joined[node_of(key)] {
                after.changes.push(Change { at, key, put: rng.bool() });
            }
        }
        after
    }

    /// What `key` holds after all changes up to and with `moment`.
    pub(crate) fn at(&self, key: Key, moment: i64) -> Value {
        let past = self.changes.iter().rev().find(|change| change.key == key && change.at <= moment);
        past.map_or_else(|| self.start.get(&key).copied(), |change| change.put.then_some(change.at))
    }

    pub(crate) fn contents(&self, moment: i64) -> Contents {
        (0..KEYS).filter_map(|key| Some((key, self.at(key, moment)?))).collect()
    }

    /// Whether `key` was changed after `from`, up to and with `until`.
    pub(crate) fn changed(&self, key: Key, from: i64, until: i64) -> bool {
        self.changes.iter().any(|change| change.key == key && change.at > from && change.at <= until)
    }

    /// What `key` held at some moment of a span, its first included.
    pub(crate) fn values(&self, key: Key, from: i64, until: i64) -> Vec<Value> {
        let later = self.changes.iter().filter(|change| change.key == key && change.at > from && change.at <= until);
        std::iter::once(self.at(key, from)).chain(later.map(|change| change.put.then_some(change.at))).collect()
    }

    /// The nodes that are there at `moment`.
    pub(crate) fn nodes(&self, moment: i64) -> Vec<String> {
        let there = NODES.iter().zip(self.joined).filter(|(_, joined)| *joined <= moment);
        there.map(|(node, _)| (*node).to_owned()).collect()
    }
}

/// The place of a key's node.
pub(crate) fn node_of(key: Key) -> usize {
    key % NODES.len()
}
