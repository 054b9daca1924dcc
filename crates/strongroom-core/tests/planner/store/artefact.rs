//! Backups made of a [`Model`], as an adapter would make them: what they hold, and the entry that tells of it.

use std::collections::BTreeMap;

use fastrand::Rng;
use strongroom_core::id::TimelineId;
use strongroom_core::model::{Applies, BackupKind, Deletes};
use strongroom_core::planner::{Entry, LogPlace, LogSeq};

use super::model::{Change, Contents, KEYS, Key, Model, NODES, Value, node_of};
use crate::picture::{at, world};

/// A backup and what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Artefact {
    pub(crate) entry: Entry,
    pub(crate) body: Body,
    /// Everything as it was when this was taken, key by key: what an exact incremental is the difference to.
    pub(crate) captured: Contents,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// All there was.
    Whole(Contents),
    /// What changed; `None`: it is gone.
    Changes(BTreeMap<Key, Value>),
    /// Changes with their moments, in the order of arrival.
    Log(Vec<Change>),
}

/// Makes backups of one timeline.
pub(crate) struct Maker<'a> {
    pub(crate) model: &'a Model,
    pub(crate) timeline: u128,
    /// Deletes are not seen by incrementals.
    pub(crate) blind: bool,
    /// Entries tell their nodes.
    pub(crate) tells: bool,
}

impl Maker<'_> {
    fn entry(&self, number: u128, until: i64, settled: i64) -> Entry {
        let mut entry = world(&format!("{number}:-1")).entries.remove(0);
        entry.timeline = TimelineId::from_u128(self.timeline);
        entry.window.until = at(until);
        entry.window.settled = at(settled);
        if self.tells {
            entry.nodes = self.model.nodes(until);
        }
        entry
    }

    /// Reads every key at a moment of its own: no earlier than `least` tells.
    fn read(&self, rng: &mut Rng, until: i64, settled: i64, least: impl Fn(Key) -> i64) -> (Vec<i64>, Contents) {
        let moments: Vec<i64> = (0..KEYS).map(|key| rng.i64(until..=settled).max(least(key))).collect();
        let value = |key: Key| Some((key, self.model.at(key, moments[key])?));
        let contents = (0..KEYS).filter_map(value).collect();
        (moments, contents)
    }

    pub(crate) fn base(&self, rng: &mut Rng, number: u128, until: i64, settled: i64) -> Artefact {
        let (_, captured) = self.read(rng, until, settled, |_| until);
        let entry = self.entry(number, until, settled);
        Artefact { entry, body: Body::Whole(captured.clone()), captured }
    }

    /// Everything that was changed after `from` until it was read, in its last state.
    pub(crate) fn cover(&self, rng: &mut Rng, number: u128, from: i64, until: i64, settled: i64) -> Artefact {
        let (moments, captured) = self.read(rng, until, settled, |_| until);
        let changed = (0..KEYS).filter(|key| self.model.changed(*key, from, moments[*key]));
        let body = changed.map(|key| (key, captured.get(&key).copied()));
        let body = body.filter(|(_, value)| value.is_some() || !self.blind).collect();
        let entry = self.increment(self.entry(number, until, settled), from, Applies::Cover);
        Artefact { entry, body: Body::Changes(body), captured }
    }

    /// The difference between what `parent` was taken of and what is there now.
    pub(crate) fn exact(&self, rng: &mut Rng, number: u128, parent: &Artefact, until: i64, settled: i64) -> Artefact {
        let from = parent.entry.window.until.micros() / 1_000_000;
        // It is taken after its parent.
        let after = parent.entry.window.settled.micros() / 1_000_000;
        let (_, captured) = self.read(rng, until, settled, |_| after.min(settled));
        let differs = (0..KEYS).filter(|key| parent.captured.get(key) != captured.get(key));
        let body = differs.map(|key| (key, captured.get(&key).copied()));
        let body = body.filter(|(_, value)| value.is_some() || !self.blind).collect();
        let mut entry = self.increment(self.entry(number, until, settled), from, Applies::Exact);
        entry.parent = Some(parent.entry.id);
        Artefact { entry, body: Body::Changes(body), captured }
    }

    fn increment(&self, entry: Entry, from: i64, applies: Applies) -> Entry {
        let deletes = if self.blind { Deletes::Unseen } else { Deletes::Seen };
        let mut entry = Entry { kind: BackupKind::Incremental, applies, deletes, ..entry };
        entry.window.from = Some(at(from));
        entry
    }
}

/// Cuts the changes of one node, in the order of arrival, into the segments of its log.
pub(crate) fn log(rng: &mut Rng, node: usize, changes: &[Change], skew: i64, first: u128) -> Vec<Artefact> {
    let mut arrived: Vec<(i64, Change)> = changes
        .iter()
        .filter(|change| node_of(change.key) == node)
        .map(|change| (change.at + rng.i64(0..=skew), *change))
        .collect();
    arrived.sort_by_key(|(arrival, change)| (*arrival, change.at));
    let mut rest: &[(i64, Change)] = &arrived;
    let mut segments = Vec::new();
    let mut previous = None;
    let (mut epoch, mut seq) = (1, 1);
    while !rest.is_empty() {
        let (own, others) = rest.split_at(rest.len().min(1 + rng.usize(..6)));
        rest = others;
        let moments = || own.iter().map(|(_, change)| change.at);
        let number = first + segments.len() as u128;
        let mut entry = world(&format!("{number}:{}.1.1@0-0", NODES[node])).entries.remove(0);
        let place = LogSeq { epoch, seq };
        entry.log = Some(LogPlace { node: NODES[node].to_owned(), epoch, seq, previous });
        entry.window.from = Some(at(moments().min().unwrap()));
        entry.window.until = at(moments().max().unwrap());
        entry.window.settled = entry.window.until;
        let body = Body::Log(own.iter().map(|(_, change)| *change).collect());
        segments.push(Artefact { entry, body, captured: Contents::new() });
        previous = Some(place);
        // Numbers jump, and a new epoch may say what came before.
        (epoch, seq) = if rng.u8(..8) == 0 { (epoch + 1, 1) } else { (epoch, seq + rng.u64(1..3)) };
    }
    segments
}
