//! S3, Azure Blob and GCS, through `OpenDAL`'s operators.
//!
//! `OpenDAL` speaks the protocols, signs, limits, times out and retries. This module adds what it leaves open: uploads that
//! are always finished or aborted, reads that never hold a connection while the consumer thinks, one meaning of errors
//! over all providers, and a TLS stack without C.

mod build;
mod errors;
mod read;
mod transport;
mod upload;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use opendal::{EntryMode, Metadata, Operator};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Error, ErrorKind, Key, PutMode, Result, Storage, Timestamp, Upload};

use crate::rules::check_folder;
use errors::Place;

/// A bucket or container, or a folder in one.
#[derive(Clone)]
pub struct CloudStorage {
    cloud: Arc<Cloud>,
}

/// What all requests to one place share.
struct Cloud {
    operator: Operator,
    place: Place,
    /// Bytes per part and per read request.
    part_size: usize,
    /// Parts of one object on their way at once.
    concurrency: usize,
    /// How later parts of a read are tied to the version that the first came from.
    pin: Pin,
    /// Whether the bucket is known to exist: a missing object looks like a missing bucket in an answer without a body.
    bucket_seen: AtomicBool,
}

/// What a request for a part names, so that it is refused if the object was replaced.
#[derive(Debug, Clone, Copy)]
enum Pin {
    Version,
    Etag,
    Nothing,
}

impl fmt::Debug for CloudStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloudStorage({})", self.cloud.place)
    }
}

impl Cloud {
    fn error(&self, error: &opendal::Error, what: impl fmt::Display) -> Error {
        errors::explain(error, &self.place, what)
    }

    /// A folder that isn't there is empty: only a missing bucket is not found when listed.
    fn listing_error(&self, error: &opendal::Error) -> Error {
        match self.error(error, "listing") {
            error if error.kind() == ErrorKind::NotFound => errors::missing_bucket(&self.place),
            error => error,
        }
    }

    /// Tells a missing object from a missing bucket.
    async fn missing(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::NotFound || self.bucket_seen.load(Ordering::Relaxed) {
            return error;
        }
        // `OpenDAL`'s own check takes a missing bucket for an empty one.
        let first = async { self.operator.lister_with("/").limit(1).await?.try_next().await };
        match first.await.map_err(|error| self.listing_error(&error)) {
            Err(missing) if missing.kind() == ErrorKind::NotFound => missing,
            Err(busy) if busy.kind() == ErrorKind::Unavailable => error,
            // It is there, though perhaps not to be listed by us.
            Ok(_) | Err(_) => {
                self.bucket_seen.store(true, Ordering::Relaxed);
                error
            }
        }
    }
}

#[async_trait]
impl Storage for CloudStorage {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        Ok(Box::new(upload::CloudUpload::start(self.cloud.clone(), key.clone(), mode).await?))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        read::open(self.cloud.clone(), key, range).await
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        match self.cloud.operator.stat(key.as_str()).await {
            Ok(meta) => Ok(describe(key.clone(), &meta)),
            Err(error) => Err(self.cloud.missing(self.cloud.error(&error, key)).await),
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        if let Err(error) = check_folder(prefix) {
            return stream::iter([Err(error)]).boxed();
        }
        let (cloud, prefix) = (self.cloud.clone(), prefix.to_owned());
        let open = async move {
            let folder = if prefix.is_empty() { "/" } else { &prefix };
            match cloud.operator.lister_with(folder).recursive(true).await {
                Ok(lister) => lister.map(move |entry| found(&cloud, entry)).filter_map(std::future::ready).boxed(),
                Err(error) => stream::iter([Err(cloud.listing_error(&error))]).boxed(),
            }
        };
        stream::once(open).flatten().boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        match self.cloud.operator.delete(key.as_str()).await {
            Ok(()) => Ok(()),
            Err(error) => match self.cloud.error(&error, key) {
                error if error.kind() == ErrorKind::NotFound && !errors::is_missing_bucket(&error) => Ok(()),
                error => Err(error),
            },
        }
    }
}

/// The item for one entry of a listing; markers of folders are no objects.
fn found(cloud: &Cloud, entry: opendal::Result<opendal::Entry>) -> Option<Result<ObjectMeta>> {
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => return Some(Err(cloud.listing_error(&error))),
    };
    if entry.metadata().mode() != EntryMode::FILE {
        return None;
    }
    Some(match Key::new(entry.path()) {
        Ok(key) => Ok(describe(key, entry.metadata())),
        Err(_) => Err(Error::invalid(format!(
            "{}: '{}' has a name that no object of strongroom has",
            cloud.place,
            entry.path().escape_debug()
        ))
        .hint("it was not put there by strongroom: move it elsewhere")),
    })
}

fn describe(key: Key, meta: &Metadata) -> ObjectMeta {
    let modified = meta.last_modified().map(|at| Timestamp::from_micros(at.into_inner().as_microsecond()));
    ObjectMeta { key, size: meta.content_length(), modified }
}
