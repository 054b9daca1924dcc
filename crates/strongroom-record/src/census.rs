//! Census pieces: which records there are. Version 1.0.
//!
//! A server tells what was written, not what is gone. An incremental backup that also says which records there are shows what
//! is gone: whatever an older backup of the chain holds and the census does not.
//!
//! ```text
//! Census 1.0
//! # namespace test
//! then runs: a number (u16, big-endian), and so many digests of 20 bytes; the last run is empty
//! ```
//!
//! The digests are sorted by partition and, highest first, digest, and no digest comes twice: the reader checks that. A piece
//! that was cut off has no empty run at its end, and is refused: a census that lacks records deletes them.

use bytes::{Buf as _, Bytes, BytesMut};
use strongroom_core::{Error, Result};

use crate::asb::escape_into;
use crate::model::{Digest, Name, PartitionKey};

/// How a census piece begins.
pub const MAGIC: &[u8] = b"Census 1.0\n";
const NAMESPACE: &[u8] = b"# namespace ";
const DIGEST: usize = 20;
/// The longest header: every byte of a name may be escaped.
const LONGEST_HEADER: usize = MAGIC.len() + NAMESPACE.len() + 2 * crate::model::MAX_NAMESPACE + 1;

/// Appends the lines at the top of a census piece.
pub fn write_header(out: &mut Vec<u8>, namespace: &Name) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(NAMESPACE);
    escape_into(out, namespace.as_bytes());
    out.push(b'\n');
}

/// Appends digests, which the caller brings in the order of [`Digest::order`], as their 20 bytes one after the other.
pub fn write_digests(out: &mut Vec<u8>, digests: &[u8]) {
    for run in digests.chunks(DIGEST * usize::from(u16::MAX)) {
        let count = u16::try_from(run.len() / DIGEST).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(run);
    }
}

/// Appends the end.
pub fn write_end(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0]);
}

/// Reads a census piece that comes in chunks of any size.
#[derive(Debug, Default)]
pub struct CensusDecoder {
    buffer: BytesMut,
    namespace: Option<Name>,
    /// How many digests of the run are still to come.
    left: usize,
    last: Option<PartitionKey>,
    ended: bool,
}

fn damaged(what: impl Into<String>) -> Error {
    Error::corrupt(what).hint("use another copy of the backup")
}

impl CensusDecoder {
    /// The namespace, once its line was read.
    #[must_use]
    pub const fn namespace(&self) -> Option<&Name> {
        self.namespace.as_ref()
    }

    /// Adds the next bytes, and gives the digests that are whole now.
    ///
    /// # Errors
    /// `Corrupt` for bytes that are no census.
    pub fn push(&mut self, chunk: &Bytes) -> Result<Vec<Digest>> {
        self.buffer.extend_from_slice(chunk);
        if self.namespace.is_none() {
            self.namespace = self.header()?;
        }
        let mut digests = Vec::new();
        while self.namespace.is_some() {
            if self.ended {
                if !self.buffer.is_empty() {
                    return Err(damaged("the census goes on behind its end"));
                }
                break;
            }
            if self.left == 0 {
                if self.buffer.len() < 2 {
                    break;
                }
                self.left = usize::from(self.buffer.get_u16());
                self.ended = self.left == 0;
                continue;
            }
            let Some(digest) = self.buffer.first_chunk::<DIGEST>().map(|digest| Digest(*digest)) else { break };
            self.buffer.advance(DIGEST);
            self.left -= 1;
            if self.last.is_some_and(|last| last >= digest.order()) {
                return Err(damaged(format!("the digest {digest} of a census is not behind the one before it")));
            }
            self.last = Some(digest.order());
            digests.push(digest);
        }
        Ok(digests)
    }

    fn header(&mut self) -> Result<Option<Name>> {
        let wanted = [MAGIC, NAMESPACE].concat();
        let there = self.buffer.len().min(wanted.len());
        if self.buffer[..there] != wanted[..there] {
            return Err(damaged("this is no census of version 1.0"));
        }
        let mut name = Vec::new();
        let mut bytes = self.buffer.iter().copied().enumerate().skip(wanted.len());
        while let Some((at, byte)) = bytes.next() {
            let escaped = if byte == b'\\' { bytes.next().map(|(_, byte)| byte) } else { None };
            match (byte, escaped) {
                (b'\n', _) => {
                    self.buffer.advance(at + 1);
                    return Ok(Some(Name::namespace(name).map_err(|error| damaged(error.to_string()))?));
                }
                (b'\\', None) => break,
                (b'\\', Some(escaped)) => name.push(escaped),
                (byte, _) => name.push(byte),
            }
        }
        if self.buffer.len() > LONGEST_HEADER {
            return Err(damaged("the namespace of a census does not end"));
        }
        Ok(None)
    }

    /// Ends the piece.
    ///
    /// # Errors
    /// `Corrupt` if it stops before its end.
    pub fn finish(&self) -> Result<()> {
        if self.ended {
            Ok(())
        } else {
            Err(damaged("the census is cut off: what it does not name would count as deleted"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(count: u8) -> Vec<Digest> {
        let mut digests: Vec<_> = (0..count).map(|at| Digest([at.wrapping_mul(37); 20])).collect();
        digests.sort_unstable_by_key(Digest::order);
        digests
    }

    fn piece(digests: &[Digest]) -> Vec<u8> {
        let mut piece = Vec::new();
        write_header(&mut piece, &Name::namespace("te st\\x").unwrap());
        write_digests(&mut piece, &digests.iter().flat_map(|digest| digest.0).collect::<Vec<_>>());
        write_end(&mut piece);
        piece
    }

    fn read(piece: &[u8], size: usize) -> Result<Vec<Digest>> {
        let mut decoder = CensusDecoder::default();
        let mut found = Vec::new();
        for chunk in piece.chunks(size) {
            found.extend(decoder.push(&Bytes::copy_from_slice(chunk))?);
        }
        decoder.finish()?;
        assert_eq!(decoder.namespace().unwrap().as_bytes(), b"te st\\x");
        Ok(found)
    }

    #[test]
    fn what_is_written_is_read_in_chunks_of_any_size() {
        for count in [0, 1, 200] {
            let digests = digests(count);
            for size in [1, 7, 20, 10_000] {
                assert_eq!(read(&piece(&digests), size).unwrap(), digests);
            }
        }
    }

    #[test]
    fn every_cut_and_every_disorder_is_noticed() {
        let whole = piece(&digests(9));
        for length in 0..whole.len() {
            assert!(read(&whole[..length], 11).is_err(), "{length}");
        }
        assert!(read(&[&whole[..], b"x"].concat(), 5).is_err());
        let mut turned = digests(9);
        turned.swap(3, 4);
        assert!(read(&piece(&turned), 5).is_err());
        assert!(read(b"Deletes 1.0\n# namespace test\n", 5).is_err());
        assert!(read(&[&b"Census 1.0\n# namespace "[..], &[b'a'; 200]].concat(), 5).is_err());
    }
}
