//! Info: commands and answers as text.

mod answers;
mod catalogue;
mod partitions;
mod peers;

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::Malformed;
use crate::frame::{self, FrameHead, FrameKind};

pub use answers::{Answers, refusal};
pub use catalogue::{Function, FunctionBody, Index, Namespace, SetStatistics, functions, indexes, sets};
pub use partitions::{Replicas, replicas};
pub use peers::{Peer, Peers, peers};

/// The request that asks for some values, each by its command.
#[must_use]
pub fn request<'a>(commands: impl IntoIterator<Item = &'a str>) -> Bytes {
    let mut buffer = BytesMut::new();
    buffer.put_bytes(0, frame::HEAD);
    for command in commands {
        buffer.put_slice(command.as_bytes());
        buffer.put_u8(b'\n');
    }
    let length = (buffer.len() - frame::HEAD) as u64;
    let head = FrameHead { kind: FrameKind::Info, length }.encode();
    buffer[..frame::HEAD].copy_from_slice(&head);
    buffer.freeze()
}

/// `name=value` pairs between `separator`s.
pub(crate) fn pairs(text: &str, separator: char) -> impl Iterator<Item = (&str, &str)> {
    text.split(separator).filter_map(|pair| pair.split_once('='))
}

pub(crate) fn number<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, Malformed> {
    text.trim().parse().map_err(|_| Malformed::new(what, 0))
}
