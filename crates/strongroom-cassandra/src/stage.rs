//! Bringing pieces to the node: checked, and out of the tables' sight.

use std::path::{Path, PathBuf};

use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use strongroom_core::cluster::{Applied, PieceSpec, RestoreSession};
use strongroom_core::{ByteStream, Error, Result};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;

use crate::CassandraCluster;
use crate::component::Component;
use crate::piece::{FileDetail, FilesDetail, PieceDetail};
use crate::schema::Schema;
use crate::session::{Phase, Stage};

/// The most that a schema may have: it is held in memory.
const MOST_SCHEMA: usize = 64 << 20;

/// A body, of which some bytes may have come that belong to the next file.
struct Body {
    stream: ByteStream,
    left: Bytes,
}

impl Body {
    /// The next bytes that are not empty.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.left.is_empty() {
            match self.stream.next().await {
                Some(chunk) => self.left = chunk?,
                None => return Ok(None),
            }
        }
        Ok(Some(std::mem::take(&mut self.left)))
    }

    /// Reads to the end, where the body's own proof is.
    async fn end(&mut self, piece: &str) -> Result<()> {
        let mut more = false;
        while self.next().await?.is_some() {
            more = true;
        }
        if more { Err(other(piece, "it is longer")) } else { Ok(()) }
    }
}

fn other(piece: &str, why: &str) -> Error {
    Error::corrupt(format!("the bytes are not those of piece '{}': {why}", piece.escape_debug()))
}

impl CassandraCluster {
    pub(crate) async fn stage_piece(
        &self,
        session: &RestoreSession,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        let detail = PieceDetail::of(piece)?;
        let (stage, course) = self.course(session).await?;
        let filter =
            course.parts.get(part).ok_or_else(|| Error::invalid(format!("'{part}' is no part of this restore")))?;
        if course.phase != Phase::Staging {
            return Err(Error::invalid(format!("restore {} takes files in already", session.id)));
        }
        let mut body = Body { stream: body, left: Bytes::new() };
        match detail {
            PieceDetail::Node(_) => {
                while body.next().await?.is_some() {}
                Ok(Applied::default())
            }
            PieceDetail::Schema(wanted) => {
                let mut bytes = Vec::new();
                while let Some(chunk) = body.next().await? {
                    if bytes.len() + chunk.len() > MOST_SCHEMA {
                        return Err(other(&piece.name, "a schema is smaller"));
                    }
                    bytes.extend_from_slice(&chunk);
                }
                if bytes != wanted.as_bytes() {
                    return Err(other(&piece.name, "it is another schema"));
                }
                let schema = Schema::of(&bytes)?;
                if schema.keyspace != part {
                    return Err(other(&piece.name, "it is of another keyspace"));
                }
                Self::put(stage.unfinished(), stage.schema(part), bytes).await?;
                Ok(Applied { definitions: 1, ..Applied::default() })
            }
            PieceDetail::Files(files) => {
                let meant = filter.tables.as_ref().is_none_or(|tables| tables.contains(&files.table));
                // Files of a secondary index are made anew from the table's.
                let wanted = meant && files.index.is_none() && !session.options.no_data;
                let count = files.files.len() as u64;
                let target = course.options.target_of(part);
                self.files_of(&stage, target, &piece.name, files, body, wanted).await?;
                Ok(match (wanted, meant) {
                    (true, _) => Applied { written: count, ..Applied::default() },
                    (false, false) => Applied { filtered: count, ..Applied::default() },
                    (false, true) => Applied::default(),
                })
            }
        }
    }

    /// Writes the files of a piece beside their place, and moves them there once all are proven.
    async fn files_of(
        &self,
        stage: &Stage,
        keyspace: &str,
        piece: &str,
        files: FilesDetail,
        mut body: Body,
        wanted: bool,
    ) -> Result<()> {
        let attempt = u64::from_le_bytes(self.environment().random()?);
        let mut done: Vec<(PathBuf, PathBuf)> = Vec::new();
        let place = stage.table(keyspace, &files.table, &files.node);
        let mut written = async || {
            for (number, file) in files.files.iter().enumerate() {
                let wanted = wanted && Component::of(&file.name).is_some_and(|component| !component.is_made_anew());
                let unfinished = wanted.then(|| stage.unfinished().join(format!("{attempt:016x}-{number}")));
                copy(&mut body, file, piece, unfinished.as_deref()).await?;
                done.extend(unfinished.map(|from| (from, place.join(&file.name))));
            }
            body.end(piece).await
        };
        let outcome = written().await;
        let moved = match outcome {
            Ok(()) => into_place(&place, &done).await,
            Err(error) => Err(error),
        };
        if moved.is_err() {
            for (from, _) in &done {
                // What can't be removed now goes with the restore's folder.
                let _ = fs::remove_file(from).await;
            }
        }
        moved
    }
}

async fn into_place(place: &Path, done: &[(PathBuf, PathBuf)]) -> Result<()> {
    if done.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(place).await.map_err(|error| Error::from(error).within(place.display()))?;
    for (from, to) in done {
        fs::rename(from, to).await.map_err(|error| Error::from(error).within(to.display()))?;
    }
    Ok(())
}

/// Copies one file out of the body, and compares it with what it was.
async fn copy(body: &mut Body, file: &FileDetail, piece: &str, to: Option<&Path>) -> Result<()> {
    let at = |error: std::io::Error| Error::from(error).within(format_args!("'{}'", file.name));
    let mut target = match to {
        Some(path) => Some(File::create_new(path).await.map_err(at)?),
        None => None,
    };
    let (mut hash, mut left) = (blake3::Hasher::new(), file.size);
    while left > 0 {
        let Some(mut chunk) = body.next().await? else { return Err(other(piece, "it is shorter")) };
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        let mut mine = chunk.split_to(take);
        body.left = chunk;
        hash.update(&mine);
        left -= take as u64;
        if let Some(target) = &mut target {
            target.write_all_buf(&mut mine).await.map_err(at)?;
        }
        debug_assert!(!mine.has_remaining() || target.is_none());
    }
    if let Some(target) = &mut target {
        // The node takes the file for finished, and so it must be.
        target.sync_all().await.map_err(at)?;
    }
    if *hash.finalize().to_hex() == *file.blake3 { Ok(()) } else { Err(other(piece, "a file has another hash")) }
}
