//! A catalogue as bytes: compact, versioned, proved by a hash, and read without trusting any of it.
//!
//! ```text
//!   magic:8  generation  complete  timelines(JSON)  classes(JSON)  shapes  rows  details  BLAKE3:32
//!   a row:  class  until−previous until  from (0 none, else 1 + zigzag(until − from))  settled−until  id:16  length of
//!           its details  [epoch seq 0|1 epoch seq, for a log segment]
//! ```
//! Numbers are seven bits a byte, low bits first; signed ones zigzag. Texts follow their length.

use super::bytes::{Reader, put, put_signed};
use super::catalogue::{Builder, Catalogue};
use super::class::{Class, Classes};
use super::detail::Detail;
use super::entry::{LogSeq, Timeline};
use super::rows::{MOST_ROWS, NEVER, Place, Rows, number};
use super::shapes::Shapes;
use crate::id::BackupId;
use crate::model::BackupKind;
use crate::{Error, Result};

/// What every snapshot of this version begins with.
const MAGIC: &[u8; 8] = b"srcatlg1";
/// The versions' common beginning.
const FAMILY: &[u8] = b"srcatlg";
/// A row takes at least this many bytes: a count can't make a reader allocate more than the bytes are worth.
const SMALLEST_ROW: usize = 16 + 5;

impl Catalogue {
    /// The catalogue as bytes, for [`Catalogue::decode`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let rows = &self.rows;
        let mut out = Vec::with_capacity(rows.len() * 32 + rows.details.len() + 4096);
        out.extend_from_slice(MAGIC);
        put(&mut out, self.generation());
        out.push(u8::from(self.is_complete()));
        let timelines = serde_json::to_vec(self.timelines()).unwrap_or_default();
        let classes = serde_json::to_vec(&rows.classes.list).unwrap_or_default();
        for text in [timelines, classes] {
            put(&mut out, text.len() as u64);
            out.extend_from_slice(&text);
        }
        put(&mut out, rows.shapes.list.len() as u64);
        for shape in &rows.shapes.list {
            put(&mut out, shape.len() as u64);
            out.extend_from_slice(shape);
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
            put(&mut out, length as u64);
            details.extend_from_slice(&whole[..length]);
            if rows.class_of(row).kind == BackupKind::LogSegment {
                put_place(&mut out, rows.place(row));
            }
        }
        put(&mut out, details.len() as u64);
        out.extend_from_slice(&details);
        let hash = blake3::hash(&out);
        out.extend_from_slice(hash.as_bytes());
        out
    }

    /// The catalogue that [`Catalogue::encode`] wrote.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not what was written; `Unsupported` when a newer version wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let Some((body, hash)) = bytes.split_last_chunk::<32>() else {
            return Err(Error::corrupt("a snapshot of the catalogue is too short"));
        };
        let Some(rest) = body.strip_prefix(MAGIC.as_slice()) else {
            if body.starts_with(FAMILY) {
                return Err(Error::unsupported("a newer version wrote this snapshot of the catalogue")
                    .hint("use the version that wrote it, or a later one"));
            }
            return Err(Error::corrupt("this is no snapshot of a catalogue"));
        };
        if blake3::hash(body) != blake3::Hash::from_bytes(*hash) {
            return Err(Error::corrupt("a snapshot of the catalogue does not have its hash")
                .hint("rebuild the catalogue from the manifests"));
        }
        read(Reader(rest))
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

fn json<T: serde::de::DeserializeOwned>(reader: &mut Reader<'_>) -> Result<T> {
    let length = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
    serde_json::from_slice(reader.take(length)?)
        .map_err(|error| Error::corrupt("a list in the catalogue can't be read").because(error))
}

fn read(mut reader: Reader<'_>) -> Result<Catalogue> {
    let generation = reader.number()?;
    let complete = reader.byte()? != 0;
    let timelines: Vec<Timeline> = json(&mut reader)?;
    let classes: Vec<Class> = json(&mut reader)?;
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
    rows.reserve(count);
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
            let mut seq = || Ok::<_, Error>(LogSeq { epoch: reader.number()?, seq: reader.number()? });
            let at = seq()?;
            let previous = if reader.byte()? == 0 {
                None
            } else {
                Some(LogSeq { epoch: reader.number()?, seq: reader.number()? })
            };
            rows.places.push((row, Place { at, previous }));
        }
    }
    let length = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
    rows.details = reader.take(length)?.to_vec();
    if !reader.0.is_empty() || offset != length as u64 {
        return Err(Error::corrupt("the catalogue's bytes do not add up"));
    }
    check_details(&mut rows)?;
    Ok(Builder { rows }.finish(timelines, generation, complete))
}

/// Reads the details of every row once, so that nothing can fail later, and sets the costs.
fn check_details(rows: &mut Rows) -> Result<()> {
    for row in rows.all() {
        let start = rows.detail[row as usize] as usize;
        let end = rows.detail.get(row as usize + 1).map_or(rows.details.len(), |end| *end as usize);
        let own = rows.details.get(start..end).ok_or_else(|| Error::corrupt("the catalogue's details overlap"))?;
        let mut reader = Reader(own);
        let detail = Detail::read(&mut reader, rows.settled(row))?;
        let class = rows.class_of(row);
        let fits = reader.0.is_empty()
            && (detail.shape as usize) < rows.shapes.list.len()
            && detail.verified.is_some() == class.verified.is_some()
            && detail.locks.iter().all(|(at, _)| (*at as usize) < class.copies.len())
            && rows.name(row, detail.shape).is_ok();
        if !fits {
            return Err(Error::corrupt(format!("the catalogue's details of backup {}", rows.id[row as usize])));
        }
        let cost = rows.cost_of(rows.class[row as usize], detail.size.stored_bytes, detail.size.objects);
        rows.cost.push(cost);
        rows.judge_window(row);
    }
    Ok(())
}
