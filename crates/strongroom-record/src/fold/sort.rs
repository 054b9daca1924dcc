//! Sorting records that do not fit into memory: sorted runs in temporary files, merged while they are read.

use std::fs::File;
use std::io::{BufWriter, Seek as _, Write};
use std::path::{Path, PathBuf};

use strongroom_core::{Error, Result};

use super::Change;
use super::merge::{Merge, Step};
use crate::asb::{Encoder, Limits, Reader};
use crate::model::{Entity, Record};

/// How many runs are merged at once: each takes a chunk of memory and an open file.
const FAN_IN: usize = 64;
/// How many bytes of records are taken from a run at once, about.
const BATCH: usize = 1 << 18;

/// Sorts records of one namespace by (partition, digest), in memory up to a limit and through files beyond it.
///
/// A digest that comes several times is kept as it came last.
#[derive(Debug)]
pub struct Sorter {
    folder: PathBuf,
    limit: usize,
    records: Vec<Record>,
    weight: usize,
    /// Runs by level: a full level becomes one run of the next. Within a level oldest first; higher levels are older.
    levels: Vec<Vec<File>>,
}

impl Sorter {
    /// A sorter that keeps about `limit` bytes in memory and puts the rest into unnamed files in `folder`.
    ///
    /// The files are not encrypted; they vanish with the sorter, also when the process dies.
    pub fn new(limit: usize, folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), limit, records: Vec::new(), weight: 0, levels: Vec::new() }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// `NoSpace`, `Denied` and so on if a run cannot be written; `Invalid` if the record has no text form, or is in
    /// another namespace than those before it.
    pub fn push(&mut self, record: Record) -> Result<()> {
        self.weight += record.weight();
        self.records.push(record);
        if self.weight > self.limit { self.spill() } else { Ok(()) }
    }

    /// All records in order.
    ///
    /// # Errors
    /// As [`Sorter::push`].
    pub fn finish(mut self) -> Result<Sorted> {
        self.sort();
        let runs = self.levels.into_iter().rev().flatten().collect();
        Sorted::new(runs, self.records)
    }

    fn sort(&mut self) {
        // Stable, so that of one digest the last stays last.
        self.records.sort_by_key(Record::order);
        self.records.reverse();
        self.records.dedup_by_key(|record| record.digest);
        self.records.reverse();
        self.weight = 0;
    }

    fn spill(&mut self) -> Result<()> {
        self.sort();
        let mut run = Run::create(&self.folder)?;
        for record in self.records.drain(..) {
            run.write(&record)?;
        }
        self.keep(run.finish()?, 0)
    }

    fn keep(&mut self, run: File, level: usize) -> Result<()> {
        if self.levels.len() <= level {
            self.levels.push(Vec::new());
        }
        self.levels[level].push(run);
        if self.levels[level].len() < FAN_IN {
            return Ok(());
        }
        let runs = std::mem::take(&mut self.levels[level]);
        let mut joined = Run::create(&self.folder)?;
        for record in Sorted::new(runs, Vec::new())? {
            joined.write(&record?)?;
        }
        self.keep(joined.finish()?, level + 1)
    }
}

/// A run being written.
struct Run {
    file: BufWriter<File>,
    text: Vec<u8>,
    begun: bool,
}

impl Run {
    fn create(folder: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder)
            .map_err(|error| Error::from(error).within(format_args!("temporary file in {}", folder.display())))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 18, file), text: Vec::new(), begun: false })
    }

    fn write(&mut self, record: &Record) -> Result<()> {
        self.text.clear();
        if !self.begun {
            Encoder::COMPACT.header(&mut self.text, &record.namespace, false);
            self.begun = true;
        }
        Encoder::COMPACT.record(&mut self.text, record)?;
        self.file.write_all(&self.text).map_err(|error| Error::from(error).within("temporary file for sorting"))
    }

    fn finish(self) -> Result<File> {
        let mut file = self.file.into_inner().map_err(|error| Error::from(error.into_error()))?;
        file.rewind()?;
        Ok(file)
    }
}

/// The records of a [`Sorter`] in order; each digest once.
#[derive(Debug)]
pub struct Sorted {
    merge: Merge,
    /// Newest first, as the merge wants them.
    runs: Vec<Reader<File>>,
    failed: bool,
}

impl Sorted {
    /// Merges `runs`, oldest first, with `records`, which are newer than all of them.
    fn new(runs: Vec<File>, records: Vec<Record>) -> Result<Self> {
        let mut merge = Merge::new(runs.len() + 1);
        merge.feed(0, records.into_iter().map(Change::Put))?;
        // What was written here may be larger than the limits for foreign files.
        let limits = Limits { value: usize::MAX, record: usize::MAX };
        let runs = runs.into_iter().rev().map(|run| Reader::new(run, limits)).collect();
        Ok(Self { merge, runs, failed: false })
    }

    fn refill(&mut self, source: usize) -> Result<()> {
        // Source 0 are the records in memory, which were all fed at once.
        let Some(run) = source.checked_sub(1).and_then(|index| self.runs.get_mut(index)) else {
            self.merge.end(source);
            return Ok(());
        };
        let mut batch = Vec::new();
        let mut weight = 0;
        while weight < BATCH
            && let Some(entity) = run.read_entity()?
        {
            if let Entity::Record(record) = entity {
                weight += record.weight();
                batch.push(Change::Put(record));
            }
        }
        if batch.is_empty() {
            self.merge.end(source);
        }
        self.merge.feed(source, batch)
    }

    fn next_record(&mut self) -> Result<Option<Record>> {
        loop {
            match self.merge.step() {
                Step::Want(source) => self.refill(source)?,
                Step::Item(Change::Put(record)) => return Ok(Some(record)),
                Step::Item(Change::Delete(_)) | Step::Nothing => {}
                Step::Done => return Ok(None),
            }
        }
    }
}

impl Iterator for Sorted {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_record().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}
