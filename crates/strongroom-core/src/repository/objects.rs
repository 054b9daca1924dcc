//! Reading and writing the repository's own small objects.

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Repository;
use super::document::{self, Kind};
use crate::storage::ObjectMeta;
use crate::{Error, ErrorKind, Key, Result, Storage, StorageExt};

/// The most bytes of a small object: identity, registration, lease, condemned list.
pub(super) const SMALL: u64 = 64 << 20;

/// Writes an object that must not exist. As [`StorageExt::put_new`], and an error that leaves open whether it was written
/// is settled too: an object with these very bytes (they carry a nonce) is one's own.
pub(super) async fn put(storage: &dyn Storage, key: &Key, body: Bytes) -> Result<()> {
    match storage.put_new(key, body.clone()).await {
        Err(error) if error.kind() == ErrorKind::Unavailable => match storage.get(key, body.len() as u64).await {
            Ok(there) if there == body => Ok(()),
            _ => Err(error),
        },
        other => other,
    }
}

/// Reads a whole object that has `size` bytes, into memory once.
pub(super) async fn get_sized(storage: &dyn Storage, key: &Key, size: u64, limit: u64) -> Result<Bytes> {
    let mut body = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0));
    let mut stream = storage.read(key, None).await?;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        if (body.len() + chunk.len()) as u64 > limit {
            return Err(Error::corrupt(format!("{key} is larger than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// `Ok(None)` for what does not exist.
pub(super) fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A whole listing, or its error: a page that failed is never taken for the end.
pub(super) async fn list_all(storage: &dyn Storage, prefix: &str) -> Result<Vec<ObjectMeta>> {
    let mut all: Vec<ObjectMeta> = storage
        .list(prefix)
        .try_collect()
        .await
        .map_err(|error: Error| error.within(format!("the listing of '{prefix}' is not complete")))?;
    all.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    all.dedup_by(|a, b| a.key == b.key);
    Ok(all)
}

/// Whether anything lies below `prefix`.
pub(super) async fn is_empty(storage: &dyn Storage, prefix: &str) -> Result<bool> {
    storage.list(prefix).next().await.transpose().map(|first| first.is_none())
}

impl Repository {
    /// Writes a document of one value.
    pub(super) async fn put_document<T: Serialize>(&self, key: &Key, kind: Kind, value: &T) -> Result<()> {
        put(&*self.storage, key, self.seal(kind, key, [value])?).await
    }

    /// Puts lines into the frame of the object `key`, with a fresh nonce.
    pub(super) fn seal<T: Serialize>(
        &self,
        kind: Kind,
        key: &Key,
        lines: impl IntoIterator<Item = T>,
    ) -> Result<Bytes> {
        document::seal(kind, self.id(), key, self.environment.random()?, lines)
    }

    /// Reads a document of one value.
    pub(super) async fn get_document<T: DeserializeOwned>(&self, key: &Key, kind: Kind) -> Result<T> {
        let bytes = self.storage.get(key, SMALL).await?;
        document::open(key, &bytes, &[kind], Some(self.id()))?.one(key)
    }
}
