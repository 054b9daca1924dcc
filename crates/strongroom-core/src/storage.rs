//! Where backups rest.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt as _};

use crate::{Error, ErrorKind, Key, Result, Timestamp};

/// Bytes that arrive piece by piece and own what they need.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// What `create` does when the key exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutMode {
    /// `finish` fails with `AlreadyExists`, and what is there stays. Of several racers exactly one wins.
    CreateNew,
    /// `finish` replaces what is there, at once and whole.
    Overwrite,
}

/// What a storage knows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its name.
    pub key: Key,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, by the storage's clock, if it tells.
    pub modified: Option<Timestamp>,
}

/// Where objects rest. Implementors write these five methods and nothing else; callers use [`StorageExt`] too.
///
/// Every method may be dropped at any await point and leaves nothing half-written in sight.
/// The contract is a test: `strongroom_testkit::storage_contract`.
#[async_trait]
pub trait Storage: Debug + Send + Sync + 'static {
    /// Begins an object. Nothing is visible before [`Upload::finish`].
    ///
    /// # Errors
    /// `Denied`, `Unavailable`, `NoSpace`; with [`PutMode::CreateNew`] it may already tell `AlreadyExists`.
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>>;

    /// Reads an object, or the bytes `range` of it. A range that reaches past the end is `Invalid`, an empty range
    /// inside the object gives nothing.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Unavailable`; also in the middle of the stream, after which it ends.
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream>;

    /// Size and time of an object.
    ///
    /// # Errors
    /// `NotFound` only when the storage says so; `Denied` or `Unavailable` otherwise.
    async fn stat(&self, key: &Key) -> Result<ObjectMeta>;

    /// Every object below the folder `prefix` (`""`, or text that ends in `/`), at any depth, in no promised order.
    /// A missing folder is empty. A failed page is an error item, never a silent end.
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>>;

    /// Deletes an object. A missing one is no error.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`.
    async fn delete(&self, key: &Key) -> Result<()>;
}

/// An object being written. Dropped before [`Upload::finish`], it never existed.
#[async_trait]
pub trait Upload: Send {
    /// Takes the next bytes; waits while the storage is slower than the caller.
    ///
    /// # Errors
    /// `NoSpace`, `Denied`, `Unavailable`. After an error the upload is lost.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the object visible, durably.
    ///
    /// # Errors
    /// As [`Upload::write`], and `AlreadyExists`. A lost reply can make an own success look like `AlreadyExists`:
    /// see [`StorageExt::put_new`].
    async fn finish(self: Box<Self>) -> Result<ObjectMeta>;
}

#[async_trait]
impl<S: Storage + ?Sized> Storage for Arc<S> {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        (**self).create(key, mode).await
    }
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        (**self).read(key, range).await
    }
    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        (**self).stat(key).await
    }
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        (**self).list(prefix)
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        (**self).delete(key).await
    }
}

/// What callers get on top of every [`Storage`].
#[async_trait]
pub trait StorageExt: Storage {
    /// Writes a small object that must not exist yet. `body` must be unlike what any other writer would put there
    /// (it carries a nonce): when the storage answers `AlreadyExists`, the object is read back, and one's own body
    /// means that only the reply was lost.
    ///
    /// # Errors
    /// `AlreadyExists` when somebody else's object is there; as [`Upload`] otherwise.
    async fn put_new(&self, key: &Key, body: Bytes) -> Result<()> {
        let put = async {
            let mut upload = self.create(key, PutMode::CreateNew).await?;
            upload.write(body.clone()).await?;
            upload.finish().await
        };
        match put.await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => match self.get(key, body.len() as u64).await {
                Ok(there) if there == body => Ok(()),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Reads a whole object of at most `limit` bytes into memory.
    ///
    /// # Errors
    /// As [`Storage::read`]; `Corrupt` when it is longer than `limit`.
    async fn get(&self, key: &Key, limit: u64) -> Result<Bytes> {
        let mut stream = self.read(key, None).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(Error::corrupt(format!("{key} is larger than {limit} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// Whether an object exists.
    ///
    /// # Errors
    /// As [`Storage::stat`], but for `NotFound`.
    async fn exists(&self, key: &Key) -> Result<bool> {
        match self.stat(key).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl<S: Storage + ?Sized> StorageExt for S {}
