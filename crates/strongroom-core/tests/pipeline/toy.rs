//! A codec for tests: flips bits with one byte of its name, the frame's index and the salt, and adds one byte.

use std::sync::Arc;

use strongroom_core::codec::{Codec, CodecId, CodecRegistry, FrameCoder, FrameId, PartHeader};
use strongroom_core::{Error, Result};

pub(crate) fn id(name: &str) -> CodecId {
    CodecId::new(name).unwrap()
}

/// `xor:<number>`.
#[derive(Debug)]
pub(crate) struct Xor(pub(crate) u8);

struct Coder(u8);

impl Codec for Xor {
    fn id(&self) -> CodecId {
        id(&format!("xor:{}", self.0))
    }

    fn begin(&self, header: &PartHeader) -> Result<Box<dyn FrameCoder>> {
        Ok(Box::new(Coder(header.salt.iter().fold(self.0, |sum, byte| sum.wrapping_add(*byte)))))
    }
}

impl Coder {
    fn mask(&self, frame: FrameId) -> u8 {
        self.0.wrapping_add(frame.index.to_le_bytes()[0]).wrapping_add(u8::from(frame.last))
    }
}

impl FrameCoder for Coder {
    fn encode(&self, frame: FrameId, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.push(self.mask(frame));
        out.extend(plain.iter().map(|byte| byte ^ self.mask(frame)));
        Ok(())
    }

    fn decode(&self, frame: FrameId, coded: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let (tag, body) = coded.split_first().ok_or_else(|| Error::corrupt("xor: empty"))?;
        if *tag != self.mask(frame) || body.len() > limit {
            return Err(Error::corrupt("xor: not this frame of this part"));
        }
        out.extend(body.iter().map(|byte| byte ^ tag));
        Ok(())
    }
}

/// Panics in every frame, to show that a defect of a codec ends as an error.
#[derive(Debug)]
pub(crate) struct Panics;

impl Codec for Panics {
    fn id(&self) -> CodecId {
        id("panics")
    }

    fn begin(&self, _: &PartHeader) -> Result<Box<dyn FrameCoder>> {
        Ok(Box::new(Self))
    }
}

impl FrameCoder for Panics {
    fn encode(&self, _: FrameId, _: &[u8], _: &mut Vec<u8>) -> Result<()> {
        panic!("this codec always panics")
    }

    fn decode(&self, _: FrameId, _: &[u8], _: usize, _: &mut Vec<u8>) -> Result<()> {
        panic!("this codec always panics")
    }
}

/// Knows `xor:<number>` and `panics`.
#[derive(Debug)]
pub(crate) struct Codecs;

impl CodecRegistry for Codecs {
    fn resolve(&self, id: &CodecId) -> Result<Arc<dyn Codec>> {
        match id.split() {
            ("xor", Some(number)) => Ok(Arc::new(Xor(number.parse().map_err(|_| Error::invalid("xor"))?))),
            ("panics", None) => Ok(Arc::new(Panics)),
            _ => Err(Error::unsupported(format!("codec '{id}'"))),
        }
    }
}
