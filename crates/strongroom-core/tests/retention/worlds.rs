//! Random histories of a cluster out of a seed: what was backed up, and what became of it.

use std::collections::BTreeMap;

use strongroom_core::Timestamp;
use strongroom_core::id::{BackupId, ClusterId, RunId, TimelineId};
use strongroom_core::model::{Applies, BackupKind, Filter, Status};
use strongroom_core::planner::{
    Activity, Catalogue, Entry, Held, HeldState, InFlight, LogPlace, LogSeq, Pin, PinKind, RetentionPolicy,
    RetentionRequest, Timeline,
};
use strongroom_core::units::{ByteSize, Span};

use crate::drawn::{at, entries, id};

/// Split-mix.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x1234_5678_9ABD).wrapping_add(7))
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }

    pub(crate) fn within(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(u64::try_from(to - from).unwrap())).unwrap()
    }

    pub(crate) fn odds(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()].clone()
    }

    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, usize::try_from(self.below(last as u64 + 1)).unwrap());
        }
    }
}

/// What is known of a repository.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) entries: Vec<Entry>,
    pub(crate) timelines: Vec<Timeline>,
    pub(crate) activity: Activity,
}

/// Hours of a world: its last moment.
pub(crate) const END: i64 = 24 * 40;
const HOUR: i64 = 3600;

impl World {
    pub(crate) fn catalogue(&self) -> Catalogue {
        Catalogue::from_entries(self.entries.iter().cloned(), self.timelines.iter().cloned(), 7, true)
    }

    pub(crate) fn entry(&self, backup: BackupId) -> &Entry {
        self.entries.iter().find(|entry| entry.id == backup).expect("an entry of the world")
    }

    /// In words, for whoever looks into a failure; moments in hours.
    pub(crate) fn describe(&self) -> String {
        let hours = |moment: Timestamp| moment.micros() / 1_000_000 / HOUR;
        let number = |id: BackupId| u128::from_be_bytes(*id.as_bytes());
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|entry| (entry.log.is_some(), &entry.part, entry.window.until));
        let word = |entry: &&Entry| {
            let window = &entry.window;
            let from = window.from.map_or_else(String::new, |from| hours(from).to_string());
            let log =
                entry.log.as_ref().map(|log| format!("{}.{}<{:?}", log.node, log.seq, log.previous.map(|it| it.seq)));
            let (until, settled) = (hours(window.until), hours(window.settled));
            let pins: Vec<_> = entry.pins.iter().map(|pin| (pin.kind, pin.until.map(hours))).collect();
            let copies: Vec<_> = entry.copies.iter().map(|copy| (copy.state, copy.locked_until.map(hours))).collect();
            let (timeline, parent) = (entry.timeline.as_bytes()[15], entry.parent.map(number));
            format!(
                "{}: {from}-{until}~{settled} /{timeline} {} {log:?} {:?} {parent:?} {:?} {} verified={} {:?} {pins:?} {copies:?} *{}",
                number(entry.id),
                entry.part,
                entry.applies,
                entry.status,
                if entry.filter.is_everything() { "" } else { "narrow" },
                entry.verified.is_some(),
                entry.nodes,
                entry.size.stored_bytes,
            )
        };
        let words: Vec<String> = entries.iter().map(word).collect();
        let timelines = self.timelines.iter().map(|it| (it.id.as_bytes()[15], &it.part, it.began.map(hours)));
        format!("{}\n{:?}\n{:?}", words.join("\n"), timelines.collect::<Vec<_>>(), self.activity)
    }

    /// As it is once `gone` are deleted.
    pub(crate) fn without(&self, gone: &[BackupId]) -> Self {
        let entries = self.entries.iter().filter(|entry| !gone.contains(&entry.id)).cloned().collect();
        Self { entries, ..self.clone() }
    }

    /// Chains of one or two parts over weeks, with all that goes wrong; about `most` backups.
    pub(crate) fn random(rng: &mut Rng, most: u64) -> Self {
        let mut world = Self::default();
        let parts: &[&str] = if rng.odds(30) { &["p", "q"] } else { &["p"] };
        let with_logs = rng.odds(40);
        for part in parts {
            world.part(rng, part, with_logs, most / parts.len() as u64);
        }
        if with_logs {
            world.logs(rng);
        }
        world.spoil(rng);
        rng.shuffle(&mut world.entries);
        world
    }

    fn next_id(&self) -> u128 {
        self.entries.len() as u128 + 1
    }

    fn part(&mut self, rng: &mut Rng, part: &str, with_logs: bool, most: u64) {
        let (fuzz, exact, cumulative) = (rng.one(&[0, 0, 30, 60]), rng.one(&[0, 0, 20, 100]), rng.one(&[0, 30]));
        let narrow = rng.one(&[0, 0, 0, 30]);
        let (mut timeline, mut clock) = (1_u128, rng.within(1, 100));
        self.begin(part, timeline, None);
        // Ends of what is on the timeline, with ids.
        let mut ends: Vec<(i64, u128, Filter)> = Vec::new();
        for _ in 0..=rng.below(most) {
            clock += rng.one(&[1, 1, 2, 6, 12, 24, 24, 24 * 5]);
            if clock > END {
                break;
            }
            if rng.odds(4) && !ends.is_empty() {
                timeline += 1;
                let from = rng.one(&ends).0;
                self.begin(part, timeline, Some((timeline - 1, from, clock)));
                ends.clear();
                clock += 1;
            }
            let number = self.next_id();
            let mut filter = Filter::default();
            if rng.odds(narrow) {
                filter.tables = Some(std::iter::once("t".to_owned()).collect());
            }
            let mut entry = entries(&format!("{number}:-1#{part}/{timeline}*{}", 1 + rng.below(200))).remove(0);
            if !ends.is_empty() && !rng.odds(25) {
                let (end, parent, of) =
                    ends[ends.len() - 1 - usize::try_from(rng.below(ends.len().min(3) as u64)).unwrap()].clone();
                let back = if rng.odds(cumulative) { rng.within(0, 30) } else { 0 };
                let from = if rng.odds(4) { end + 1 } else { end - back };
                if from >= clock {
                    continue;
                }
                entry.kind = BackupKind::Incremental;
                entry.window.from = Some(at(from * HOUR));
                if rng.odds(exact) {
                    entry.applies = Applies::Exact;
                    entry.parent = Some(id(parent));
                    filter = of;
                }
            } else if rng.odds(10) {
                entry.kind = BackupKind::Synthetic;
            }
            entry.filter = filter.clone();
            entry.window.until = at(clock * HOUR);
            let late = if rng.odds(fuzz) { rng.within(0, 10) } else { 0 };
            entry.window.settled = at((clock + late) * HOUR);
            entry.created = at((clock + late) * HOUR);
            if with_logs {
                entry.nodes = rng.one(&[vec!["a"], vec!["a", "b"]]).into_iter().map(str::to_owned).collect();
            }
            ends.push((clock, number, filter));
            self.entries.push(entry);
        }
    }

    fn begin(&mut self, part: &str, timeline: u128, restored: Option<(u128, i64, i64)>) {
        self.timelines.push(Timeline {
            id: TimelineId::from_u128(timeline),
            part: part.to_owned(),
            cluster: ClusterId::from_u128(1),
            parent: restored.map(|(parent, from, _)| (TimelineId::from_u128(parent), at(from * HOUR))),
            began: restored.map(|(_, _, began)| at(began * HOUR)),
        });
    }

    /// A ledger for each of two nodes, with holes.
    fn logs(&mut self, rng: &mut Rng) {
        for node in ["a", "b"] {
            let mut clock = rng.within(0, 200);
            let (mut seq, mut previous) = (0, None);
            while clock < END {
                let end = clock + rng.one(&[6, 24, 24, 24 * 4]);
                seq += 1;
                let number = self.next_id();
                let mut entry = entries(&format!("{number}:{node}.1.{seq}@{clock}-{end}*5")).remove(0);
                entry.window.from = Some(at(clock * HOUR));
                entry.window.until = at(end * HOUR);
                entry.window.settled = entry.window.until;
                entry.created = entry.window.until;
                entry.run = RunId::from_u128(number);
                entry.log = Some(LogPlace { node: node.to_owned(), epoch: 1, seq, previous });
                if !rng.odds(5) {
                    self.entries.push(entry);
                }
                previous = Some(LogSeq { epoch: 1, seq });
                clock = end;
            }
        }
    }

    /// Damage, checks, pins, locks, copies, readers and writers.
    fn spoil(&mut self, rng: &mut Rng) {
        let (loss, unverified, pinned) = (rng.one(&[0, 5, 15]), rng.one(&[0, 50, 100]), rng.one(&[0, 5, 20]));
        self.entries.retain(|_| !rng.odds(loss / 2));
        for entry in &mut self.entries {
            if rng.odds(unverified) {
                entry.verified = None;
            }
            if rng.odds(loss) {
                entry.status = rng.one(&[Status::Corrupt, Status::Partial, Status::Partial, Status::Deleted]);
                entry.missing = u32::from(entry.status == Status::Partial);
            }
            let ends = |rng: &mut Rng| rng.one(&[None, Some(at(END * HOUR / 2)), Some(at(END * HOUR * 2))]);
            if rng.odds(pinned) {
                let kind = rng.one(&[PinKind::Pin, PinKind::Hold, PinKind::Lease]);
                entry.pins.push(Pin { until: ends(rng), ..Pin::new(kind, "a test") });
            }
            if rng.odds(pinned) {
                entry.copies.push(Held { locked_until: ends(rng), ..Held::in_storage("home") });
            } else if rng.odds(pinned / 2) {
                let state = rng.one(&[HeldState::Present, HeldState::Corrupt, HeldState::Deleted]);
                entry.copies.push(Held { state, ..Held::in_storage("far") });
            }
            if rng.odds(pinned / 2) {
                self.activity.leases.insert(entry.id, "restore-1".to_owned());
            }
        }
        if rng.odds(20)
            && let Some(entry) = self.entries.iter().find(|entry| entry.log.is_none()).cloned()
        {
            let (cluster, part, timeline) = (entry.cluster, entry.part, entry.timeline);
            let from = Some(entry.window.until);
            let backup = BackupId::from_u128(9999);
            self.activity.in_flight.push(InFlight { backup, cluster, part, timeline, from });
        }
    }
}

/// A policy with some of the rules.
pub(crate) fn random_policy(rng: &mut Rng) -> RetentionPolicy {
    let count =
        |rng: &mut Rng, percent: u64, most: u64| rng.odds(percent).then(|| u32::try_from(rng.below(most)).unwrap());
    let span = |rng: &mut Rng, percent: u64| rng.odds(percent).then(|| Span::secs(rng.below(24 * 20) * 3600));
    RetentionPolicy {
        keep_last: count(rng, 40, 6),
        keep_within: span(rng, 30),
        keep_hourly: count(rng, 10, 9),
        keep_daily: count(rng, 30, 9),
        keep_weekly: count(rng, 20, 4),
        keep_monthly: count(rng, 20, 3),
        keep_yearly: count(rng, 10, 2),
        zone: rng.one(&["UTC", "Europe/Berlin", "America/St_Johns"]).parse().unwrap(),
        point_in_time: span(rng, 40),
        max_size: rng.odds(20).then(|| ByteSize(rng.below(2000))),
        min_redundancy: u32::try_from(rng.below(3)).unwrap(),
        keep_unusable: Span::secs(rng.below(24 * 20) * 3600),
    }
}

pub(crate) fn request(world: &World, policy: RetentionPolicy, now: Timestamp) -> RetentionRequest {
    RetentionRequest { activity: world.activity.clone(), ..RetentionRequest::new(policy, now) }
}

/// Policies by part are not all alike.
pub(crate) fn random_request(rng: &mut Rng, world: &World) -> RetentionRequest {
    let now = at(rng.within(END / 2, END + 100) * HOUR);
    let mut request = request(world, random_policy(rng), now);
    if rng.odds(20) {
        request.parts = BTreeMap::from([("q".to_owned(), random_policy(rng))]);
    }
    request
}
