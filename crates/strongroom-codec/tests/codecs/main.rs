//! The codecs, each alone and in stacks.
#![cfg(all(feature = "lz4", feature = "zstd", feature = "seal"))]

mod damage;
mod fixtures;
mod golden;
mod round_trip;

use std::sync::Arc;

use strongroom_codec::{DataKey, Lz4, Seal, Zstd};
use strongroom_testkit::{Binding, codec_contract};

#[test]
fn lz4_keeps_the_contract() {
    codec_contract(&Lz4::default(), Binding::None);
}

#[test]
fn zstd_keeps_the_contract() {
    codec_contract(&Zstd::default(), Binding::None);
}

#[test]
fn seal_keeps_the_contract() {
    codec_contract(&Seal::new(fixtures::KEY, Arc::new(DataKey::from_bytes([7; 32]))), Binding::Place);
}
