//! What was not written is never taken for what was.

use crate::fixtures::{begin, decode, encode, frame, header, stacks};
use proptest::prelude::*;
use strongroom_codec::{DataKey, MAX_FRAME, Seal};
use strongroom_core::codec::PartHeader;
use strongroom_core::id::RepositoryId;
use strongroom_core::{Codec, ErrorKind};

fn assert_corrupt(result: strongroom_core::Result<Vec<u8>>, what: &str) {
    assert_eq!(result.map_err(|error| error.kind()), Err(ErrorKind::Corrupt), "{what}");
}

/// The stacks that end in a seal.
fn sealed() -> impl Iterator<Item = (&'static str, Vec<std::sync::Arc<dyn Codec>>)> {
    stacks().into_iter().filter(|(name, _)| name.contains("seal"))
}

#[test]
fn any_flipped_bit_of_a_sealed_frame_is_told() {
    for (name, stack) in sealed() {
        let coders = begin(&stack, &header("p", 1));
        let coded = encode(&coders, frame(0, true), &b"strongroom ".repeat(9));
        for bit in 0..coded.len() * 8 {
            let mut damaged = coded.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_corrupt(decode(&coders, frame(0, true), &damaged, 1000), &format!("{name}, bit {bit}"));
        }
    }
}

#[test]
fn a_cut_or_lengthened_frame_is_told() {
    for (name, stack) in stacks().into_iter().skip(1) {
        let coders = begin(&stack, &header("p", 1));
        let plain = b"strongroom ".repeat(9);
        let coded = encode(&coders, frame(0, true), &plain);
        for length in 0..coded.len() {
            assert_corrupt(
                decode(&coders, frame(0, true), &coded[..length], 1000),
                &format!("{name}, cut to {length}"),
            );
        }
        let longer = [coded.as_slice(), &[0]].concat();
        assert_corrupt(decode(&coders, frame(0, true), &longer, 1000), &format!("{name}, a byte more"));
    }
}

#[test]
fn a_sealed_frame_opens_at_its_own_place_only() {
    for (name, stack) in sealed() {
        let home = header("part one", 1);
        let coded = encode(&begin(&stack, &home), frame(4, false), b"a frame that is not the last");
        let elsewhere = [
            ("swapped with another frame", home.clone(), frame(5, false)),
            ("the part cut off after it", home.clone(), frame(4, true)),
            ("replayed in another part", header("part two", 1), frame(4, false)),
            ("replayed in another writing of the part", header("part one", 2), frame(4, false)),
            (
                "replayed in another repository",
                PartHeader { repository: RepositoryId::from_u128(98), ..home.clone() },
                frame(4, false),
            ),
        ];
        for (what, header, at) in elsewhere {
            assert_corrupt(decode(&begin(&stack, &header), at, &coded, 1000), &format!("{name}: {what}"));
        }
        assert!(decode(&begin(&stack, &home), frame(4, false), &coded, 1000).is_ok());
    }
}

#[test]
fn another_key_opens_nothing() {
    let coded = encode(&begin(&[crate::fixtures::seal()], &header("p", 1)), frame(0, true), b"secret");
    let other: std::sync::Arc<dyn Codec> =
        std::sync::Arc::new(Seal::new(crate::fixtures::KEY, DataKey::from_bytes([8; 32]).into()));
    assert_corrupt(decode(&begin(&[other], &header("p", 1)), frame(0, true), &coded, 1000), "another key");
}

#[test]
fn the_limit_holds_and_no_room_is_made_for_more() {
    for (name, stack) in stacks().into_iter().skip(1) {
        let plain = vec![0; 1 << 20];
        let coders = begin(&stack, &header("p", 1));
        let whole = encode(&coders, frame(0, true), &plain);
        // What the first codec made, without the seal around it.
        let inner = encode(&begin(&stack[..1], &header("p", 1)), frame(0, true), &plain);
        for limit in [0, 1, (1 << 20) - 1] {
            assert_corrupt(decode(&coders, frame(0, true), &whole, limit), name);
            let mut out = Vec::new();
            coders[0].decode(frame(0, true), &inner, limit, &mut out).unwrap_err();
            assert!(out.is_empty() && out.capacity() <= limit, "{name}: room for {} made", out.capacity());
        }
        assert_eq!(decode(&coders, frame(0, true), &whole, 1 << 20).unwrap(), plain);
    }
}

#[test]
fn a_bomb_is_told_without_room_made_for_it() {
    let lz4 = [&[1][..], &u32::MAX.to_le_bytes(), &[0x1F; 64]].concat();
    // A Zstandard frame header with an 8-byte content size of 2^40, a single segment, then one run-length block.
    let zstd_header = [0x28, 0xB5, 0x2F, 0xFD, 0xE0];
    let zstd = [&[1][..], &zstd_header, &(1_u64 << 40).to_le_bytes(), &[0x03, 0, 0x10, 0]].concat();
    for (name, bomb) in [("lz4", lz4), ("zstd", zstd)] {
        let stack = stacks().into_iter().find(|(stack, _)| *stack == name).unwrap().1;
        let mut out = Vec::new();
        let error = begin(&stack, &header("p", 1))[0].decode(frame(0, true), &bomb, usize::MAX, &mut out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains("declares"), "{error}");
        assert_eq!(out.capacity(), 0, "{name}");
    }
}

/// A frame whose blocks give more than its header declares: what is written is bounded by the declared size.
#[test]
fn a_zstd_frame_that_lies_about_its_size_is_told() {
    let stack = stacks().into_iter().find(|(name, _)| *name == "zstd").unwrap().1;
    let coders = begin(&stack, &header("p", 1));
    let mut coded = encode(&coders, frame(0, true), &vec![9; 1000]);
    let size = coded.windows(2).position(|pair| pair == (1000_u16 - 256).to_le_bytes()).expect("its content size");
    for declared in [0_u16, 600, 743, 745, 65_535] {
        coded[size..size + 2].copy_from_slice(&declared.to_le_bytes());
        assert_corrupt(decode(&coders, frame(0, true), &coded, MAX_FRAME), &format!("{declared}"));
    }
}

#[test]
fn two_zstd_frames_and_unknown_tags_are_told() {
    let stack = stacks().into_iter().find(|(name, _)| *name == "zstd").unwrap().1;
    let coders = begin(&stack, &header("p", 1));
    let coded = encode(&coders, frame(0, true), &vec![9; 1000]);
    assert_corrupt(decode(&coders, frame(0, true), &[&coded[..], &coded[1..]].concat(), MAX_FRAME), "two frames");
    for tag in 2..=255 {
        for (name, stack) in stacks().into_iter().filter(|(name, _)| matches!(*name, "lz4" | "zstd")) {
            let unknown = [&[tag], &coded[1..]].concat();
            assert_corrupt(decode(&begin(&stack, &header("p", 1)), frame(0, true), &unknown, MAX_FRAME), name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic_nor_pass_the_limit(
        bytes in prop::collection::vec(any::<u8>(), 0..600), tag in 0_u8..3, limit in 0_usize..5000,
    ) {
        let tagged = [&[tag][..], &bytes].concat();
        for (name, stack) in stacks().into_iter().skip(1) {
            let coders = begin(&stack, &header("p", 1));
            for coded in [&bytes, &tagged] {
                match decode(&coders, frame(0, true), coded, limit) {
                    Ok(plain) => prop_assert!(plain.len() <= limit && !name.contains("seal"), "{name}"),
                    Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", name),
                }
            }
        }
    }

    /// Nearly right bytes reach deeper into the decompressors than noise does.
    #[test]
    fn damaged_compressed_frames_never_panic_nor_pass_the_limit(
        plain in crate::fixtures::plain(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        for (name, stack) in stacks().into_iter().filter(|(name, _)| matches!(*name, "lz4" | "zstd" | "zstd:9")) {
            let coders = begin(&stack, &header("p", 1));
            let mut coded = encode(&coders, frame(0, true), &plain);
            for (at, byte) in &damage {
                let at = at.index(coded.len());
                coded[at] = *byte;
            }
            match decode(&coders, frame(0, true), &coded, plain.len()) {
                Ok(back) => prop_assert!(back.len() <= plain.len(), "{name}"),
                Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", name),
            }
        }
    }
}
