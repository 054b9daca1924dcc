//! A process that dies at a chosen storage operation.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Cluster, Error, ErrorKind, Key, PutMode, Result, Storage, Upload};
use tokio::sync::watch;

use crate::cluster::crashing::CrashingCluster;

/// What becomes of the operation at which the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// It never reached the storage.
    Before,
    /// It was done; nobody heard of it.
    After,
}

/// Counts operations (each create, write, finish, read, listing, stat, delete) and dies at one of them: its caller
/// hears no more of this or any later call, while the storage below stays as it was at that moment.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use strongroom_core::{Key, StorageExt};
/// use strongroom_testkit::{Crashing, Death, MemoryStorage};
///
/// for operation in 1.. {
///     let below = MemoryStorage::new();
///     let storage = Crashing::at(below.clone(), operation, Death::After);
///     let key = Key::new("a").unwrap();
///     let done = storage.run(storage.put_new(&key, "body".into())).await;
///     assert!(below.keys().is_empty() || below.contents()[&key] == "body");
///     if done.is_some() {
///         break;
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Crashing<S> {
    inner: S,
    fate: Arc<Fate>,
}

/// What all storages and clusters of one process share: when it dies.
pub(crate) struct Fate {
    at: u64,
    death: Death,
    fails: Option<ErrorKind>,
    count: AtomicU64,
    dead: watch::Sender<bool>,
}

impl<S> Crashing<S> {
    /// Dies at operation `number`, counted from 1. Calls then never return: use [`Crashing::run`].
    pub fn at(inner: S, number: u64, death: Death) -> Self {
        let (dead, _) = watch::channel(false);
        Self { inner, fate: Arc::new(Fate { at: number, death, fails: None, count: AtomicU64::new(0), dead }) }
    }

    /// Fails instead from operation `number` on, with an error of `kind`: a storage that went away for good.
    pub fn failing_at(inner: S, number: u64, death: Death, kind: ErrorKind) -> Self {
        let (dead, _) = watch::channel(false);
        let fails = Some(kind);
        Self { inner, fate: Arc::new(Fate { at: number, death, fails, count: AtomicU64::new(0), dead }) }
    }

    /// Never dies, but counts.
    pub fn never(inner: S) -> Self {
        Self::at(inner, u64::MAX, Death::Before)
    }

    /// Another storage of the same process: operations on both are counted together, and both die at once.
    pub fn beside<T>(&self, inner: T) -> Crashing<T> {
        Crashing { inner, fate: Arc::clone(&self.fate) }
    }

    /// A cluster as the same process sees it: its calls are counted too (each freeze, read, write and so on, and of a
    /// body each chunk), and it falls silent when the process dies.
    pub fn cluster(&self, inner: Arc<dyn Cluster>) -> CrashingCluster {
        CrashingCluster::new(inner, Arc::clone(&self.fate))
    }

    /// Operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.fate.count.load(Ordering::SeqCst)
    }

    /// Whether it died.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        *self.fate.dead.borrow()
    }

    /// Runs `job` to its end (`Some`), or drops it at the await point where it is when the process dies (`None`).
    pub async fn run<F: Future>(&self, job: F) -> Option<F::Output> {
        let mut dead = self.fate.dead.subscribe();
        tokio::select! {
            biased;
            _ = dead.wait_for(|dead| *dead) => None,
            output = job => Some(output),
        }
    }
}

impl Fate {
    pub(crate) fn is_dead(&self) -> bool {
        *self.dead.borrow()
    }

    /// Does `operation`, unless it is the last or comes later.
    pub(crate) async fn pass<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if number < self.at {
            return operation.await;
        }
        if number == self.at && self.death == Death::After {
            // What it says is never heard.
            drop(operation.await);
        }
        self.dead.send_replace(true);
        self.silence().await
    }

    async fn silence<T>(&self) -> Result<T> {
        match self.fails {
            Some(kind) => Err(Error::new(kind, "the storage went away, as the test wants")),
            None => std::future::pending().await,
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Crashing<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crashing({:?}, at {} {:?})", self.inner, self.fate.at, self.fate.death)
    }
}

#[async_trait]
impl<S: Storage> Storage for Crashing<S> {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        let inner = self.fate.pass(self.inner.create(key, mode)).await?;
        Ok(Box::new(CrashingUpload { inner, fate: Arc::clone(&self.fate) }))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        let body = self.fate.pass(self.inner.read(key, range)).await?;
        Ok(until_death(body, Arc::clone(&self.fate)))
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        self.fate.pass(self.inner.stat(key)).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        let (items, fate) = (self.inner.list(prefix), Arc::clone(&self.fate));
        let begun = async move {
            match fate.pass(async { Ok(()) }).await {
                Ok(()) => until_death(items, fate),
                Err(error) => futures::stream::iter([Err(error)]).boxed(),
            }
        };
        futures::stream::once(begun).flatten().boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.fate.pass(self.inner.delete(key)).await
    }
}

pub(crate) fn until_death<T: Send + 'static>(
    stream: BoxStream<'static, Result<T>>,
    fate: Arc<Fate>,
) -> BoxStream<'static, Result<T>> {
    let heard = move |item| {
        let fate = Arc::clone(&fate);
        async move { if fate.is_dead() { fate.silence().await } else { item } }
    };
    stream.then(heard).boxed()
}

struct CrashingUpload {
    inner: Box<dyn Upload>,
    fate: Arc<Fate>,
}

#[async_trait]
impl Upload for CrashingUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.fate.pass(self.inner.write(chunk)).await
    }

    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        self.fate.pass(self.inner.finish()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStorage, storage_contract};
    use strongroom_core::StorageExt as _;

    #[tokio::test]
    async fn it_keeps_the_contract_while_it_lives() {
        storage_contract(Arc::new(Crashing::never(MemoryStorage::new())), "").await;
    }

    #[tokio::test]
    async fn it_dies_at_each_operation_of_a_put() {
        let key = Key::new("a").unwrap();
        // create, write, finish: three operations, and only a finish that was done leaves an object.
        for (operation, death, there, ends) in [
            (1, Death::After, false, false),
            (3, Death::Before, false, false),
            (3, Death::After, true, false),
            (4, Death::Before, true, true),
        ] {
            let below = MemoryStorage::new();
            let storage = Crashing::at(below.clone(), operation, death);
            let done = storage.run(storage.put_new(&key, "body".into())).await;
            assert_eq!((done.is_some(), !below.keys().is_empty()), (ends, there), "{operation} {death:?}");
            assert_eq!(storage.is_dead(), !ends);
        }
    }

    #[tokio::test]
    async fn or_it_fails_from_then_on() {
        let key = Key::new("a").unwrap();
        let storage = Crashing::failing_at(MemoryStorage::new(), 2, Death::Before, ErrorKind::Denied);
        assert_eq!(storage.put_new(&key, "body".into()).await.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(storage.stat(&key).await.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(storage.list("").next().await.unwrap().unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(storage.operations(), 4);
    }
}
