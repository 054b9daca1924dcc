//! A storage in this process's memory.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Error, Key, PutMode, Result, Storage, Timestamp, Upload};

use crate::rules::{check_folder, check_range};

/// Objects in memory. Gone when the process ends; a named one is shared and kept until then.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    objects: Arc<Mutex<BTreeMap<Key, (Bytes, Timestamp)>>>,
}

static NAMED: LazyLock<Mutex<HashMap<String, Arc<MemoryStorage>>>> = LazyLock::new(Mutex::default);

/// A map stays whole when a holder of its lock panics: every change is one insert or remove.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStorage {
    /// A storage of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The storage of that name in this process; empty the first time.
    #[must_use]
    pub fn named(name: &str) -> Arc<Self> {
        lock(&NAMED).entry(name.to_owned()).or_default().clone()
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStorage({} objects)", lock(&self.objects).len())
    }
}

fn not_found(key: &Key) -> Error {
    Error::not_found(format!("{key} is not in memory"))
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        Ok(Box::new(MemoryUpload { storage: self.clone(), key: key.clone(), mode, body: BytesMut::new() }))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        let (body, _) = lock(&self.objects).get(key).cloned().ok_or_else(|| not_found(key))?;
        let range = check_range(key, range, body.len() as u64)?;
        // Both ends lie within the body, whose length is a usize.
        #[expect(clippy::cast_possible_truncation, reason = "checked against the body's length")]
        let body = body.slice(range.start as usize..range.end as usize);
        let chunk = 1 << 20;
        let count = body.len().div_ceil(chunk);
        Ok(stream::iter((0..count).map(move |at| Ok(body.slice(at * chunk..body.len().min((at + 1) * chunk))))).boxed())
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        let objects = lock(&self.objects);
        let (body, modified) = objects.get(key).ok_or_else(|| not_found(key))?;
        Ok(ObjectMeta { key: key.clone(), size: body.len() as u64, modified: Some(*modified) })
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        if let Err(error) = check_folder(prefix) {
            return stream::iter([Err(error)]).boxed();
        }
        let found: Vec<_> = lock(&self.objects)
            .iter()
            .filter(|(key, _)| key.as_str().starts_with(prefix))
            .map(|(key, (body, at))| Ok(ObjectMeta { key: key.clone(), size: body.len() as u64, modified: Some(*at) }))
            .collect();
        stream::iter(found).boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        lock(&self.objects).remove(key);
        Ok(())
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
        let Self { storage, key, mode, body } = *self;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let modified = Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX));
        let size = body.len() as u64;
        let mut objects = lock(&storage.objects);
        if mode == PutMode::CreateNew && objects.contains_key(&key) {
            return Err(Error::already_exists(format!("{key} exists in memory")));
        }
        objects.insert(key.clone(), (body.freeze(), modified));
        Ok(ObjectMeta { key, size, modified: Some(modified) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_core::StorageExt as _;

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_contract() {
        strongroom_testkit::storage_contract(Arc::new(MemoryStorage::new()), "").await;
    }

    #[tokio::test]
    async fn a_name_is_shared_and_other_names_are_apart() {
        let key = Key::new("a/b").unwrap();
        MemoryStorage::named("shared").put_new(&key, Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(MemoryStorage::named("shared").get(&key, 10).await.unwrap(), "x");
        assert!(!MemoryStorage::named("other").exists(&key).await.unwrap());
    }
}
