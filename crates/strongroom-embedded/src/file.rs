//! Creating and opening the file.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, ReadTransaction, ReadableDatabase as _, StorageBackend};
use serde::{Deserialize, Serialize};
use strongroom_core::cluster::ClusterIdentity;
use strongroom_core::environment::Environment;
use strongroom_core::id::ClusterId;
use strongroom_core::{Error, ErrorKind, Result, Timestamp};

use crate::OpenOptions;
use crate::fault::{Told as _, tell_io};
use crate::overlay::Overlay;
use crate::snapshot::Snapshots;
use crate::tables::{COUNTS, FREEZES, FUNCTIONS, INDEXES, META, NAMESPACES, SESSIONS};

/// The version of what is in the file. A newer one is refused.
const FORMAT: u32 = 1;

/// A record cluster in one file. Clones share it; the file closes with the last of them.
#[derive(Clone)]
pub struct EmbeddedCluster {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) db: Database,
    pub(crate) path: Option<PathBuf>,
    pub(crate) read_only: bool,
    pub(crate) environment: Environment,
    pub(crate) birth: Birth,
    pub(crate) snapshots: Snapshots,
}

/// What was decided when the file was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Birth {
    pub(crate) identity: ClusterIdentity,
    pub(crate) created: Timestamp,
}

impl fmt::Debug for EmbeddedCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedCluster")
            .field("place", &self.place())
            .field("read_only", &self.inner.read_only)
            .finish_non_exhaustive()
    }
}

impl EmbeddedCluster {
    /// Makes a new, empty cluster at `path` and opens it. The file appears whole or not at all, readable by its owner
    /// only.
    ///
    /// # Errors
    /// `AlreadyExists` if there is anything at `path`; `NotFound` if its folder is missing; `Denied`, `NoSpace`.
    pub fn create(path: impl AsRef<Path>, environment: Environment) -> Result<Self> {
        Self::create_with(path, environment, OpenOptions::default())
    }

    /// [`EmbeddedCluster::create`] with other options.
    ///
    /// # Errors
    /// As [`EmbeddedCluster::create`].
    pub fn create_with(path: impl AsRef<Path>, environment: Environment, options: OpenOptions) -> Result<Self> {
        let path = path.as_ref();
        place_new(path, &environment, options).map_err(|error| error.within(shown(path)))?;
        Self::open_with(path, environment, options)
    }

    /// Opens the cluster at `path` for reading and writing. One process at a time can.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` if it is open elsewhere; `Denied`; `Corrupt` if it is no such file or damaged;
    /// `Unsupported` if a newer version wrote it.
    pub fn open(path: impl AsRef<Path>, environment: Environment) -> Result<Self> {
        Self::open_with(path, environment, OpenOptions::default())
    }

    /// [`EmbeddedCluster::open`] with other options.
    ///
    /// # Errors
    /// As [`EmbeddedCluster::open`].
    pub fn open_with(path: impl AsRef<Path>, environment: Environment, options: OpenOptions) -> Result<Self> {
        let path = path.as_ref();
        let open = || {
            let file = open_file(path, true)?;
            let backend = FileBackend::new(file).told("opening")?;
            let db = builder(options).create_with_backend(backend).told("opening")?;
            Self::opened(db, Some(path.to_owned()), false, environment)
        };
        open().map_err(|error| error.within(shown(path)))
    }

    /// Opens the cluster at `path` for reading only, with other readers if there are. The file is never touched, not
    /// even if its last writer was killed, so it may lie on read-only media. Nor does it note that it was frozen: a backup
    /// of a file that is open like this can't be continued by a later incremental.
    ///
    /// # Errors
    /// As [`EmbeddedCluster::open`].
    pub fn open_read_only(path: impl AsRef<Path>, environment: Environment) -> Result<Self> {
        Self::open_read_only_with(path, environment, OpenOptions::default())
    }

    /// [`EmbeddedCluster::open_read_only`] with other options.
    ///
    /// # Errors
    /// As [`EmbeddedCluster::open`].
    pub fn open_read_only_with(path: impl AsRef<Path>, environment: Environment, options: OpenOptions) -> Result<Self> {
        let path = path.as_ref();
        let open = || {
            let backend = Overlay::new(open_file(path, false)?).told("opening")?;
            let db = builder(options).create_with_backend(backend).told("opening")?;
            Self::opened(db, Some(path.to_owned()), true, environment)
        };
        open().map_err(|error| error.within(shown(path)))
    }

    /// A cluster in memory, gone with its last clone.
    ///
    /// # Errors
    /// `Unavailable` when the environment gives no random bytes.
    pub fn in_memory(environment: Environment) -> Result<Self> {
        Self::with_backend(InMemoryBackend::new(), environment)
    }

    pub(crate) fn with_backend(backend: impl StorageBackend, environment: Environment) -> Result<Self> {
        let db = builder(OpenOptions { check: false, ..OpenOptions::default() })
            .create_with_backend(backend)
            .told("a cluster in memory")?;
        populate(&db, "memory", &environment)?;
        Self::opened(db, None, false, environment)
    }

    fn opened(db: Database, path: Option<PathBuf>, read_only: bool, environment: Environment) -> Result<Self> {
        let transaction = db.begin_read().told("opening")?;
        let birth = read_birth(&transaction)?;
        drop(transaction);
        let inner = Inner { db, path, read_only, environment, birth, snapshots: Snapshots::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Where the file is; `None` for a cluster in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// Whether it was opened for reading only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.inner.read_only
    }

    /// Who the cluster is. A copy of the file is the same cluster.
    #[must_use]
    pub fn identity(&self) -> &ClusterIdentity {
        &self.inner.birth.identity
    }

    pub(crate) fn place(&self) -> String {
        self.inner.path.as_deref().map_or_else(|| "a cluster in memory".to_owned(), shown)
    }

    pub(crate) fn begin_read(&self) -> Result<ReadTransaction> {
        self.inner.db.begin_read().told(self.place())
    }
}

pub(crate) fn shown(path: &Path) -> String {
    format!("embedded cluster {}", path.display())
}

fn builder(options: OpenOptions) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(options.cache_bytes).set_check_integrity_on_open(options.check);
    builder
}

fn open_file(path: &Path, write: bool) -> Result<File> {
    let file = fs::OpenOptions::new().read(true).write(write).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::from(error).hint("create it first"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem if write => {
            Error::from(error).hint("open it for reading only, or change its permissions")
        }
        _ => Error::from(error),
    })?;
    let metadata = file.metadata().map_err(Error::from)?;
    if !metadata.is_file() {
        return Err(Error::invalid("this is not a file"));
    }
    // redb would take an empty file for one to be filled.
    if metadata.len() == 0 {
        return Err(tell_io(io::ErrorKind::InvalidData.into()));
    }
    Ok(file)
}

/// Makes the file under another name, then links it into place, so that a crash leaves nothing half-made.
fn place_new(path: &Path, environment: &Environment, options: OpenOptions) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(taken());
    }
    let name = path.file_stem().ok_or_else(|| Error::invalid("the path names no file"))?.to_string_lossy();
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let unplaced = tempfile::Builder::new().prefix(".strongroom-").tempfile_in(folder).map_err(Error::from)?;
    let backend = FileBackend::new(unplaced.reopen().map_err(Error::from)?).told("creating")?;
    let db = builder(options).create_with_backend(backend).told("creating")?;
    populate(&db, &name, environment)?;
    db.close().told("creating")?;
    unplaced.persist_noclobber(path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => taken(),
        _ => Error::from(error.error),
    })?;
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::from)?;
    }
    Ok(())
}

fn taken() -> Error {
    Error::already_exists("there is something at this path").hint("open it, or choose another path")
}

/// Writes the beginnings into an empty file.
fn populate(db: &Database, name: &str, environment: &Environment) -> Result<()> {
    let id = ClusterId::fresh(environment)?;
    let chance = u128::from_be_bytes(environment.random()?);
    let created = environment.now();
    let identity = ClusterIdentity { id, name: name.to_owned(), fingerprint: format!("embedded:{chance:032x}") };
    let birth = to_json(&Birth { identity, created })?;
    let transaction = db.begin_write().told("creating")?;
    {
        let mut meta = transaction.open_table(META).told("creating")?;
        meta.insert("format", &FORMAT.to_le_bytes()[..]).told("creating")?;
        meta.insert("birth", birth.as_slice()).told("creating")?;
        meta.insert("clock", &created.micros().to_le_bytes()[..]).told("creating")?;
        transaction.open_table(NAMESPACES).told("creating")?;
        transaction.open_table(COUNTS).told("creating")?;
        transaction.open_table(INDEXES).told("creating")?;
        transaction.open_table(FUNCTIONS).told("creating")?;
        transaction.open_table(SESSIONS).told("creating")?;
        transaction.open_table(FREEZES).told("creating")?;
    }
    transaction.commit().told("creating")
}

fn read_birth(transaction: &ReadTransaction) -> Result<Birth> {
    let meta = transaction.open_table(META).told("reading what file this is")?;
    let format = meta.get("format").told("reading the format")?;
    let format = format.and_then(|bytes| bytes.value().try_into().ok().map(u32::from_le_bytes));
    match format {
        Some(FORMAT) => {}
        Some(newer) => {
            return Err(Error::unsupported(format!(
                "the file has format {newer}; this version of strongroom reads format {FORMAT}"
            ))
            .hint("use the version of strongroom that wrote it, or a newer one"));
        }
        None => return Err(Error::corrupt("the file is a redb database, but not an embedded cluster")),
    }
    let birth = meta.get("birth").told("reading the identity")?;
    birth.map_or_else(|| Err(Error::corrupt("the file has lost its identity")), |json| from_json(json.value()))
}

/// The file's clock: the last moment it gave out, microseconds since 1970.
pub(crate) fn clock_of(meta: &impl redb::ReadableTable<&'static str, &'static [u8]>) -> Result<i64> {
    let clock = meta.get("clock").told("reading the clock")?;
    clock
        .and_then(|bytes| bytes.value().try_into().ok().map(i64::from_le_bytes))
        .ok_or_else(|| Error::corrupt("the file has lost its clock"))
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::internal("a value has no JSON form").because(error))
}

pub(crate) fn from_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| {
        Error::new(ErrorKind::Corrupt, "an entry of the file makes no sense")
            .because(error)
            .hint("put back a copy of the file, or restore a backup")
    })
}
