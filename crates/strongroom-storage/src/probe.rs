//! Trying a storage out before it is trusted.

use bytes::Bytes;
use futures::StreamExt as _;
use serde::Serialize;
use strongroom_core::{Error, ErrorKind, Key, PutMode, Result, Storage, StorageExt as _, Timestamp};

/// What [`probe`] found: the first thing that failed is its error instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProbeReport {
    /// Whether a second writer of one name was refused. Without that, two writers can destroy each other's work.
    pub refuses_replacing: bool,
    /// Whether the probe object could be deleted. Backing up doesn't need that, pruning does.
    pub deletes: bool,
    /// How many microseconds the storage's clock is ahead of ours, if it tells.
    pub clock_ahead_micros: Option<i64>,
}

/// Lists, writes, reads back, writes again without replacing, and deletes one object: `probe/<name>`.
///
/// `name` must be new each time, one segment of a key; `now` is the clock's time, to compare the storage's with.
///
/// # Errors
/// `Denied`, `Unavailable`, `NotFound` (no such bucket) and `NoSpace` as the storage answers; `Corrupt` when it gives back
/// something else than was written.
pub async fn probe(storage: &dyn Storage, name: &str, now: Timestamp) -> Result<ProbeReport> {
    let key = Key::new(format!("probe/{name}"))?;
    if let Some(Err(error)) = storage.list("").next().await
        && error.kind() != ErrorKind::Invalid
    {
        return Err(error.within("listing"));
    }
    let body = Bytes::from(format!("strongroom probe {name}\n"));
    storage.put_new(&key, body.clone()).await.map_err(|error| error.within("writing"))?;
    let checked = check(storage, &key, &body, now).await;
    let deletes = match storage.delete(&key).await {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::Denied => false,
        // What went wrong first is told first.
        Err(error) => return Err(checked.err().unwrap_or_else(|| error.within("deleting"))),
    };
    let (refuses_replacing, clock_ahead_micros) = checked?;
    Ok(ProbeReport { refuses_replacing, deletes, clock_ahead_micros })
}

async fn check(storage: &dyn Storage, key: &Key, body: &Bytes, now: Timestamp) -> Result<(bool, Option<i64>)> {
    let there = storage.get(key, 1 << 10).await.map_err(|error| error.within("reading"))?;
    if there != body {
        return Err(Error::corrupt(format!("{key} was read back different from what was written")));
    }
    let meta = storage.stat(key).await.map_err(|error| error.within("looking up"))?;
    let second = async {
        let mut upload = storage.create(key, PutMode::CreateNew).await?;
        upload.write(Bytes::from_static(b"second writer\n")).await?;
        upload.finish().await
    };
    let refuses = match second.await {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => true,
        Err(error) => return Err(error.within("writing a second time")),
    };
    Ok((refuses, meta.modified.map(|modified| modified.since(now))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStorage;

    #[tokio::test]
    async fn a_sound_storage_passes_and_is_left_as_it_was() {
        let storage = MemoryStorage::new();
        let report = probe(&storage, "n1", Timestamp::EPOCH).await.unwrap();
        assert!(report.refuses_replacing && report.deletes);
        assert!(report.clock_ahead_micros.unwrap() > 0);
        assert_eq!(storage.list("").count().await, 0);
    }

    #[tokio::test]
    async fn a_name_that_is_taken_is_told() {
        let storage = MemoryStorage::new();
        storage.put_new(&Key::new("probe/n1").unwrap(), Bytes::from_static(b"other")).await.unwrap();
        let error = probe(&storage, "n1", Timestamp::EPOCH).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
}
