//! The data path: files into parts on storage, and back into nothing.

use std::fs::File;
use std::hint::black_box;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use strongroom::system_environment;
use strongroom_benches::known::Known;
use strongroom_core::cluster::{PieceKind, PieceReader, PieceSpec, PieceSummary};
use strongroom_core::id::BackupId;
use strongroom_core::manifest::StoredPiece;
use strongroom_core::pipeline::{NumberedPiece, Origin, PartReader, PieceWriter, Progress, Stack, Workroom};
use strongroom_core::{Key, Storage};

use crate::{FRAME, Failure, REPOSITORY};

pub(crate) async fn back_up(
    files: &[PathBuf],
    stack: &Stack,
    room: &Arc<Workroom>,
    storage: &Arc<dyn Storage>,
) -> Result<Vec<StoredPiece>, Failure> {
    let progress = Arc::new(Progress::new(system_environment().clock));
    let tasks = files.iter().enumerate().map(|(number, path)| {
        let (path, progress) = (path.clone(), Arc::clone(&progress));
        let writer = PieceWriter {
            room: Arc::clone(room),
            environment: system_environment(),
            storage: Arc::clone(storage),
            repository: REPOSITORY,
            stack: stack.clone(),
            origin: Origin::Backup(BackupId::from_u128(1)),
            stem: Key::new(format!("data/{number}"))?,
        };
        Ok::<_, Failure>(async move {
            let spec = PieceSpec::new(number.to_string(), PieceKind::Data);
            let piece = NumberedPiece { number: number as u64, spec };
            let open = |_| {
                let path = path.clone();
                async move { open_piece(path) }.boxed()
            };
            let written = writer.write(&[piece], open, &mut progress.begin()).await?;
            Ok::<_, Failure>(written.pieces)
        })
    });
    let tasks = tasks.collect::<Result<Vec<_>, _>>()?;
    let handles: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut pieces = Vec::new();
    for handle in handles {
        pieces.extend(handle.await??);
    }
    Ok(pieces)
}

pub(crate) async fn restore(
    stack: &Stack,
    room: &Arc<Workroom>,
    storage: &Arc<dyn Storage>,
    pieces: &[StoredPiece],
) -> Result<usize, Failure> {
    let reader = PartReader {
        room: Arc::clone(room),
        storage: Arc::clone(storage),
        repository: REPOSITORY,
        codecs: stack.ids(),
        registry: Known::new(stack.clone()),
    };
    let handles: Vec<_> = pieces
        .iter()
        .map(|piece| {
            let body = reader.piece(piece);
            tokio::spawn(body.try_fold(0, |sum, chunk| async move { Ok(sum + black_box(chunk).len()) }))
        })
        .collect();
    let mut sum = 0;
    for handle in handles {
        sum += handle.await??;
    }
    Ok(sum)
}

fn open_piece(path: PathBuf) -> strongroom_core::Result<PieceReader> {
    let file = File::open(path)?;
    let body = stream::try_unfold(file, |mut file| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = Vec::with_capacity(FRAME);
            let read = (&mut file).take(FRAME as u64).read_to_end(&mut chunk);
            (read, file, chunk)
        });
        let (read, file, chunk) =
            read.await.map_err(|error| strongroom_core::Error::internal("reading").because(error))?;
        Ok((read? > 0).then(|| (Bytes::from(chunk), file)))
    });
    let summary = async { Ok(PieceSummary { records: 1, ..PieceSummary::default() }) };
    Ok(PieceReader { body: body.boxed(), summary: summary.boxed() })
}
