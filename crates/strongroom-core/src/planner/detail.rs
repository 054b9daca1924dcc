//! What of a backup planning seldom asks for, in few bytes a row: counts, run, parent, checks, pins, locks, name.
//!
//! ```text
//!   flags  run:16  created−settled  records deletes objects plain stored  name  [parent:16] [verified−created]
//!   [pins] [locks by copy]
//! ```
//! The same bytes stand in memory and on storage, but that a parent which stands near is left out in memory.

use std::ops::Range;

use super::bytes::{Reader, Short, put, put_signed, put_text};
use super::entry::{Entry, Pin, PinKind, Size};
use super::shape::Facts;
use super::shapes::Shapes;
use crate::id::{BackupId, RunId};
use crate::{Error, Result, Timestamp};

const PARENT: u8 = 1;
const VERIFIED: u8 = 2;
const PINS: u8 = 4;
const LOCKS: u8 = 8;
/// Any of these: there are pins or locks.
pub(super) const PINNED_OR_LOCKED: u8 = PINS | LOCKS;
const KNOWN: u8 = PARENT | VERIFIED | PINS | LOCKS;

/// In the byte of a pin's kind: who set it and when follow.
const SET_BY: u8 = 0x10;

fn put_moment(out: &mut Vec<u8>, moment: Option<Timestamp>) {
    out.push(u8::from(moment.is_some()));
    put_signed(out, moment.map_or(0, Timestamp::micros));
}

fn moment(reader: &mut Reader<'_>) -> Result<Option<Timestamp>> {
    let there = reader.byte()? != 0;
    let micros = reader.signed()?;
    Ok(there.then(|| Timestamp::from_micros(micros)))
}

/// What a row's bytes say.
#[derive(Debug, Clone)]
pub(super) struct Detail {
    pub(super) run: RunId,
    pub(super) created: Timestamp,
    pub(super) size: Size,
    /// The number of the name's shape.
    pub(super) shape: u32,
    pub(super) parent: Option<BackupId>,
    pub(super) verified: Option<Timestamp>,
    pub(super) pins: Vec<Pin>,
    /// Place of a copy among the class's copies, and until when it is locked.
    pub(super) locks: Vec<(u32, Timestamp)>,
}

/// Appends what `entry` says, with this parent.
pub(super) fn write(entry: &Entry, parent: Option<BackupId>, class: u32, shapes: &mut Shapes, out: &mut Vec<u8>) {
    let locks = || {
        let copies = entry.copies.iter().zip(0_u64..);
        copies.filter_map(|(copy, at)| copy.locked_until.map(|until| (at, until)))
    };
    let flag = |yes: bool, flag: u8| if yes { flag } else { 0 };
    let mut short = Short::new();
    short.extend(&[flag(parent.is_some(), PARENT)
        | flag(entry.verified.is_some(), VERIFIED)
        | flag(!entry.pins.is_empty(), PINS)
        | flag(locks().next().is_some(), LOCKS)]);
    short.extend(entry.run.as_bytes());
    short.put_signed(entry.created.micros().wrapping_sub(entry.window.settled.micros()));
    let size = &entry.size;
    for number in [size.records, size.deletes, size.objects, size.plain_bytes, size.stored_bytes] {
        short.put(number);
    }
    let facts = Facts { id: entry.id, from: entry.window.from, until: entry.window.until };
    short.put(u64::from(shapes.number(class, entry.manifest.as_str(), &facts)));
    if let Some(parent) = parent {
        short.extend(parent.as_bytes());
    }
    if let Some(verified) = entry.verified {
        short.put_signed(verified.when.micros().wrapping_sub(entry.created.micros()));
    }
    out.extend_from_slice(short.as_slice());
    if !entry.pins.is_empty() {
        put(out, entry.pins.len() as u64);
        for pin in &entry.pins {
            let kind = match pin.kind {
                PinKind::Pin => 0,
                PinKind::Hold => 1,
                PinKind::Lease => 2,
            };
            let told = !pin.by.is_empty() || pin.set.is_some();
            out.push(kind | if told { SET_BY } else { 0 });
            put_text(out, &pin.reason);
            put_moment(out, pin.until);
            if told {
                put_text(out, &pin.by);
                put_moment(out, pin.set);
            }
        }
    }
    if locks().next().is_some() {
        put(out, locks().count() as u64);
        for (at, until) in locks() {
            put(out, at);
            put_signed(out, until.micros());
        }
    }
}

/// Appends the bytes of a row with its parent, which are `own` without it.
pub(super) fn write_with_parent(own: &[u8], parent: BackupId, out: &mut Vec<u8>) {
    let mut reader = Reader(own);
    let counts = Detail::counts(&mut reader, 0).map_or(0, |_| own.len() - reader.0.len());
    let (counts, rest) = own.split_at(counts);
    if let Some((flags, counts)) = counts.split_first() {
        out.push(flags | PARENT);
        out.extend_from_slice(counts);
        out.extend_from_slice(parent.as_bytes());
        out.extend_from_slice(rest);
    }
}

/// Takes the parent out of the bytes of a row at `own`, whose counts are so many bytes, and moves the rest to `to`, which
/// is not after them. Gives where they end.
pub(super) fn move_without_parent(bytes: &mut [u8], own: Range<usize>, counts: usize, to: usize) -> usize {
    let rest = own.start + counts + size_of::<BackupId>()..own.end;
    bytes.copy_within(own.start..own.start + counts, to);
    bytes[to] &= !PARENT;
    let length = rest.len();
    bytes.copy_within(rest, to + counts);
    to + counts + length
}

impl Detail {
    /// What damaged bytes say.
    pub(super) fn none() -> Self {
        Self {
            run: RunId::from_u128(0),
            created: Timestamp::EPOCH,
            size: Size::default(),
            shape: u32::MAX,
            parent: None,
            verified: None,
            pins: Vec::new(),
            locks: Vec::new(),
        }
    }

    /// Reads one row's bytes, whose window is settled at `settled`.
    pub(super) fn read(reader: &mut Reader<'_>, settled: i64) -> Result<Self> {
        let (detail, flags) = Self::counts(reader, settled)?;
        detail.with_rest(reader, flags)
    }

    /// What follows the part that every row has.
    pub(super) fn with_rest(self, reader: &mut Reader<'_>, flags: u8) -> Result<Self> {
        let mut detail = self;
        if flags & PARENT != 0 {
            detail.parent = Some(BackupId::from_u128(u128::from_be_bytes(reader.array()?)));
        }
        if flags & VERIFIED != 0 {
            let when = detail.created.micros().wrapping_add(reader.signed()?);
            detail.verified = Some(Timestamp::from_micros(when));
        }
        if flags & PINS != 0 {
            for _ in 0..reader.number()? {
                let kind = reader.byte()?;
                let told = kind & SET_BY != 0;
                let kind = match kind & !SET_BY {
                    0 => PinKind::Pin,
                    1 => PinKind::Hold,
                    2 => PinKind::Lease,
                    other => return Err(Error::corrupt(format!("a pin of kind {other} in the catalogue"))),
                };
                let reason = reader.text()?.to_owned();
                let until = moment(reader)?;
                let (by, set) = if told { (reader.text()?.to_owned(), moment(reader)?) } else { (String::new(), None) };
                detail.pins.push(Pin { kind, reason, until, by, set });
            }
        }
        if flags & LOCKS != 0 {
            for _ in 0..reader.number()? {
                detail.locks.push((reader.small()?, Timestamp::from_micros(reader.signed()?)));
            }
        }
        Ok(detail)
    }

    /// The part that every row has, and the flags.
    pub(super) fn counts(reader: &mut Reader<'_>, settled: i64) -> Result<(Self, u8)> {
        let flags = reader.byte()?;
        if flags & !KNOWN != 0 {
            return Err(Error::corrupt(format!("flags {flags:#x} in the catalogue")));
        }
        let run = RunId::from_u128(u128::from_be_bytes(reader.array()?));
        let created = Timestamp::from_micros(settled.wrapping_add(reader.signed()?));
        let size = Size {
            records: reader.number()?,
            deletes: reader.number()?,
            objects: reader.number()?,
            plain_bytes: reader.number()?,
            stored_bytes: reader.number()?,
        };
        let shape = reader.small()?;
        Ok((Self { run, created, size, shape, ..Self::none() }, flags))
    }
}
