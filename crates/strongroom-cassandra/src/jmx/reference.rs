//! Where a remote object lives: what a stub holds.

use strongroom_core::{Error, Result};

use crate::java::{Answer, Value};

/// The id of an object within its Java process: number, and the process's own mark.
pub(crate) type ObjectId = [u8; 22];

/// The registry, which every process has at the same place.
pub(crate) const REGISTRY: ObjectId = [0; 22];

/// A remote object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The port it is reached at. The host of a stub is what the node thinks its own name is, and not used: whoever asked
    /// knows how he reached it.
    pub(crate) port: u16,
    pub(crate) id: ObjectId,
}

impl Reference {
    /// The reference in a stub, or in the proxy around one.
    pub(crate) fn of(answer: &Answer) -> Result<Self> {
        let mut value = answer.root;
        // A proxy holds its handler in `h`; the stub itself writes the reference as plain bytes.
        if let Some(handler) = answer.object(value).and_then(|proxy| proxy.field("h")) {
            value = handler;
        }
        Self::parse(answer, value).ok_or_else(|| {
            Error::invalid("the node's answer is no reference to a remote object")
                .hint("is this the JMX port of a Cassandra node?")
        })?
    }

    fn parse(answer: &Answer, stub: Value) -> Option<Result<Self>> {
        let bytes = &answer.object(stub)?.blocks[..];
        let (kind, mut rest) = text(bytes)?;
        if kind == b"UnicastRef2" {
            let (format, after) = rest.split_first()?;
            if *format != 0 {
                return Some(Err(Error::unsupported("the node wants TLS for JMX, which strongroom can't speak yet")
                    .hint("let JMX listen on 127.0.0.1 without TLS, beside the node")));
            }
            rest = after;
        }
        let (_, rest) = text(rest)?;
        let (port, rest) = rest.split_first_chunk::<4>()?;
        let port = u16::try_from(i32::from_be_bytes(*port)).ok().filter(|port| *port > 0)?;
        let (id, _) = rest.split_first_chunk::<22>()?;
        Some(Ok(Self { port, id: *id }))
    }
}

/// A text with its length in two bytes before it, and what follows it.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}
