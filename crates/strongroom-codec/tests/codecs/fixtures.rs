//! Stacks of codecs as the engine runs them, and inputs for them.
#![expect(clippy::unwrap_used, reason = "a fixture that is wrong shall stop the test")]

use std::sync::Arc;

use proptest::prelude::*;
use strongroom_codec::{DataKey, Lz4, MAX_FRAME, Seal, Zstd};
use strongroom_core::codec::{FrameId, PartHeader};
use strongroom_core::id::{DataKeyId, RepositoryId};
use strongroom_core::{Codec, FrameCoder, Result};

pub(crate) const KEY: DataKeyId = DataKeyId::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);

pub(crate) fn seal() -> Arc<dyn Codec> {
    Arc::new(Seal::new(KEY, Arc::new(DataKey::from_bytes([7; 32]))))
}

/// Every stack that a backup may have, with its name.
pub(crate) fn stacks() -> Vec<(&'static str, Vec<Arc<dyn Codec>>)> {
    let lz4: Arc<dyn Codec> = Arc::new(Lz4::default());
    let zstd = |level| Arc::new(Zstd::new(level).unwrap()) as Arc<dyn Codec>;
    vec![
        ("none", vec![]),
        ("lz4", vec![lz4.clone()]),
        ("zstd", vec![zstd(1)]),
        ("zstd:-7", vec![zstd(-7)]),
        ("zstd:9", vec![zstd(9)]),
        ("seal", vec![seal()]),
        ("lz4,seal", vec![lz4, seal()]),
        ("zstd,seal", vec![zstd(3), seal()]),
    ]
}

pub(crate) fn header(part: &str, salt: u8) -> PartHeader {
    PartHeader { repository: RepositoryId::from_u128(99), part: part.to_owned(), salt: [salt; 32] }
}

pub(crate) fn begin(stack: &[Arc<dyn Codec>], header: &PartHeader) -> Vec<Box<dyn FrameCoder>> {
    stack.iter().map(|codec| codec.begin(header).unwrap()).collect()
}

pub(crate) fn encode(coders: &[Box<dyn FrameCoder>], frame: FrameId, plain: &[u8]) -> Vec<u8> {
    coders.iter().fold(plain.to_vec(), |plain, coder| {
        let mut out = Vec::new();
        coder.encode(frame, &plain, &mut out).unwrap();
        out
    })
}

pub(crate) fn decode(coders: &[Box<dyn FrameCoder>], frame: FrameId, coded: &[u8], limit: usize) -> Result<Vec<u8>> {
    let mut coded = coded.to_vec();
    for (at, coder) in coders.iter().enumerate().rev() {
        let mut out = Vec::new();
        // Only the first codec's plain form is the frame; what is between two codecs may be longer.
        coder.decode(frame, &coded, if at == 0 { limit } else { MAX_FRAME }, &mut out)?;
        coded = out;
    }
    Ok(coded)
}

pub(crate) const fn frame(index: u32, last: bool) -> FrameId {
    FrameId { index, last }
}

/// Bytes as they come: nothing, noise, runs, repeated rows.
pub(crate) fn plain() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..3000);
    let run = (any::<u8>(), 0_usize..200_000).prop_map(|(byte, length)| vec![byte; length]);
    let rows = (prop::collection::vec(any::<u8>(), 1..80), 1_usize..2000)
        .prop_map(|(row, times)| row.iter().copied().cycle().take(row.len() * times).collect());
    prop_oneof![Just(Vec::new()), noise, run, rows]
}
