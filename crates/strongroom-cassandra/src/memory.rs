//! Hashes of files that were read before: a file of the same table with the same name, number, size, time of writing and
//! checksum of its SSTable is the same file, since a node never writes into a finished one. Links of one file, such as
//! those of two snapshots, have one number.
//!
//! With a file to rest in, the next process knows them, too. That file proves itself: one that is damaged is not believed.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use strongroom_core::{Error, Result};

/// How many files are remembered.
const MOST: usize = 1 << 20;
/// The form of the file, as its first line.
const FORMAT: &str = "strongroom cassandra hashes 1";

/// What a file is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Mark {
    keyspace: String,
    /// The table's id, and the folder of a secondary index.
    table: String,
    name: String,
    device: u64,
    inode: u64,
    size: u64,
    written: (i64, i64),
    /// The SSTable's own checksum of its data.
    digest: String,
}

/// A hash, and in which freeze it was last asked for.
#[derive(Debug)]
struct Known {
    blake3: String,
    freeze: u64,
}

/// The hashes.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    file: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<Mark, Known>,
    freeze: u64,
    loaded: bool,
    changed: bool,
}

impl Mark {
    /// What the file `name` of a table is known by. `table` is its id, with the folder of an index.
    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "other systems have no such mark")]
    pub(crate) fn of(keyspace: &str, table: String, name: &str, digest: &str, file: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        Some(Self {
            keyspace: keyspace.to_owned(),
            table,
            name: name.to_owned(),
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            written: (file.mtime(), file.mtime_nsec()),
            digest: digest.to_owned(),
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_: &str, _: String, _: &str, _: &str, _: &Metadata) -> Option<Self> {
        None
    }
}

impl Memory {
    /// Nothing is known yet. With a file it is read when it is first needed.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self { file, ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A freeze begins. Gives what people should know: of a file that can't be believed nothing is.
    pub(crate) fn begin(&self) -> Option<String> {
        let mut state = self.state();
        state.freeze += 1;
        let file = self.file.as_ref().filter(|_| !state.loaded)?;
        state.loaded = true;
        match read(file) {
            Ok(found) => {
                let freeze = state.freeze;
                state.known.extend(found.into_iter().map(|(mark, blake3)| (mark, Known { blake3, freeze })));
                None
            }
            Err(error) => Some(format!("hashes of earlier backups are not known, so that all files are read: {error}")),
        }
    }

    /// The hash of this file, if it is remembered.
    pub(crate) fn find(&self, mark: &Mark) -> Option<String> {
        let mut state = self.state();
        let freeze = state.freeze;
        let known = state.known.get_mut(mark)?;
        known.freeze = freeze;
        Some(known.blake3.clone())
    }

    /// Remembers the hash of this file.
    pub(crate) fn keep(&self, mark: Mark, blake3: String) {
        let mut state = self.state();
        if state.known.len() >= MOST {
            state.known.clear();
        }
        let freeze = state.freeze;
        state.known.insert(mark, Known { blake3, freeze });
        state.changed = true;
    }

    /// All files of a keyspace were asked for: forgets those that are gone.
    pub(crate) fn forget_others(&self, keyspace: &str) {
        let mut state = self.state();
        let (freeze, before) = (state.freeze, state.known.len());
        state.known.retain(|mark, known| mark.keyspace != keyspace || known.freeze >= freeze);
        state.changed |= state.known.len() != before;
    }

    /// Writes down what is new. Gives what people should know.
    pub(crate) fn end(&self) -> Option<String> {
        let file = self.file.as_ref()?;
        let mut state = self.state();
        if !state.changed {
            return None;
        }
        match write(file, &state.known) {
            Ok(()) => {
                state.changed = false;
                None
            }
            Err(error) => Some(format!("hashes can't be kept, so that the next backup reads all files again: {error}")),
        }
    }
}

/// A hash at the end makes the file prove itself.
fn write(file: &Path, known: &HashMap<Mark, Known>) -> Result<()> {
    let mut text = format!("{FORMAT}\n");
    for (mark, known) in known {
        let line = serde_json::to_string(&(mark, &known.blake3));
        text.push_str(&line.map_err(|error| Error::internal("a hash can't be written").because(error))?);
        text.push('\n');
    }
    let end = blake3::hash(text.as_bytes()).to_hex();
    let work = || {
        let folder = file.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(text.as_bytes())?;
        new.write_all(end.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(file).map_err(|error| error.error).map(drop)
    };
    work().map_err(|error: std::io::Error| Error::from(error).within(file.display()))
}

fn read(file: &Path) -> Result<Vec<(Mark, String)>> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| Error::from(error).within(file.display()))?,
    };
    let damaged = || Error::corrupt(format!("{} is damaged, or of another version", file.display()));
    let (lines, end) = text.rsplit_once('\n').ok_or_else(damaged)?;
    let proven = text.get(..=lines.len()).is_some_and(|text| *blake3::hash(text.as_bytes()).to_hex() == *end);
    let entries = lines.strip_prefix(FORMAT).filter(|_| proven).ok_or_else(damaged)?;
    entries.lines().skip(1).map(|line| serde_json::from_str(line).map_err(|_| damaged())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(folder: &Path, keyspace: &str, digest: &str) -> Mark {
        let path = folder.join("nb-1-big-Data.db");
        fs::write(&path, "x").unwrap();
        let id = "34551da0e96811f1bbb34dcd0ea53151".to_owned();
        Mark::of(keyspace, id, "nb-1-big-Data.db", digest, &fs::metadata(path).unwrap()).unwrap()
    }

    #[test]
    fn another_process_knows_what_is_still_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/hashes");
        let (one, two) = (mark(folder.path(), "one", "7"), mark(folder.path(), "two", "7"));
        let memory = Memory::new(Some(file.clone()));
        assert_eq!((memory.begin(), memory.find(&one)), (None, None));
        memory.keep(one.clone(), "a".to_owned());
        memory.keep(two.clone(), "b".to_owned());
        assert_eq!(memory.end(), None);
        let written = fs::metadata(&file).unwrap().modified().unwrap();

        let memory = Memory::new(Some(file.clone()));
        assert_eq!(memory.begin(), None);
        assert_eq!(memory.find(&one).as_deref(), Some("a"));
        let other = Mark { digest: "8".to_owned(), ..one.clone() };
        assert_eq!(memory.find(&other), None, "another checksum is another file");
        assert_eq!(memory.end(), None);
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written, "nothing new is not written");

        // Of one keyspace nothing is left; of the other nothing was asked.
        memory.begin();
        memory.forget_others("one");
        memory.end();
        let memory = Memory::new(Some(file));
        memory.begin();
        assert_eq!((memory.find(&one), memory.find(&two).as_deref()), (None, Some("b")));
    }

    #[test]
    fn a_damaged_file_is_not_believed_and_one_that_can_not_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hashes");
        let known = mark(folder.path(), "one", "7");
        let memory = Memory::new(Some(file.clone()));
        memory.begin();
        memory.keep(known.clone(), "aaaa".to_owned());
        memory.end();
        let whole = fs::read_to_string(&file).unwrap();
        for damaged in
            [whole.replace("aaaa", "aaab"), whole[..whole.len() - 1].to_owned(), String::new(), "x".to_owned()]
        {
            fs::write(&file, damaged).unwrap();
            let memory = Memory::new(Some(file.clone()));
            assert!(memory.begin().unwrap().contains("damaged"));
            assert_eq!(memory.find(&known), None);
            memory.keep(known.clone(), "aaaa".to_owned());
            assert_eq!(memory.end(), None, "it is written anew");
            assert_eq!(fs::read_to_string(&file).unwrap(), whole);
        }
        let memory = Memory::new(Some(file.join("no-folder")));
        memory.begin();
        memory.keep(known, "a".to_owned());
        assert!(memory.end().unwrap().contains("reads all files again"));
    }
}
