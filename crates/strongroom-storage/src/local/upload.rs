//! Writing one object into a temporary file.

use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{Error, Key, PutMode, Result, Upload};

use super::temp::TempFile;
use super::{blocking, describe, place};

/// Chunks are gathered to this many bytes before a file system call is made.
const GATHER: usize = 1 << 20;
/// After so many bytes the system is told to begin bringing them to the disk: else all of a large object waits for the
/// flush at its end, and the disk stands still until then.
const BEGIN_FLUSH: u64 = 4 << 20;

/// An object being written. The temporary file goes when this, or the call in progress, is dropped.
pub(super) struct LocalUpload {
    /// `None` while a call is in progress, and after an error.
    temp: Option<TempFile>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    key: Key,
    target: PathBuf,
    mode: PutMode,
}

impl LocalUpload {
    pub(super) fn new(temp: TempFile, key: Key, target: PathBuf, mode: PutMode) -> Self {
        Self { temp: Some(temp), gathered: Vec::new(), gathered_bytes: 0, key, target, mode }
    }

    fn take(&mut self) -> Result<(TempFile, Vec<Bytes>)> {
        let lost = || Error::invalid(format!("the upload of {} was given up after an error", self.key));
        let temp = self.temp.take().ok_or_else(lost)?;
        self.gathered_bytes = 0;
        Ok((temp, std::mem::take(&mut self.gathered)))
    }
}

fn append(temp: &mut TempFile, chunks: &[Bytes]) -> Result<()> {
    for chunk in chunks {
        temp.file.write_all(chunk).map_err(|error| Error::from(error).within(temp.path.display()))?;
        temp.written += chunk.len() as u64;
    }
    if temp.written - temp.flushing >= BEGIN_FLUSH {
        begin_flush(&temp.file, temp.flushing..temp.written);
        temp.flushing = temp.written;
    }
    Ok(())
}

/// Lets the system begin to write `range` to the disk, and forget it afterwards: a backup is not read again soon, and what
/// is would be pushed out of memory by it. A wish only; the flush at the end is what counts.
#[cfg(target_os = "linux")]
fn begin_flush(file: &File, range: Range<u64>) {
    let length = std::num::NonZeroU64::new(range.end - range.start);
    let _ = rustix::fs::fadvise(file, range.start, length, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn begin_flush(_: &File, _: Range<u64>) {}

#[async_trait]
impl Upload for LocalUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.gathered_bytes += chunk.len();
        self.gathered.push(chunk);
        if self.gathered_bytes < GATHER && self.gathered.len() < 1024 && self.temp.is_some() {
            return Ok(());
        }
        let (mut temp, chunks) = self.take()?;
        let temp = blocking(move || {
            append(&mut temp, &chunks)?;
            Ok(temp)
        })
        .await?;
        self.temp = Some(temp);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        let (mut temp, chunks) = self.take()?;
        let Self { key, target, mode, .. } = *self;
        blocking(move || {
            append(&mut temp, &chunks)?;
            temp.file.sync_all().map_err(|error| Error::from(error).within(temp.path.display()))?;
            let meta = temp.file.metadata().map_err(|error| Error::from(error).within(temp.path.display()))?;
            place::put(&temp.path, &target, mode)?;
            temp.placed();
            Ok(describe(key, &meta))
        })
        .await
    }
}
