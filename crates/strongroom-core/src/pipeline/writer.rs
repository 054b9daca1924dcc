//! Pieces to parts: read, cut, code on all cores, hash, write; each stage waits for the next one.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, try_join};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use super::coder::{PartCoder, Stack};
use super::cpu::Started;
use super::cut::Cut;
use super::object::ObjectWriter;
use super::part::{Origin, PartHead, PartIdentity};
use super::progress::Share;
use super::room::Workroom;
use crate::cluster::{PieceReader, PieceSpec, PieceSummary};
use crate::codec::{FrameId, PartHeader};
use crate::environment::Environment;
use crate::id::RepositoryId;
use crate::manifest::{ObjectRef, Slice, StoredPart, StoredPiece};
use crate::{Error, Key, Result, Storage};

/// A piece with its number in its backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberedPiece {
    /// From 0, unique within the backup; 0 for shared content.
    pub number: u64,
    /// The piece.
    pub spec: PieceSpec,
}

/// Where pieces are written to, and as whose.
#[derive(Debug, Clone)]
pub struct PieceWriter {
    /// What all pieces at work share.
    pub room: Arc<Workroom>,
    /// Clock and chance.
    pub environment: Environment,
    /// The storage.
    pub storage: Arc<dyn Storage>,
    /// The repository.
    pub repository: RepositoryId,
    /// The codecs.
    pub stack: Stack,
    /// What the parts belong to.
    pub origin: Origin,
    /// The beginning of the objects' names: they are `<stem>.<nonce>.<number>`, and `<stem>.<nonce>` for shared
    /// content, which is one piece in one part in one object.
    pub stem: Key,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Written {
    /// The pieces, in the order they were given.
    pub pieces: Vec<StoredPiece>,
    /// The objects they rest in.
    pub objects: Vec<ObjectRef>,
}

/// What goes from reading and coding to hashing and writing, in order.
enum Item {
    Part { identity: String, head: Bytes, continues: bool },
    Frame { coded: Started<Result<Bytes>>, plain: usize, last: bool, _slot: OwnedSemaphorePermit },
    End(PieceSummary),
}

impl PieceWriter {
    /// Writes `pieces`, which `open` reads, one after the other; small ones share objects. Nothing is kept on error,
    /// but for objects that nobody names.
    ///
    /// # Errors
    /// Those of `open`, of the streams, the codecs and the storage, with the piece's name in front.
    pub async fn write<F>(&self, pieces: &[NumberedPiece], open: F, share: &mut Share) -> Result<Written>
    where
        F: Fn(PieceSpec) -> BoxFuture<'static, Result<PieceReader>> + Send + Sync,
    {
        if matches!(self.origin, Origin::Content(_)) && pieces.len() != 1 {
            return Err(Error::invalid(format!("{} pieces as one shared content", pieces.len())));
        }
        let nonce = u64::from_le_bytes(self.environment.random()?);
        let nonce = format!("{nonce:016x}");
        // Frames in flight are bounded by their slots; what stands between them is small.
        let (sender, receiver) = mpsc::channel(64);
        let produce = async {
            for piece in pieces {
                let failed = |error: Error| error.within(format!("piece '{}'", piece.spec.name.escape_debug()));
                self.produce(piece, &open, &nonce, &sender).await.map_err(failed)?;
            }
            drop(sender);
            Ok(())
        };
        let consume = Consumer::new(self, pieces, &nonce).consume(receiver, share);
        let ((), written) = try_join(produce, consume).await?;
        Ok(written)
    }

    async fn produce<F>(&self, piece: &NumberedPiece, open: &F, nonce: &str, to: &mpsc::Sender<Item>) -> Result<()>
    where
        F: Fn(PieceSpec) -> BoxFuture<'static, Result<PieceReader>> + Send + Sync,
    {
        let PieceReader { body, summary } = open(piece.spec.clone()).await?;
        let mut cut = Cut::new(body, 0);
        let slots = self.room.slots();
        let part_bytes = match self.origin {
            Origin::Content(_) => u64::MAX,
            Origin::Backup(_) => self.room.settings.part_bytes,
        };
        let mut part = 0;
        loop {
            let identity = PartIdentity { writing: self.origin.writing(nonce), piece: piece.number, part }.to_string();
            let header =
                PartHeader { repository: self.repository, part: identity.clone(), salt: self.environment.random()? };
            let codecs = Arc::new(self.stack.begin(&header)?);
            let head = PartHead { header, codecs: self.stack.ids() }.to_bytes();
            let head = head.map_err(|fault| Error::invalid(fault.to_string()))?.into();
            if to.send(Item::Part { identity, head, continues: part > 0 }).await.is_err() {
                return Ok(());
            }
            let begin = cut.at();
            for index in 0.. {
                let slot = slots.take().await?;
                let plain = cut.take(self.room.settings.frame_bytes).await?;
                let length = plain.iter().map(Bytes::len).sum();
                self.room.pass_bytes(length).await;
                let more = cut.more().await?;
                let last = !more || cut.at() - begin >= part_bytes;
                let coded = self.code(&codecs, FrameId { index, last }, plain, length).await;
                if to.send(Item::Frame { coded, plain: length, last, _slot: slot }).await.is_err() {
                    return Ok(());
                }
                if last {
                    break;
                }
            }
            if !cut.more().await? {
                break;
            }
            part += 1;
        }
        let summary = summary.await?;
        self.room.pass_records(summary.records).await;
        // The receiver is gone only when it failed, and its error is the one to tell.
        let _ = to.send(Item::End(summary)).await;
        Ok(())
    }

    async fn code(
        &self,
        coder: &Arc<PartCoder>,
        id: FrameId,
        plain: Vec<Bytes>,
        length: usize,
    ) -> Started<Result<Bytes>> {
        let (coder, buffers) = (Arc::clone(coder), self.room.buffers.clone());
        let work = move || {
            let mut out = buffers.take();
            buffers.with_scratch(|scratch| coder.encode(id, &plain, scratch, out.bytes()))?;
            Ok(out.freeze())
        };
        self.room.cpu.start(length, work).await
    }
}

/// A part that is written, before its object is finished.
struct Placed {
    object: usize,
    identity: String,
    offset: u64,
    length: u64,
    plain: u64,
    hash: Option<crate::manifest::Blake3>,
}

struct Consumer<'a> {
    writer: &'a PieceWriter,
    pieces: &'a [NumberedPiece],
    nonce: &'a str,
    open: Option<ObjectWriter>,
    /// How many parts each object has.
    parts: Vec<usize>,
    /// Objects on their way to being visible: the next one is written meanwhile.
    finishing: JoinSet<Result<(usize, ObjectRef)>>,
    finished: Vec<(usize, ObjectRef)>,
    placed: Vec<(Vec<Placed>, PieceSummary)>,
}

impl<'a> Consumer<'a> {
    fn new(writer: &'a PieceWriter, pieces: &'a [NumberedPiece], nonce: &'a str) -> Self {
        Self {
            writer,
            pieces,
            nonce,
            open: None,
            parts: Vec::new(),
            finishing: JoinSet::new(),
            finished: Vec::new(),
            placed: Vec::with_capacity(pieces.len()),
        }
    }

    async fn consume(mut self, mut items: mpsc::Receiver<Item>, share: &mut Share) -> Result<Written> {
        let mut parts: Vec<Placed> = Vec::new();
        while let Some(item) = items.recv().await {
            match item {
                Item::Part { identity, head, continues } => {
                    let object = self.object(continues).await?;
                    let offset = object.size();
                    share.stored(head.len() as u64);
                    object.push(head).await?;
                    let object = self.parts.len() - 1;
                    parts.push(Placed { object, identity, offset, length: 0, plain: 0, hash: None });
                }
                Item::Frame { coded, plain, last, _slot } => {
                    let coded = coded.finish().await??;
                    let (Some(object), Some(part)) = (&mut self.open, parts.last_mut()) else {
                        return Err(Error::internal("a frame came before its part"));
                    };
                    let length = coded.len() as u64;
                    object.push(coded).await?;
                    share.plain(plain as u64);
                    share.stored(length);
                    part.plain += plain as u64;
                    if last {
                        part.length = object.size() - part.offset;
                        part.hash = object.end_part();
                    }
                }
                Item::End(summary) => {
                    let plain = parts.iter().map(|part| part.plain).sum();
                    let expected = self.pieces.get(self.placed.len()).and_then(|piece| piece.spec.bytes);
                    share.piece(expected.unwrap_or(0), plain, summary.records);
                    self.placed.push((std::mem::take(&mut parts), summary));
                }
            }
        }
        if self.placed.len() < self.pieces.len() {
            // The producer failed, and its error is the one to tell: this one is never seen.
            return Err(Error::internal("fewer pieces came than were announced"));
        }
        self.close().await?;
        while !self.finishing.is_empty() {
            self.join().await?;
        }
        self.written()
    }

    /// The object that takes the next part.
    async fn object(&mut self, continues: bool) -> Result<&mut ObjectWriter> {
        let full = |object: &ObjectWriter| object.size() >= self.writer.room.settings.pack_bytes;
        if self.open.as_ref().is_some_and(|object| continues || full(object)) {
            self.close().await?;
        }
        if self.open.is_none() {
            let (stem, number) = (&self.writer.stem, self.parts.len());
            let name = match self.writer.origin {
                // Shared content is known by the name of its one object.
                Origin::Content(_) => format!("{stem}.{}", self.nonce),
                Origin::Backup(_) => format!("{stem}.{}.{number:03}", self.nonce),
            };
            let packed = self.pieces.len() > 1;
            let begun = ObjectWriter::begin(&self.writer.room, &self.writer.storage, Key::new(name)?, packed).await?;
            self.open = Some(begun);
            self.parts.push(0);
        }
        if let Some(parts) = self.parts.last_mut() {
            *parts += 1;
        }
        self.open.as_mut().ok_or_else(|| Error::internal("no object is open"))
    }

    async fn close(&mut self) -> Result<()> {
        if let Some(object) = self.open.take() {
            // One may be finishing while the next one is written; more would only pile up.
            if !self.finishing.is_empty() {
                self.join().await?;
            }
            let number = self.parts.len() - 1;
            self.finishing.spawn(async move { Ok((number, object.finish().await?)) });
        }
        Ok(())
    }

    async fn join(&mut self) -> Result<()> {
        if let Some(joined) = self.finishing.join_next().await {
            let finished =
                joined.map_err(|_| Error::internal("the storage panicked while it finished an object"))??;
            self.finished.push(finished);
        }
        Ok(())
    }

    fn written(mut self) -> Result<Written> {
        self.finished.sort_unstable_by_key(|(number, _)| *number);
        let objects: Vec<ObjectRef> = self.finished.into_iter().map(|(_, object)| object).collect();
        let shared = matches!(self.writer.origin, Origin::Content(_));
        let stored = |part: Placed| {
            let object = objects.get(part.object).cloned();
            let object = object.ok_or_else(|| Error::internal("a part without its object"))?;
            let alone = self.parts.get(part.object) == Some(&1);
            let slice = part.hash.filter(|_| !alone);
            let slice = slice.map(|blake3| Slice { offset: part.offset, length: part.length, blake3 });
            let codecs = shared.then(|| self.writer.stack.ids());
            Ok(StoredPart { object, part: part.identity, plain_bytes: part.plain, slice, codecs })
        };
        let pieces = self.pieces.iter().zip(self.placed).map(|(piece, (parts, summary))| {
            let plain_bytes = parts.iter().map(|part| part.plain).sum();
            let mut parts: Vec<StoredPart> = parts.into_iter().map(stored).collect::<Result<_>>()?;
            parts.shrink_to_fit(); // most pieces have one, and there may be a hundred thousand
            Ok(StoredPiece { spec: piece.spec.clone(), summary, plain_bytes, parts })
        });
        let pieces = pieces.collect::<Result<_>>()?;
        Ok(Written { pieces, objects })
    }
}
