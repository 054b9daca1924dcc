//! Buffers that return to their pool when the last owner lets go, so that a frame costs no allocation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::coder::Scratch;

/// A pool of buffers, each about one frame long.
#[derive(Debug, Clone)]
pub(crate) struct Buffers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    free: Mutex<Vec<Vec<u8>>>,
    scratch: Mutex<Vec<Scratch>>,
    keep: usize,
}

/// A buffer on loan.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    home: Buffers,
}

/// A frame much shorter than its buffer is copied out, so that a storage that keeps it keeps no empty room.
const COPY_BELOW: usize = 64 << 10;

impl Buffers {
    /// A pool that keeps at most `keep` buffers while they are not in use.
    pub(crate) fn new(keep: usize) -> Self {
        Self(Arc::new(Pool { free: Mutex::default(), scratch: Mutex::default(), keep }))
    }

    /// An empty buffer.
    pub(crate) fn take(&self) -> Buffer {
        Buffer { bytes: lock(&self.0.free).pop().unwrap_or_default(), home: self.clone() }
    }

    /// Runs `work` with room between codecs.
    pub(crate) fn with_scratch<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let mut scratch = lock(&self.0.scratch).pop().unwrap_or_default();
        let result = work(&mut scratch);
        let mut kept = lock(&self.0.scratch);
        if kept.len() < self.0.keep {
            kept.push(scratch);
        }
        result
    }
}

impl Buffer {
    /// The bytes, to be appended to.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// How many bytes it holds.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// As shared bytes; the buffer returns to its pool with the last of them.
    pub(crate) fn freeze(self) -> Bytes {
        if self.bytes.len() < COPY_BELOW { Bytes::copy_from_slice(&self.bytes) } else { Bytes::from_owner(self) }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = lock(&self.home.0.free);
        if free.len() < self.home.0.keep {
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            free.push(bytes);
        }
    }
}

/// A panic elsewhere leaves a list of buffers as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_returns_when_its_last_bytes_are_dropped() {
        let buffers = Buffers::new(2);
        let mut buffer = buffers.take();
        buffer.bytes().resize(COPY_BELOW, 1);
        let bytes = buffer.freeze();
        let part = bytes.slice(5..9);
        drop(bytes);
        assert!(lock(&buffers.0.free).is_empty());
        drop(part);
        assert_eq!(lock(&buffers.0.free).len(), 1);
        assert!(buffers.take().bytes().capacity() >= COPY_BELOW);
    }

    #[test]
    fn a_short_frame_does_not_keep_its_buffer() {
        let buffers = Buffers::new(1);
        let mut buffer = buffers.take();
        buffer.bytes().push(7);
        let bytes = buffer.freeze();
        assert_eq!(lock(&buffers.0.free).len(), 1);
        assert_eq!(bytes.as_ref(), [7]);
        drop((buffers.take(), buffers.take()));
        assert_eq!(lock(&buffers.0.free).len(), 1);
    }
}
