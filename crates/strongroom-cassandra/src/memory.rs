//! Hashes of files that were read before: a file with the same number, size and time of writing is the same file, since a
//! node never writes into a finished one. Links of one file, such as those of two snapshots, have one number.

use std::collections::HashMap;
use std::fs::Metadata;
use std::sync::{Mutex, PoisonError};

/// How many files are remembered.
const MOST: usize = 1 << 20;

/// What a file is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    written: (i64, i64),
}

/// The hashes.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<Mark, String>>);

impl Mark {
    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "other systems have no such mark")]
    fn of(file: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let written = (file.mtime(), file.mtime_nsec());
        Some(Self { device: file.dev(), inode: file.ino(), size: file.size(), written })
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

impl Memory {
    /// The hash of this file, if it is remembered.
    pub(crate) fn find(&self, file: &Metadata) -> Option<String> {
        let mark = Mark::of(file)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&mark).cloned()
    }

    /// Remembers the hash of this file.
    pub(crate) fn keep(&self, file: &Metadata, hash: String) {
        let Some(mark) = Mark::of(file) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(mark, hash);
    }
}
