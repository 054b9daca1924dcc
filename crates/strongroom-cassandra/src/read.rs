//! Reading a piece: the files of a snapshot, one after the other.

use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt as _};
use strongroom_core::cluster::{PieceReader, PieceSpec, PieceSummary};
use strongroom_core::{ByteStream, Error, ErrorKind, Result};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use crate::CassandraCluster;
use crate::cluster::blocking;
use crate::piece::{FileDetail, PieceDetail};

/// How much is read at once.
const CHUNK: usize = 1 << 20;

/// The rest of a piece.
struct Rest {
    folder: PathBuf,
    /// The file that is being read, and what was read of it.
    open: Option<(File, FileDetail, blake3::Hasher, u64)>,
    files: std::vec::IntoIter<FileDetail>,
}

impl CassandraCluster {
    pub(crate) async fn open_piece(&self, piece: &PieceSpec) -> Result<PieceReader> {
        let (body, summary) = match PieceDetail::of(piece)? {
            own @ (PieceDetail::Schema(_) | PieceDetail::Node(_)) => return Ok(whole_piece(own)),
            PieceDetail::Files(detail) => {
                let (files, of) = (self.files().await?.clone(), detail.clone());
                let folder = blocking(move || files.place(&of)).await.map_err(|error| released(error, &piece.name))?;
                let records = detail.files.len() as u64;
                let rest = Rest { folder, open: None, files: detail.files.into_iter() };
                let body = stream::try_unfold(rest, async |mut rest| Ok(rest.next().await?.map(|chunk| (chunk, rest))));
                (body.boxed(), PieceSummary { records, ..PieceSummary::default() })
            }
        };
        Ok(PieceReader { body, summary: Box::pin(async move { Ok(summary) }) })
    }
}

/// A piece whose detail is all of it; nothing for one of files.
pub(crate) fn whole_piece(detail: PieceDetail) -> PieceReader {
    let (body, summary) = match detail {
        PieceDetail::Schema(body) => (whole(body), PieceSummary { definitions: 1, ..PieceSummary::default() }),
        PieceDetail::Node(body) => (whole(body), PieceSummary::default()),
        PieceDetail::Files(_) => (stream::empty().boxed(), PieceSummary::default()),
    };
    PieceReader { body, summary: Box::pin(async move { Ok(summary) }) }
}

fn whole(body: String) -> ByteStream {
    stream::iter([Ok(Bytes::from(body))]).boxed()
}

/// A snapshot that is gone was let go.
fn released(error: Error, piece: &str) -> Error {
    if error.kind() == ErrorKind::NotFound {
        return error.within(format_args!("piece '{}' was released", piece.escape_debug()));
    }
    error
}

impl Rest {
    /// The next bytes; `None` at the end. Each file is held to what was frozen: its content may be shared by many backups.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let Some((file, detail, hash, read)) = &mut self.open else {
                let Some(detail) = self.files.next() else { return Ok(None) };
                let path = self.folder.join(&detail.name);
                let file = File::open(&path)
                    .await
                    .map_err(|error| released(Error::from(error).within(path.display()), &detail.name))?;
                self.open = Some((file, detail, blake3::Hasher::new(), 0));
                continue;
            };
            let mut chunk = BytesMut::with_capacity(CHUNK);
            let count = file.read_buf(&mut chunk).await.map_err(|error| Error::from(error).within(&detail.name))?;
            if count > 0 {
                hash.update(&chunk);
                *read += count as u64;
                return Ok(Some(chunk.freeze()));
            }
            if *read != detail.size || *hash.finalize().to_hex() != *detail.blake3 {
                return Err(Error::unavailable(format!("{} is not the file that was frozen", detail.name))
                    .hint("take the backup again; if it comes back, look at the node's disk"));
            }
            self.open = None;
        }
    }
}
