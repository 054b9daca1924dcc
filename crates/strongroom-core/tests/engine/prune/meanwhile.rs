//! A storage at whose n-th operation something else happens, from its beginning to its end.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Key, PutMode, Result, Storage, Upload};

/// See the module. Clones count together.
#[derive(Clone)]
pub(crate) struct Meanwhile<S> {
    inner: S,
    shared: Arc<Shared>,
}

struct Shared {
    at: u64,
    count: AtomicU64,
    act: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl<S> Meanwhile<S> {
    /// Does `act` right before operation `at`, counted from 1.
    pub(crate) fn at(inner: S, at: u64, act: impl Future<Output = ()> + Send + 'static) -> Self {
        let act = Mutex::new(Some(Box::pin(act) as BoxFuture<'static, ()>));
        Self { inner, shared: Arc::new(Shared { at, count: AtomicU64::new(0), act }) }
    }

    /// Whether it came to that operation.
    pub(crate) fn happened(&self) -> bool {
        self.shared.count.load(Ordering::SeqCst) >= self.shared.at
    }
}

impl Shared {
    async fn step(&self) {
        if self.count.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            let act = self.act.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(act) = act {
                act.await;
            }
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Meanwhile<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Meanwhile({:?}, at {})", self.inner, self.shared.at)
    }
}

#[async_trait]
impl<S: Storage> Storage for Meanwhile<S> {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        self.shared.step().await;
        Ok(Box::new(Late { inner: self.inner.create(key, mode).await?, shared: Arc::clone(&self.shared) }))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.shared.step().await;
        self.inner.read(key, range).await
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        self.shared.step().await;
        self.inner.stat(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        let (items, shared) = (self.inner.list(prefix), Arc::clone(&self.shared));
        stream::once(async move {
            shared.step().await;
            items
        })
        .flatten()
        .boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.shared.step().await;
        self.inner.delete(key).await
    }
}

struct Late {
    inner: Box<dyn Upload>,
    shared: Arc<Shared>,
}

#[async_trait]
impl Upload for Late {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.inner.write(chunk).await
    }

    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        self.shared.step().await;
        self.inner.finish().await
    }
}
