//! What many backups have in common, kept once; and whether backups of a class may be used for a request.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Serialize};

use super::bytes::are_same;
use super::entry::{Entry, HOME, Held, HeldState, Tier};
use super::reason::Reason;
use super::target::Request;
use crate::codec::CodecId;
use crate::id::{ClusterId, DataKeyId, TimelineId};
use crate::model::{Applies, BackupKind, Deletes, Depth, Filter, PartName, Status};

/// What of an [`Entry`] repeats from backup to backup.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Class {
    pub(super) cluster: ClusterId,
    pub(super) part: PartName,
    pub(super) timeline: TimelineId,
    /// For log segments.
    pub(super) node: Option<String>,
    pub(super) kind: BackupKind,
    pub(super) applies: Applies,
    pub(super) deletes: Deletes,
    pub(super) filter: Filter,
    pub(super) missing: u32,
    pub(super) status: Status,
    pub(super) verified: Option<Depth>,
    pub(super) codecs: Vec<CodecId>,
    pub(super) keys: Vec<DataKeyId>,
    pub(super) nodes: Vec<String>,
    /// Without `locked_until`, which differs from backup to backup.
    pub(super) copies: Vec<Held>,
}

/// The node of a log segment.
fn node_of(entry: &Entry) -> Option<&str> {
    (entry.kind == BackupKind::LogSegment).then(|| entry.log.as_ref().map_or("", |log| log.node.as_str()))
}

/// Log segments of every part belong to no timeline.
fn timeline_of(entry: &Entry) -> TimelineId {
    if entry.kind == BackupKind::LogSegment && entry.part.is_empty() { NO_TIMELINE } else { entry.timeline }
}

/// The timeline of what belongs to none.
pub(super) const NO_TIMELINE: TimelineId = TimelineId::from_u128(0);

/// What tells most classes apart, as a number; [`Class::holds`] looks at the rest.
fn hash(
    part: &str,
    timeline: TimelineId,
    node: Option<&str>,
    (kind, status, verified): (BackupKind, Status, Option<Depth>),
) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let small = (kind as u64) | (status as u64) << 8 | verified.map_or(0, |depth| depth as u64 + 1) << 16;
    let timeline = timeline.as_bytes().last_chunk().copied().map_or(0, u64::from_le_bytes);
    let mut mixed = (timeline ^ small).wrapping_mul(ODD);
    for text in [part, node.unwrap_or_default()] {
        let (eights, rest) = text.as_bytes().as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        for eight in eights.iter().chain([&last]) {
            mixed = (mixed.rotate_left(23) ^ u64::from_le_bytes(*eight)).wrapping_mul(ODD);
        }
    }
    mixed ^ (mixed >> 32)
}

/// As [`Class::hash`] of its class.
fn hash_of(entry: &Entry) -> u64 {
    let known = (entry.kind, entry.status, entry.verified.map(|verified| verified.depth));
    hash(&entry.part, timeline_of(entry), node_of(entry), known)
}

/// A hash as it is.
#[derive(Debug, Clone, Copy, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Class {
    pub(super) fn of(entry: &Entry) -> Self {
        let unlocked = |copy: &Held| Held { locked_until: None, ..copy.clone() };
        Self {
            cluster: entry.cluster,
            part: entry.part.clone(),
            timeline: timeline_of(entry),
            node: node_of(entry).map(str::to_owned),
            kind: entry.kind,
            applies: entry.applies,
            deletes: entry.deletes,
            filter: entry.filter.clone(),
            missing: entry.missing,
            status: entry.status,
            verified: entry.verified.map(|verified| verified.depth),
            codecs: entry.codecs.clone(),
            keys: entry.keys.clone(),
            nodes: entry.nodes.clone(),
            copies: entry.copies.iter().map(unlocked).collect(),
        }
    }

    /// As [`hash_of`] its entries.
    fn hash(&self) -> u64 {
        hash(&self.part, self.timeline, self.node.as_deref(), (self.kind, self.status, self.verified))
    }

    /// Whether `entry` is of this class, without building its class.
    fn holds(&self, entry: &Entry) -> bool {
        let text = |a: &str, b: &str| are_same(a.as_bytes(), b.as_bytes());
        let codec = |(a, b): (&CodecId, &CodecId)| text(a.as_str(), b.as_str());
        let same =
            |a: &Held, b: &Held| (a.state, a.tier, a.cost) == (b.state, b.tier, b.cost) && text(&a.storage, &b.storage);
        self.kind == entry.kind
            && self.applies == entry.applies
            && self.deletes == entry.deletes
            && self.status == entry.status
            && self.missing == entry.missing
            && self.verified == entry.verified.map(|verified| verified.depth)
            && self.cluster == entry.cluster
            && self.timeline == timeline_of(entry)
            && text(&self.part, &entry.part)
            && self.node.as_deref() == node_of(entry)
            && self.filter == entry.filter
            && self.codecs.len() == entry.codecs.len()
            && self.codecs.iter().zip(&entry.codecs).all(codec)
            && self.keys == entry.keys
            && self.nodes.len() == entry.nodes.len()
            && self.nodes.iter().zip(&entry.nodes).all(|(a, b)| text(a, b))
            && self.copies.len() == entry.copies.len()
            && self.copies.iter().zip(&entry.copies).all(|(a, b)| same(a, b))
    }

    /// The copies that may be read for `request`, by their place in `copies`; a class without copies has one at home.
    fn readable(&self, request: &Request) -> impl Iterator<Item = Copy<'_>> {
        let allowed = |storage: &str| request.storages.as_ref().is_none_or(|storages| storages.contains(storage));
        let home =
            (self.copies.is_empty() && allowed(HOME)).then_some(Copy { storage: HOME, tier: Tier::Hot, cost: 0 });
        let usable = move |copy: &&Held| copy.state == HeldState::Present && allowed(&copy.storage);
        let held = self.copies.iter().filter(usable);
        home.into_iter().chain(held.map(|copy| Copy { storage: &copy.storage, tier: copy.tier, cost: copy.cost }))
    }

    /// Whether backups of this class may be used where `filter` is wanted.
    pub(super) fn judge<'a>(&'a self, request: &Request, filter: Option<&Filter>) -> Result<Vec<Copy<'a>>, Reason> {
        match self.status {
            Status::Corrupt => return Err(Reason::Corrupt),
            Status::Deleted => return Err(Reason::Deleted),
            Status::Partial if !request.allow_partial => return Err(Reason::Partial),
            Status::Complete if self.missing > 0 && !request.allow_partial => return Err(Reason::Partial),
            Status::Partial | Status::Complete => {}
        }
        if filter.is_some_and(|filter| !self.filter.covers(filter)) {
            return Err(Reason::FilterTooNarrow);
        }
        if request.verified_only && self.verified.is_none() {
            return Err(Reason::Unverified);
        }
        if request.keys.as_ref().is_some_and(|keys| !self.keys.iter().all(|key| keys.contains(key))) {
            return Err(Reason::KeyMissing);
        }
        let known = |codec: &CodecId, known: &CodecId| codec == known || codec.split().0 == known.as_str();
        if let Some(codecs) = &request.codecs
            && !self.codecs.iter().all(|codec| codecs.iter().any(|have| known(codec, have)))
        {
            return Err(Reason::CodecMissing);
        }
        let copies: Vec<Copy<'a>> = self.readable(request).collect();
        if copies.is_empty() { Err(Reason::CopyUnavailable) } else { Ok(copies) }
    }

    /// Whether something that was deleted may be in it. A base holds what there was; but what was made out of others
    /// lacks the deletes that they lacked.
    pub(super) fn misses_deletes(&self) -> bool {
        self.kind != BackupKind::Base && self.deletes == Deletes::Unseen
    }

    /// What one step of this class adds to a chain's risk.
    pub(super) fn risk(&self) -> u128 {
        let partial = self.status == Status::Partial || self.missing > 0;
        let unseen = self.misses_deletes();
        (u128::from(partial) << 104) | (u128::from(unseen) << 80) | (u128::from(self.verified.is_none()) << 56)
    }
}

/// A readable copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copy<'a> {
    pub(super) storage: &'a str,
    pub(super) tier: Tier,
    pub(super) cost: u64,
}

/// One request costs as much as this many bytes: about what a link moves while it waits for an answer.
const REQUEST_BYTES: u64 = 256 << 10;

/// No backup's cost exceeds this, so that sums over a chain stay within their bits.
const DEAREST: u64 = 1 << 48;

impl Copy<'_> {
    /// What reading a backup of so many bytes and objects from here costs, in byte equivalents.
    pub(super) fn price(&self, bytes: u64, objects: u64) -> u64 {
        price(bytes, objects, self.tier.factor(), self.cost)
    }
}

impl Tier {
    /// How much dearer a byte is than a hot one.
    const fn factor(self) -> u64 {
        match self {
            Self::Hot => 1,
            Self::Cool => 2,
            Self::Archive => 64,
        }
    }
}

fn price(bytes: u64, objects: u64, factor: u64, extra: u64) -> u64 {
    let moved = bytes.saturating_mul(factor).saturating_add(objects.saturating_mul(REQUEST_BYTES));
    moved.saturating_add(extra).min(DEAREST)
}

/// What the copies of a class cost that can be read at all: factor and extra of each, see [`Copy::price`].
#[derive(Debug, Clone, Default)]
struct Tariff(Vec<(u64, u64)>);

impl Tariff {
    fn of(class: &Class) -> Self {
        let copies = class.judge(&Request::anything(), None).unwrap_or_default();
        Self(copies.iter().map(|copy| (copy.tier.factor(), copy.cost)).collect())
    }

    /// The cheapest, or 0 when none can be read.
    fn price(&self, bytes: u64, objects: u64) -> u64 {
        self.0.iter().map(|(factor, extra)| price(bytes, objects, *factor, *extra)).min().unwrap_or(0)
    }
}

/// Classes by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Classes {
    pub(super) list: Vec<Class>,
    /// By class.
    tariffs: Vec<Tariff>,
    by_hash: HashMap<u64, Vec<u32>, BuildHasherDefault<AsItIs>>,
    last: u32,
}

impl Classes {
    /// The classes with these numbers.
    pub(super) fn of(list: Vec<Class>) -> Self {
        let mut by_hash = HashMap::<u64, Vec<u32>, BuildHasherDefault<AsItIs>>::default();
        for (class, number) in list.iter().zip(0..) {
            by_hash.entry(class.hash()).or_default().push(number);
        }
        let tariffs = list.iter().map(Tariff::of).collect();
        Self { list, tariffs, by_hash, last: 0 }
    }

    /// The number of the class of `entry`.
    pub(super) fn number(&mut self, entry: &Entry) -> u32 {
        if self.list.get(self.last as usize).is_some_and(|class| class.holds(entry)) {
            return self.last;
        }
        let candidates = self.by_hash.entry(hash_of(entry)).or_default();
        let found = candidates.iter().copied().find(|at| self.list[*at as usize].holds(entry));
        self.last = found.unwrap_or_else(|| {
            let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
            candidates.push(number);
            let class = Class::of(entry);
            self.tariffs.push(Tariff::of(&class));
            self.list.push(class);
            number
        });
        self.last
    }

    /// The cost of the cheapest copy that can be read at all, of a backup of a class.
    pub(super) fn cost(&self, class: u32, bytes: u64, objects: u64) -> u64 {
        self.tariffs.get(class as usize).map_or(0, |tariff| tariff.price(bytes, objects))
    }
}

impl Classes {
    /// Bytes in memory, about: what the texts and lists hold.
    pub(super) fn bytes(&self) -> usize {
        let lists = |class: &Class| {
            class.part.len()
                + class.codecs.len() * 40
                + class.keys.len() * 16
                + class.nodes.iter().map(|node| node.len() + 24).sum::<usize>()
                + class.copies.iter().map(|copy| copy.storage.len() + size_of::<Held>()).sum::<usize>()
        };
        self.list.iter().map(|class| lists(class) + size_of::<Class>() + 64).sum()
    }
}
