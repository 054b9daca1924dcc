//! `zstd`: one Zstandard frame a frame.
//!
//! ```text
//!   00 plain…           raw, when compressing makes it no smaller
//!   01 Zstandard frame  one frame (RFC 8878) that declares its content size, without dictionary
//! ```
//! The compressed form is always shorter than the raw one; anything else is corrupt. The level is the writer's own
//! affair: it is not stored, and every level is read alike.

use std::io::{self, Cursor};
use std::mem;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ::zstd::bulk::{Compressor, Decompressor};
use ::zstd::zstd_safe::{compress_bound, find_frame_compressed_size, get_error_name, get_frame_content_size};
use strongroom_core::codec::{CodecId, FrameId, PartHeader};
use strongroom_core::{Codec, Error, FrameCoder, Result};

use crate::check_size;
use crate::pool::Pool;
use crate::tagged::{self, corrupt};

const NAME: &str = "zstd";

/// The codec `zstd`. Cheap to clone: clones share their compression contexts, of which there are as many as were
/// ever at work at once (a context at level 1 holds about 1 MiB, at level 19 about 10 MiB).
#[derive(Debug, Clone)]
pub struct Zstd {
    level: i32,
    contexts: Arc<Contexts>,
}

#[derive(Debug)]
struct Contexts {
    encode: Pool<Compressor<'static>>,
    decode: Pool<Decompressor<'static>>,
}

impl Zstd {
    /// The levels: negative ones are faster and pack less, high ones the reverse. 0 is not one of them.
    pub const LEVELS: RangeInclusive<i32> = -7..=22;
    /// The default level: about twice as fast as level 3 for 4 to 12 % more bytes (measured by the bench `codec`).
    pub const DEFAULT_LEVEL: i32 = 1;

    /// Compresses at `level`; any level decompresses alike.
    ///
    /// # Errors
    /// `Invalid` when the level is out of [`Zstd::LEVELS`], or 0.
    pub fn new(level: i32) -> Result<Self> {
        if level == 0 || !Self::LEVELS.contains(&level) {
            let (least, most) = (Self::LEVELS.start(), Self::LEVELS.end());
            return Err(Error::invalid(format!("zstd level {level}"))
                .hint(format!("levels are {least} to -1 (fast) and 1 to {most} (small)")));
        }
        Ok(Self::at(level))
    }

    fn at(level: i32) -> Self {
        Self { level, contexts: Arc::new(Contexts { encode: Pool::new(), decode: Pool::new() }) }
    }

    /// The level it compresses at.
    #[must_use]
    pub const fn level(&self) -> i32 {
        self.level
    }
}

impl Default for Zstd {
    fn default() -> Self {
        Self::at(Self::DEFAULT_LEVEL)
    }
}

impl Codec for Zstd {
    fn id(&self) -> CodecId {
        CodecId::zstd()
    }

    fn begin(&self, _: &PartHeader) -> Result<Box<dyn FrameCoder>> {
        Ok(Box::new(self.clone()))
    }
}

/// Appends to `out` what `work` writes behind its end, without filling the room with zeros first.
fn append(
    out: &mut Vec<u8>,
    room: usize,
    work: impl FnOnce(&mut Cursor<Vec<u8>>) -> io::Result<usize>,
) -> io::Result<usize> {
    let start = out.len();
    out.reserve(room);
    let mut cursor = Cursor::new(mem::take(out));
    cursor.set_position(start as u64);
    let result = work(&mut cursor);
    *out = cursor.into_inner();
    if result.is_err() {
        out.truncate(start);
    }
    result
}

impl FrameCoder for Zstd {
    fn encode(&self, _: FrameId, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        check_size(NAME, plain)?;
        let start = out.len();
        let bound = compress_bound(plain.len());
        out.reserve(1 + bound);
        out.push(tagged::COMPRESSED);
        let encoded = self.contexts.encode.with(
            || Compressor::new(self.level),
            |context| append(out, bound, |room| context.compress_to_buffer(plain, room)),
        );
        match encoded {
            Ok(size) if size < plain.len() => Ok(()),
            Ok(_) => {
                out.truncate(start);
                tagged::put_raw(plain, out);
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(Error::unavailable("zstd: no memory for a compression context").because(error))
            }
        }
    }

    fn decode(&self, frame: FrameId, coded: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let Some(body) = tagged::take(NAME, frame, coded, limit, out)? else { return Ok(()) };
        let Ok(Some(length)) = get_frame_content_size(body) else {
            return Err(corrupt(NAME, frame, "is no Zstandard frame with a content size"));
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        tagged::check_length(NAME, frame, length, limit)?;
        if body.len() >= length {
            return Err(corrupt(NAME, frame, "is compressed to more than its plain length"));
        }
        match find_frame_compressed_size(body) {
            Ok(size) if size == body.len() => {}
            Ok(_) => return Err(corrupt(NAME, frame, "goes on after its Zstandard frame")),
            Err(code) => return Err(corrupt(NAME, frame, format!("is cut off or damaged: {}", get_error_name(code)))),
        }
        let start = out.len();
        let decoded = self
            .contexts
            .decode
            .with(Decompressor::new, |context| append(out, length, |room| context.decompress_to_buffer(body, room)));
        match decoded {
            Ok(size) if size == length => Ok(()),
            Ok(size) => {
                out.truncate(start);
                Err(corrupt(NAME, frame, format!("gives {size} bytes and declares {length}")))
            }
            Err(error) => Err(corrupt(NAME, frame, "is no sound Zstandard frame").because(error)),
        }
    }
}
