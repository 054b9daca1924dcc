//! Large bodies that need no memory: made and checked as they pass.

use std::ops::Range;

use bytes::Bytes;
use futures::StreamExt as _;
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{Key, PutMode, Result, Storage, Upload};

/// A body of `size` bytes that depends on `seed` and does not repeat within any range that a fault could swap.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) seed: u64,
    pub(crate) size: u64,
}

impl Pattern {
    /// Eight bytes for each word: a mix of the seed and the place.
    fn word(&self, at: u64) -> [u8; 8] {
        let mixed = (at ^ self.seed.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ (mixed >> 29)).to_le_bytes()
    }

    pub(crate) fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let mut out = Vec::with_capacity(usize::try_from(range.end - range.start).unwrap() + 16);
        for word in range.start / 8..range.end.div_ceil(8) {
            out.extend_from_slice(&self.word(word));
        }
        let skip = usize::try_from(range.start % 8).unwrap();
        out.drain(..skip);
        out.truncate(usize::try_from(range.end - range.start).unwrap());
        out
    }
}

const CHUNK: u64 = 1 << 20;

/// Writes the first `until` bytes.
pub(crate) async fn feed(upload: &mut Box<dyn Upload>, body: &Pattern, until: u64) -> Result<()> {
    let mut at = 0;
    while at < until {
        let end = until.min(at + CHUNK);
        upload.write(Bytes::from(body.bytes(at..end))).await?;
        at = end;
    }
    Ok(())
}

pub(crate) async fn write(storage: &dyn Storage, key: &Key, body: &Pattern, mode: PutMode) -> Result<ObjectMeta> {
    let mut upload = storage.create(key, mode).await?;
    feed(&mut upload, body, body.size).await?;
    let meta = upload.finish().await?;
    assert_eq!(meta.size, body.size);
    Ok(meta)
}

/// Reads and compares byte by byte; gives an error of the storage back.
pub(crate) async fn compare(storage: &dyn Storage, key: &Key, body: &Pattern, range: Option<Range<u64>>) -> Result<()> {
    let expected = range.clone().unwrap_or(0..body.size);
    let mut at = expected.start;
    let mut stream = storage.read(key, range).await?;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        let end = at + chunk.len() as u64;
        assert!(end <= expected.end, "{key}: more bytes than there are");
        assert!(body.bytes(at..end) == chunk, "{key}: other bytes than written in {at}..{end}");
        at = end;
    }
    assert_eq!(at, expected.end, "{key}: fewer bytes than written");
    Ok(())
}

pub(crate) async fn check(storage: &dyn Storage, key: &Key, body: &Pattern, range: Option<Range<u64>>) {
    compare(storage, key, body, range).await.unwrap();
}
