//! What goes in comes out, through every stack.

use crate::fixtures::{begin, decode, encode, frame, header, plain, stacks};
use proptest::prelude::*;
use strongroom_codec::MAX_FRAME;
use strongroom_core::ErrorKind;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_stack_gives_back_what_it_took(plain in plain(), index: u32, last: bool) {
        for (name, stack) in stacks() {
            let coders = begin(&stack, &header("p", 1));
            let coded = encode(&coders, frame(index, last), &plain);
            prop_assert!(coded.len() <= plain.len() + 17, "{name}: {} became {}", plain.len(), coded.len());
            // The reader's own coders, with a limit that just fits.
            let coders = begin(&stack, &header("p", 1));
            let back = decode(&coders, frame(index, last), &coded, plain.len()).unwrap();
            prop_assert!(back == plain, "{name}");
        }
    }
}

#[test]
fn frames_of_any_size_up_to_the_largest() {
    for (name, stack) in stacks() {
        let coders = begin(&stack, &header("p", 1));
        for (index, size) in [0, 1, 4, 5, 6, 13, 65_535, 65_536, 1 << 20, (1 << 20) + 64].into_iter().enumerate() {
            let frame = frame(u32::try_from(index).unwrap(), false);
            let plain: Vec<u8> = (0..=250).flat_map(|byte| [byte; 7]).cycle().take(size).collect();
            let coded = encode(&coders, frame, &plain);
            assert_eq!(decode(&coders, frame, &coded, size).unwrap(), plain, "{name} {size}");
        }
    }
}

#[test]
fn coded_and_plain_bytes_are_appended_and_nothing_before_them_is_touched() {
    for (name, stack) in stacks() {
        for coder in begin(&stack, &header("p", 1)) {
            for (index, plain) in [vec![5; 5000], b"incompressible?".to_vec()].into_iter().enumerate() {
                let frame = frame(u32::try_from(index).unwrap(), false);
                let mut out = b"before".to_vec();
                coder.encode(frame, &plain, &mut out).unwrap();
                assert_eq!(out[..6], *b"before", "{name}");
                let mut back = b"earlier".to_vec();
                coder.decode(frame, &out[6..], plain.len(), &mut back).unwrap();
                assert_eq!(back, [b"earlier".as_slice(), &plain].concat(), "{name}");
            }
        }
    }
}

#[test]
fn one_coder_serves_many_threads() {
    for (name, stack) in stacks() {
        let coders = begin(&stack, &header("p", 1));
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let coders = &coders;
                scope.spawn(move || {
                    for round in 0..20 {
                        let frame = frame(thread * 100 + round, false);
                        let plain = frame.index.to_le_bytes().repeat(4000);
                        let coded = encode(coders, frame, &plain);
                        assert_eq!(decode(coders, frame, &coded, plain.len()).unwrap(), plain, "{name}");
                    }
                });
            }
        });
    }
}

#[test]
fn too_large_a_frame_is_refused_and_leaves_no_trace() {
    for (name, stack) in stacks() {
        for coder in begin(&stack, &header("p", 1)) {
            let mut out = b"before".to_vec();
            let error = coder.encode(frame(0, true), &vec![0; MAX_FRAME + 1], &mut out).unwrap_err();
            assert_eq!((error.kind(), out.as_slice()), (ErrorKind::Invalid, b"before".as_slice()), "{name}");
        }
    }
}

#[test]
fn too_long_a_part_name_cannot_be_sealed() {
    let seal = crate::fixtures::seal();
    assert!(seal.begin(&header(&"p".repeat(255), 1)).is_ok());
    let error = seal.begin(&header(&"p".repeat(256), 1)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn two_contents_are_never_sealed_at_one_place() {
    let coder = crate::fixtures::seal().begin(&header("p", 1)).unwrap();
    let (mut first, mut again, mut other) = (Vec::new(), Vec::new(), Vec::new());
    coder.encode(frame(3, false), b"one", &mut first).unwrap();
    coder.encode(frame(3, false), b"one", &mut again).unwrap();
    assert_eq!(first, again, "the same once more is harmless");
    let error = coder.encode(frame(3, false), b"two", &mut other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(other.is_empty());
    coder.encode(frame(3, true), b"two", &mut other).unwrap();
}
