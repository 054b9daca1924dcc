//! Folders that lie in a storage, brought to this machine: the reference tools' layouts are read as files.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use futures::stream::TryStreamExt as _;
use strongroom_core::{Error, Key, Result, Storage};
use strongroom_storage::StorageConfig;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use crate::Strongroom;

/// How many objects are brought at once.
const AT_ONCE: usize = 8;

/// A folder of this machine. What was brought for it goes when it is dropped.
#[derive(Debug)]
pub struct FetchedFolder {
    path: PathBuf,
    _brought: Option<TempDir>,
}

impl FetchedFolder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Strongroom {
    /// The folder at a path as it stands. What is in any other storage, by a URL or a name of the profiles, is brought into a
    /// temporary folder first, which needs room for all of it, or for all below its folder `below`.
    ///
    /// # Errors
    /// As [`Strongroom::storage`]; `NotFound` when nothing is there; those of the storage, and of the temporary folder, such as
    /// `NoSpace`. Nothing that was brought is left then.
    pub async fn fetch_folder(&self, place: impl AsRef<OsStr>, below: Option<&str>) -> Result<FetchedFolder> {
        let place = place.as_ref();
        let here = |path: PathBuf| FetchedFolder { path, _brought: None };
        let Some(name) = place.to_str().filter(|_| !Path::new(place).is_dir()) else {
            return Ok(here(place.into()));
        };
        let config = self.storage_config(name)?;
        if let StorageConfig::Local(local) = config {
            return Ok(here(local.path));
        }
        let storage = config.open()?;
        let folder = tempfile::Builder::new().prefix("strongroom-fetched-").tempdir();
        let folder = folder.map_err(|error| Error::from(error).within("a temporary folder to bring files into"))?;
        let root = folder.path();
        let below = below.map(|below| format!("{below}/")).unwrap_or_default();
        let objects = storage.list(&below).map(|object| {
            let storage = storage.as_ref();
            async move {
                let key = object?.key;
                bring(storage, &key, &root.join(key.as_str())).await.map_err(|error| error.within(&key))
            }
        });
        let brought = objects.buffer_unordered(AT_ONCE).try_fold(0_u64, async |count, ()| Ok(count + 1)).await?;
        if brought == 0 {
            return Err(Error::not_found(format!("{config} holds no backups below '/{below}'"))
                .hint("check bucket and prefix, and the name of the routine"));
        }
        Ok(FetchedFolder { path: root.to_owned(), _brought: Some(folder) })
    }
}

/// Writes an object to a file. Its name is a [`Key`], so that it stays within the folder.
async fn bring(storage: &dyn Storage, key: &Key, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        tokio::fs::create_dir_all(parent).await?;
    }
    let mut file = tokio::fs::File::create(to).await?;
    let mut body = storage.read(key, None).await?;
    while let Some(chunk) = body.next().await.transpose()? {
        file.write_all(&chunk).await?;
    }
    // A file of tokio tells of a failed write at the next call.
    file.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use strongroom_core::ErrorKind;
    use strongroom_core::storage::StorageExt as _;

    use super::*;

    #[tokio::test]
    async fn a_storage_is_brought_file_by_file_and_goes_with_the_folder() {
        let strongroom = Strongroom::new();
        let storage = strongroom.storage("memory:a-service").unwrap();
        for (name, body) in [("daily/backup/1/a", "one"), ("daily/backup/2/b", ""), ("weekly/backup/1/a", "other")] {
            storage.put_new(&Key::new(name).unwrap(), Bytes::from_static(body.as_bytes())).await.unwrap();
        }
        let folder = strongroom.fetch_folder("memory:a-service", Some("daily")).await.unwrap();
        let path = folder.path().to_owned();
        assert_eq!(std::fs::read(path.join("daily/backup/1/a")).unwrap(), b"one");
        assert_eq!(std::fs::read(path.join("daily/backup/2/b")).unwrap(), b"");
        assert!(!path.join("weekly").exists());
        drop(folder);
        assert!(!path.exists());
        let all = strongroom.fetch_folder("memory:a-service", None).await.unwrap();
        assert!(all.path().join("weekly/backup/1/a").exists());
    }

    #[tokio::test]
    async fn an_empty_place_is_told_and_a_folder_stays_where_it_is() {
        let strongroom = Strongroom::new();
        let error = strongroom.fetch_folder("memory:a-service-without", Some("daily")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("'/daily/'"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let same = strongroom.fetch_folder(folder.path(), None).await.unwrap();
        assert_eq!(same.path(), folder.path());
    }
}
