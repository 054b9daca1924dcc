//! A file that is only read: what redb wants to write while it opens, checks or repairs, stays in memory.
//!
//! So a file on read-only media opens, whether or not its last writer closed it, and is never touched.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

const PAGE: usize = 4096;

/// Reads a file and keeps writes apart from it.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: FileBackend,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    length: u64,
    /// How much of the file still shows through; less than its length once it was cut.
    shown: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

impl Overlay {
    pub(crate) fn new(file: File) -> Result<Self, redb::DatabaseError> {
        let file = FileBackend::new(file)?;
        let length = file.len()?;
        Ok(Self { file, written: Mutex::new(Written { length, shown: length, pages: BTreeMap::new() }) })
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of the file itself, and zeros behind what shows of it.
    fn read_file(&self, shown: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = usize::try_from(shown.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (inside, behind) = out.split_at_mut(there);
        behind.fill(0);
        if inside.is_empty() { Ok(()) } else { self.file.read(offset, inside) }
    }
}

/// Cuts `offset..offset + length` at page borders: page number, place in the page, bytes there.
fn spans(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = usize::try_from(at % PAGE as u64).unwrap_or_default();
        let take = (PAGE - within).min(length - done);
        done += take;
        (take > 0).then_some((at / PAGE as u64, within, take))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written();
        if offset.saturating_add(out.len() as u64) > written.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_file(written.shown, offset, out)?;
        let mut done = 0;
        for (page, within, take) in spans(offset, out.len()) {
            if let Some(bytes) = written.pages.get(&page) {
                out[done..done + take].copy_from_slice(&bytes[within..within + take]);
            }
            done += take;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut written = self.written();
        if length < written.length {
            written.shown = written.shown.min(length);
            let first_gone = length.div_ceil(PAGE as u64);
            written.pages.split_off(&first_gone);
            let within = usize::try_from(length % PAGE as u64).unwrap_or_default();
            if let Some(page) = written.pages.get_mut(&(length / PAGE as u64)) {
                page[within..].fill(0);
            }
        }
        written.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut guard = self.written();
        let written = &mut *guard;
        let mut done = 0;
        for (page, within, take) in spans(offset, data.len()) {
            if !written.pages.contains_key(&page) {
                let mut bytes = Box::new([0; PAGE]);
                self.read_file(written.shown, page * PAGE as u64, &mut bytes[..])?;
                written.pages.insert(page, bytes);
            }
            if let Some(bytes) = written.pages.get_mut(&page) {
                bytes[within..within + take].copy_from_slice(&data[done..done + take]);
            }
            done += take;
        }
        written.length = written.length.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    // redb believes that it may write, and asks for an exclusive lock; a shared one is enough for a reader, lets
    // other readers in and keeps writers out.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_back_what_a_plain_file_would(
            original in proptest::collection::vec(any::<u8>(), 0..3 * PAGE),
            steps in proptest::collection::vec(
                prop_oneof![
                    (0_usize..4 * PAGE, 1_usize..PAGE * 2, any::<u8>()).prop_map(|(at, n, b)| (Some((at, n)), 0, b)),
                    (0_usize..5 * PAGE).prop_map(|length| (None, length, 0)),
                ],
                0..12,
            ),
        ) {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&original).unwrap();
            let overlay = Overlay::new(file.try_clone().unwrap()).unwrap();
            let mut plain = original.clone();
            for (write, length, byte) in steps {
                if let Some((at, count)) = write {
                    overlay.write(at as u64, &vec![byte; count]).unwrap();
                    plain.resize(plain.len().max(at + count), 0);
                    plain[at..at + count].fill(byte);
                } else {
                    overlay.set_len(length as u64).unwrap();
                    plain.resize(length, 0);
                }
                prop_assert_eq!(overlay.len().unwrap(), plain.len() as u64);
                let mut seen = vec![1; plain.len()];
                overlay.read(0, &mut seen).unwrap();
                prop_assert!(seen == plain);
            }
            let mut kept = vec![0; original.len()];
            std::os::unix::fs::FileExt::read_exact_at(&file, &mut kept, 0).unwrap();
            prop_assert_eq!(kept, original);
        }
    }
}
