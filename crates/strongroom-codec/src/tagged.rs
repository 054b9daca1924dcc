//! The byte before every compressed frame: whether what follows is compressed at all.

use strongroom_core::codec::FrameId;
use strongroom_core::{Error, Result};

use crate::MAX_FRAME;

/// The rest of the frame is the plain form: compressing made it no smaller.
pub(crate) const RAW: u8 = 0;
/// The rest of the frame is compressed.
pub(crate) const COMPRESSED: u8 = 1;

/// Appends `plain` behind the tag that says so.
pub(crate) fn put_raw(plain: &[u8], out: &mut Vec<u8>) {
    out.reserve(plain.len() + 1);
    out.push(RAW);
    out.extend_from_slice(plain);
}

/// Takes the tag off. A raw frame is appended to `out` at once, and `None` returned; otherwise the compressed bytes.
pub(crate) fn take<'a>(
    name: &str,
    frame: FrameId,
    coded: &'a [u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<Option<&'a [u8]>> {
    match coded.split_first() {
        Some((&RAW, plain)) => {
            check_length(name, frame, plain.len(), limit)?;
            out.extend_from_slice(plain);
            Ok(None)
        }
        Some((&COMPRESSED, body)) => Ok(Some(body)),
        Some((tag, _)) => Err(corrupt(name, frame, format!("starts with {tag:#04x}, neither raw nor compressed"))),
        None => Err(corrupt(name, frame, "is empty")),
    }
}

/// Refuses a plain length beyond the limit, before room is made for it.
pub(crate) fn check_length(name: &str, frame: FrameId, length: usize, limit: usize) -> Result<()> {
    let limit = limit.min(MAX_FRAME);
    if length <= limit {
        return Ok(());
    }
    Err(corrupt(name, frame, format!("declares {length} bytes where at most {limit} are expected")))
}

/// The error of a frame that `encode` cannot have made.
pub(crate) fn corrupt(name: &str, frame: FrameId, why: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("{name}: frame {} {why}", frame.index))
}
