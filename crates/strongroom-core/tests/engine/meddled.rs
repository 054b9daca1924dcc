//! A storage in front of which something else happens between two chosen operations.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Key, PutMode, Result, Storage, Upload};

type Deed = dyn Fn() -> BoxFuture<'static, ()> + Send + Sync;

/// Does a deed right before operation number `at` of all the storages that share it.
#[derive(Clone)]
pub(crate) struct Meddler {
    at: u64,
    count: Arc<AtomicU64>,
    deed: Arc<Deed>,
}

impl Meddler {
    pub(crate) fn at(at: u64, deed: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self { at, count: Arc::default(), deed: Arc::new(deed) }
    }

    /// `inner`, as the disturbed one sees it.
    pub(crate) fn before<S>(&self, inner: S) -> Meddled<S> {
        Meddled { inner, meddler: self.clone() }
    }

    /// Whether it came to the deed.
    pub(crate) fn did(&self) -> bool {
        self.count.load(Ordering::SeqCst) >= self.at
    }

    async fn step(&self) {
        if self.count.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            (self.deed)().await;
        }
    }
}

/// See [`Meddler::before`].
#[derive(Clone)]
pub(crate) struct Meddled<S> {
    inner: S,
    meddler: Meddler,
}

impl<S: fmt::Debug> fmt::Debug for Meddled<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Meddled({:?}, at {})", self.inner, self.meddler.at)
    }
}

#[async_trait]
impl<S: Storage> Storage for Meddled<S> {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        self.meddler.step().await;
        Ok(Box::new(MeddledUpload { inner: self.inner.create(key, mode).await?, meddler: self.meddler.clone() }))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.meddler.step().await;
        self.inner.read(key, range).await
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        self.meddler.step().await;
        self.inner.stat(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        // Listed after the deed.
        let (prefix, meddler) = (prefix.to_owned(), self.meddler.clone());
        let inner = self.inner.list(&prefix);
        stream::once(async move { meddler.step().await }).flat_map(|()| stream::empty()).chain(inner).boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.meddler.step().await;
        self.inner.delete(key).await
    }
}

struct MeddledUpload {
    inner: Box<dyn Upload>,
    meddler: Meddler,
}

#[async_trait]
impl Upload for MeddledUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.inner.write(chunk).await
    }

    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        self.meddler.step().await;
        self.inner.finish().await
    }
}
