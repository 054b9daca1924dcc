//! Random worlds and requests out of a seed. Moments lie on a small grid, so that ends meet, overlap and miss by one.

use std::collections::BTreeMap;

use fastrand::Rng;
use strongroom_core::Timestamp;
use strongroom_core::codec::CodecId;
use strongroom_core::id::{ClusterId, DataKeyId, RunId, TimelineId};
use strongroom_core::model::{Applies, BackupKind, Deletes, Depth, Scope, Status};
use strongroom_core::planner::{
    AtMost, Cut, Entry, Held, HeldState, LogPlace, LogSeq, Request, Size, Strictness, Target, Tier, Timeline, Verified,
};

use crate::picture::{World, at, id, tables, word, world};

const PARTS: [&str; 3] = ["p", "q", "r"];
const NODES: [&str; 3] = ["a", "b", "c"];
const STORAGES: [&str; 3] = ["home", "far", "near"];

/// How likely things are in one world, in percent: most worlds are whole in most respects.
struct Odds {
    /// A settled point after the end.
    fuzz: u32,
    /// Lost, damaged or deleted.
    loss: u32,
    /// A second copy, another tier, a copy that is gone.
    copies: u32,
    filter: u32,
    unseen: u32,
    unverified: u32,
    /// Keys, codecs, statuses and windows that are wrong.
    odd: u32,
    exact: u32,
    log: u32,
    parts: usize,
    timelines: u128,
    clusters: u128,
    nodes: usize,
}

impl Odds {
    fn of(rng: &mut Rng) -> Self {
        let mut some = |most: &[u32]| most[rng.usize(..most.len())];
        Self {
            fuzz: some(&[0, 20, 60]),
            loss: some(&[0, 5, 15, 30]),
            copies: some(&[0, 0, 40]),
            filter: some(&[0, 0, 0, 30]),
            unseen: some(&[0, 0, 40]),
            unverified: some(&[0, 30, 100]),
            odd: some(&[0, 0, 4]),
            exact: some(&[0, 15, 50]),
            log: some(&[0, 0, 25, 50]),
            parts: some(&[1, 1, 1, 2, 3]) as usize,
            timelines: u128::from(some(&[1, 1, 1, 2, 3])),
            clusters: u128::from(some(&[1, 1, 1, 1, 1, 1, 2])),
            nodes: some(&[1, 2, 3]) as usize,
        }
    }
}

fn odds(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(..100) < percent
}

fn one<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

/// A world of at most `most` entries.
pub(crate) fn random_world(rng: &mut Rng, most: usize) -> World {
    let known = Odds::of(rng);
    let count = 1 + rng.usize(..most);
    let mut numbers: Vec<u128> = (1..=count as u128).collect();
    rng.shuffle(&mut numbers);
    let mut made = World::default();
    let mut began = BTreeMap::new();
    for number in numbers {
        let log = odds(rng, known.log);
        let entry =
            if log { segment(rng, &known, &made, number) } else { state(rng, &known, &made, number, &mut began) };
        made.entries.push(entry);
    }
    // What is lost is made first, so that others still point at it.
    made.entries.retain(|_| !odds(rng, known.loss / 2));
    if odds(rng, known.odd) && made.entries.len() < most && !made.entries.is_empty() {
        let mut twin = made.entries[rng.usize(..made.entries.len())].clone();
        if rng.bool() {
            twin.window.settled = twin.window.settled.plus_micros(1_000_000);
        }
        made.entries.push(twin);
    }
    for ((cluster, part, timeline), began) in began {
        if odds(rng, 85) {
            let first = timeline == 1;
            let parent = (!first && odds(rng, 80)).then(|| (TimelineId::from_u128(timeline - 1), at(began - 5)));
            let began = (!first && odds(rng, 90)).then(|| at(began));
            made.timelines.push(Timeline {
                id: TimelineId::from_u128(timeline),
                part: part.to_owned(),
                cluster: ClusterId::from_u128(cluster),
                parent,
                began,
            });
        }
    }
    made.incomplete = odds(rng, 10);
    rng.shuffle(&mut made.entries);
    made
}

/// A base, synthetic backup or incremental that mostly continues what is there.
fn state(
    rng: &mut Rng,
    known: &Odds,
    made: &World,
    number: u128,
    began: &mut BTreeMap<(u128, &'static str, u128), i64>,
) -> Entry {
    let part = PARTS[rng.usize(..known.parts)];
    let cluster = 1 + rng.u128(..known.clusters);
    let timeline = 1 + rng.u128(..known.timelines);
    let start =
        *began.entry((cluster, part, timeline)).or_insert(20 * i64::try_from(timeline - 1).unwrap() + rng.i64(0..4));
    let mut lane = made.entries.iter().filter(|it| {
        it.part == part && it.cluster == ClusterId::from_u128(cluster) && it.timeline == TimelineId::from_u128(timeline)
    });
    let ends: Vec<(Entry, i64)> = lane.by_ref().map(|it| (it.clone(), it.window.until.micros() / 1_000_000)).collect();
    let exact = odds(rng, known.exact);
    let mut entry = world(&format!("{number}:-1")).entries.remove(0);
    let after = |rng: &mut Rng| start + rng.i64(1..16);
    let (from, until) = if ends.is_empty() || odds(rng, 28) {
        (None, after(rng))
    } else {
        let (parent, end) = &ends[if odds(rng, 60) { ends.len() - 1 } else { rng.usize(..ends.len()) }];
        entry.kind = BackupKind::Incremental;
        entry.applies = if exact { Applies::Exact } else { Applies::Cover };
        entry.parent = (exact && !odds(rng, 3)).then_some(parent.id);
        let near = if exact { [0, 0, 0, 0, 0, 1] } else { [0, 0, 0, -1, -4, 1] };
        let from = end + one(rng, &near);
        (Some(from), from + rng.i64(1..9))
    };
    if from.is_none() && odds(rng, 20) {
        entry.kind = BackupKind::Synthetic;
    }
    part.clone_into(&mut entry.part);
    entry.cluster = ClusterId::from_u128(cluster);
    entry.timeline = TimelineId::from_u128(timeline);
    entry.window.from = from.map(at);
    entry.window.until = at(until);
    let settled = if odds(rng, known.fuzz) { one(rng, &[1, 2, 3, 5, 12]) } else { 0 };
    entry.window.settled = at(until + settled);
    if odds(rng, 70) {
        entry.nodes = NODES[..known.nodes].iter().map(ToString::to_string).collect();
    } else if odds(rng, 50) {
        entry.nodes = vec![one(rng, &NODES).to_owned()];
    }
    if odds(rng, known.odd) {
        std::mem::swap(&mut entry.window.until, &mut entry.window.settled);
    }
    vary(rng, known, &mut entry);
    entry
}

/// A log segment that mostly follows the newest one of its node.
fn segment(rng: &mut Rng, known: &Odds, made: &World, number: u128) -> Entry {
    let node = NODES[rng.usize(..known.nodes)];
    let before = made.entries.iter().rfind(|it| it.log.as_ref().is_some_and(|log| log.node == node));
    let mut entry = world(&format!("{number}:{node}.1.1@0-0")).entries.remove(0);
    entry.cluster = ClusterId::from_u128(1 + rng.u128(..known.clusters));
    let (place, first) = match before {
        None => (LogPlace { node: node.to_owned(), epoch: 1, seq: 1 + rng.u64(..2), previous: None }, rng.i64(0..12)),
        Some(before) => {
            let log = before.log.as_ref().unwrap();
            let new_epoch = odds(rng, 8);
            let seq = log.seq + one(rng, &[1, 1, 1, 1, 2, 0]);
            let (epoch, seq) = if new_epoch { (log.epoch + 1, 1) } else { (log.epoch, seq) };
            let previous =
                (!odds(rng, if new_epoch { 50 } else { 6 })).then_some(LogSeq { epoch: log.epoch, seq: log.seq });
            let previous = if seq == log.seq { log.previous } else { previous };
            let end = if seq == log.seq { before.window.from.unwrap() } else { before.window.until };
            entry.cluster = before.cluster;
            let place = LogPlace { node: node.to_owned(), epoch, seq, previous };
            (place, end.micros() / 1_000_000 + one(rng, &[0, 0, 0, 1, -2]))
        }
    };
    // Without a place that is known to come before, a segment may also say that there was one.
    entry.log = Some(if before.is_none() && odds(rng, 10) {
        LogPlace { previous: Some(LogSeq { epoch: place.epoch, seq: 0 }), ..place }
    } else {
        place
    });
    let last = first + rng.i64(0..9);
    entry.window.from = Some(at(first));
    entry.window.until = at(last);
    entry.window.settled = at(last);
    if odds(rng, 8) {
        PARTS[rng.usize(..known.parts)].clone_into(&mut entry.part);
        entry.timeline = TimelineId::from_u128(1 + rng.u128(..known.timelines));
    }
    vary(rng, known, &mut entry);
    entry
}

/// What any entry can be beside its place in time.
fn vary(rng: &mut Rng, known: &Odds, entry: &mut Entry) {
    if odds(rng, 15) {
        entry.run = RunId::from_u128(1 + rng.u128(..6));
    }
    entry.size = Size { stored_bytes: 1 << rng.u32(4..30), objects: rng.u64(1..6), ..entry.size };
    entry.deletes = if odds(rng, known.unseen) { Deletes::Unseen } else { Deletes::Seen };
    entry.verified = (!odds(rng, known.unverified)).then_some(Verified { when: at(1000), depth: Depth::Hash });
    if odds(rng, known.filter) {
        entry.filter = tables(one(rng, &[&["t"][..], &["u"], &["t", "u"]]));
    }
    if odds(rng, known.loss / 2) {
        entry.status = one(rng, &[Status::Corrupt, Status::Corrupt, Status::Partial, Status::Deleted]);
    }
    if odds(rng, known.odd) {
        entry.missing = 1;
    }
    if odds(rng, known.copies) {
        let mut names = STORAGES.to_vec();
        rng.shuffle(&mut names);
        entry.copies = names[..=rng.usize(..names.len())].iter().map(|name| held(rng, known, name)).collect();
    }
    if odds(rng, known.odd * 2) {
        entry.keys = vec![DataKeyId::from_u128(1 + rng.u128(..2))];
    }
    if odds(rng, known.odd * 2) {
        entry.codecs = vec![if rng.bool() { CodecId::zstd() } else { CodecId::seal(DataKeyId::from_u128(1)) }];
    }
}

fn held(rng: &mut Rng, known: &Odds, name: &str) -> Held {
    Held {
        state: if odds(rng, known.loss) {
            one(rng, &[HeldState::Unreachable, HeldState::Corrupt, HeldState::Deleted])
        } else {
            HeldState::Present
        },
        tier: one(rng, &[Tier::Hot, Tier::Hot, Tier::Cool, Tier::Archive]),
        cost: one(rng, &[0, 0, 7, 1 << 20, 1 << 50]),
        ..Held::in_storage(name)
    }
}

/// A request that has to do with `world`.
pub(crate) fn random_request(rng: &mut Rng, world: &World) -> Request {
    let mut request = Request { target: target(rng, world), ..Request::default() };
    if odds(rng, 40) {
        request.strictness = Strictness::NearestEarlier;
    }
    if odds(rng, 30) {
        request.cut = Cut::Together;
    }
    if odds(rng, 25) {
        let parts = PARTS.iter().filter(|_| rng.u8(..3) > 0).map(|part| ((*part).to_owned(), tables(&[] as &[&str])));
        request.scope = Scope { parts: Some(parts.collect()) };
    }
    if let Some(parts) = &mut request.scope.parts {
        for filter in parts.values_mut() {
            if odds(rng, 50) {
                *filter = tables(one(rng, &[&["t"][..], &["u"], &["t", "u"]]));
            }
        }
    }
    let clusters = world.entries.iter().any(|it| it.cluster != ClusterId::from_u128(1));
    if clusters && odds(rng, 90) || odds(rng, 3) {
        request.cluster = Some(ClusterId::from_u128(one(rng, &[1, 1, 1, 2, 2, 3])));
    }
    if odds(rng, 15) {
        request.storages = Some(STORAGES.iter().filter(|_| rng.bool()).map(ToString::to_string).collect());
    }
    if odds(rng, 8) {
        request.timelines.insert(one(rng, &PARTS).to_owned(), TimelineId::from_u128(1 + rng.u128(..2)));
    }
    request.allow_partial = odds(rng, 15);
    request.allow_missing_parts = odds(rng, 20);
    request.verified_only = odds(rng, 8);
    request.keys = odds(rng, 10).then(|| [DataKeyId::from_u128(1)].into());
    request.codecs = odds(rng, 10).then(|| [CodecId::new("seal").unwrap()].into());
    request.no_logs = odds(rng, 8);
    request.log_margin_micros = one(rng, &[0, 0, 1_000_000, 3_000_000]);
    if odds(rng, 5) {
        request.at_most = AtMost { bytes: Some(1 << rng.u32(4..34)), steps: Some(rng.u64(1..6)) };
    }
    request
}

fn target(rng: &mut Rng, world: &World) -> Target {
    let Some(entry) = (!world.entries.is_empty()).then(|| &world.entries[rng.usize(..world.entries.len())]) else {
        return Target::Latest;
    };
    let window = entry.window;
    let near = |rng: &mut Rng| -> Timestamp {
        let moment = one(rng, &[window.until, window.settled, window.until, window.from.unwrap_or(window.until)]);
        moment.plus_micros(one(rng, &[0, 0, 0, 1_000_000, -1_000_000, 1]))
    };
    match rng.u32(..100) {
        ..22 => Target::Latest,
        22..52 => Target::AtOrBefore(near(rng)),
        52..70 => Target::Exactly(near(rng)),
        70..80 => Target::Backup(if odds(rng, 95) { entry.id } else { id(77) }),
        80..87 => Target::Run(entry.run),
        _ => match world.entries.iter().filter_map(|it| it.log.as_ref()).next_back() {
            Some(log) => Target::LogPosition { node: log.node.clone(), epoch: log.epoch, seq: log.seq },
            None => Target::AtOrBefore(near(rng)),
        },
    }
}

/// A world and some requests, with a way to print them.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) world: World,
    pub(crate) request: Request,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let request = serde_json::to_string(&self.request).unwrap();
        writeln!(f, "catalogue: {}\nrequest:   {request}", self.world)?;
        self.world.entries.iter().try_for_each(|entry| writeln!(f, "    {}", word(entry)))
    }
}
