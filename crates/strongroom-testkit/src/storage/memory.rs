//! Objects in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Error, Key, PutMode, Result, Storage, Timestamp, Upload};

/// The whole content of a storage: what a test saves, compares, damages and puts back.
pub type Contents = BTreeMap<Key, Bytes>;

/// The order in which [`MemoryStorage`] lists. The trait promises none, so code under test must live with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListOrder {
    /// By name.
    #[default]
    Sorted,
    /// By name, backwards.
    Reversed,
    /// Shuffled by this seed, another way at every listing.
    Shuffled(u64),
}

/// A storage in memory that keeps the whole contract. Clones share their objects.
///
/// `modified` is a count of writes in microseconds since 1970, so that nothing depends on today's date.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    objects: BTreeMap<Key, Object>,
    order: ListOrder,
    chunk: usize,
    writes: i64,
    listings: u64,
}

#[derive(Debug, Clone)]
struct Object {
    body: Bytes,
    modified: Timestamp,
}

impl Default for Inner {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), order: ListOrder::default(), chunk: 256 * 1024, writes: 0, listings: 0 }
    }
}

impl MemoryStorage {
    /// An empty one that lists by name and reads in chunks of 256 KiB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that holds `contents`.
    #[must_use]
    pub fn holding(contents: Contents) -> Self {
        let storage = Self::new();
        storage.replace(contents);
        storage
    }

    /// Lists in another order from now on.
    #[must_use]
    pub fn with_order(self, order: ListOrder) -> Self {
        self.lock().order = order;
        self
    }

    /// Reads in chunks of `bytes` from now on (at least 1).
    #[must_use]
    pub fn with_chunk(self, bytes: usize) -> Self {
        self.lock().chunk = bytes.max(1);
        self
    }

    /// Everything that is in it now.
    #[must_use]
    pub fn contents(&self) -> Contents {
        self.lock().objects.iter().map(|(key, object)| (key.clone(), object.body.clone())).collect()
    }

    /// The names of everything that is in it now, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        self.lock().objects.keys().cloned().collect()
    }

    /// Bytes of all objects together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lock().objects.values().map(|object| object.body.len() as u64).sum()
    }

    /// Puts `contents` in place of everything that is in it.
    pub fn replace(&self, contents: Contents) {
        let mut inner = self.lock();
        inner.objects.clear();
        for (key, body) in contents {
            inner.put(key, body);
        }
    }

    /// Puts one object, whether it exists or not: for damage.
    pub fn put(&self, key: Key, body: impl Into<Bytes>) {
        self.lock().put(key, body.into());
    }

    /// Takes one object away and gives its bytes, if it was there.
    #[must_use]
    pub fn take(&self, key: &Key) -> Option<Bytes> {
        self.lock().objects.remove(key).map(|object| object.body)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &Key) -> Result<Object> {
        self.lock().objects.get(key).cloned().ok_or_else(|| Error::not_found(format!("object {key}")))
    }

    fn listing(&self, prefix: &str) -> Vec<ObjectMeta> {
        let mut inner = self.lock();
        inner.listings += 1;
        let mut found: Vec<_> = inner
            .objects
            .iter()
            .filter(|(key, _)| key.as_str().starts_with(prefix))
            .map(|(key, object)| object.meta(key))
            .collect();
        match inner.order {
            ListOrder::Sorted => {}
            ListOrder::Reversed => found.reverse(),
            ListOrder::Shuffled(seed) => fastrand::Rng::with_seed(seed ^ inner.listings).shuffle(&mut found),
        }
        found
    }
}

impl Inner {
    fn put(&mut self, key: Key, body: Bytes) -> ObjectMeta {
        self.writes += 1;
        let object = Object { body, modified: Timestamp::from_micros(self.writes) };
        let meta = object.meta(&key);
        self.objects.insert(key, object);
        meta
    }
}

impl Object {
    fn meta(&self, key: &Key) -> ObjectMeta {
        ObjectMeta { key: key.clone(), size: self.body.len() as u64, modified: Some(self.modified) }
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        Ok(Box::new(MemoryUpload { storage: self.clone(), key: key.clone(), mode, body: BytesMut::new() }))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        let mut body = self.find(key)?.body;
        if let Some(range) = range {
            body = slice(key, &body, &range)?;
        }
        let chunk = self.lock().chunk;
        Ok(stream::unfold(body, move |mut rest| async move {
            (!rest.is_empty()).then(|| {
                let head = rest.split_to(chunk.min(rest.len()));
                (Ok(head), rest)
            })
        })
        .boxed())
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        Ok(self.find(key)?.meta(key))
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        let (storage, prefix) = (self.clone(), prefix.to_owned());
        // Looks only when polled, as a listing over a network would.
        stream::once(async move { stream::iter(storage.listing(&prefix).into_iter().map(Ok)) }).flatten().boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        drop(self.take(key));
        Ok(())
    }
}

fn slice(key: &Key, body: &Bytes, range: &Range<u64>) -> Result<Bytes> {
    let size = body.len();
    let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
    match bounds {
        Some((start, end)) if start <= end && end <= size => Ok(body.slice(start..end)),
        _ => Err(Error::invalid(format!("bytes {}..{} of {key}, which has {size} bytes", range.start, range.end))),
    }
}

struct MemoryUpload {
    storage: MemoryStorage,
    key: Key,
    mode: PutMode,
    body: BytesMut,
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.body.extend_from_slice(&chunk);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        let mut inner = self.storage.lock();
        if self.mode == PutMode::CreateNew && inner.objects.contains_key(&self.key) {
            return Err(Error::already_exists(format!("object {}", self.key)));
        }
        Ok(inner.put(self.key, self.body.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage_contract;

    #[tokio::test]
    async fn it_keeps_the_contract_in_every_order() {
        for order in [ListOrder::Sorted, ListOrder::Reversed, ListOrder::Shuffled(7)] {
            storage_contract(Arc::new(MemoryStorage::new().with_order(order)), "a/b/").await;
            storage_contract(Arc::new(MemoryStorage::new().with_order(order).with_chunk(1000)), "").await;
        }
    }

    #[tokio::test]
    async fn a_shuffled_listing_repeats_by_its_seed() {
        let list = async |seed| {
            let storage = MemoryStorage::new().with_order(ListOrder::Shuffled(seed));
            for number in 0..20 {
                storage.put(Key::new(format!("k{number}")).unwrap(), Bytes::new());
            }
            let names = storage.list("").map(|item| item.unwrap().key);
            names.collect::<Vec<_>>().await
        };
        assert_eq!(list(1).await, list(1).await);
        assert_ne!(list(1).await, list(2).await);
    }

    #[tokio::test]
    async fn contents_are_saved_and_put_back() {
        let key = |name: &str| Key::new(name).unwrap();
        let storage = MemoryStorage::new();
        storage.put(key("a"), "one");
        let saved = storage.contents();
        storage.put(key("b"), "two");
        assert_eq!(storage.take(&key("a")).unwrap(), "one");
        assert_eq!(storage.bytes(), 3);
        storage.replace(saved.clone());
        assert_eq!(storage.contents(), saved);
        assert_eq!(MemoryStorage::holding(saved).keys(), [key("a")]);
    }
}
