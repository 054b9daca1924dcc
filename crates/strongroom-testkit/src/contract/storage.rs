//! What every [`Storage`] promises.

mod crash;
mod objects;
mod races;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ErrorKind, Key, PutMode, Result, Storage};

/// Checks every promise of [`Storage`] and [`Upload`](strongroom_core::Upload) below `prefix` (`""`, or text that
/// ends in `/`), where nothing may be yet; what it wrote is deleted again. Needs a tokio runtime, best one with
/// several threads. Moves about 50 MB.
///
/// # Panics
/// When a promise is broken, with its clause.
pub async fn storage_contract(storage: Arc<dyn Storage>, prefix: &str) {
    let check = Check { storage, prefix: prefix.to_owned() };
    check.starts_empty().await;
    check.missing_objects().await;
    check.small_objects().await;
    check.ranges().await;
    check.keys().await;
    check.modes().await;
    check.lists().await;
    check.deletes().await;
    check.big_object().await;
    check.uploads_in_turn().await;
    check.races().await;
    check.overwrites_are_whole().await;
    check.dropped_uploads().await;
    check.dropped_at_every_await_point().await;
    check.clean_up().await;
}

struct Check {
    storage: Arc<dyn Storage>,
    prefix: String,
}

/// Bytes that tell their place, so that mixed-up chunks are noticed.
fn pattern(length: usize, salt: u8) -> Bytes {
    let mut body = vec![0; length];
    fastrand::Rng::with_seed(u64::from(salt)).fill(&mut body);
    body.into()
}

/// Fails with the clause if `result` is not an error of `kind`.
fn refused<T: Debug>(clause: &str, kind: ErrorKind, result: Result<T>) {
    match result {
        Ok(value) => panic!("storage contract: {clause}: must be {kind}, but succeeded with {value:?}"),
        Err(error) if error.kind() == kind => {}
        Err(error) => panic!("storage contract: {clause}: must be {kind}, but the error is {error:?}"),
    }
}

/// The value, or a failure that names the clause.
fn granted<T>(clause: &str, result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("storage contract: {clause}: {error:?}"))
}

impl Check {
    fn key(&self, name: &str) -> Key {
        granted("the test's own name", Key::new(format!("{}{name}", self.prefix)))
    }

    async fn put(&self, key: &Key, mode: PutMode, chunks: &[Bytes]) -> Result<ObjectMeta> {
        let mut upload = self.storage.create(key, mode).await?;
        for chunk in chunks {
            upload.write(chunk.clone()).await?;
        }
        upload.finish().await
    }

    async fn put_whole(&self, key: &Key, mode: PutMode, body: &Bytes) -> Result<ObjectMeta> {
        self.put(key, mode, std::slice::from_ref(body)).await
    }

    async fn write(&self, name: &str, body: &Bytes) -> Key {
        let key = self.key(name);
        let meta = granted("Overwrite must succeed", self.put_whole(&key, PutMode::Overwrite, body).await);
        assert_eq!(meta.key, key, "storage contract: finish must give the object's own name");
        assert_eq!(meta.size, body.len() as u64, "storage contract: finish must give the object's size ({key})");
        key
    }

    async fn read(&self, key: &Key, range: Option<std::ops::Range<u64>>) -> Result<Bytes> {
        let mut stream = self.storage.read(key, range).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            body.extend_from_slice(&chunk?);
        }
        Ok(body.freeze())
    }

    async fn expect_body(&self, clause: &str, key: &Key, body: &Bytes) {
        let found = granted(clause, self.read(key, None).await);
        assert!(
            found == *body,
            "storage contract: {clause}: {key} has {} other bytes, expected {}",
            found.len(),
            body.len()
        );
        let meta = granted(clause, self.storage.stat(key).await);
        assert_eq!((&meta.key, meta.size), (key, body.len() as u64), "storage contract: {clause}: stat of {key}");
    }

    async fn expect_missing(&self, clause: &str, key: &Key) {
        refused(&format!("{clause}: stat of {key}"), ErrorKind::NotFound, self.storage.stat(key).await);
        refused(&format!("{clause}: read of {key}"), ErrorKind::NotFound, self.read(key, None).await);
        assert!(!self.list("").await.contains_key(key), "storage contract: {clause}: {key} must not be listed");
    }

    /// What is listed below `folder` (relative to the test's prefix), with sizes; fails on doubles.
    async fn list(&self, folder: &str) -> BTreeMap<Key, u64> {
        let prefix = format!("{}{folder}", self.prefix);
        let mut found = BTreeMap::new();
        let mut stream = self.storage.list(&prefix);
        while let Some(item) = stream.next().await {
            let meta = granted("list must give no error", item);
            let double = found.insert(meta.key.clone(), meta.size);
            assert!(double.is_none(), "storage contract: list gave {} twice", meta.key);
        }
        found
    }

    async fn starts_empty(&self) {
        let found = self.list("").await;
        assert!(
            found.is_empty(),
            "storage contract: nothing may be below '{}' before the test, but {:?} is",
            self.prefix,
            found.keys().next()
        );
    }

    async fn clean_up(&self) {
        for key in self.list("").await.into_keys() {
            granted("delete must succeed", self.storage.delete(&key).await);
        }
        let left = self.list("").await;
        assert!(left.is_empty(), "storage contract: what was deleted must not be listed, but {left:?} is");
    }
}
