//! Reading from what gives bytes: a `std::io::Read`, or a stream of chunks.

use std::io::Read;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::{Error, Result};

use super::{Decoder, Header, Limits};
use crate::model::Entity;

/// How much is read at once.
const CHUNK: usize = 256 * 1024;

/// Iterates over the entities of a file.
///
/// After an error there is nothing more.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    decoder: Decoder,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads `source`, which must be plain text: see [`crate::wrap`] for compressed and encrypted files.
    pub fn new(source: R, limits: Limits) -> Self {
        Self { source, decoder: Decoder::new(limits), ended: false }
    }

    /// What the top of the file said; complete once the first record came.
    pub const fn header(&self) -> &Header {
        self.decoder.header()
    }

    /// The next entity; `None` at the end of the file.
    ///
    /// # Errors
    /// `Corrupt` or `Unsupported` with the place in the file, or what the source failed with.
    pub fn read_entity(&mut self) -> Result<Option<Entity>> {
        loop {
            if self.ended {
                return Ok(None);
            }
            match self.decoder.next_entity() {
                Ok(None) => {}
                Ok(entity) => return Ok(entity),
                Err(error) => {
                    self.ended = true;
                    return Err(error.into());
                }
            }
            match read_chunk(&mut self.source) {
                Ok(chunk) if chunk.is_empty() => {
                    self.ended = true;
                    self.decoder.finish()?;
                }
                Ok(chunk) => self.decoder.push(chunk),
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
    }
}

/// One chunk, filled as far as the source gives; empty at the end.
pub(crate) fn read_chunk(source: &mut impl Read) -> Result<Bytes> {
    let mut chunk = BytesMut::zeroed(CHUNK);
    let mut filled = 0;
    while filled < CHUNK {
        match source.read(&mut chunk[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // A wrapping reader has an error of its own inside.
            Err(error) => return Err(error.downcast::<Error>().unwrap_or_else(Error::from)),
        }
    }
    chunk.truncate(filled);
    Ok(chunk.freeze())
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Entity>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_entity().transpose()
    }
}

/// The entities of a file that comes as a stream of chunks, in batches of at most `batch`.
///
/// After an error the stream ends; what came before it is sound.
#[must_use]
pub fn entities(
    chunks: BoxStream<'static, Result<Bytes>>,
    limits: Limits,
    batch: usize,
) -> BoxStream<'static, Result<Vec<Entity>>> {
    let state = Some((chunks, Decoder::new(limits)));
    stream::unfold(state, move |state| async move {
        let (mut chunks, mut decoder) = state?;
        let mut entities = Vec::new();
        loop {
            match decoder.next_entity() {
                Ok(Some(entity)) => {
                    entities.push(entity);
                    if entities.len() >= batch {
                        return Some((Ok(entities), Some((chunks, decoder))));
                    }
                    continue;
                }
                Ok(None) => {}
                // Sound entities go out first; the decoder repeats its error at the next call.
                Err(_) if !entities.is_empty() => return Some((Ok(entities), Some((chunks, decoder)))),
                Err(error) => return Some((Err(error.into()), None)),
            }
            // A batch is not held back for a chunk that may take long.
            if !entities.is_empty() {
                return Some((Ok(entities), Some((chunks, decoder))));
            }
            match chunks.next().await {
                Some(Ok(chunk)) => decoder.push(chunk),
                Some(Err(error)) => return Some((Err(error), None)),
                None => return decoder.finish().err().map(|error| (Err(error.into()), None)),
            }
        }
    })
    .fuse()
    .boxed()
}
