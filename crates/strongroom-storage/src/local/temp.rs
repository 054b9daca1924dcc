//! Files that are being written, and those that a dead writer left behind.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use strongroom_core::{Error, Result};

const START: &str = "strongroom-";
const END: &str = ".part";

/// Tells the files of one process apart.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Tells the processes apart that share a folder from several machines.
static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));

/// A temporary file that is deleted when dropped, unless it was put in place.
#[derive(Debug)]
pub(super) struct TempFile {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// How many bytes were written.
    pub(super) written: u64,
    /// How many of them the system was told to bring to the disk.
    pub(super) flushing: u64,
    placed: bool,
}

impl TempFile {
    /// A new file in `folder`, which must exist.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        loop {
            // The name need only be likely to be free: creating it fails if it is taken.
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{START}{:016x}-{count}{END}", *PROCESS));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { file, path, written: 0, flushing: 0, placed: false }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::from(error).within(path.display())),
            }
        }
    }

    /// Says that the file has its final name now.
    pub(super) fn placed(mut self) {
        self.placed = true;
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.placed {
            // What can't be deleted now is swept later.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Deletes this crate's temporary files in `folder` that were last written `age` before `now`. Says how many.
pub(super) fn sweep(folder: &Path, age: Duration, now: SystemTime) -> Result<usize> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if super::is_absent(&error) => return Ok(0),
        Err(error) => return Err(Error::from(error).within(folder.display())),
    };
    let mut swept = 0;
    for entry in entries {
        let entry = entry.map_err(|error| Error::from(error).within(folder.display()))?;
        let own = entry.file_name().to_str().is_some_and(|name| name.starts_with(START) && name.ends_with(END));
        let modified = entry.metadata().and_then(|meta| meta.modified());
        // A time in the future is no age: leave it to a later sweep.
        let stale = modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|old| old >= age));
        if own && stale {
            match std::fs::remove_file(entry.path()) {
                Ok(()) => swept += 1,
                Err(error) if super::is_absent(&error) => {}
                Err(error) => return Err(Error::from(error).within(entry.path().display())),
            }
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_files_of_that_age_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let live = TempFile::create(folder.path()).unwrap();
        std::fs::write(folder.path().join("strongroom-1-2.part"), "left").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let age = Duration::from_hours(1);

        assert_eq!(sweep(folder.path(), age, SystemTime::now()).unwrap(), 0);
        live.file.set_modified(SystemTime::now() + 2 * age).unwrap();
        assert_eq!(sweep(folder.path(), age, SystemTime::now() + age).unwrap(), 1);

        assert!(live.path.exists());
        assert!(folder.path().join("notes.txt").exists());
        assert!(!folder.path().join("strongroom-1-2.part").exists());
        let path = live.path.clone();
        drop(live);
        assert!(!path.exists());
    }

    #[test]
    fn a_missing_folder_has_nothing_to_sweep() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(sweep(&folder.path().join("none"), Duration::ZERO, SystemTime::now()).unwrap(), 0);
    }
}
