//! Chunks of any size, seen as one piece of text without copying more than the seams between them.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Chunks below this are gathered, so that a stream of single bytes does not cost an allocation for each.
const SMALL: usize = 1024;
/// How much of the next chunk a seam takes, at least: enough for most lines.
const SEAM: usize = 256;

/// The unread part of a stream: the current stretch, and the chunks after it.
#[derive(Debug, Default)]
pub(crate) struct Input {
    buf: Bytes,
    pos: usize,
    /// Where `buf[0]` is in the stream.
    offset: u64,
    /// Set while `buf` is a copy around a seam: from which position on it repeats the chunk that is kept here, whose
    /// remainder is at the front of the queue. Once reading gets there, it goes on in the chunk itself.
    seam: Option<(usize, Bytes)>,
    queue: VecDeque<Bytes>,
    queued: usize,
    small: BytesMut,
}

impl Input {
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if chunk.len() < SMALL {
            self.small.extend_from_slice(&chunk);
            if self.small.len() >= 64 * SMALL {
                self.flush_small();
            }
        } else {
            self.flush_small();
            self.queued += chunk.len();
            self.queue.push_back(chunk);
        }
    }

    fn flush_small(&mut self) {
        if !self.small.is_empty() {
            self.queued += self.small.len();
            self.queue.push_back(self.small.split().freeze());
        }
    }

    /// How many bytes are there to be read.
    pub(crate) fn available(&self) -> usize {
        self.buf.len() - self.pos + self.queued + self.small.len()
    }

    /// Where reading stands in the stream.
    pub(crate) const fn position(&self) -> u64 {
        self.offset + self.pos as u64
    }

    /// The current stretch and the position in it.
    pub(crate) fn window(&mut self) -> (&Bytes, usize) {
        if self.seam.as_ref().is_some_and(|(from, _)| self.pos >= *from)
            && let Some((from, chunk)) = self.seam.take()
        {
            if let Some(rest) = self.queue.pop_front() {
                self.queued -= rest.len();
            }
            let start = self.pos - from;
            self.replace(chunk.slice(start..));
        }
        (&self.buf, self.pos)
    }

    /// Marks everything before `pos` of the current stretch as read.
    pub(crate) const fn advance_to(&mut self, pos: usize) {
        self.pos = pos;
    }

    fn replace(&mut self, buf: Bytes) {
        self.offset += self.pos as u64;
        self.buf = buf;
        self.pos = 0;
    }

    /// Makes the current stretch at least `need` bytes long from the position on; false if they are not there yet.
    pub(crate) fn fill(&mut self, need: usize) -> bool {
        if self.buf.len() - self.pos >= need {
            return true;
        }
        if self.available() < need {
            return false;
        }
        if self.buf.len() - self.pos + self.queued < need {
            self.flush_small();
        }
        if self.pos == self.buf.len() {
            self.seam = None;
            if let Some(chunk) = self.queue.pop_front() {
                self.queued -= chunk.len();
                self.replace(chunk);
            }
            if self.buf.len() >= need {
                return true;
            }
        }
        self.join(need);
        true
    }

    fn join(&mut self, need: usize) {
        let mut joined = BytesMut::with_capacity(need.max(self.buf.len() - self.pos + SEAM));
        joined.extend_from_slice(&self.buf[self.pos..]);
        self.seam = None;
        while joined.len() < need
            && let Some(chunk) = self.queue.pop_front()
        {
            self.queued -= chunk.len();
            let take = (need - joined.len()).max(SEAM);
            if take >= chunk.len() {
                joined.extend_from_slice(&chunk);
            } else {
                let from = joined.len();
                joined.extend_from_slice(&chunk[..take]);
                let rest = chunk.slice(take..);
                self.queued += rest.len();
                self.queue.push_front(rest);
                self.seam = Some((from, chunk));
            }
        }
        self.replace(joined.freeze());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` cut into chunks of `size`, `step` bytes at a time.
    fn read(text: &[u8], size: usize, step: usize) -> Vec<u8> {
        let mut input = Input::default();
        let mut out = Vec::new();
        for chunk in text.chunks(size) {
            input.push(Bytes::copy_from_slice(chunk));
            while input.fill(step) {
                assert_eq!(input.position(), out.len() as u64);
                let (buf, pos) = input.window();
                // A stretch may have to be filled again after it moved on into the chunk behind a seam.
                if buf.len() - pos < step {
                    continue;
                }
                out.extend_from_slice(&buf[pos..pos + step]);
                let next = pos + step;
                input.advance_to(next);
            }
        }
        assert!(input.fill(input.available()));
        let (buf, pos) = input.window();
        out.extend_from_slice(&buf[pos..]);
        out
    }

    #[test]
    fn any_cut_reads_the_same() {
        let text: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
        for size in [1, 7, 255, 1023, 1024, 1025, 5000, 80_000] {
            for step in [1, 3, 300, 2000, 9000] {
                assert_eq!(read(&text, size, step), text, "chunks of {size}, steps of {step}");
            }
        }
    }
}
