//! Files that mean harm, and files that were harmed: an error with its place, or a valid reading, and never more.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use proptest::prelude::*;
use strongroom_record::Entity;
use strongroom_record::asb::{AsbError, Decoder, Encoder, GlobalsVersion, Limits};
use strongroom_record::deletes::{DeletesDecoder, Tombstone};
use strongroom_record::folder::Metadata;
use strongroom_record::wrap::{FileKey, WrapReader};

use super::common::{self, testdata};

fn corpus(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz-corpus").join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
    });
    files.collect()
}

/// The entities before the fault, and the fault.
fn decode(text: &[u8], size: usize) -> (Vec<Entity>, Option<AsbError>) {
    let mut decoder = Decoder::new(Limits { value: 1 << 20, record: 2 << 20 });
    let mut entities = Vec::new();
    for chunk in text.chunks(size) {
        decoder.push(bytes::Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next_entity() {
                Ok(Some(entity)) => entities.push(entity),
                Ok(None) => break,
                Err(error) => return (entities, Some(error)),
            }
        }
    }
    let end = decoder.finish().err();
    (entities, end)
}

/// What every file must keep, whatever is in it: the cut does not matter, and what is valid is written and read again.
fn check(text: &[u8]) -> Option<AsbError> {
    let (entities, error) = decode(text, text.len().max(1));
    let (other_entities, other_error) = decode(text, 1);
    assert_eq!(other_entities, entities);
    // Only the part of the line that a message shows depends on the cut.
    let place = |error: &Option<AsbError>| error.as_ref().map(|error| (error.offset, error.line, error.kind));
    assert_eq!(place(&other_error), place(&error));
    let encoder = Encoder { compact: true, version: GlobalsVersion::V3_2 };
    let mut written = b"Version 3.2\n".to_vec();
    for entity in &entities {
        encoder.entity(&mut written, entity).unwrap();
    }
    let again = common::decode(&written, 4096).unwrap();
    assert_eq!(again.len(), entities.len());
    let mut rewritten = b"Version 3.2\n".to_vec();
    for entity in &again {
        encoder.entity(&mut rewritten, entity).unwrap();
    }
    assert_eq!(rewritten, written);
    error
}

/// Compares `found` (name and error) with the list that is kept beside the corpus.
fn compare(list: &str, found: &BTreeMap<String, String>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz-corpus").join(list);
    let found: String = found.iter().flat_map(|(name, error)| [name, ": ", error, "\n"]).collect();
    let expected = fs::read_to_string(path).unwrap();
    assert_eq!(found, expected);
}

#[test]
fn every_hostile_file_has_its_exact_error() {
    let mut errors = BTreeMap::new();
    for (name, text) in corpus("asb") {
        let error = check(&text);
        assert_eq!(error.is_none(), name.ends_with("-ok") || name == "header-only", "{name}: {error:?}");
        if let Some(error) = error {
            errors.insert(name, strongroom_core::Error::from(error).to_string());
        }
    }
    compare("asb-errors.txt", &errors);
}

#[test]
fn every_hostile_deletes_piece_has_its_exact_error() {
    let mut errors = BTreeMap::new();
    for (name, text) in corpus("deletes") {
        let read = |size: usize| -> Result<Vec<Tombstone>, AsbError> {
            let mut decoder = DeletesDecoder::new();
            let mut found = Vec::new();
            for chunk in text.chunks(size.max(1)) {
                decoder.push(bytes::Bytes::copy_from_slice(chunk));
                while let Some(tombstone) = decoder.next_delete()? {
                    found.push(tombstone);
                }
            }
            decoder.finish().map(|()| found)
        };
        let whole = read(text.len());
        let place =
            |read: &Result<_, AsbError>| read.as_ref().map(Vec::len).map_err(|error| (error.offset, error.line));
        assert_eq!(place(&read(1)), place(&whole), "{name}");
        assert_eq!(whole.is_ok(), name.ends_with("-ok"), "{name}: {whole:?}");
        if let Err(error) = whole {
            errors.insert(name, strongroom_core::Error::from(error).to_string());
        }
    }
    compare("deletes-errors.txt", &errors);
}

#[test]
fn other_decoders_take_anything() {
    let key = FileKey::from_pem(&fs::read(testdata("keys/key-pkcs1.pem")).unwrap()).unwrap();
    for (name, bytes) in corpus("wrapped") {
        for key in [None, Some(&key)] {
            // At most so much is ever made of these.
            let mut text = Vec::new();
            let read = WrapReader::open(&bytes[..], key).map(|file| file.take(1 << 20).read_to_end(&mut text));
            assert_eq!(matches!(read, Ok(Ok(_))), name == "text", "{name}");
        }
    }
    for (name, text) in corpus("metadata") {
        let parsed = Metadata::parse(&String::from_utf8_lossy(&text));
        assert_eq!(parsed.is_ok(), name.ends_with("-ok"), "{name}: {parsed:?}");
    }
    for (name, pem) in corpus("key") {
        assert!(FileKey::from_pem(&pem).is_err(), "{name}");
        assert!(FileKey::from_der(&pem).is_err(), "{name}");
        assert!(FileKey::from_base64(&String::from_utf8_lossy(&pem)).is_err(), "{name}");
    }
}

#[test]
fn a_record_of_many_values_has_a_limit_too() {
    let limits = Limits { value: 1000, record: 2500 };
    let value = "x".repeat(1000);
    let bins: String = (0..3).flat_map(|i| ["- S b", ["0", "1", "2"][i], " 1000 ", &value, "\n"]).collect();
    let text = format!("Version 3.1\n+ n t\n+ d {}\n+ g 1\n+ t 0\n+ b 3\n{bins}", "A".repeat(27) + "=");
    let mut decoder = Decoder::new(limits);
    decoder.push(text.into());
    let error = decoder.next_entity().unwrap_err();
    assert_eq!(error.line, 9);
    assert!(error.message.contains("1000 bytes long, which is more than the limit of 500"), "{error}");
    assert_eq!(decoder.next_entity().unwrap_err(), error);
}

/// Valid files to be harmed: the vectors, and some records of every type from the real server.
fn seeds() -> Vec<Vec<u8>> {
    let mut compact = Vec::new();
    let encoder = Encoder { compact: true, version: GlobalsVersion::V3_2 };
    let plain = fs::read(testdata("forms/plain/0_test_2.asb")).unwrap();
    compact.extend_from_slice(b"Version 3.2\n");
    for entity in common::decode(&plain, plain.len()).unwrap() {
        encoder.entity(&mut compact, &entity).unwrap();
    }
    let vectors = ["vectors/vector-base64.asb", "vectors/vector-compact.asb"].map(|f| fs::read(testdata(f)).unwrap());
    vectors.into_iter().chain([compact]).collect()
}

#[derive(Debug, Clone)]
enum Harm {
    Flip(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let index = any::<prop::sample::Index>;
    // Bytes that mean something are likelier to do harm than others.
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\n\\ +-*#!0123456789=kndsgtbSIBML".to_vec())];
    prop_oneof![
        4 => (index(), 1..=255_u8).prop_map(|(at, bits)| Harm::Flip(at, bits)),
        1 => index().prop_map(Harm::Truncate),
        4 => (index(), prop::collection::vec(byte, 1..8)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        2 => (index(), 1..40_usize).prop_map(|(at, count)| Harm::Remove(at, count)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn harmed_files_are_an_error_or_valid(seed in 0..3_usize, harms in prop::collection::vec(harm(), 1..5)) {
        let mut text = seeds().swap_remove(seed);
        for harm in harms {
            let length = text.len().max(1);
            match harm {
                Harm::Flip(at, bits) => {
                    if let Some(byte) = text.get_mut(at.index(length)) {
                        *byte ^= bits;
                    }
                }
                Harm::Truncate(at) => text.truncate(at.index(length)),
                Harm::Insert(at, bytes) => {
                    let at = at.index(length).min(text.len());
                    text.splice(at..at, bytes);
                }
                Harm::Remove(at, count) => {
                    let from = at.index(length).min(text.len());
                    let to = (from + count).min(text.len());
                    text.drain(from..to);
                }
            }
        }
        check(&text);
    }
}
