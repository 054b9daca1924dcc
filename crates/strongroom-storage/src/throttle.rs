//! Bytes per second, for reads and for writes.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Error, Key, PutMode, Result, Storage, Upload};
use tokio::time::Instant;

use crate::config::Limits;

/// A storage whose reads and writes keep to a rate each, over all its streams together.
///
/// The rate holds on average: a chunk passes whole, and the next one waits for what the chunk took.
#[derive(Debug)]
pub struct Throttled<S> {
    inner: S,
    read: Option<Arc<Pace>>,
    write: Option<Arc<Pace>>,
}

impl<S: Storage> Throttled<S> {
    /// Limits `inner`.
    ///
    /// # Errors
    /// `Invalid` for a limit of zero.
    pub fn new(inner: S, limits: Limits) -> Result<Self> {
        let pace = |name: &str, limit: Option<crate::ByteSize>| match limit {
            Some(limit) if limit.0 == 0 => Err(Error::invalid(format!("the {name} limit is 0 bytes per second"))),
            limit => Ok(limit.map(|limit| Arc::new(Pace { rate: limit.0, free: Mutex::new(None) }))),
        };
        Ok(Self { inner, read: pace("read", limits.read)?, write: pace("write", limits.write)? })
    }
}

/// When the next byte may pass.
#[derive(Debug)]
struct Pace {
    /// Bytes per second.
    rate: u64,
    free: Mutex<Option<Instant>>,
}

impl Pace {
    /// Waits until all earlier bytes have had their time, then books the time of `bytes`.
    async fn pass(&self, bytes: usize) {
        let start = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let start = free.map_or(now, |free| free.max(now));
            *free = start.checked_add(self.time_of(bytes)).or(*free);
            start
        };
        tokio::time::sleep_until(start).await;
    }

    fn time_of(&self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[async_trait]
impl<S: Storage> Storage for Throttled<S> {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        let inner = self.inner.create(key, mode).await?;
        Ok(match &self.write {
            Some(pace) => Box::new(ThrottledUpload { inner, pace: pace.clone() }),
            None => inner,
        })
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        let stream = self.inner.read(key, range).await?;
        let Some(pace) = self.read.clone() else { return Ok(stream) };
        Ok(stream
            .then(move |chunk| {
                let pace = pace.clone();
                async move {
                    if let Ok(chunk) = &chunk {
                        pace.pass(chunk.len()).await;
                    }
                    chunk
                }
            })
            .boxed())
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        self.inner.stat(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.inner.delete(key).await
    }
}

struct ThrottledUpload {
    inner: Box<dyn Upload>,
    pace: Arc<Pace>,
}

#[async_trait]
impl Upload for ThrottledUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.pace.pass(chunk.len()).await;
        self.inner.write(chunk).await
    }

    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        self.inner.finish().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ByteSize, MemoryStorage};
    use futures::TryStreamExt as _;

    const CHUNK: usize = 100_000;

    fn limited(read: Option<u64>, write: Option<u64>) -> Throttled<MemoryStorage> {
        let limits = Limits { read: read.map(ByteSize), write: write.map(ByteSize) };
        Throttled::new(MemoryStorage::new(), limits).unwrap()
    }

    async fn write(storage: &impl Storage, key: &str, chunks: usize) -> Duration {
        let start = Instant::now();
        let mut upload = storage.create(&Key::new(key).unwrap(), PutMode::Overwrite).await.unwrap();
        for _ in 0..chunks {
            upload.write(Bytes::from(vec![7; CHUNK])).await.unwrap();
        }
        upload.finish().await.unwrap();
        start.elapsed()
    }

    async fn read(storage: &impl Storage, key: &str) -> (usize, Duration) {
        let start = Instant::now();
        let stream = storage.read(&Key::new(key).unwrap(), None).await.unwrap();
        let bytes = stream.try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len()) }).await.unwrap();
        (bytes, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn writes_keep_to_their_rate() {
        let storage = limited(None, Some(CHUNK as u64));
        // The first chunk passes at once, each further one after the second that the one before took.
        assert_eq!(write(&storage, "a", 11).await.as_secs(), 10);
        assert_eq!(read(&storage, "a").await, (11 * CHUNK, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn reads_keep_to_their_rate() {
        let storage = limited(Some(1 << 20), None);
        assert_eq!(write(&storage, "a", 100).await, Duration::ZERO);
        // Memory gives chunks of 1 MiB: nine whole ones and a rest, which passes after nine seconds.
        assert_eq!(read(&storage, "a").await.1.as_secs(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn streams_share_the_rate_and_an_idle_time_is_not_saved_up() {
        let storage = limited(None, Some(CHUNK as u64));
        let start = Instant::now();
        let streams: Vec<String> = (0..4).map(|stream| stream.to_string()).collect();
        futures::future::join_all(streams.iter().map(|key| write(&storage, key, 5))).await;
        assert_eq!(start.elapsed().as_secs(), 19);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(write(&storage, "later", 11).await.as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_url_sets_the_rates() {
        let url = "memory:throttled?write_limit=100KB&read_limit=50KB";
        let storage = crate::open(url, &crate::Options::default()).unwrap();
        assert_eq!(write(&storage, "a", 11).await.as_secs(), 10);
        let start = Instant::now();
        read(&storage, "a").await;
        read(&storage, "a").await;
        // Twice 22 s, but for the time of the last chunk, which nothing waits for.
        assert_eq!(start.elapsed().as_secs(), 42);
    }

    #[test]
    fn a_limit_of_zero_is_refused() {
        let limits = Limits { read: Some(ByteSize(0)), write: None };
        assert!(Throttled::new(MemoryStorage::new(), limits).is_err());
    }
}
