//! Backups as columns: 61 bytes a row, sorted by lane and time, so that a plan touches little memory.
//!
//! | column | bytes | |
//! |---|---|---|
//! | until, from | 16 | microseconds; no `from` = `i64::MIN` |
//! | fuzz | 4 | `settled − until`, saturated: the rest is in [`Rows::long`] |
//! | id | 16 | |
//! | class | 4 | what repeats from row to row |
//! | detail | 4 | where the rest stands |
//! | cost | 4 | of the cheapest copy; one of 4 GiB and more is counted again |
//! | parent | 1 | how many rows before its own it stands; one that is not near stands in the details |
//! | previous, lower | 8 | the search, see `index.rs` |
//! | by id | 4 | rows in the order of the hash of their id |

use std::collections::BTreeMap;

use super::class::{Class, Classes};
use super::detail::{self, Detail};
use super::entry::{Entry, LogPlace, LogSeq, Size, Verified};
use super::parents::Parents;
use super::reason::Reason;
use super::shape::Facts;
use super::shapes::Shapes;
use crate::Timestamp;
use crate::id::BackupId;
use crate::model::{BackupKind, Window};

/// No `from`.
pub(super) const NEVER: i64 = i64::MIN;

/// Rows are numbered with 31 bits, and the bytes of their details with 32.
pub(super) const MOST_ROWS: usize = (1 << 31) - 2;
const MOST_DETAIL: usize = u32::MAX as usize - (1 << 20);

/// Bytes that the details of a backup take, mostly.
const USUAL_DETAIL: usize = 54;

/// A place as the number of a row; all are checked against [`MOST_ROWS`] when they come in.
pub(super) fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// All rows of a catalogue.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) until: Vec<i64>,
    pub(super) from: Vec<i64>,
    pub(super) fuzz: Vec<u32>,
    pub(super) id: Vec<BackupId>,
    pub(super) class: Vec<u32>,
    pub(super) detail: Vec<u32>,
    /// Read by [`Rows::cost`].
    pub(super) cost: Vec<u32>,
    pub(super) parents: Parents,
    /// `fuzz` of rows where it takes more than 32 bits.
    pub(super) long: BTreeMap<u32, i64>,
    /// Rows that can't be used whatever is asked.
    pub(super) bad: BTreeMap<u32, Reason>,
    /// The places of log segments, by row.
    pub(super) places: Vec<(u32, Place)>,
    pub(super) details: Vec<u8>,
    pub(super) classes: Classes,
    pub(super) shapes: Shapes,
    /// Whether there was room for everything.
    pub(super) overfull: bool,
}

/// A [`LogPlace`] without its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) at: LogSeq,
    pub(super) previous: Option<LogSeq>,
}

impl Rows {
    /// Appends a row.
    pub(super) fn push(&mut self, entry: &Entry) {
        if self.until.len() >= MOST_ROWS || self.details.len() >= MOST_DETAIL {
            self.overfull = true;
            return;
        }
        let row = number(self.until.len());
        let class = self.classes.number(entry);
        let offset = number(self.details.len());
        let parent = if self.parents.push(entry.parent, &self.id) { None } else { entry.parent };
        detail::write(entry, parent, class, &mut self.shapes, &mut self.details);
        let window = entry.window;
        self.push_window(
            row,
            window.from.map_or(NEVER, Timestamp::micros),
            window.until.micros(),
            window.settled.micros(),
        );
        self.id.push(entry.id);
        self.class.push(class);
        self.detail.push(offset);
        self.push_cost(class, &entry.size);
        if entry.kind == BackupKind::LogSegment {
            if let Some(log) = &entry.log {
                let at = LogSeq { epoch: log.epoch, seq: log.seq };
                self.places.push((row, Place { at, previous: log.previous }));
            } else {
                self.places.push((row, Place { at: LogSeq { epoch: 0, seq: 0 }, previous: None }));
                self.bad.insert(row, Reason::BadWindow);
            }
        }
        self.judge_window(row);
    }

    /// Appends what the cheapest copy of a backup costs.
    pub(super) fn push_cost(&mut self, class: u32, size: &Size) {
        let cost = self.classes.cost(class, size.stored_bytes, size.objects);
        self.cost.push(u32::try_from(cost).unwrap_or(u32::MAX));
    }

    /// What the cheapest copy of a row costs.
    pub(super) fn cost(&self, row: u32) -> u64 {
        match self.cost[row as usize] {
            u32::MAX => {
                let size = self.counts(row).size;
                self.classes.cost(self.class[row as usize], size.stored_bytes, size.objects)
            }
            cost => u64::from(cost),
        }
    }

    /// Appends the columns of a window.
    pub(super) fn push_window(&mut self, row: u32, from: i64, until: i64, settled: i64) {
        self.from.push(from);
        self.until.push(until);
        let fuzz = settled.wrapping_sub(until);
        self.fuzz.push(u32::try_from(fuzz).unwrap_or(u32::MAX));
        if u32::try_from(fuzz).map_or(true, |fuzz| fuzz == u32::MAX) {
            self.long.insert(row, fuzz);
        }
    }

    /// Marks a row whose window makes no sense for its kind.
    pub(super) fn judge_window(&mut self, row: u32) {
        let at = row as usize;
        let (from, until) = (self.from[at], self.until[at]);
        let fine = match self.class_of(row).kind {
            BackupKind::Base | BackupKind::Synthetic => from < until,
            BackupKind::Incremental => from != NEVER && from < until,
            BackupKind::LogSegment => from != NEVER && from <= until,
        };
        // The furthest moments would overflow sums; no clock gets there.
        let sane = |moment: i64| moment.unsigned_abs() < 1 << 61;
        if !fine || self.settled(row) < until || !sane(until) || !sane(self.settled(row)) {
            self.bad.insert(row, Reason::BadWindow);
        }
    }

    /// All rows.
    pub(super) fn all(&self) -> std::ops::Range<u32> {
        0..number(self.len())
    }

    pub(super) fn len(&self) -> usize {
        self.until.len()
    }

    pub(super) fn settled(&self, row: u32) -> i64 {
        let fuzz = self.fuzz[row as usize];
        let fuzz = if fuzz == u32::MAX { self.long.get(&row).copied().unwrap_or(0) } else { i64::from(fuzz) };
        self.until[row as usize].wrapping_add(fuzz)
    }

    pub(super) fn class_of(&self, row: u32) -> &Class {
        &self.classes.list[self.class[row as usize] as usize]
    }

    pub(super) fn window(&self, row: u32) -> Window {
        let from = self.from[row as usize];
        Window {
            from: (from != NEVER).then(|| Timestamp::from_micros(from)),
            until: Timestamp::from_micros(self.until[row as usize]),
            settled: Timestamp::from_micros(self.settled(row)),
        }
    }

    /// The bytes of a row's details, to its end or further.
    pub(super) fn detail_bytes(&self, row: u32) -> &[u8] {
        self.details.get(self.detail[row as usize] as usize..).unwrap_or_default()
    }

    /// What a row says besides its columns. They were written here or checked when they were read.
    pub(super) fn detail(&self, row: u32) -> Detail {
        let mut reader = super::bytes::Reader(self.detail_bytes(row));
        let detail = Detail::read(&mut reader, self.settled(row)).unwrap_or_else(|_| Detail::none());
        Detail { parent: self.parents.of(row, &self.id).or(detail.parent), ..detail }
    }

    /// Whether a row has pins or locks, expired ones too.
    pub(super) fn is_pinned_or_locked(&self, row: u32) -> bool {
        self.detail_bytes(row).first().is_some_and(|flags| flags & detail::PINNED_OR_LOCKED != 0)
    }

    /// Counts and sizes, run and name only: less to read.
    pub(super) fn counts(&self, row: u32) -> Detail {
        let mut reader = super::bytes::Reader(self.detail_bytes(row));
        Detail::counts(&mut reader, self.settled(row)).map_or_else(|_| Detail::none(), |(detail, _)| detail)
    }

    /// The name of a row's manifest; `room` is kept from name to name.
    pub(super) fn name(&self, row: u32, shape: u32, room: &mut Vec<u8>) -> crate::Result<crate::Key> {
        let window = self.window(row);
        let facts = Facts { id: self.id[row as usize], from: window.from, until: window.until };
        let shape =
            self.shapes.list.get(shape as usize).ok_or_else(|| crate::Error::internal("a name without shape"))?;
        shape.name(&facts, room)
    }

    /// The place of a log segment.
    pub(super) fn place(&self, row: u32) -> Option<Place> {
        // Log segments are the last rows, once they are sorted: each stands as far from the first as its row does.
        let first = self.places.first()?.0;
        let near = row.checked_sub(first).and_then(|at| self.places.get(at as usize)).filter(|(of, _)| *of == row);
        let found = near.or_else(|| Some(&self.places[self.places.binary_search_by_key(&row, |(of, _)| *of).ok()?]));
        found.map(|(_, place)| *place)
    }

    /// The whole entry of a row; `None` only if its bytes are damaged.
    pub(super) fn entry(&self, row: u32) -> Option<Entry> {
        let class = self.class_of(row).clone();
        let detail = self.detail(row);
        let mut copies = class.copies;
        for (at, until) in detail.locks {
            copies.get_mut(at as usize)?.locked_until = Some(until);
        }
        let when = detail.verified;
        let log = |place: Place| LogPlace {
            node: class.node.clone().unwrap_or_default(),
            epoch: place.at.epoch,
            seq: place.at.seq,
            previous: place.previous,
        };
        Some(Entry {
            id: self.id[row as usize],
            run: detail.run,
            kind: class.kind,
            parent: detail.parent,
            cluster: class.cluster,
            part: class.part,
            timeline: class.timeline,
            window: self.window(row),
            applies: class.applies,
            deletes: class.deletes,
            filter: class.filter,
            missing: class.missing,
            status: class.status,
            verified: when.zip(class.verified).map(|(when, depth)| Verified { when, depth }),
            size: detail.size,
            codecs: class.codecs,
            keys: class.keys,
            nodes: class.nodes,
            manifest: self.name(row, detail.shape, &mut Vec::new()).ok()?,
            copies,
            pins: detail.pins,
            created: detail.created,
            log: (class.kind == BackupKind::LogSegment).then(|| self.place(row)).flatten().map(log),
        })
    }

    /// Bytes a row in the columns, search and ids included; and bytes of everything beside them.
    pub(super) fn memory(&self) -> (usize, usize) {
        let columns = self.until.capacity() * 8
            + self.from.capacity() * 8
            + self.fuzz.capacity() * 4
            + self.id.capacity() * 16
            + self.class.capacity() * 4
            + self.detail.capacity() * 4
            + self.cost.capacity() * 4;
        let sparse = (self.long.len() + self.bad.len()) * 32 + self.places.capacity() * size_of::<(u32, Place)>();
        let (near, moved) = self.parents.bytes();
        (columns + near, sparse + moved + self.details.capacity() + self.shapes.bytes() + self.classes.bytes())
    }

    /// Makes room for so many rows.
    pub(super) fn reserve(&mut self, count: usize) {
        let count = count.min(MOST_ROWS);
        self.details.reserve_exact(count.saturating_mul(USUAL_DETAIL).min(MOST_DETAIL));
        self.reserve_columns(count);
    }

    /// As [`Rows::reserve`], without details.
    pub(super) fn reserve_columns(&mut self, count: usize) {
        self.until.reserve_exact(count);
        self.from.reserve_exact(count);
        self.fuzz.reserve_exact(count);
        self.id.reserve_exact(count);
        self.class.reserve_exact(count);
        self.detail.reserve_exact(count);
        self.cost.reserve_exact(count);
        self.parents.reserve(count);
    }

    /// Gives back room that is not used.
    pub(super) fn shrink(&mut self) {
        self.until.shrink_to_fit();
        self.from.shrink_to_fit();
        self.fuzz.shrink_to_fit();
        self.id.shrink_to_fit();
        self.class.shrink_to_fit();
        self.detail.shrink_to_fit();
        self.cost.shrink_to_fit();
        self.parents.shrink();
        self.details.shrink_to_fit();
    }

    /// Puts the rows into `order`; those that are not in it go.
    pub(super) fn permute(&mut self, order: &[u32]) {
        const GONE: u32 = u32::MAX;
        // A column takes the room of the one before it: fresh memory is dear.
        fn gather<T: Copy>(column: &mut Vec<T>, room: &mut Vec<T>, order: &[u32]) {
            room.clear();
            room.extend(order.iter().map(|row| column[*row as usize]));
            std::mem::swap(column, room);
        }
        let before = self.len();
        let mut moments = Vec::with_capacity(order.len());
        gather(&mut self.until, &mut moments, order);
        gather(&mut self.from, &mut moments, order);
        drop(moments);
        let mut numbers = Vec::with_capacity(order.len());
        gather(&mut self.fuzz, &mut numbers, order);
        gather(&mut self.class, &mut numbers, order);
        gather(&mut self.detail, &mut numbers, order);
        gather(&mut self.cost, &mut numbers, order);
        drop(numbers);
        let mut ids = Vec::with_capacity(order.len());
        gather(&mut self.id, &mut ids, order);
        self.parents.permute(order, &ids, &self.id);
        drop(ids);
        if self.long.is_empty() && self.bad.is_empty() && self.places.is_empty() {
            return;
        }
        let mut new = vec![GONE; before];
        for (at, row) in order.iter().zip(0_u32..) {
            new[*at as usize] = row;
        }
        let stays = |row: u32| Some(new[row as usize]).filter(|row| *row != GONE);
        let long = std::mem::take(&mut self.long).into_iter();
        self.long = long.filter_map(|(row, it)| Some((stays(row)?, it))).collect();
        let bad = std::mem::take(&mut self.bad).into_iter();
        self.bad = bad.filter_map(|(row, it)| Some((stays(row)?, it))).collect();
        if !self.places.is_empty() {
            // What stands at the old row, by that row: a list in the new order needs no sorting.
            let mut of = new;
            of.fill(GONE);
            for ((row, _), at) in self.places.iter().zip(0_u32..) {
                of[*row as usize] = at;
            }
            let places = order.iter().zip(0_u32..);
            let places = places.filter_map(|(old, row)| Some((row, self.places.get(of[*old as usize] as usize)?.1)));
            self.places = places.collect();
        }
    }
}
