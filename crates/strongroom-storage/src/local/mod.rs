//! A folder of this machine as a storage.
//!
//! An object is written into a temporary file in `<root>/.strongroom-tmp`, flushed to the disk, then put in place in one
//! step: by a hard link for [`PutMode::CreateNew`] (which never replaces), by a rename for [`PutMode::Overwrite`]. At
//! last every folder that got a new entry is flushed. So a crash at any moment leaves either the whole object or none,
//! and of several writers of one name exactly one wins.

mod list;
mod place;
mod read;
mod space;
mod temp;
mod upload;

use std::fmt;
use std::fs::Metadata;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Error, Key, PutMode, Result, Storage, Timestamp, Upload};

pub use self::space::{Space, space_at};
use crate::rules::check_folder;

/// The folder below the root that holds what is being written. Never listed.
pub(crate) const TEMP_FOLDER: &str = ".strongroom-tmp";

/// How old a temporary file must be, untouched, before it counts as left behind by a writer that died.
const STALE_AFTER: Duration = Duration::from_hours(24);

/// Objects as files below a folder.
///
/// Only regular files are objects; links within the root are not followed, and a file whose name is not an object's
/// name is an error item of [`Storage::list`] that names it. Deleting the last object of a folder deletes the folder.
/// A deletion is not flushed to the disk at once: after a power cut a deleted object may be back.
#[derive(Clone)]
pub struct LocalStorage {
    root: Arc<Root>,
}

/// The folder, and whether its temporary files were looked through.
struct Root {
    path: PathBuf,
    swept: AtomicBool,
}

impl fmt::Debug for LocalStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalStorage({})", self.root.path.display())
    }
}

impl LocalStorage {
    /// The storage in the folder `path`, which need not exist before the first write.
    ///
    /// # Errors
    /// `Invalid` for an empty path, or when the current folder is gone and the path is relative to it.
    pub fn new(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path)
            .map_err(|error| Error::invalid(format!("folder '{}': {error}", path.display())))?;
        Ok(Self { root: Arc::new(Root { path, swept: AtomicBool::new(false) }) })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root.path
    }

    /// Deletes temporary files that were not touched for `age`, and says how many. Happens by itself before the first
    /// write, with a day.
    ///
    /// # Errors
    /// `Denied` or `Unavailable` when the folder can't be read or a file can't be deleted.
    pub async fn sweep(&self, age: Duration) -> Result<usize> {
        let folder = self.root.path.join(TEMP_FOLDER);
        blocking(move || temp::sweep(&folder, age, SystemTime::now())).await
    }

    fn locate(&self, key: &Key) -> Result<PathBuf> {
        let name = key.as_str();
        if name.split('/').next() == Some(TEMP_FOLDER) {
            return Err(Error::invalid(format!("{key}: {TEMP_FOLDER} is reserved for files being written")));
        }
        Ok(self.root.path.join(name))
    }
}

#[async_trait]
impl Storage for LocalStorage {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        let target = self.locate(key)?;
        let (root, key) = (self.root.clone(), key.clone());
        let upload = blocking(move || {
            if mode == PutMode::CreateNew && target.symlink_metadata().is_ok() {
                return Err(place::exists(&target));
            }
            let folder = root.path.join(TEMP_FOLDER);
            place::create_folders(&folder)?;
            if !root.swept.swap(true, Ordering::Relaxed) {
                // Best effort: whoever may write need not be allowed to delete what others left.
                let _ = temp::sweep(&folder, STALE_AFTER, SystemTime::now());
            }
            let file = temp::TempFile::create(&folder)?;
            Ok(upload::LocalUpload::new(file, key, target, mode))
        })
        .await?;
        Ok(Box::new(upload))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        let path = self.locate(key)?;
        let (root, key) = (self.root.path.clone(), key.clone());
        blocking(move || read::open(&path, &root, &key, range)).await
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        let path = self.locate(key)?;
        let (root, key) = (self.root.path.clone(), key.clone());
        blocking(move || match path.symlink_metadata() {
            Ok(meta) if meta.is_file() => Ok(describe(key, &meta)),
            Ok(_) => Err(not_an_object(&path)),
            Err(error) => Err(missing(&error, &path, &root)),
        })
        .await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        match check_folder(prefix) {
            Ok(()) if prefix.split('/').next() == Some(TEMP_FOLDER) => stream::empty().boxed(),
            Ok(()) => list::walk(self.root.path.clone(), prefix.to_owned()),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let path = self.locate(key)?;
        let root = self.root.path.clone();
        blocking(move || {
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if is_absent(&error) => return Ok(()),
                // A folder's name is no object.
                Err(_) if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) => return Ok(()),
                Err(error) => return Err(Error::from(error).within(path.display())),
            }
            // An empty folder is no object. Whoever creates a neighbour at this moment makes the folder again.
            for folder in path.ancestors().skip(1).take_while(|folder| *folder != root) {
                if std::fs::remove_dir(folder).is_err() {
                    break;
                }
            }
            Ok(())
        })
        .await
    }
}

/// Runs file system calls off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("a file system task died").because(error))?
}

/// What is known of the file of an object.
fn describe(key: Key, meta: &Metadata) -> ObjectMeta {
    let modified = meta.modified().ok().map(|time| match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => Timestamp::from_micros(i64::try_from(after.as_micros()).unwrap_or(i64::MAX)),
        Err(before) => Timestamp::from_micros(i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us)),
    });
    ObjectMeta { key, size: meta.len(), modified }
}

/// Whether nothing is at a path: neither an entry, nor the folder that would hold it.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn not_an_object(path: &Path) -> Error {
    Error::not_found(format!("{} is not a regular file", path.display()))
}

/// The error for a file that can't be reached: says so when even the root isn't there.
fn missing(error: &std::io::Error, path: &Path, root: &Path) -> Error {
    if !is_absent(error) {
        return Error::new(
            Error::from(std::io::Error::from(error.kind())).kind(),
            format!("{}: {error}", path.display()),
        );
    }
    if root.is_dir() {
        return Error::not_found(format!("{} does not exist", path.display()));
    }
    let what = if root.symlink_metadata().is_ok() { "is not a folder" } else { "does not exist" };
    Error::not_found(format!("the storage folder {} {what}", root.display()))
        .hint("check the path, and that the disk is mounted")
}
