//! The codecs of one part, stacked, and the faults that a frame can have. Pure.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::frame::{FRAME_HEADER, FrameHeader, MAX_CODED};
use crate::codec::{CodecId, CodecRegistry, FrameCoder, FrameId, PartHeader};
use crate::{Codec, Error, Result};

/// What is wrong with the bytes of a part. Whoever knows object and offset turns it into an [`Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// The head is none, or damaged.
    #[error("the head of the part is damaged or not one: {0}")]
    Head(&'static str),
    /// A newer version wrote it.
    #[error("the part has format {0}, this version reads up to {version}", version = super::part::PART_FORMAT)]
    Newer(u16),
    /// A length is beyond its limit.
    #[error("a frame's length of {length} bytes is beyond the limit of {limit}")]
    TooLong {
        /// What it says.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Another frame stands here.
    #[error("frame {found} stands where frame {expected} must be")]
    Index {
        /// The index that must come.
        expected: u32,
        /// The index that is there.
        found: u32,
    },
    /// Flags that this version does not know.
    #[error("a frame has unknown flags {0:#x}")]
    Flags(u32),
    /// The checksum differs.
    #[error("a frame's checksum does not fit its bytes")]
    Crc,
    /// It decodes to another length than it says.
    #[error("a frame holds {found} plain bytes but says {expected}")]
    Plain {
        /// What it says.
        expected: u32,
        /// What came out.
        found: usize,
    },
}

impl FrameFault {
    /// The error of a reader that found this fault at `offset` of `object`.
    #[must_use]
    pub fn at(&self, object: &dyn fmt::Display, offset: u64) -> Error {
        let what = format!("{object}: at byte {offset}: {self}");
        match self {
            Self::Newer(_) => Error::unsupported(what).hint("read it with a newer version of strongroom"),
            _ => Error::corrupt(what),
        }
    }
}

/// The codecs of a backup, in the order of encoding: compress, then seal.
#[derive(Debug, Clone, Default)]
pub struct Stack(Vec<Arc<dyn Codec>>);

impl Stack {
    /// A stack of codecs.
    #[must_use]
    pub fn new(codecs: Vec<Arc<dyn Codec>>) -> Self {
        Self(codecs)
    }

    /// The codecs that `ids` name.
    ///
    /// # Errors
    /// As [`CodecRegistry::resolve`]; `Invalid` for more than 8.
    pub fn resolve(registry: &dyn CodecRegistry, ids: &[CodecId]) -> Result<Self> {
        if ids.len() > super::part::MAX_CODECS {
            return Err(Error::invalid(format!("{} codecs in one stack, at most 8 can be used", ids.len())));
        }
        ids.iter().map(|id| registry.resolve(id)).collect::<Result<_>>().map(Self)
    }

    /// Their names.
    #[must_use]
    pub fn ids(&self) -> Vec<CodecId> {
        self.0.iter().map(|codec| codec.id()).collect()
    }

    /// The codec of that name, if it is one of these.
    #[must_use]
    pub fn get(&self, id: &CodecId) -> Option<Arc<dyn Codec>> {
        self.0.iter().find(|codec| codec.id() == *id).cloned()
    }

    /// The coder of one part.
    ///
    /// # Errors
    /// As [`Codec::begin`].
    pub fn begin(&self, header: &PartHeader) -> Result<PartCoder> {
        self.0.iter().map(|codec| codec.begin(header)).collect::<Result<_>>().map(PartCoder)
    }
}

/// Codes the frames of one part, in any order and from any thread.
pub struct PartCoder(Vec<Box<dyn FrameCoder>>);

impl fmt::Debug for PartCoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartCoder({} codecs)", self.0.len())
    }
}

impl PartCoder {
    /// Whether frames are stored as they are.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends header and coded bytes of the frame with the bytes `plain` to `out`.
    ///
    /// # Errors
    /// Those of the codecs; `Invalid` when the frame is too long.
    pub fn encode(&self, id: FrameId, plain: &[Bytes], scratch: &mut Scratch, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let length = plain.iter().map(Bytes::len).sum();
        out.resize(start + FRAME_HEADER, 0);
        if let Some((last, before)) = self.0.split_last() {
            let Scratch { this, other } = scratch;
            let mut input: &[u8] = match plain {
                [whole] => whole,
                chunks => {
                    this.clear();
                    for chunk in chunks {
                        this.extend_from_slice(chunk);
                    }
                    this
                }
            };
            if let Some((first, between)) = before.split_first() {
                other.clear();
                first.encode(id, input, other)?;
                for codec in between {
                    this.clear();
                    codec.encode(id, other, this)?;
                    std::mem::swap(this, other);
                }
                input = other;
            }
            last.encode(id, input, out)?;
        } else {
            for chunk in plain {
                out.extend_from_slice(chunk);
            }
        }
        let header = FrameHeader::seal(id, length, &out[start + FRAME_HEADER..])
            .map_err(|fault| Error::invalid(fault.to_string()))?;
        out[start..start + FRAME_HEADER].copy_from_slice(&header.to_bytes());
        Ok(())
    }

    /// Appends the plain bytes of a frame whose CRC was checked to `out`.
    ///
    /// # Errors
    /// Those of the codecs; `Corrupt` when the length is not what the header says.
    pub fn decode(&self, header: &FrameHeader, coded: &[u8], scratch: &mut Scratch, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let limit = header.plain as usize;
        if let Some((first, after)) = self.0.split_first() {
            let Scratch { this, other } = scratch;
            let mut input = coded;
            if let Some((last, between)) = after.split_last() {
                // Between two codecs a frame may be as long as a coded one.
                this.clear();
                last.decode(header.id, coded, MAX_CODED, this)?;
                for codec in between.iter().rev() {
                    other.clear();
                    codec.decode(header.id, this, MAX_CODED, other)?;
                    std::mem::swap(this, other);
                }
                input = this;
            }
            first.decode(header.id, input, limit, out)?;
        } else {
            out.extend_from_slice(coded);
        }
        let found = out.len() - start;
        if found == limit {
            Ok(())
        } else {
            Err(Error::corrupt(FrameFault::Plain { expected: header.plain, found }.to_string()))
        }
    }
}

/// Room between two codecs, kept from frame to frame.
#[derive(Debug, Default)]
pub struct Scratch {
    this: Vec<u8>,
    other: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RepositoryId;

    #[test]
    fn a_frame_that_holds_less_than_it_says_is_corrupt() {
        let header = PartHeader { repository: RepositoryId::from_u128(1), part: "p".to_owned(), salt: [3; 32] };
        let coder = Stack::default().begin(&header).unwrap();
        let id = FrameId { index: 0, last: true };
        let frame = FrameHeader::seal(id, 5, b"four").unwrap();
        let error = coder.decode(&frame, b"four", &mut Scratch::default(), &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Corrupt);
    }
}
