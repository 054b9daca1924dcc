//! All entries of a catalogue as bytes: compact, and read without trusting any of it. What proves them is the frame
//! around them. The bytes are described in `docs/format.md`, "Packed entries".
//!
//! ```text
//!   classes(JSON)  shapes  rows  details
//!   a row:  class  until−previous until  0 | 1 until−from  settled−until  id:16  length of its details
//!           [epoch seq 0|1 epoch seq, for a log segment]
//! ```
//! Numbers are seven bits a byte, low bits first; signed ones zigzag. Texts follow their length.

use super::bytes::{Reader, put, put_signed};
use super::catalogue::{Builder, Catalogue};
use super::class::{Class, Classes};
use super::detail::{self, Detail};
use super::entry::LogSeq;
use super::rows::{MOST_ROWS, NEVER, Place, Rows, number};
use super::shapes::Shapes;
use crate::id::BackupId;
use crate::model::BackupKind;
use crate::{Error, Result};

/// A row takes at least this many bytes: a count can't make a reader allocate more than the bytes are worth.
const SMALLEST_ROW: usize = 16 + 5;

impl Catalogue {
    /// All entries as bytes, for [`Builder::unpack`].
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let rows = &self.rows;
        let mut out = Vec::with_capacity(rows.len() * 32 + rows.details.len() + 4096);
        let classes = serde_json::to_vec(&rows.classes.list).unwrap_or_default();
        put(&mut out, classes.len() as u64);
        out.extend_from_slice(&classes);
        put(&mut out, rows.shapes.list.len() as u64);
        for shape in &rows.shapes.list {
            put(&mut out, shape.bytes.len() as u64);
            out.extend_from_slice(&shape.bytes);
        }
        put(&mut out, rows.len() as u64);
        let mut details = Vec::with_capacity(rows.details.len());
        let mut before = 0_i64;
        for row in rows.all() {
            let (until, from) = (rows.until[row as usize], rows.from[row as usize]);
            put(&mut out, u64::from(rows.class[row as usize]));
            put_signed(&mut out, until.wrapping_sub(before));
            before = until;
            if from == NEVER {
                out.push(0);
            } else {
                out.push(1);
                put_signed(&mut out, until.wrapping_sub(from));
            }
            put_signed(&mut out, rows.settled(row).wrapping_sub(until));
            out.extend_from_slice(rows.id[row as usize].as_bytes());
            let whole = rows.detail_bytes(row);
            let mut reader = Reader(whole);
            // Rows were checked when they came in; what can't be read any more is written as nothing and refused later.
            let length = Detail::read(&mut reader, 0).map_or(0, |_| whole.len() - reader.0.len());
            let start = details.len();
            match rows.parents.of(row, &rows.id) {
                Some(parent) => detail::write_with_parent(&whole[..length], parent, &mut details),
                None => details.extend_from_slice(&whole[..length]),
            }
            put(&mut out, (details.len() - start) as u64);
            if rows.class_of(row).kind == BackupKind::LogSegment {
                put_place(&mut out, rows.place(row));
            }
        }
        put(&mut out, details.len() as u64);
        out.extend_from_slice(&details);
        out
    }
}

impl Builder {
    /// The entries that [`Catalogue::pack`] wrote.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not what was written.
    pub fn unpack(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader(bytes);
        let mut rows = read_rows(&mut reader)?;
        let length = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
        rows.details = reader.take(length)?.to_vec();
        if !reader.0.is_empty() {
            return Err(Error::corrupt("the catalogue's bytes do not add up"));
        }
        check_details(&mut rows)?;
        Ok(Self::of(rows))
    }
}

fn put_place(out: &mut Vec<u8>, place: Option<Place>) {
    let place = place.unwrap_or(Place { at: LogSeq { epoch: 0, seq: 0 }, previous: None });
    put(out, place.at.epoch);
    put(out, place.at.seq);
    out.push(u8::from(place.previous.is_some()));
    if let Some(previous) = place.previous {
        put(out, previous.epoch);
        put(out, previous.seq);
    }
}

/// Everything before the details.
fn read_rows(reader: &mut Reader<'_>) -> Result<Rows> {
    let length = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
    let classes: Vec<Class> = serde_json::from_slice(reader.take(length)?)
        .map_err(|error| Error::corrupt("a list in the catalogue can't be read").because(error))?;
    // What stands in a log's lane has a place in the log, and nothing else has one.
    if let Some(class) = classes.iter().find(|class| class.node.is_some() != (class.kind == BackupKind::LogSegment)) {
        return Err(Error::corrupt(format!(
            "the catalogue has a {} of part '{}' with or without a node",
            class.kind, class.part
        )));
    }
    let mut shapes = Vec::new();
    for _ in 0..reader.number()? {
        let length = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
        shapes.push(reader.take(length)?.to_vec());
    }
    let count = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
    if count > reader.0.len() / SMALLEST_ROW || count > MOST_ROWS {
        return Err(Error::corrupt("the catalogue counts more rows than it has bytes for"));
    }
    let mut rows = Rows { classes: Classes::of(classes), shapes: Shapes::of(shapes), ..Rows::default() };
    rows.reserve_columns(count);
    let (mut before, mut offset) = (0_i64, 0_u64);
    for row in 0..number(count) {
        let class = reader.small()?;
        let kind = rows.classes.list.get(class as usize).map(|class| class.kind);
        let kind = kind.ok_or_else(|| Error::corrupt("a row of the catalogue is of no class"))?;
        let until = before.wrapping_add(reader.signed()?);
        before = until;
        let from = match reader.byte()? {
            0 => NEVER,
            1 => until.wrapping_sub(reader.signed()?),
            other => return Err(Error::corrupt(format!("mark {other} in the catalogue"))),
        };
        let settled = until.wrapping_add(reader.signed()?);
        rows.push_window(row, from, until, settled);
        rows.id.push(BackupId::from_u128(u128::from_be_bytes(reader.array()?)));
        rows.class.push(class);
        rows.detail.push(u32::try_from(offset).map_err(|_| Error::corrupt("the catalogue's details are too long"))?);
        offset = offset.saturating_add(reader.number()?);
        if kind == BackupKind::LogSegment {
            let at = read_seq(reader)?;
            let previous = if reader.byte()? == 0 { None } else { Some(read_seq(reader)?) };
            rows.places.push((row, Place { at, previous }));
        }
    }
    Ok(rows)
}

fn read_seq(reader: &mut Reader<'_>) -> Result<LogSeq> {
    Ok(LogSeq { epoch: reader.number()?, seq: reader.number()? })
}

/// Reads the details of every row once, so that nothing can fail later, sets the costs, and takes out parents that stand near.
fn check_details(rows: &mut Rows) -> Result<()> {
    let mut kept = 0;
    for row in rows.all() {
        let start = rows.detail[row as usize] as usize;
        let end = rows.detail.get(row as usize + 1).map_or(rows.details.len(), |end| *end as usize);
        let own = rows.details.get(start..end).ok_or_else(|| Error::corrupt("the catalogue's details overlap"))?;
        let mut reader = Reader(own);
        let (detail, flags) = Detail::counts(&mut reader, rows.settled(row))?;
        let counts = own.len() - reader.0.len();
        let detail = detail.with_rest(&mut reader, flags)?;
        let class = rows.class_of(row);
        let fits = reader.0.is_empty()
            && detail.verified.is_some() == class.verified.is_some()
            && detail.locks.iter().all(|(at, _)| (*at as usize) < class.copies.len())
            && rows.shapes.list.get(detail.shape as usize).is_some_and(|shape| shape.fits(&rows.window(row)));
        if !fits {
            return Err(Error::corrupt(format!("the catalogue's details of backup {}", rows.id[row as usize])));
        }
        rows.push_cost(rows.class[row as usize], &detail.size);
        rows.judge_window(row);
        rows.detail[row as usize] = number(kept);
        kept = if rows.parents.push(detail.parent, &rows.id[..row as usize]) {
            detail::move_without_parent(&mut rows.details, start..end, counts, kept)
        } else {
            rows.details.copy_within(start..end, kept);
            kept + (end - start)
        };
    }
    rows.details.truncate(kept);
    Ok(())
}
