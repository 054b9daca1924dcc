//! A storage that takes its time, loses replies, crashes, and lists badly, all by a seed or a count.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Error, Key, PutMode, Result, Storage, Upload};
use strongroom_testkit::MemoryStorage;

/// What happens to the operation at which it crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Nothing of it is done.
    Before,
    /// It is done, and nobody hears of it.
    After,
}

#[derive(Debug)]
struct Faults {
    random: AtomicU64,
    /// Each operation takes up to so many milliseconds.
    delay: u64,
    /// Of 100 finished uploads, how many lose their reply.
    lost_replies: u64,
    /// Operations left until the crash; negative = crashed.
    left: AtomicI64,
    crash: Crash,
    /// Left out of so many listings, and whether the page fails instead.
    hidden: Mutex<Option<(String, bool, usize)>>,
    /// Listings tell no times.
    timeless: AtomicBool,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Shaken {
    inner: MemoryStorage,
    faults: Arc<Faults>,
}

impl Shaken {
    pub(crate) fn new(inner: &MemoryStorage, seed: u64, delay: u64, lost_replies: u64) -> Self {
        Self::with(inner, seed, delay, lost_replies, None)
    }

    /// Crashes at operation number `at`: every call from then on fails.
    pub(crate) fn crashing(inner: &MemoryStorage, at: i64, crash: Crash) -> Self {
        Self::with(inner, 0, 0, 0, Some((at, crash)))
    }

    fn with(inner: &MemoryStorage, seed: u64, delay: u64, lost_replies: u64, crash: Option<(i64, Crash)>) -> Self {
        let faults = Faults {
            random: AtomicU64::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            delay,
            lost_replies,
            left: AtomicI64::new(crash.map_or(i64::MAX, |(at, _)| at)),
            crash: crash.map_or(Crash::After, |(_, crash)| crash),
            hidden: Mutex::new(None),
            timeless: AtomicBool::new(false),
        };
        Self { inner: inner.clone(), faults: Arc::new(faults) }
    }

    /// Listings lack names with `text` in them, or (`fails`) end with an error there.
    pub(crate) fn hide(&self, text: &str, fails: bool) {
        *self.faults.hidden.lock().unwrap() = Some((text.to_owned(), fails, usize::MAX));
    }

    /// The next listing lacks names with `text` in them, as one that lags behind.
    pub(crate) fn lag_once(&self, text: &str) {
        *self.faults.hidden.lock().unwrap() = Some((text.to_owned(), false, 1));
    }

    /// Listings tell no times from now on.
    pub(crate) fn forget_times(&self) {
        self.faults.timeless.store(true, Ordering::Relaxed);
    }

    /// Crashes `steps` operations from now, after that one took effect.
    pub(crate) fn fail_in(&self, steps: i64) {
        self.faults.left.store(steps, Ordering::Relaxed);
    }

    /// Works again.
    pub(crate) fn heal(&self) {
        self.faults.left.store(i64::MAX, Ordering::Relaxed);
    }

    pub(crate) fn crashed(&self) -> bool {
        self.faults.left.load(Ordering::Relaxed) < 0
    }

    /// Waits; gives the mode if this is the operation at which it crashes.
    async fn step(&self) -> Result<Option<Crash>> {
        if self.faults.delay > 0 {
            tokio::time::sleep(Duration::from_millis(self.faults.random(self.faults.delay))).await;
        }
        match self.faults.left.fetch_sub(1, Ordering::Relaxed) {
            0 => Ok(Some(self.faults.crash)),
            left if left < 0 => Err(crashed()),
            _ => Ok(None),
        }
    }
}

impl Faults {
    /// What this listing lacks, and whether it fails there.
    fn hidden(&self) -> Option<(String, bool)> {
        let mut hidden = self.hidden.lock().unwrap();
        let (text, fails, times) = hidden.as_mut()?;
        *times = times.checked_sub(1)?;
        Some((text.clone(), *fails))
    }

    fn random(&self, below: u64) -> u64 {
        let mut z = self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below.max(1)
    }
}

fn crashed() -> Error {
    Error::unavailable("the process is dead")
}

#[async_trait]
impl Storage for Shaken {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        Ok(Box::new(ShakenUpload { upload: self.inner.create(key, mode).await?, storage: self.clone() }))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        match self.step().await? {
            Some(_) => Err(crashed()),
            None => self.inner.read(key, range).await,
        }
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        match self.step().await? {
            Some(_) => Err(crashed()),
            None => self.inner.stat(key).await,
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        let (storage, prefix) = (self.clone(), prefix.to_owned());
        stream::once(async move {
            if !matches!(storage.step().await, Ok(None)) {
                return stream::iter(vec![Err(crashed())]).boxed();
            }
            let mut all: Vec<_> = storage.inner.list(&prefix).collect().await;
            if storage.faults.timeless.load(Ordering::Relaxed) {
                all.iter_mut().flatten().for_each(|meta| meta.modified = None);
            }
            let Some((text, fails)) = storage.faults.hidden() else { return stream::iter(all).boxed() };
            let is_hidden =
                move |item: &Result<ObjectMeta>| item.as_ref().is_ok_and(|meta| meta.key.as_str().contains(&text));
            let some_hidden = all.iter().any(&is_hidden);
            let mut left: Vec<_> = all.into_iter().filter(|item| !is_hidden(item)).collect();
            if some_hidden && fails {
                left.push(Err(Error::unavailable("the next page did not come")));
            }
            stream::iter(left).boxed()
        })
        .flatten()
        .boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        match self.step().await? {
            Some(Crash::Before) => Err(crashed()),
            Some(Crash::After) => {
                self.inner.delete(key).await?;
                Err(crashed())
            }
            None => self.inner.delete(key).await,
        }
    }
}

struct ShakenUpload {
    upload: Box<dyn Upload>,
    storage: Shaken,
}

#[async_trait]
impl Upload for ShakenUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.upload.write(chunk).await
    }

    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        match self.storage.step().await? {
            Some(Crash::Before) => return Err(crashed()),
            Some(Crash::After) => {
                self.upload.finish().await?;
                return Err(crashed());
            }
            None => {}
        }
        let meta = self.upload.finish().await?;
        if self.storage.faults.random(100) < self.storage.faults.lost_replies {
            return Err(Error::unavailable("the reply was lost"));
        }
        Ok(meta)
    }
}
