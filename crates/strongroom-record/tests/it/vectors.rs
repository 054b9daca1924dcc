//! Every vector that the reference implementation made, both ways.

use super::common;

use strongroom_record::asb::{Encoder, GlobalsVersion};
use strongroom_record::{Digest, Double, Entity, Name, Particle, UserKey};

fn entity_of(text: &[u8]) -> Entity {
    let mut file = b"Version 3.2\n# namespace test\n".to_vec();
    file.extend_from_slice(text);
    let mut entities = common::decode(&file, 7).unwrap();
    assert_eq!(entities.len(), 1);
    entities.remove(0)
}

#[test]
fn every_vector_reads_and_is_written_again_byte_by_byte() {
    let vectors = common::vectors();
    assert_eq!(vectors.len(), 60);
    for vector in vectors {
        let entity = entity_of(&vector.text);
        let mut written = Vec::new();
        let encoder = Encoder { compact: vector.compact, version: GlobalsVersion::V3_2 };
        encoder.entity(&mut written, &entity).unwrap();
        assert_eq!(written.escape_ascii().to_string(), vector.text.escape_ascii().to_string(), "{}", vector.label);
    }
}

#[test]
fn both_forms_hold_the_same() {
    let (compact, base64): (Vec<_>, Vec<_>) = common::vectors().into_iter().partition(|vector| vector.compact);
    for (compact, base64) in compact.iter().zip(&base64) {
        assert_eq!(entity_of(&compact.text), entity_of(&base64.text), "{}", compact.label);
    }
}

#[test]
fn vectors_hold_what_their_labels_say() {
    let value = |label: &str| {
        let vector = common::vectors().into_iter().find(|vector| vector.label == label).unwrap();
        let record = entity_of(&vector.text).into_record().unwrap();
        assert_eq!(record.namespace, Name::namespace("test ns").unwrap());
        assert_eq!(record.digest, Digest::from_hex("000102030405060708090a0b0c0d0e0f10111213").unwrap());
        assert_eq!(record.bins.len(), 1);
        record.bin("b n\\\n").unwrap().clone()
    };
    assert_eq!(value("bin bool-t"), Particle::Bool(true));
    assert_eq!(value("bin int-min"), Particle::Integer(i64::MIN));
    assert_eq!(value("bin float-pi"), Particle::Double(Double::from(std::f64::consts::PI)));
    assert_eq!(value("bin float-negzero"), Particle::Double(Double::from(-0.0)));
    assert_eq!(value("bin float-ninf"), Particle::Double(Double::from(f64::NEG_INFINITY)));
    assert_eq!(value("bin str"), Particle::String("h\u{e9}llo \n\\ x".into()));
    assert_eq!(value("bin bytes"), Particle::Blob((&b"\0\n \\\xff"[..]).into()));
    assert_eq!(value("bin map"), Particle::Map((&b"\x81\xa2\x03k\x01"[..]).into()));
    assert_eq!(value("bin nil"), Particle::Nil);

    let key = |label: &str| {
        let vector = common::vectors().into_iter().find(|vector| vector.label == label).unwrap();
        entity_of(&vector.text).into_record().unwrap().key.unwrap()
    };
    assert_eq!(key("key-int"), UserKey::Integer(-7));
    assert_eq!(key("key-str"), UserKey::String("a b\nc".into()));
    assert_eq!(key("key-bytes"), UserKey::Blob((&[1_u8, 2, 3, 4][..]).into()));
    assert_eq!(key("key-float"), UserKey::Double(Double::from(1.25)));
}

#[test]
fn whole_vector_files_read_the_same_in_any_cut() {
    let base64 = std::fs::read(common::testdata("vectors/vector-base64.asb")).unwrap();
    let compact = std::fs::read(common::testdata("vectors/vector-compact.asb")).unwrap();
    let whole = common::decode(&base64, base64.len()).unwrap();
    assert_eq!(whole.len(), 30);
    for size in [1, 2, 3, 10, 64, 1000, 2000] {
        assert_eq!(common::decode(&base64, size).unwrap(), whole);
        assert_eq!(common::decode(&compact, size).unwrap(), whole);
    }
}

#[test]
fn a_file_cut_anywhere_but_between_entities_is_an_error_that_names_the_place() {
    let text = std::fs::read(common::testdata("vectors/vector-compact.asb")).unwrap();
    let whole = common::decode(&text, 4096).unwrap();
    let mut sound = Vec::new();
    for end in 0..text.len() {
        match common::decode(&text[..end], 4096) {
            Ok(entities) => {
                assert_eq!(entities, whole[..entities.len()]);
                sound.push(end);
            }
            Err(error) => assert_eq!(error.offset, end as u64, "{error}"),
        }
    }
    // After each of three header lines, and after each entity but the last.
    assert_eq!(sound.len(), 3 + 29);
}
