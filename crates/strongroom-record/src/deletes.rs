//! Deletes pieces: which records an incremental backup saw disappear. Version 1.0.
//!
//! The `.asb` format knows no deletes, so they are a file of their own, in the same spirit:
//!
//! ```text
//! Deletes 1.0
//! # namespace test
//! - AAECAwQFBgcICQoLDA0ODxAREhM= users
//! - AQECAwQFBgcICQoLDA0ODxAREhM=
//! ```
//!
//! A version line; one `# namespace` line, which holds for the whole file; then a line for every deleted record, with
//! its digest in base64 and its set, if that is known, escaped as in `.asb`. Lines end with LF. They are sorted
//! by partition and, highest first, digest, where the partition is the low 12 bits of the digest's first two bytes (little-endian), and
//! no digest comes twice: the reader checks that. There is no trailer: a file that ends behind any line is valid.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::Result;

use crate::asb::{AsbError, Cursor, Lines, Names, Stop, append_base64, escape_into, shown};
use crate::model::{Digest, Name, PartitionKey};

/// A record that is no more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tombstone {
    /// The namespace it was in.
    pub namespace: Name,
    /// The set it was in, if any and if known.
    pub set: Option<Name>,
    /// What the server knew it by.
    pub digest: Digest,
}

/// Appends the lines at the top of a deletes piece.
pub fn write_header(out: &mut Vec<u8>, namespace: &Name) {
    out.extend_from_slice(b"Deletes 1.0\n# namespace ");
    escape_into(out, namespace.as_bytes());
    out.push(b'\n');
}

/// Appends the line of one deleted record. The caller brings them in the order of [`Digest::order`].
pub fn write_delete(out: &mut Vec<u8>, digest: &Digest, set: Option<&Name>) {
    out.extend_from_slice(b"- ");
    append_base64(out, digest.as_bytes());
    if let Some(set) = set {
        out.push(b' ');
        escape_into(out, set.as_bytes());
    }
    out.push(b'\n');
}

/// Reads a deletes piece that comes in chunks of any size; used like [`crate::asb::Decoder`].
#[derive(Debug, Default)]
pub struct DeletesDecoder {
    lines: Lines,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    versioned: bool,
    namespace: Option<Name>,
    last: Option<PartitionKey>,
    names: Names,
}

impl DeletesDecoder {
    /// A reader at the start of a piece.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes.
    pub fn push(&mut self, chunk: Bytes) {
        self.lines.push(chunk);
    }

    /// The next deleted record; `None` if more bytes are needed for it.
    ///
    /// # Errors
    /// [`AsbError`] at the first fault; what came before is sound.
    pub fn next_delete(&mut self) -> Result<Option<Tombstone>, AsbError> {
        let state = &mut self.state;
        self.lines.next(|cursor| step(cursor, state))
    }

    /// Ends the piece.
    ///
    /// # Errors
    /// [`AsbError`] if it stops within a line or before its namespace line.
    pub fn finish(&mut self) -> Result<(), AsbError> {
        let state = &mut self.state;
        self.lines.settle(|cursor| step(cursor, state))?;
        if self.lines.left() > 0 {
            let message = format!("the piece ends in the middle of a line: {}", self.lines.leftover());
            Err(self.lines.cut_off(message))
        } else if self.state.namespace.is_none() {
            Err(self.lines.cut_off("the piece ends before its namespace line".to_owned()))
        } else {
            Ok(())
        }
    }
}

fn step(c: &mut Cursor, state: &mut State) -> Result<Option<Tombstone>, Stop> {
    let from = c.pos;
    let Some(namespace) = &state.namespace else {
        if state.versioned {
            literal(c, b"# namespace ")?;
            let token = c.token(b'\n', "the namespace")?;
            let name = Name::namespace(token.into_owned()).map_err(|error| c.bad_at(from, error.to_string()))?;
            state.namespace = Some(name);
        } else {
            literal(c, b"Deletes ")?;
            let version = c.line(16, "the version")?;
            if version != b"1.0" {
                let message = format!("the piece has version {}; this reader knows 1.0", shown(version));
                return Err(c.unsupported_at(
                    from,
                    message,
                    "it was written by something newer: use a newer strongroom",
                ));
            }
            state.versioned = true;
        }
        return Ok(None);
    };
    literal(c, b"- ")?;
    let there = &c.buf[c.pos..c.buf.len().min(c.pos + 29)];
    let length = there.iter().position(|byte| matches!(byte, b' ' | b'\n')).unwrap_or(there.len());
    if length == there.len() && length < 29 {
        return Err(c.more());
    }
    let text = &there[..length];
    let digest = Digest::from_base64(text);
    let digest =
        digest.ok_or_else(|| c.bad_at(from, format!("the digest {} is not the base64 of 20 bytes", shown(text))))?;
    c.pos += length;
    let set = match c.byte()? {
        b'\n' => None,
        b' ' => {
            let token = c.token(b'\n', "the set")?;
            Some(state.names.intern(&token, Name::set).map_err(|error| c.bad_at(from, error.to_string()))?)
        }
        _ => return Err(c.bad_at(c.pos - 1, "expected a space or a line end after the digest")),
    };
    let order = digest.order();
    if state.last.is_some_and(|last| last >= order) {
        return Err(c.bad_at(from, format!("the digest {digest} is not behind the one before it")));
    }
    state.last = Some(order);
    Ok(Some(Tombstone { namespace: namespace.clone(), set, digest }))
}

/// Reads exactly `wanted`, and tells another text as soon as it differs.
fn literal(c: &mut Cursor, wanted: &'static [u8]) -> Result<(), Stop> {
    let there = &c.buf[c.pos..c.buf.len().min(c.pos + wanted.len())];
    if !wanted.starts_with(there) {
        return Err(c.bad(format!("expected {}, found {}", shown(wanted), shown(c.rest(c.pos)))));
    }
    if there.len() < wanted.len() {
        return Err(c.more());
    }
    c.pos += wanted.len();
    Ok(())
}

/// The deleted records of a piece that comes as a stream of chunks, in batches, one for each chunk.
///
/// After an error the stream ends; what came before it is sound.
#[must_use]
pub fn tombstones(chunks: BoxStream<'static, Result<Bytes>>) -> BoxStream<'static, Result<Vec<Tombstone>>> {
    let state = Some((chunks, DeletesDecoder::new()));
    stream::unfold(state, |state| async move {
        let (mut chunks, mut decoder) = state?;
        let mut batch = Vec::new();
        loop {
            match decoder.next_delete() {
                Ok(Some(tombstone)) => {
                    batch.push(tombstone);
                    continue;
                }
                Ok(None) => {}
                // Sound ones go out first; the decoder repeats its error at the next call.
                Err(_) if !batch.is_empty() => {}
                Err(error) => return Some((Err(error.into()), None)),
            }
            if !batch.is_empty() {
                return Some((Ok(batch), Some((chunks, decoder))));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], size: usize) -> Result<Vec<Tombstone>, AsbError> {
        let mut decoder = DeletesDecoder::new();
        let mut found = Vec::new();
        for chunk in text.chunks(size) {
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(tombstone) = decoder.next_delete()? {
                found.push(tombstone);
            }
        }
        decoder.finish()?;
        Ok(found)
    }

    fn piece() -> (Vec<u8>, Vec<Tombstone>) {
        let namespace = Name::namespace("te st").unwrap();
        let mut text = Vec::new();
        write_header(&mut text, &namespace);
        let tombstones: Vec<_> = (0..100_u8)
            .map(|i| {
                let set = (i % 3 > 0).then(|| Name::set(format!("s\\{}", i % 3)).unwrap());
                Tombstone { namespace: namespace.clone(), set, digest: Digest([i; 20]) }
            })
            .collect();
        let mut sorted = tombstones;
        sorted.sort_by_key(|tombstone| tombstone.digest.order());
        for tombstone in &sorted {
            write_delete(&mut text, &tombstone.digest, tombstone.set.as_ref());
        }
        (text, sorted)
    }

    #[test]
    fn what_is_written_reads_back_in_any_cut() {
        let (text, tombstones) = piece();
        assert!(text.starts_with(b"Deletes 1.0\n# namespace te\\ st\n- "));
        for size in [1, 5, 33, 1000, 100_000] {
            assert_eq!(read(&text, size).unwrap(), tombstones);
        }
        assert_eq!(read(b"Deletes 1.0\n# namespace test\n", 8).unwrap(), []);
    }

    #[test]
    fn faults_are_told_with_their_place() {
        let line = "- AAECAwQFBgcICQoLDA0ODxAREhM=";
        for (text, message) in [
            (String::new(), "byte 0, line 1: the piece ends before its namespace line"),
            ("Version 3.1\n".into(), "byte 0, line 1: expected \"Deletes \", found \"Version 3.1\""),
            ("Deletes 2.0\n".into(), "byte 0, line 1: the piece has version \"2.0\"; this reader knows 1.0"),
            ("Deletes 1.0\n- x".into(), "byte 12, line 2: expected \"# namespace \", found \"- x\""),
            (
                format!("Deletes 1.0\n# namespace test\n{line}\n{line}\n"),
                "byte 60, line 4: the digest 000102030405060708090a0b0c0d0e0f10111213 is not behind the one before it",
            ),
            (
                format!("Deletes 1.0\n# namespace test\n{line}"),
                "byte 59, line 3: the piece ends in the middle of a line: \"- AAECAwQFBgcICQoLDA0ODxAREhM=\"",
            ),
        ] {
            assert_eq!(read(text.as_bytes(), 4096).unwrap_err().to_string(), message);
        }
    }
}
