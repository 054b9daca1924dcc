//! Catalogues as they come about: the entry at every place is computed, so that a million need not be in memory.

use strongroom_core::codec::CodecId;
use strongroom_core::id::{BackupId, ClusterId, RunId, TimelineId};
use strongroom_core::model::{Applies, BackupKind, Deletes, Filter, Status, Window};
use strongroom_core::planner::{Entry, Held, HeldState, LogPlace, LogSeq, Size, Tier};
use strongroom_core::repository::layout::BackupFolder;
use strongroom_core::{Error, Result, Timestamp};

/// What a history looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One base and nothing but incrementals, each from the end of the one before.
    Chain,
    /// Likewise, each needing its parent.
    ExactChain,
    /// A base a day and an incremental an hour, of 200 parts.
    Calendar,
    /// A base each 30, and between them incrementals that all start at the base; of 200 parts.
    Cumulative,
    /// As [`Shape::Calendar`], with copies in four storages, some gone, some locked.
    Copies,
    /// One base in ten entries, daily; else commit-log segments of three nodes, every part in each.
    Logs,
}

/// Parts of the shapes with many.
const PARTS: u64 = 200;
/// One entry in so many of [`Shape::Logs`] is a base.
const BASE_EVERY: u64 = 10;
/// Nodes that write logs.
const NODES: u64 = 3;
/// An hour.
const HOUR: i64 = 3_600_000_000;
/// The first moment: 2021-01-01.
const START: i64 = 1_609_459_200_000_000;
/// The cluster of all of them.
pub const CLUSTER: ClusterId = ClusterId::from_u128(0x1234_5678_9abc_4def_8123_4567_89ab_cdef);

impl Shape {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Chain, Self::ExactChain, Self::Calendar, Self::Cumulative, Self::Copies, Self::Logs];

    /// A name for tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chain => "one chain",
            Self::ExactChain => "one exact chain",
            Self::Calendar => "daily + hourly",
            Self::Cumulative => "cumulative",
            Self::Copies => "many copies",
            Self::Logs => "bases + logs",
        }
    }

    /// How many parts it has.
    #[must_use]
    pub const fn parts(self) -> u64 {
        match self {
            Self::Chain | Self::ExactChain => 1,
            Self::Calendar | Self::Cumulative | Self::Copies | Self::Logs => PARTS,
        }
    }

    /// The part at a place in the order of [`Shape::entry`].
    #[must_use]
    pub fn part(self, number: u64) -> String {
        format!("keyspace_{number:03}")
    }

    /// A moment that every part can be restored to: `number` picks one.
    #[must_use]
    pub const fn moment(self, number: u64, total: u64) -> Timestamp {
        let each = total.div_ceil(self.parts());
        if matches!(self, Self::Logs) {
            let (days, each) = (total / BASE_EVERY / PARTS, total - total / BASE_EVERY);
            let span = (days - 2).cast_signed() * 24 * HOUR;
            let place = (number * 7919 + each / 2) % each;
            return Timestamp::from_micros(START + 25 * HOUR + span / each.cast_signed() * place.cast_signed());
        }
        // No backup is settled later than a minute and a half after its end.
        Timestamp::from_micros(self.until((number * 7919 + each / 2) % each).micros() + 100_000_000)
    }

    /// The moment that the backup number `at` of a part reaches.
    #[must_use]
    pub const fn until(self, at: u64) -> Timestamp {
        Timestamp::from_micros(START + (at.cast_signed() + 1) * HOUR)
    }

    /// Entry number `at` of `total`, in the order of part and time.
    ///
    /// # Errors
    /// As the names of backups: none, for these moments.
    pub fn entry(self, at: u64, total: u64) -> Result<Entry> {
        if self == Self::Logs {
            return Self::of_logs(at, total);
        }
        let each = total.div_ceil(self.parts());
        let (part, at) = (at / each, at % each);
        let period = match self {
            Self::Chain | Self::ExactChain | Self::Logs => u64::MAX,
            Self::Calendar | Self::Copies => 24,
            Self::Cumulative => 30,
        };
        let base = at.checked_rem(period).unwrap_or(0) == 0;
        let start = if self == Self::Cumulative { at - at % period + 1 } else { at };
        let until = self.until(at);
        let window = Window {
            from: (!base).then(|| Timestamp::from_micros(START + start.cast_signed() * HOUR)),
            until,
            settled: until.plus_micros(if base { 90_000_000 } else { 1_500_000 }),
        };
        let timeline = TimelineId::from_u128(id(part, u64::MAX));
        let (kind, applies) = match (base, self) {
            (true, _) => (BackupKind::Base, Applies::Exact),
            (false, Self::ExactChain) => (BackupKind::Incremental, Applies::Exact),
            (false, _) => (BackupKind::Incremental, Applies::Cover),
        };
        let (own, name) = (BackupId::from_u128(id(part, at)), self.part(part));
        let folder = BackupFolder::new(CLUSTER, &name, timeline, &window, kind, own)?;
        let bytes = if base { 5_000_000_000 + at * 1000 } else { 10_000_000 + (at * 7919) % 1_000_000 };
        Ok(Entry {
            id: own,
            run: RunId::from_u128(id(PARTS, at)),
            kind,
            parent: (!base).then(|| BackupId::from_u128(id(part, start - 1))),
            cluster: CLUSTER,
            part: name,
            timeline,
            window,
            applies,
            deletes: Deletes::Seen,
            filter: Filter::default(),
            missing: 0,
            status: Status::Complete,
            verified: None,
            size: Size {
                records: bytes / 200,
                deletes: bytes / 20_000,
                objects: 10 + bytes / 500_000_000,
                plain_bytes: bytes,
                stored_bytes: bytes / 3,
            },
            codecs: vec![CodecId::new("zstd")?, CodecId::new("seal:00000000000000000000000000000001")?],
            keys: Vec::new(),
            nodes: (0..3).map(|node| format!("node-{node}")).collect(),
            manifest: folder.manifest()?,
            copies: if self == Self::Copies { copies(at) } else { Vec::new() },
            pins: Vec::new(),
            created: window.settled.plus_micros(30_000_000),
            log: None,
        })
    }

    fn of_logs(at: u64, total: u64) -> Result<Entry> {
        let bases = total / BASE_EVERY;
        let days = bases / PARTS;
        if at < bases {
            // A base of the calendar's, which has one each 24 entries.
            let (part, day) = (at / days, at % days);
            let mut base = Self::Calendar.entry(part * 24 * days + 24 * day, PARTS * 24 * days)?;
            base.window.settled = base.window.until;
            return Ok(base);
        }
        let each = (total - bases) / NODES;
        let (node, seq) = ((at - bases) / each, (at - bases) % each);
        let step = days.cast_signed() * 24 * HOUR / each.cast_signed();
        let last = Timestamp::from_micros(START + HOUR / 2 + (seq.cast_signed() + 1) * step);
        let window = Window { from: Some(last.plus_micros(-step)), until: last, settled: last };
        let own = BackupId::from_u128(id(PARTS + node, seq));
        let timeline = TimelineId::from_u128(0);
        let folder = BackupFolder::new(CLUSTER, "", timeline, &window, BackupKind::LogSegment, own)?;
        let previous = seq.checked_sub(1).map(|seq| LogSeq { epoch: 1, seq });
        Ok(Entry {
            id: own,
            kind: BackupKind::LogSegment,
            part: String::new(),
            timeline,
            window,
            applies: Applies::Cover,
            manifest: folder.manifest()?,
            created: last.plus_micros(30_000_000),
            log: Some(LogPlace { node: format!("node-{node}"), epoch: 1, seq, previous }),
            ..Self::Calendar.entry(0, total)?
        })
    }

    /// As [`Shape::entry`], in an order without order: every place comes once.
    ///
    /// # Errors
    /// As [`Shape::entry`].
    pub fn shuffled(self, at: u64, total: u64) -> Result<Entry> {
        // A step that shares no factor with the total visits every place.
        let step = (0..total.max(2)).map(|more| (total / 2 + 104_729 + more) | 1).find(|step| gcd(*step, total) == 1);
        let step = step.ok_or_else(|| Error::internal("no step"))?;
        let place = u128::from(at) * u128::from(step) % u128::from(total);
        self.entry(u64::try_from(place).unwrap_or(0), total)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn copies(at: u64) -> Vec<Held> {
    let names = ["home", "far", "archive", "old"];
    let make = |(number, name): (u64, &str)| {
        let mut held = Held::in_storage(name);
        held.tier = [Tier::Hot, Tier::Cool, Tier::Archive, Tier::Hot][usize::try_from(number % 4).unwrap_or(0)];
        if (at / 24 + number).is_multiple_of(7) {
            held.state = HeldState::Deleted;
        }
        if number == 2 {
            held.locked_until = Some(Timestamp::from_micros(START + at.cast_signed() * HOUR + 365 * 24 * HOUR));
        }
        held
    };
    (0..).zip(names).map(make).collect()
}

/// An id that looks like a random one, the same for the same place.
fn id(part: u64, at: u64) -> u128 {
    let mix = |seed: u64| {
        let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    (u128::from(mix(part * 1_000_003 + 1) ^ mix(at)) << 64) | u128::from(mix(at ^ (part << 40)))
}
