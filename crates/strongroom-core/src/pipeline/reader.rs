//! Parts to pieces: read ahead, check, decode on all cores, hand out in order.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use super::coder::{PartCoder, Stack};
use super::cpu::Started;
use super::cut::Cut;
use super::frame::{FRAME_HEADER, FrameHeader};
use super::part::{HEAD_PREFIX, PartHead};
use super::room::{Slots, Workroom};
use super::run::{Cursor, Runs};
use crate::codec::{CodecId, CodecRegistry};
use crate::id::RepositoryId;
use crate::manifest::{Blake3, ObjectRef, StoredPart, StoredPiece};
use crate::{ByteStream, Error, ErrorKind, Result, Storage};

/// The next part's object is opened when no more than this is left of the one before.
const OPEN_AHEAD: u64 = 4 << 20;

/// Where pieces are read from.
#[derive(Debug, Clone)]
pub struct PartReader {
    /// What all pieces at work share.
    pub room: Arc<Workroom>,
    /// The storage.
    pub storage: Arc<dyn Storage>,
    /// The repository that the parts must belong to.
    pub repository: RepositoryId,
    /// The codecs of parts that name none of their own: the manifest's.
    pub codecs: Vec<CodecId>,
    /// Resolves codecs.
    pub registry: Arc<dyn CodecRegistry>,
}

/// One frame on its way out.
struct Frame {
    plain: Started<Result<Vec<Bytes>>>,
    slot: OwnedSemaphorePermit,
}

impl PartReader {
    /// The plain bytes of a piece. Nothing is opened before the stream is first polled; dropping it ends all work.
    ///
    /// In the stream: `Corrupt` naming object and offset for everything that is not what was stored; `Denied` when a
    /// key is missing; the storage's own errors. The last bytes come only after all hashes were right.
    #[must_use]
    pub fn piece(&self, piece: &StoredPiece) -> ByteStream {
        self.parts(piece.parts.clone(), Runs::default())
    }

    /// The plain bytes of several pieces, to be read one after the other: neighbours in one object share a request.
    #[must_use]
    pub fn pieces(&self, pieces: &[StoredPiece]) -> Vec<ByteStream> {
        let runs = Runs::of(pieces.iter().flat_map(|piece| &piece.parts));
        pieces.iter().map(|piece| self.parts(piece.parts.clone(), runs.clone())).collect()
    }

    fn parts(&self, parts: Vec<StoredPart>, runs: Runs) -> ByteStream {
        let reader = self.clone();
        stream::once(async move { Output::start(reader, parts, runs) }).flat_map(Output::into_stream).boxed()
    }

    /// Reads a whole object and compares size and hash.
    ///
    /// # Errors
    /// `NotFound` when it is missing, `Corrupt` when it is different; the storage's own errors.
    pub async fn prove(&self, object: &ObjectRef) -> Result<()> {
        let stream = self.storage.read(&object.key, None).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::not_found(format!("{} is missing", object.key)).because(error),
            _ => error,
        })?;
        let mut cut = Cut::new(stream, 0);
        let mut hasher = Box::new(blake3::Hasher::new());
        while cut.more().await? {
            let chunks = cut.take(super::frame::MAX_PLAIN).await?;
            let length = chunks.iter().map(Bytes::len).sum();
            self.room.pass_bytes(length).await;
            hasher = self.room.cpu.run(length, move || update(hasher, &chunks)).await?;
            if cut.at() > object.size {
                break;
            }
        }
        if cut.at() != object.size {
            let found = if cut.at() > object.size { "more".to_owned() } else { cut.at().to_string() };
            return Err(Error::corrupt(format!("{} should have {} bytes, it has {found}", object.key, object.size)));
        }
        compare(object, Blake3::from(hasher.finalize()), object.blake3)
    }
}

/// The frames of a piece, in order, while further ones are being read.
struct Output {
    frames: mpsc::Receiver<Result<Frame>>,
    /// The chunks of the frame at hand, and its slot.
    at_hand: (VecDeque<Bytes>, Option<OwnedSemaphorePermit>),
    /// Ends the reading when dropped.
    task: JoinSet<()>,
}

impl Output {
    fn start(reader: PartReader, parts: Vec<StoredPart>, runs: Runs) -> Self {
        let (sender, frames) = mpsc::channel(64);
        let mut task = JoinSet::new();
        task.spawn(async move {
            if let Err(error) = read_parts(reader, &parts, &runs, &sender).await {
                // The receiver is gone when nobody reads on.
                let _ = sender.send(Err(error)).await;
            }
        });
        Self { frames, at_hand: (VecDeque::new(), None), task }
    }

    fn into_stream(self) -> impl futures::Stream<Item = Result<Bytes>> + Send {
        stream::unfold(Some(self), |output| async move {
            let mut output = output?;
            match output.next().await {
                Some(Ok(chunk)) => Some((Ok(chunk), Some(output))),
                Some(Err(error)) => Some((Err(error), None)),
                None => None,
            }
        })
    }

    async fn next(&mut self) -> Option<Result<Bytes>> {
        loop {
            if let Some(chunk) = self.at_hand.0.pop_front() {
                return Some(Ok(chunk));
            }
            self.at_hand.1 = None;
            let frame = match self.frames.recv().await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Some(Err(error)),
                // The reader ended: well, or by a panic, which must not look like the end of the piece.
                None => {
                    return match self.task.join_next().await {
                        Some(Err(_)) => Some(Err(Error::internal("reading a part panicked"))),
                        _ => None,
                    };
                }
            };
            match frame.plain.finish().await {
                Ok(Ok(chunks)) => self.at_hand = (chunks.into(), Some(frame.slot)),
                Ok(Err(error)) | Err(error) => return Some(Err(error)),
            }
        }
    }
}

async fn read_parts(
    reader: PartReader,
    parts: &[StoredPart],
    runs: &Runs,
    to: &mpsc::Sender<Result<Frame>>,
) -> Result<()> {
    let slots = reader.room.slots();
    let mut ahead: Option<JoinSet<Result<Cursor>>> = None;
    for (number, part) in parts.iter().enumerate() {
        let mut cursor = match ahead.take() {
            Some(mut opening) => match opening.join_next().await {
                Some(Ok(cursor)) => cursor?,
                _ => return Err(Error::internal("opening a part panicked")),
            },
            None => runs.open(&reader.storage, part).await?,
        };
        let next = parts.get(number + 1);
        let open_ahead = |left: u64| {
            if let (None, Some(next)) = (&ahead, next)
                && left <= OPEN_AHEAD
            {
                let (storage, runs, next) = (Arc::clone(&reader.storage), runs.clone(), next.clone());
                let mut opening = JoinSet::new();
                opening.spawn(async move { runs.open(&storage, &next).await });
                ahead = Some(opening);
            }
        };
        if !read_part(&reader, part, &mut cursor, &slots, to, open_ahead, runs).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads one part; `false` when nobody wants more.
async fn read_part(
    reader: &PartReader,
    part: &StoredPart,
    cursor: &mut Cursor,
    slots: &Slots,
    to: &mpsc::Sender<Result<Frame>>,
    mut open_ahead: impl FnMut(u64),
    runs: &Runs,
) -> Result<bool> {
    let object = &part.object;
    let (begin, length) = part.slice.map_or((0, object.size), |slice| (slice.offset, slice.length));
    let end = begin.checked_add(length).filter(|end| *end <= object.size);
    let end =
        end.ok_or_else(|| Error::corrupt(format!("{}: part {} is listed beyond its end", object.key, part.part)))?;
    let proof = part.slice.map_or(object.blake3, |slice| slice.blake3);
    let (codecs, mut hasher) = head(reader, part, cursor, end).await?;
    let mut plain = 0;
    for index in 0.. {
        let slot = slots.take().await?;
        let at = cursor.cut.at();
        let fault = |fault: &super::coder::FrameFault| fault.at(&object.key, at);
        if end - at < FRAME_HEADER as u64 {
            return Err(Error::corrupt(format!("{}: at byte {at}: the last frame is missing", object.key)));
        }
        let head_bytes: [u8; FRAME_HEADER] = fixed(cursor, object).await?;
        let header = FrameHeader::parse(&head_bytes, index).map_err(|found| fault(&found))?;
        if end - cursor.cut.at() < u64::from(header.coded) {
            return Err(Error::corrupt(format!("{}: at byte {at}: frame {index} is cut off", object.key)));
        }
        let length = header.coded as usize;
        let coded = exactly(cursor, object, length).await?;
        reader.room.pass_bytes(FRAME_HEADER + length).await;
        open_ahead(end - cursor.cut.at());
        plain += u64::from(header.plain);
        let decoded = decode(reader, &codecs, header, coded.clone(), (object.clone(), at)).await;
        let head_chunk = Bytes::copy_from_slice(&head_bytes);
        hasher = reader
            .room
            .cpu
            .run(length, move || update(update(hasher, std::slice::from_ref(&head_chunk)), &coded))
            .await?;
        if header.id.last {
            finish(part, cursor, (begin, end), plain).await?;
            compare(object, Blake3::from(hasher.finalize()), proof)?;
            runs.give_back(object, cursor);
        }
        if to.send(Ok(Frame { plain: decoded, slot })).await.is_err() {
            return Ok(false);
        }
        if header.id.last {
            break;
        }
    }
    Ok(true)
}

/// Reads and checks the head of a part.
async fn head(
    reader: &PartReader,
    part: &StoredPart,
    cursor: &mut Cursor,
    end: u64,
) -> Result<(Arc<PartCoder>, Box<blake3::Hasher>)> {
    let (object, at) = (&part.object, cursor.cut.at());
    let fault = |fault: super::coder::FrameFault| fault.at(&object.key, at);
    let short = || Error::corrupt(format!("{}: at byte {at}: too short for a part", object.key));
    if end - at < HEAD_PREFIX as u64 {
        return Err(short());
    }
    let prefix: [u8; HEAD_PREFIX] = fixed(cursor, object).await?;
    let length = PartHead::measure(&prefix).map_err(fault)?;
    if end - at < length as u64 {
        return Err(short());
    }
    let mut bytes = prefix.to_vec();
    for chunk in exactly(cursor, object, length - HEAD_PREFIX).await? {
        bytes.extend_from_slice(&chunk);
    }
    let head = PartHead::parse(&bytes).map_err(fault)?;
    let other = |what: &str, found: &dyn std::fmt::Display, wanted: &dyn std::fmt::Display| {
        Err(Error::corrupt(format!(
            "{}: at byte {at}: {what} is {found}, the list of pieces says {wanted}",
            object.key
        ))
        .hint("the object was swapped with another one, or is an older one"))
    };
    if head.header.part != part.part {
        return other("the part", &head.header.part.escape_debug(), &part.part.escape_debug());
    }
    if head.header.repository != reader.repository {
        return other("the repository", &head.header.repository, &reader.repository);
    }
    let codecs = part.codecs.as_ref().unwrap_or(&reader.codecs);
    if head.codecs != *codecs {
        return other("the list of codecs", &format!("{:?}", head.codecs), &format!("{codecs:?}"));
    }
    let coder = Stack::resolve(&*reader.registry, codecs)?.begin(&head.header)?;
    let mut hasher = Box::new(blake3::Hasher::new());
    hasher.update(&bytes);
    Ok((Arc::new(coder), hasher))
}

/// Checks that the part ends where it must.
async fn finish(part: &StoredPart, cursor: &mut Cursor, (begin, end): (u64, u64), plain: u64) -> Result<()> {
    let (object, at) = (&part.object, cursor.cut.at());
    let whole = begin == 0 && end == object.size;
    if at != end || (whole && cursor.cut.more().await?) {
        return Err(Error::corrupt(format!("{}: at byte {at}: bytes follow the last frame", object.key)));
    }
    if plain != part.plain_bytes {
        let what = format!("{}: the part holds {plain} plain bytes, not {}", object.key, part.plain_bytes);
        return Err(Error::corrupt(what));
    }
    Ok(())
}

async fn decode(
    reader: &PartReader,
    codecs: &Arc<PartCoder>,
    header: FrameHeader,
    coded: Vec<Bytes>,
    (object, at): (ObjectRef, u64),
) -> Started<Result<Vec<Bytes>>> {
    let (codecs, buffers) = (Arc::clone(codecs), reader.room.buffers.clone());
    let work = move || {
        header.check(&coded).map_err(|fault| fault.at(&object.key, at))?;
        if codecs.is_plain() && header.plain == header.coded {
            return Ok(coded);
        }
        let whole = if let [whole] = coded.as_slice() { whole.clone() } else { coded.concat().into() };
        let mut out = buffers.take();
        buffers
            .with_scratch(|scratch| codecs.decode(&header, &whole, scratch, out.bytes()))
            .map_err(|error| error.within(format!("{}: at byte {at}", object.key)))?;
        Ok(vec![out.freeze()])
    };
    reader.room.cpu.start(header.coded.max(header.plain) as usize, work).await
}

/// The next `length` bytes.
async fn exactly(cursor: &mut Cursor, object: &ObjectRef, length: usize) -> Result<Vec<Bytes>> {
    let chunks = cursor.cut.take(length).await?;
    if chunks.iter().map(Bytes::len).sum::<usize>() == length {
        return Ok(chunks);
    }
    let what = format!("{}: ends at byte {}, the list of pieces says {}", object.key, cursor.cut.at(), object.size);
    Err(Error::corrupt(what).hint("the object was cut off: use another copy"))
}

async fn fixed<const N: usize>(cursor: &mut Cursor, object: &ObjectRef) -> Result<[u8; N]> {
    let bytes = exactly(cursor, object, N).await?.concat();
    bytes.try_into().map_err(|_| Error::internal("a header of another length"))
}

fn update(mut hasher: Box<blake3::Hasher>, chunks: &[Bytes]) -> Box<blake3::Hasher> {
    for chunk in chunks {
        hasher.update(chunk);
    }
    hasher
}

fn compare(object: &ObjectRef, found: Blake3, wanted: Blake3) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::corrupt(format!("{}: its hash is {found}, the list of pieces says {wanted}", object.key)))
}

/// What a listed object's absence means.
pub(crate) fn gone(object: &ObjectRef, error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::corrupt(format!("{} is missing", object.key)).because(error),
        ErrorKind::Invalid => {
            Error::corrupt(format!("{} is shorter than {} bytes", object.key, object.size)).because(error)
        }
        _ => error,
    }
}
