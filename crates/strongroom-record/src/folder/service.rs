//! The backup service's layout: which backups there are, and adding one.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_core::environment::Entropy;
use strongroom_core::{Error, ErrorKind, Result, Timestamp};

use super::metadata::FILE;
use super::read::files;
use super::write::file_label;
use super::{FolderOptions, FolderReader, FolderWriter, Metadata, Written, at};
use crate::asb::Limits;
use crate::model::{Function, Name, Record, SecondaryIndex};
use crate::wrap::{FileKey, Mode};

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Everything.
    Full,
    /// What changed since an earlier moment. It does not know what was deleted.
    Incremental,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Full, Self::Incremental];

    const fn folder(self) -> &'static str {
        match self {
            Self::Full => "backup",
            Self::Incremental => "incremental",
        }
    }
}

/// Whether a backup can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its `metadata.yaml` is there and its files are.
    Complete(Metadata),
    /// It is not, for this reason.
    Incomplete(String),
}

/// One backup of one namespace in a service folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceBackup {
    /// The routine that made it.
    pub routine: String,
    /// What it holds.
    pub kind: Kind,
    /// The moment in its folder's name; `None` in the layout that kept only the last one.
    pub started: Option<Timestamp>,
    /// The namespace, as the folder is named.
    pub namespace: String,
    /// Which attempt of its run it is, from 1.
    pub attempt: u32,
    /// The folder with its files.
    pub path: PathBuf,
    /// Whether it can be used.
    pub state: State,
}

impl ServiceBackup {
    /// What the service says of it; `None` if it is incomplete.
    #[must_use]
    pub const fn metadata(&self) -> Option<&Metadata> {
        match &self.state {
            State::Complete(metadata) => Some(metadata),
            State::Incomplete(_) => None,
        }
    }

    /// Reads it. A backup that found no records has no files, and reads as empty.
    ///
    /// # Errors
    /// `Invalid` if it is incomplete, or what the file system says.
    pub fn read(&self, key: Option<FileKey>, limits: Limits) -> Result<FolderReader> {
        match &self.state {
            State::Complete(_) => Ok(FolderReader::over(files(&self.path, "asb")?, key, limits)),
            State::Incomplete(reason) => {
                let error = Error::invalid(format!("{}: incomplete: {reason}", self.path.display()));
                Err(error.hint("read its folder directly if a part of a backup is better than none"))
            }
        }
    }
}

/// The backups in a service folder, or in the folder of one of its routines; oldest first within a routine.
///
/// One that is broken is listed with the reason, and does not hide the others.
///
/// # Errors
/// `NotFound` if there is no such folder or it has no backups in it, or what the file system says.
pub fn list_service_folder(root: impl AsRef<Path>) -> Result<Vec<ServiceBackup>> {
    let root = root.as_ref();
    let mut backups = Vec::new();
    if is_routine(root) {
        list_routine(root, &mut backups)?;
    } else {
        for folder in folders(root)?.iter().filter(|folder| is_routine(folder)) {
            list_routine(folder, &mut backups)?;
        }
    }
    if backups.is_empty() {
        let error = Error::not_found(format!("{}: no backup-service folder: it has no backups", root.display()));
        return Err(error.hint("give the folder above <routine>/backup, or read a folder of .asb files directly"));
    }
    backups.sort_by(|a, b| {
        let key = |backup: &ServiceBackup| (backup.started, backup.kind, backup.attempt);
        (&a.routine, key(a), &a.namespace).cmp(&(&b.routine, key(b), &b.namespace))
    });
    Ok(backups)
}

fn is_routine(folder: &Path) -> bool {
    Kind::ALL.iter().any(|kind| {
        let runs = folder.join(kind.folder());
        runs.join("data").is_dir() || folders(&runs).is_ok_and(|runs| runs.iter().any(|run| started(run).is_some()))
    })
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in at(folder, fs::read_dir(folder))? {
        let path = at(folder, entry)?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn name(path: &Path) -> String {
    path.file_name().map(OsStr::to_string_lossy).unwrap_or_default().into_owned()
}

/// The moment that a run's folder is named after: milliseconds, then perhaps `_` and something for people.
fn started(run: &Path) -> Option<Timestamp> {
    let name = name(run);
    let digits = name.split('_').next().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().map(Timestamp::from_millis)
}

fn list_routine(folder: &Path, backups: &mut Vec<ServiceBackup>) -> Result<()> {
    let routine = name(folder);
    for kind in Kind::ALL {
        let runs = folder.join(kind.folder());
        if !runs.is_dir() {
            continue;
        }
        let mut dated: Vec<_> =
            folders(&runs)?.into_iter().filter_map(|run| started(&run).map(|at| (Some(at), run))).collect();
        if runs.join("data").is_dir() {
            dated.push((None, runs));
        }
        for (started, run) in dated {
            let data = run.join("data");
            if !data.is_dir() {
                continue;
            }
            for path in folders(&data)? {
                let named = name(&path);
                let (namespace, attempt) = match named.rsplit_once('.').map(|(name, n)| (name, n.parse())) {
                    Some((name, Ok(attempt))) => (name.to_owned(), attempt),
                    _ => (named, 1),
                };
                let state = state(&path, &namespace);
                backups.push(ServiceBackup {
                    routine: routine.clone(),
                    kind,
                    started,
                    namespace,
                    attempt,
                    path,
                    state,
                });
            }
        }
    }
    Ok(())
}

fn state(path: &Path, namespace: &str) -> State {
    let metadata = match Metadata::read(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return State::Incomplete(format!(
                "it has no {FILE}, which is written last: it did not end, or still runs"
            ));
        }
        Err(error) => return State::Incomplete(error.to_string()),
    };
    if metadata.namespace != namespace {
        return State::Incomplete(format!("its {FILE} is of namespace {}", metadata.namespace));
    }
    match files(path, "asb") {
        Ok(files) if (files.len() as u64) < metadata.file_count => {
            State::Incomplete(format!("it has {} of its {} files", files.len(), metadata.file_count))
        }
        Ok(_) => State::Complete(metadata),
        Err(error) => State::Incomplete(error.to_string()),
    }
}

/// Adds one backup to a service folder.
#[derive(Debug)]
pub struct ServiceWriter {
    files: FolderWriter,
    metadata: Metadata,
}

impl ServiceWriter {
    /// Begins the backup that `routine` started at `created` (whole milliseconds), of changes since `from`, if it is an
    /// incremental.
    ///
    /// # Errors
    /// As [`FolderWriter::create`]; `Invalid` if `routine` can be no folder name.
    pub fn create(
        root: impl AsRef<Path>,
        routine: &str,
        created: Timestamp,
        from: Option<Timestamp>,
        namespace: Name,
        options: FolderOptions,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        if routine.is_empty() || routine.starts_with('.') || routine.contains(['/', '\\', '\0']) {
            return Err(Error::invalid(format!("the routine {routine:?} can be no folder name")));
        }
        let kind = if from.is_some() { Kind::Incremental } else { Kind::Full };
        let label = file_label(&namespace)?;
        let run = root.as_ref().join(routine).join(kind.folder()).join(created.millis().to_string());
        let metadata = Metadata {
            created,
            finished: created,
            from,
            namespace: label.clone(),
            record_count: 0,
            byte_count: 0,
            file_count: 0,
            secondary_index_count: 0,
            udf_count: 0,
            compression: if options.wrapping.zstd.is_some() { "ZSTD" } else { "NONE" }.to_owned(),
            encryption: match &options.wrapping.encryption {
                None => "NONE",
                Some((_, Mode::Aes128)) => "AES128",
                Some((_, Mode::Aes256)) => "AES256",
            }
            .to_owned(),
        };
        let files = FolderWriter::create(run.join("data").join(label), namespace, options, entropy)?;
        Ok(Self { files, metadata })
    }

    /// As [`FolderWriter::schema`].
    ///
    /// # Errors
    /// As there.
    pub fn schema(&mut self, indexes: &[SecondaryIndex], functions: &[Function]) -> Result<()> {
        self.files.schema(indexes, functions)
    }

    /// As [`FolderWriter::record`].
    ///
    /// # Errors
    /// As there.
    pub fn record(&mut self, record: &Record) -> Result<()> {
        self.files.record(record)
    }

    /// Ends the backup at the moment `finished`: everything is on disk before its mark is.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(self, finished: Timestamp) -> Result<Written> {
        let Self { files, mut metadata } = self;
        let folder = files.folder().to_owned();
        let written = files.finish()?;
        metadata.finished = finished;
        metadata.record_count = written.records;
        metadata.byte_count = written.bytes;
        metadata.file_count = written.files;
        metadata.secondary_index_count = written.indexes;
        metadata.udf_count = written.functions;
        metadata.write(&folder)?;
        Ok(written)
    }
}
