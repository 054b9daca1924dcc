//! `lz4`: one LZ4 block a frame.
//!
//! ```text
//!   00 plain…                              raw, when compressing makes it no smaller
//!   01 length (u32, little-endian) block   an LZ4 block (no frame header, no checksum) of `length` plain bytes
//! ```
//! The compressed form is always shorter than the raw one; anything else is corrupt.

use std::sync::Arc;

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};
use strongroom_core::codec::{CodecId, FrameId, PartHeader};
use strongroom_core::{Codec, Error, FrameCoder, Result};

use crate::check_size;
use crate::pool::Pool;
use crate::tagged::{self, corrupt};

const NAME: &str = "lz4";
const LENGTH: usize = 4;

/// The codec `lz4`. Cheap to clone: clones share their buffers.
#[derive(Debug, Clone, Default)]
pub struct Lz4 {
    pool: Arc<Pool<Scratch>>,
}

/// The compressor's hash table and where it writes: the block's length is known only afterwards, and the buffer
/// stays filled so that it is not zeroed for each frame.
struct Scratch {
    table: CompressTable,
    block: Vec<u8>,
}

impl Default for Pool<Scratch> {
    fn default() -> Self {
        Self::new()
    }
}

impl Codec for Lz4 {
    fn id(&self) -> CodecId {
        CodecId::lz4()
    }

    fn begin(&self, _: &PartHeader) -> Result<Box<dyn FrameCoder>> {
        Ok(Box::new(self.clone()))
    }
}

impl FrameCoder for Lz4 {
    fn encode(&self, _: FrameId, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        check_size(NAME, plain)?;
        let length = u32::try_from(plain.len()).map_err(|error| Error::invalid("lz4: frame").because(error))?;
        let make = || Ok(Scratch { table: CompressTable::large(), block: Vec::new() });
        self.pool.with(make, |scratch| {
            let bound = get_maximum_output_size(plain.len());
            if scratch.block.len() < bound {
                scratch.block.resize(bound, 0);
            }
            let size = compress_into_with_table(plain, &mut scratch.block, &mut scratch.table)
                .map_err(|error| Error::internal("lz4: the output bound was too small").because(error))?;
            if size + LENGTH >= plain.len() {
                tagged::put_raw(plain, out);
            } else {
                out.reserve(1 + LENGTH + size);
                out.push(tagged::COMPRESSED);
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(&scratch.block[..size]);
            }
            Ok(())
        })
    }

    fn decode(&self, frame: FrameId, coded: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let Some(body) = tagged::take(NAME, frame, coded, limit, out)? else { return Ok(()) };
        let (length, block) =
            body.split_first_chunk::<LENGTH>().ok_or_else(|| corrupt(NAME, frame, "ends within its length"))?;
        let length = u32::from_le_bytes(*length) as usize;
        tagged::check_length(NAME, frame, length, limit)?;
        if body.len() >= length {
            return Err(corrupt(NAME, frame, "is compressed to more than its plain length"));
        }
        let start = out.len();
        out.resize(start + length, 0);
        let result = match decompress_into(block, &mut out[start..]) {
            Ok(size) if size == length => return Ok(()),
            Ok(size) => Err(corrupt(NAME, frame, format!("gives {size} bytes and declares {length}"))),
            Err(error) => Err(corrupt(NAME, frame, "is no LZ4 block").because(error)),
        };
        out.truncate(start);
        result
    }
}
