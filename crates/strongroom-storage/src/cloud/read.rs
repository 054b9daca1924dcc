//! Reads in parts: a few on their way at once, none held open while the consumer thinks.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use opendal::{Buffer, ErrorKind as Cause, Metadata, Reader};
use strongroom_core::{ByteStream, Error, ErrorKind, Key, Result};
use tokio_util::task::AbortOnDropHandle;

use super::{Cloud, Pin};
use crate::rules::check_range;

/// Opens an object. The first part is read at once: it tells the size, and whether the object is there at all.
pub(super) async fn open(cloud: Arc<Cloud>, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
    if let Some(range) = &range
        && range.start >= range.end
    {
        return open_empty(&cloud, key, range.clone()).await;
    }
    let part = cloud.part_size as u64;
    let (meta, mut body) = match request(&cloud, key, range.as_ref()).await {
        Ok(opened) => opened,
        Err(error) => {
            let error = cloud.missing(cloud.error(&error, key)).await;
            // Not every service says how long the object is that a range starts behind; Azurite gives a broken range.
            if range.is_some() && (error.kind() == ErrorKind::Invalid || error.message().contains("content range")) {
                check_range(key, range, stat(&cloud, key).await?.content_length())?;
            }
            return Err(error);
        }
    };
    let wanted = check_range(key, range, meta.content_length())?;
    let mut first = Vec::new();
    let mut got = wanted.start;
    while got < wanted.end && got - wanted.start < part {
        let Some(buffer) = body.next().await else { break };
        let buffer = buffer.map_err(|error| cloud.error(&error, key))?;
        got += buffer.len() as u64;
        first.extend(chunks(buffer));
    }
    // The connection must not wait for the consumer.
    drop(body);
    if got < wanted.end && got - wanted.start < part {
        return Err(shorter(&cloud, key));
    }
    let rest =
        if got < wanted.end { further(cloud, key, &meta, got..wanted.end).await? } else { stream::empty().boxed() };
    Ok(stream::iter(first).chain(rest).boxed())
}

/// Asks for the first part of `range`, or for the whole object, and learns its size from the answer's head.
async fn request(
    cloud: &Arc<Cloud>,
    key: &Key,
    range: Option<&Range<u64>>,
) -> opendal::Result<(Metadata, opendal::BufferStream)> {
    let reader = cloud.operator.reader(key.as_str()).await?;
    let part = cloud.part_size as u64;
    let mut body = match range {
        Some(range) => reader.into_stream(range.start..range.end.min(range.start.saturating_add(part))).await?,
        None => reader.into_stream(..).await?,
    };
    let meta = match body.metadata().await {
        Err(error) if error.kind() == Cause::Unsupported => cloud.operator.stat(key.as_str()).await?,
        meta => meta?,
    };
    Ok((meta, body))
}

fn shorter(cloud: &Cloud, key: &Key) -> Error {
    Error::corrupt(format!("{}: {key} became shorter while it was read", cloud.place))
}

/// Nothing is asked for, of an object that must be there and reach that far.
async fn open_empty(cloud: &Arc<Cloud>, key: &Key, range: Range<u64>) -> Result<ByteStream> {
    let size = stat(cloud, key).await?.content_length();
    check_range(key, Some(range), size)?;
    Ok(stream::empty().boxed())
}

async fn stat(cloud: &Arc<Cloud>, key: &Key) -> Result<Metadata> {
    match cloud.operator.stat(key.as_str()).await {
        Ok(meta) => Ok(meta),
        Err(error) => Err(cloud.missing(cloud.error(&error, key)).await),
    }
}

/// The parts of `range`, in order, of the version that `meta` describes.
async fn further(cloud: Arc<Cloud>, key: &Key, meta: &Metadata, range: Range<u64>) -> Result<ByteStream> {
    let reader = cloud.operator.reader_with(key.as_str());
    let reader = match (cloud.pin, meta.version(), meta.etag()) {
        (Pin::Version, Some(version), _) => reader.if_version_match(version),
        (Pin::Etag, _, Some(etag)) => reader.if_match(etag),
        _ => reader,
    };
    let reader = Arc::new(reader.await.map_err(|error| cloud.error(&error, key))?);
    let part = cloud.part_size as u64;
    let parts = stream::unfold(range.start, move |start| {
        let end = range.end.min(start.saturating_add(part));
        std::future::ready((start < end).then_some((start..end, end)))
    });
    let (concurrency, key) = (cloud.concurrency, key.clone());
    let results = parts
        .map(move |part| {
            AbortOnDropHandle::new(tokio::spawn(read_part(cloud.clone(), key.clone(), reader.clone(), part)))
        })
        .buffered(concurrency)
        .map(|joined| joined.unwrap_or_else(|error| Err(Error::internal("a read task died").because(error))));
    // After an error the stream ends.
    let ended = results.scan(false, |failed, result| {
        let go_on = !std::mem::replace(failed, result.is_err());
        std::future::ready(go_on.then_some(result))
    });
    Ok(ended
        .flat_map(|result| {
            stream::iter(match result {
                Ok(buffer) => chunks(buffer),
                Err(error) => vec![Err(error)],
            })
        })
        .boxed())
}

async fn read_part(cloud: Arc<Cloud>, key: Key, reader: Arc<Reader>, part: Range<u64>) -> Result<Buffer> {
    let buffer = reader.read(part.clone()).await.map_err(|error| match error.kind() {
        Cause::ConditionNotMatch => {
            Error::unavailable(format!("{}: {key} was replaced while it was read", cloud.place)).hint("read it again")
        }
        _ => cloud.error(&error, &key),
    })?;
    if buffer.len() as u64 != part.end - part.start {
        return Err(shorter(&cloud, &key));
    }
    Ok(buffer)
}

fn chunks(buffer: Buffer) -> Vec<Result<Bytes>> {
    Iterator::map(buffer, Ok).collect()
}
