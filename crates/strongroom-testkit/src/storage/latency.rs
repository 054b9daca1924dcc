//! A storage that takes its time.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Key, PutMode, Result, Storage, Upload};

/// Lets every call take `call`, and every chunk the time that `bytes_per_second` gives it, by tokio's time: under
/// `start_paused` that costs nothing.
#[derive(Debug, Clone)]
pub struct Latency<S> {
    inner: S,
    call: Duration,
    bytes_per_second: Option<u64>,
}

impl<S> Latency<S> {
    /// Slows `inner` by `call` at every call.
    pub const fn new(inner: S, call: Duration) -> Self {
        Self { inner, call, bytes_per_second: None }
    }

    /// Lets no stream of bytes, each way and each object for itself, be faster than this (at least 1).
    #[must_use]
    pub fn with_bytes_per_second(self, limit: u64) -> Self {
        Self { bytes_per_second: Some(limit.max(1)), ..self }
    }
}

async fn pass(bytes: usize, limit: Option<u64>) {
    if let Some(limit) = limit {
        let micros = (bytes as u64).saturating_mul(1_000_000) / limit;
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
}

#[async_trait]
impl<S: Storage> Storage for Latency<S> {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        tokio::time::sleep(self.call).await;
        let (call, limit) = (self.call, self.bytes_per_second);
        Ok(Box::new(LatencyUpload { inner: self.inner.create(key, mode).await?, call, limit }))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        tokio::time::sleep(self.call).await;
        let limit = self.bytes_per_second;
        let slow = move |chunk: Result<Bytes>| async move {
            pass(chunk.as_ref().map_or(0, Bytes::len), limit).await;
            chunk
        };
        Ok(self.inner.read(key, range).await?.then(slow).boxed())
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        tokio::time::sleep(self.call).await;
        self.inner.stat(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        let (call, inner) = (self.call, self.inner.list(prefix));
        let late = async move {
            tokio::time::sleep(call).await;
            inner
        };
        stream::once(late).flatten().boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        tokio::time::sleep(self.call).await;
        self.inner.delete(key).await
    }
}

struct LatencyUpload {
    inner: Box<dyn Upload>,
    call: Duration,
    limit: Option<u64>,
}

#[async_trait]
impl Upload for LatencyUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        pass(chunk.len(), self.limit).await;
        self.inner.write(chunk).await
    }

    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        tokio::time::sleep(self.call).await;
        self.inner.finish().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStorage, storage_contract};
    use std::sync::Arc;
    use strongroom_core::StorageExt as _;

    #[tokio::test(start_paused = true)]
    async fn it_keeps_the_contract_and_takes_its_time() {
        let slow = || Latency::new(MemoryStorage::new(), Duration::from_millis(10)).with_bytes_per_second(1000);
        storage_contract(Arc::new(slow()), "").await;
        let (storage, key) = (slow(), Key::new("a").unwrap());
        let start = tokio::time::Instant::now();
        storage.put_new(&key, vec![0; 5000].into()).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_millis(5020));
        storage.get(&key, 5000).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_millis(10_030));
    }
}
