//! A storage written in JavaScript.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use strongroom::core::storage::ObjectMeta;
use strongroom::core::{ByteStream, PutMode, Upload};
use strongroom::{Error, Key, Result, Storage, Timestamp};

use crate::port::{Going, Port};

/// A storage whose methods are JavaScript's.
#[derive(Debug)]
pub(crate) struct JsStorage(pub(crate) Port);

#[derive(Deserialize)]
struct Meta {
    key: String,
    size: u64,
    /// Microseconds since 1970.
    modified: Option<i64>,
}

impl Meta {
    fn named(self) -> Result<ObjectMeta> {
        let modified = self.modified.map(Timestamp::from_micros);
        Ok(ObjectMeta { key: Key::new(self.key)?, size: self.size, modified })
    }
}

/// The bytes of something that gives them.
fn bytes_of(going: Going) -> ByteStream {
    let chunks = stream::try_unfold(Some(going), |going| async move {
        let Some(mut going) = going else { return Ok(None) };
        if let Some(chunk) = going.call("next", None).await?.bytes {
            return Ok(Some((Bytes::from(Vec::from(chunk)), Some(going))));
        }
        going.ended();
        Ok(None)
    });
    chunks.boxed()
}

#[async_trait]
impl Storage for JsStorage {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        let mode = match mode {
            PutMode::CreateNew => "create-new",
            PutMode::Overwrite => "overwrite",
        };
        Ok(Box::new(JsUpload(self.0.begin("create", &(key.as_str(), mode)).await?)))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        let range = range.map(|range| (range.start, range.end));
        Ok(bytes_of(self.0.begin("read", &(key.as_str(), range)).await?))
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        self.0.ask::<Meta>("stat", &(key.as_str(),)).await?.named()
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        let (port, prefix) = (self.0.clone(), prefix.to_owned());
        let begun = stream::once(async move { port.begin("list", &(prefix,)).await });
        let pages = begun.map_ok(|going| {
            stream::try_unfold(Some(going), |going| async move {
                let Some(mut going) = going else { return Ok::<_, Error>(None) };
                let page: Vec<Meta> = going.call("page", None).await?.read("list")?;
                if page.is_empty() {
                    going.ended();
                    return Ok(None);
                }
                Ok(Some((stream::iter(page).map(Meta::named), Some(going))))
            })
        });
        pages.try_flatten().try_flatten().boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.call("delete", &(key.as_str(),)).await.map(drop)
    }
}

/// An upload of a storage written in JavaScript.
struct JsUpload(Going);

#[async_trait]
impl Upload for JsUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.0.call("write", Some(chunk)).await.map(drop)
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        let finished = self.0.call("finish", None).await?;
        self.0.ended();
        finished.read::<Meta>("finish")?.named()
    }
}
