//! What each codec costs and saves: `cargo run --release -p strongroom-benches --bin codec [MIB] [ROUNDS] [CODEC]`.
//!
//! One thread, frames of 1 MiB, the best of some rounds. `x copy` is the speed as a part of what copying the same
//! frames costs in the same run.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use strongroom_benches::data::Kind;
use strongroom_codec::{DataKey, Lz4, Seal, Zstd};
use strongroom_core::codec::{FrameId, PartHeader};
use strongroom_core::id::{DataKeyId, RepositoryId};
use strongroom_core::{Codec, FrameCoder};

const FRAME: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let size: usize = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let seal = Seal::new(DataKeyId::from_u128(1), DataKey::from_bytes([1; 32]).into());
    let mut codecs: Vec<(String, Box<dyn Codec>)> = vec![("lz4".to_owned(), Box::new(Lz4::default()))];
    for level in [-1, 1, 3, 9] {
        codecs.push((format!("zstd {level}"), Box::new(Zstd::new(level)?)));
    }
    codecs.push(("seal".to_owned(), Box::new(seal)));

    if let Some(wanted) = arguments.next() {
        codecs.retain(|(name, _)| name.starts_with(&wanted));
    }

    println!("{size} MiB a row, best of {rounds} rounds, one thread");
    println!("| data | codec | ratio | encode MB/s | x copy | decode MB/s | x copy |");
    println!("|---|---|---|---|---|---|---|");
    for kind in Kind::ALL {
        let plain = kind.bytes(1, size * FRAME);
        let frames: Vec<&[u8]> = plain.chunks(FRAME).collect();
        let copy = speed(&frames, rounds, copy())?;
        println!("| {} | copy | 1.000 | {copy:.0} | 1 | {copy:.0} | 1 |", kind.name());
        for (name, codec) in &codecs {
            let header = PartHeader { repository: RepositoryId::from_u128(1), part: "bench".to_owned(), salt: [1; 32] };
            let coder = codec.begin(&header)?;
            let mut packed: Vec<Vec<u8>> = vec![Vec::new(); frames.len()];
            encode_all(&*coder, &frames, &mut packed)?;
            let stored: usize = packed.iter().map(Vec::len).sum();
            let encode = speed(&frames, rounds, {
                let mut out = Vec::new();
                let coder = &coder;
                move |at, frame| {
                    out.clear();
                    coder.encode(place(at), frame, &mut out)?;
                    black_box(&out);
                    Ok(())
                }
            })?;
            let decode = speed(&frames, rounds, {
                let mut out = Vec::new();
                let (coder, packed) = (&coder, &packed);
                move |at, frame| {
                    out.clear();
                    coder.decode(place(at), &packed[at], frame.len(), &mut out)?;
                    black_box(&out);
                    Ok(())
                }
            })?;
            println!(
                "| {} | {name} | {:.3} | {encode:.0} | {:.3} | {decode:.0} | {:.3} |",
                kind.name(),
                ratio(stored, plain.len()),
                encode / copy,
                decode / copy
            );
        }
    }
    Ok(())
}

fn place(at: usize) -> FrameId {
    FrameId { index: u32::try_from(at).unwrap_or(u32::MAX), last: false }
}

fn copy() -> impl FnMut(usize, &[u8]) -> strongroom_core::Result<()> {
    let mut out = Vec::new();
    move |_, frame| {
        out.clear();
        out.extend_from_slice(frame);
        black_box(&out);
        Ok(())
    }
}

fn encode_all(coder: &dyn FrameCoder, frames: &[&[u8]], packed: &mut [Vec<u8>]) -> strongroom_core::Result<()> {
    for (at, (frame, out)) in frames.iter().zip(packed).enumerate() {
        coder.encode(place(at), frame, out)?;
    }
    Ok(())
}

/// Megabytes of plain bytes a second, in the best of `rounds` rounds over all frames.
fn speed(
    frames: &[&[u8]],
    rounds: usize,
    mut work: impl FnMut(usize, &[u8]) -> strongroom_core::Result<()>,
) -> strongroom_core::Result<f64> {
    let mut best = Duration::MAX;
    for _ in 0..rounds.max(1) {
        let start = Instant::now();
        for (at, frame) in frames.iter().enumerate() {
            work(at, frame)?;
        }
        best = best.min(start.elapsed());
    }
    let bytes: usize = frames.iter().map(|frame| frame.len()).sum();
    Ok(ratio(bytes, 1_000_000) / best.as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "sizes of a bench are far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
