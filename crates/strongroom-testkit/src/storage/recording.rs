//! What a storage was asked for.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Cluster, Key, PutMode, Result, Storage, Upload};

use crate::cluster::recording::RecordingCluster;

/// One call, when it began; of an upload its creation and, once it succeeded, its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// [`Storage::create`].
    Create(Key, PutMode),
    /// [`Upload::finish`] that succeeded.
    Finished(Key),
    /// [`Storage::read`].
    Read(Key, Option<Range<u64>>),
    /// [`Storage::stat`].
    Stat(Key),
    /// [`Storage::list`].
    List(String),
    /// [`Storage::delete`].
    Delete(Key),
    /// A call of a cluster that shares the record, by the name of its method: see [`Recording::cluster`].
    Cluster(&'static str),
}

/// What went through a [`Recording`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Every call, in order.
    pub calls: Vec<Call>,
    /// Bytes written, by object, whether the upload came to its end or not.
    pub sent: BTreeMap<Key, u64>,
    /// Bytes read, by object.
    pub read: BTreeMap<Key, u64>,
}

impl Traffic {
    /// Bytes written to objects below `prefix`.
    #[must_use]
    pub fn sent_below(&self, prefix: &str) -> u64 {
        below(&self.sent, prefix)
    }

    /// Bytes read of objects below `prefix`.
    #[must_use]
    pub fn read_below(&self, prefix: &str) -> u64 {
        below(&self.read, prefix)
    }

    /// The objects that became visible, in that order.
    pub fn finished(&self) -> impl Iterator<Item = &Key> {
        self.calls.iter().filter_map(|call| if let Call::Finished(key) = call { Some(key) } else { None })
    }

    /// The objects that were asked to be deleted, in that order.
    pub fn deleted(&self) -> impl Iterator<Item = &Key> {
        self.calls.iter().filter_map(|call| if let Call::Delete(key) = call { Some(key) } else { None })
    }

    /// How many calls `pick` takes.
    #[must_use]
    pub fn count(&self, pick: impl Fn(&Call) -> bool) -> usize {
        self.calls.iter().filter(|call| pick(call)).count()
    }
}

fn below(bytes: &BTreeMap<Key, u64>, prefix: &str) -> u64 {
    bytes.iter().filter(|(key, _)| key.as_str().starts_with(prefix)).map(|(_, bytes)| bytes).sum()
}

/// Writes down what goes through it, so that a test can say "the second backup sends no data". Clones share the record.
#[derive(Debug, Clone)]
pub struct Recording<S> {
    inner: S,
    log: Log,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Traffic>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, Traffic> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(crate) fn call(&self, call: Call) {
        self.lock().calls.push(call);
    }
}

impl<S> Recording<S> {
    /// Records what goes to `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner, log: Log::default() }
    }

    /// Another storage with the same record.
    pub fn beside<T>(&self, inner: T) -> Recording<T> {
        Recording { inner, log: self.log.clone() }
    }

    /// A cluster with the same record, so that a test can say what came before what.
    pub fn cluster(&self, inner: Arc<dyn Cluster>) -> RecordingCluster {
        RecordingCluster::new(inner, self.log.clone())
    }

    /// What went through so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.log.lock().clone()
    }

    /// What went through so far; the record starts anew.
    #[must_use]
    pub fn take(&self) -> Traffic {
        std::mem::take(&mut *self.log.lock())
    }
}

#[async_trait]
impl<S: Storage> Storage for Recording<S> {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        self.log.call(Call::Create(key.clone(), mode));
        let inner = self.inner.create(key, mode).await?;
        Ok(Box::new(RecordingUpload { inner, key: key.clone(), log: self.log.clone() }))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.log.call(Call::Read(key.clone(), range.clone()));
        let (log, name) = (self.log.clone(), key.clone());
        let body = self.inner.read(key, range).await?.inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                *log.lock().read.entry(name.clone()).or_default() += chunk.len() as u64;
            }
        });
        Ok(body.boxed())
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        self.log.call(Call::Stat(key.clone()));
        self.inner.stat(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        self.log.call(Call::List(prefix.to_owned()));
        self.inner.list(prefix)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.log.call(Call::Delete(key.clone()));
        self.inner.delete(key).await
    }
}

struct RecordingUpload {
    inner: Box<dyn Upload>,
    key: Key,
    log: Log,
}

#[async_trait]
impl Upload for RecordingUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        *self.log.lock().sent.entry(self.key.clone()).or_default() += chunk.len() as u64;
        self.inner.write(chunk).await
    }

    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        let meta = self.inner.finish().await?;
        self.log.call(Call::Finished(self.key));
        Ok(meta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStorage, storage_contract};
    use strongroom_core::StorageExt as _;

    #[tokio::test]
    async fn it_keeps_the_contract_and_counts() {
        storage_contract(Arc::new(Recording::new(MemoryStorage::new())), "").await;
        let storage = Recording::new(MemoryStorage::new());
        let key = |name: &str| Key::new(name).unwrap();
        storage.put_new(&key("a/one"), "12345".into()).await.unwrap();
        assert!(storage.put_new(&key("a/one"), "123".into()).await.is_err());
        let first = storage.take();
        assert_eq!(first.sent_below("a/"), 8);
        assert_eq!(first.finished().collect::<Vec<_>>(), [&key("a/one")]);
        storage.get(&key("a/one"), 9).await.unwrap();
        storage.delete(&key("a/one")).await.unwrap();
        let second = storage.traffic();
        assert_eq!((second.sent_below(""), second.read_below("a/"), second.read_below("b/")), (0, 5, 0));
        assert_eq!(second.deleted().count(), 1);
        assert_eq!(second.count(|call| matches!(call, Call::Read(..))), 1);
    }
}
