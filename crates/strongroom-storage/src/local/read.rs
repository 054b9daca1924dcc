//! Reading a file as a stream, one chunk ahead of the consumer.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use strongroom_core::{ByteStream, Error, Key, Result};
use tokio::task::JoinHandle;

use super::blocking;
use crate::rules::check_range;

const CHUNK: u64 = 1 << 20;

/// What is left to read of a file.
struct Rest {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Rest {
    /// Reads the next chunk.
    fn next(mut self) -> Result<(Bytes, Self)> {
        let want = self.bytes.min(CHUNK);
        let mut chunk = Vec::with_capacity(usize::try_from(want).unwrap_or_default());
        let got = self.file.by_ref().take(want).read_to_end(&mut chunk);
        let got = got.map_err(|error| Error::from(error).within(self.path.display()))?;
        if (got as u64) < want {
            return Err(Error::corrupt(format!("{} became shorter while it was read", self.path.display())));
        }
        self.bytes -= want;
        Ok((Bytes::from(chunk), self))
    }

    fn start(self) -> Option<JoinHandle<Result<(Bytes, Self)>>> {
        (self.bytes > 0).then(|| tokio::task::spawn_blocking(move || self.next()))
    }
}

/// Opens a file and checks the range.
pub(super) fn open(path: &Path, root: &Path, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
    // Looked at before it is opened: opening a pipe would wait for a writer.
    let meta = path.symlink_metadata().map_err(|error| super::missing(&error, path, root))?;
    if !meta.is_file() {
        return Err(super::not_an_object(path));
    }
    let mut file = File::open(path).map_err(|error| super::missing(&error, path, root))?;
    let size = file.metadata().map_err(|error| Error::from(error).within(path.display()))?.len();
    let range = check_range(key, range, size)?;
    file.seek(SeekFrom::Start(range.start)).map_err(|error| Error::from(error).within(path.display()))?;
    let rest = Rest { file, path: path.to_owned(), bytes: range.end - range.start };
    // The first chunk is asked for by the first poll, each further one as soon as the one before is there.
    let first = async move { if rest.bytes > 0 { Some(blocking(move || rest.next()).await) } else { None } };
    let stream = stream::once(first).filter_map(std::future::ready).flat_map(|first| match first {
        Err(error) => stream::iter([Err(error)]).boxed(),
        Ok((chunk, rest)) => {
            let further = stream::unfold(rest.start(), |task| async move {
                match task?.await {
                    Ok(Ok((chunk, rest))) => Some((Ok(chunk), rest.start())),
                    Ok(Err(error)) => Some((Err(error), None)),
                    Err(error) => Some((Err(Error::internal("a file system task died").because(error)), None)),
                }
            });
            stream::iter([Ok(chunk)]).chain(further).boxed()
        }
    });
    Ok(stream.boxed())
}
