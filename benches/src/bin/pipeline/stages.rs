//! The stages of the data path, each alone.

use std::fs::File;
use std::hint::black_box;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::TryStreamExt as _;
use strongroom_core::codec::{FrameId, PartHeader};
use strongroom_core::{Codec, Key, PutMode, Storage};

use crate::{FRAME, Failure, REPOSITORY};

/// `work` on every item, on all cores.
pub(crate) fn each<I: Sync, T: Send>(
    cores: usize,
    items: &[I],
    work: impl Fn(&I) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((at, item)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?)))
        {
            done.push((at, work(item)?));
        }
        Ok::<_, Failure>(done)
    };
    let mut done: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.join().map_err(|_| "a stage panicked")??);
        }
        Ok::<_, Failure>(all)
    })?;
    done.sort_unstable_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

pub(crate) fn read_file(path: &PathBuf) -> Result<Vec<Bytes>, Failure> {
    let mut file = File::open(path)?;
    let mut frames = Vec::new();
    loop {
        let mut frame = Vec::with_capacity(FRAME);
        if (&mut file).take(FRAME as u64).read_to_end(&mut frame)? == 0 {
            return Ok(frames);
        }
        frames.push(frame.into());
    }
}

fn place(at: usize) -> FrameId {
    FrameId { index: u32::try_from(at).unwrap_or(u32::MAX), last: false }
}

/// Encodes all frames of one part into one buffer.
pub(crate) fn encode(codec: &dyn Codec, frames: &[Bytes]) -> Result<(), Failure> {
    let state = codec.begin(&header())?;
    let mut out = Vec::with_capacity(FRAME + (64 << 10));
    for (at, frame) in frames.iter().enumerate() {
        out.clear();
        state.encode(place(at), frame, &mut out)?;
        black_box(&out);
    }
    Ok(())
}

/// Decodes all frames of one part, which were `plain`, into one buffer.
pub(crate) fn decode(codec: &dyn Codec, frames: &[Bytes], plain: &[Bytes]) -> Result<(), Failure> {
    let state = codec.begin(&header())?;
    let mut out = Vec::with_capacity(FRAME);
    for (at, (frame, plain)) in frames.iter().zip(plain).enumerate() {
        out.clear();
        state.decode(place(at), frame, plain.len(), &mut out)?;
        black_box(&out);
    }
    Ok(())
}

/// All frames of one part, encoded.
pub(crate) fn encoded(codec: &dyn Codec, frames: &[Bytes]) -> Result<Vec<Bytes>, Failure> {
    let state = codec.begin(&header())?;
    let encoded = frames.iter().enumerate().map(|(at, frame)| {
        let mut out = Vec::new();
        state.encode(place(at), frame, &mut out)?;
        out.shrink_to_fit();
        Ok(Bytes::from(out))
    });
    encoded.collect()
}

/// Parts of the same place: what is measured does not depend on it.
fn header() -> PartHeader {
    PartHeader { repository: REPOSITORY, part: "bench".to_owned(), salt: [1; 32] }
}

pub(crate) fn crc(frames: &[Bytes]) -> u32 {
    frames.iter().fold(0, |sum, frame| sum ^ crc32c::crc32c(frame))
}

pub(crate) fn hash(frames: &[Bytes]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for frame in frames {
        hasher.update(frame);
    }
    hasher.finalize()
}

pub(crate) async fn write_all(storage: &Arc<dyn Storage>, objects: &[Vec<Bytes>]) -> Result<(), Failure> {
    let tasks = objects.iter().cloned().enumerate().map(|(at, frames)| {
        let storage = Arc::clone(storage);
        tokio::spawn(async move {
            let mut upload = storage.create(&Key::new(format!("data/{at}"))?, PutMode::CreateNew).await?;
            for frame in frames {
                upload.write(frame).await?;
            }
            upload.finish().await
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(())
}

pub(crate) async fn read_all(storage: &Arc<dyn Storage>, objects: usize) -> Result<(), Failure> {
    let tasks = (0..objects).map(|at| {
        let storage = Arc::clone(storage);
        tokio::spawn(async move {
            let body = storage.read(&Key::new(format!("data/{at}"))?, None).await?;
            body.try_for_each(|chunk| async move {
                black_box(chunk);
                Ok(())
            })
            .await
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(())
}
