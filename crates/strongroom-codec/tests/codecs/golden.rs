//! The vectors under `testdata/`: made once by an implementation in another language, out of `docs/format.md` and the C
//! libraries of LZ4 and Zstandard. They are never made anew; every later version reads them.
#![expect(clippy::unwrap_used, reason = "a vector that is wrong shall stop the test")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use strongroom_codec::{DataKey, KeyRing, PlainRegistry, ReaderKey, Seal};
use strongroom_core::codec::{CodecId, CodecRegistry as _, FrameId, PartHeader};
use strongroom_core::id::RepositoryId;
use strongroom_core::{Codec, Key};
use strongroom_testkit::MemoryStorage;

use crate::fixtures::{begin, decode, encode};

fn vectors(name: &str) -> Value {
    let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

fn bytes(value: &Value, field: &str) -> Vec<u8> {
    STANDARD.decode(text(value, field)).unwrap()
}

fn hex(value: &Value, field: &str) -> [u8; 32] {
    let text = text(value, field);
    std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
}

fn header(value: &Value) -> PartHeader {
    PartHeader {
        repository: text(value, "repository").parse().unwrap(),
        part: text(value, "part").to_owned(),
        salt: hex(value, "salt"),
    }
}

fn frame(value: &Value) -> (FrameId, Vec<u8>, Vec<u8>) {
    let index = u32::try_from(value["index"].as_u64().unwrap()).unwrap();
    (FrameId { index, last: value["last"].as_bool().unwrap() }, bytes(value, "plain"), bytes(value, "coded"))
}

#[test]
fn compressed_frames_are_read_for_ever() {
    let any = PartHeader { repository: RepositoryId::from_u128(0), part: String::new(), salt: [0; 32] };
    for name in ["lz4.json", "zstd.json"] {
        let value = vectors(name);
        let id = CodecId::new(value["codecs"][0].as_str().unwrap()).unwrap();
        let coders = begin(&[PlainRegistry::new().resolve(&id).unwrap()], &any);
        for at in value["frames"].as_array().unwrap() {
            let (id, plain, coded) = frame(at);
            assert_eq!(decode(&coders, id, &coded, plain.len()).unwrap(), plain, "{name} {id:?}");
            // How well a frame is packed may change between versions; a raw one may not.
            if coded[0] == 0 {
                assert_eq!(encode(&coders, id, &plain), coded, "{name} {id:?}");
            }
        }
    }
}

#[test]
fn sealed_frames_are_read_and_written_for_ever() {
    for name in ["seal.json", "lz4-seal.json"] {
        let value = vectors(name);
        let key = Arc::new(DataKey::from_bytes(hex(&value, "data_key")));
        let seal = Seal::new(text(&value, "data_key_id").parse().unwrap(), key);
        let stack: Vec<Arc<dyn Codec>> = value["codecs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| CodecId::new(id.as_str().unwrap()).unwrap())
            .map(|id| if id == seal.id() { Arc::new(seal.clone()) } else { PlainRegistry::new().resolve(&id).unwrap() })
            .collect();
        assert_eq!(stack.last().unwrap().id(), seal.id());
        for at in value["frames"].as_array().unwrap() {
            let (id, plain, coded) = frame(at);
            let coders = begin(&stack, &header(&value));
            assert_eq!(decode(&coders, id, &coded, plain.len()).unwrap(), plain, "{name} {id:?}");
            if stack.len() == 1 {
                assert_eq!(encode(&coders, id, &plain), coded, "{name} {id:?}");
            }
        }
    }
}

#[tokio::test]
async fn wrapped_keys_are_read_for_ever() {
    let value = vectors("keys.json");
    let storage = MemoryStorage::new();
    for (object, body) in value["objects"].as_object().unwrap() {
        storage.put(Key::new(object.as_str()).unwrap(), serde_json::to_vec(body).unwrap());
    }
    let repository = text(&value, "repository").parse().unwrap();
    let (direct, phrase) = (&value["reader_key"], &value["passphrase"]);
    let cheap = strongroom_codec::keys::Cost { memory_kib: 64, passes: 1, lanes: 1 };
    for reader in [
        ReaderKey::from_bytes(text(direct, "name"), hex(direct, "key")).unwrap(),
        ReaderKey::from_passphrase(text(phrase, "name"), text(phrase, "text").as_bytes(), cheap).unwrap(),
    ] {
        let ring = KeyRing::open(Arc::new(storage.clone()), repository, &[reader]).await.unwrap();
        assert_eq!(ring.warnings(), [""; 0]);
        assert_eq!(ring.content_naming_key(), Some(hex(&value, "content_naming_key")));
        let key = ring.current_data_key().unwrap();
        assert_eq!(key.to_string(), text(&value, "data_key_id"));
        let (id, plain, coded) = frame(&value["frame"]);
        let coders = begin(&[ring.resolve(&CodecId::seal(key)).unwrap()], &header(&value));
        assert_eq!(decode(&coders, id, &coded, plain.len()).unwrap(), plain);
    }
}
