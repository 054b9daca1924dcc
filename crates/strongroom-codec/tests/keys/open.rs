//! Opening: what is at hand, what is not, and why.

use strongroom_codec::{KeyRing, ReaderKey};
use strongroom_core::codec::{CodecId, CodecRegistry as _};
use strongroom_core::id::{DataKeyId, RepositoryId};
use strongroom_core::{Error, ErrorKind};

use crate::fixtures::{CHEAP, REPOSITORY, Vault, opens, reader, sealed};

fn shown(error: &Error) -> (ErrorKind, String) {
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn what_was_sealed_opens_after_opening_the_keys_anew() {
    let vault = Vault::new();
    assert!(!KeyRing::exists(&*vault.storage, REPOSITORY).await.unwrap());
    let ring = vault.init(&reader("a", 1)).await.unwrap();
    assert!(KeyRing::exists(&*vault.storage, REPOSITORY).await.unwrap());

    let key = ring.current_data_key().unwrap();
    assert_eq!(ring.default_stack().unwrap().ids(), [CodecId::zstd(), CodecId::seal(key)]);
    assert_eq!(ring.stack("lz4,seal").unwrap().ids(), [CodecId::lz4(), CodecId::seal(key)]);
    assert_eq!(ring.stack("none").unwrap().ids(), []);
    let (part, shared) = (sealed(&ring, key), sealed(&ring, ring.content_key()));
    assert_ne!(part, shared);

    let again = vault.open(&[reader("a", 1)]).await.unwrap();
    opens(&again, key, &part).unwrap();
    opens(&again, ring.content_key(), &shared).unwrap();
    assert_eq!(again.content_naming_key(), ring.content_naming_key());
    assert_eq!(again.current_data_key().unwrap(), key);
    assert_eq!(again.warnings(), [""; 0]);
    assert_ne!(ring.content_naming_key(), None);
}

#[tokio::test]
async fn unknown_codecs_and_keys_are_told_apart() {
    let vault = Vault::with(&[]).await;
    let ring = vault.open(&[reader("a", 1)]).await.unwrap();
    let refused = |id: CodecId| ring.resolve(&id).map(drop).map_err(|error| shown(&error)).unwrap_err();
    let (kind, text) = refused(CodecId::new("xz").unwrap());
    assert_eq!((kind, text.contains("'xz'")), (ErrorKind::Unsupported, true), "{text}");
    let unknown = DataKeyId::from_u128(5);
    let (kind, text) = refused(CodecId::seal(unknown));
    assert_eq!((kind, text.contains(&unknown.to_string())), (ErrorKind::Denied, true), "{text}");
}

#[tokio::test]
async fn a_wrong_missing_or_unknown_key_is_told_before_anything_is_read() {
    let vault = Vault::with(&[reader("b", 1)]).await;
    let phrase = ReaderKey::from_passphrase("a", b"a passphrase", CHEAP).unwrap();
    for (given, kind, words) in [
        (vec![reader("a", 2)], ErrorKind::Denied, "the key given for reader 'a' is not the reader's"),
        (vec![phrase], ErrorKind::Denied, "the key given for reader 'a' is not the reader's"),
        (vec![reader("c", 1)], ErrorKind::Denied, "'c' is no reader of this repository (its readers are: a, b)"),
        (vec![], ErrorKind::Denied, "sealed, and no key was given (its readers are: a, b)"),
    ] {
        let (found, text) = shown(&vault.open(&given).await.unwrap_err());
        assert!(found == kind && text.contains(words), "{found} {text}");
    }
    // A wrong key beside a right one does not stand in the way, but is told.
    let ring = vault.open(&[reader("a", 2), reader("b", 1)]).await.unwrap();
    assert!(ring.warnings()[0].contains("reader 'a'"), "{:?}", ring.warnings());
}

#[tokio::test]
async fn a_repository_without_keys_or_of_another_name_is_told() {
    let vault = Vault::new();
    assert_eq!(vault.open(&[reader("a", 1)]).await.unwrap_err().kind(), ErrorKind::NotFound);
    vault.init(&reader("a", 1)).await.unwrap();
    let other = KeyRing::open(vault.storage.clone(), RepositoryId::from_u128(1), &[reader("a", 1)]).await.unwrap_err();
    assert!(other.kind() == ErrorKind::Corrupt && other.message().contains("belongs to repository"), "{other}");
}

#[tokio::test]
async fn a_passphrase_opens_and_its_salt_is_shared_by_all_data_keys() {
    let phrase = |text: &str| ReaderKey::from_passphrase("p", text.as_bytes(), CHEAP).unwrap();
    let vault = Vault::with(&[phrase("correct horse")]).await;
    let mut ring = vault.open(&[reader("a", 1), phrase("correct horse")]).await.unwrap();
    let newest = ring.rotate_data_key(&[], &vault.entropy).await.unwrap();
    let ring = vault.open(&[phrase("correct horse")]).await.unwrap();
    assert_eq!(ring.current_data_key().unwrap(), newest);
    assert_eq!(vault.open(&[phrase("wrong horse")]).await.unwrap_err().kind(), ErrorKind::Denied);
    let salts: std::collections::BTreeSet<String> = vault
        .memory
        .contents()
        .iter()
        .filter(|(key, _)| key.as_str().contains("/p/"))
        .map(|(_, json)| serde_json::from_slice::<serde_json::Value>(json).unwrap()["derivation"].to_string())
        .collect();
    assert_eq!(salts.len(), 1, "one derivation opens them all");
}

#[tokio::test]
async fn a_damaged_wrap_is_damage_and_not_a_wrong_key() {
    let sound = Vault::with(&[]).await;
    let ring = sound.open(&[reader("a", 1)]).await.unwrap();
    let (content, data) = (ring.content_key(), ring.current_data_key().unwrap());
    for (key, name) in [(content, "content"), (data, "data")] {
        let object = sound.wraps().into_iter().find(|object| object.as_str().contains(&format!("/{key}/a/"))).unwrap();
        let body = sound.memory.contents()[&object].to_vec();
        for damage in [body[..body.len() / 2].to_vec(), vec![], {
            // A base64 digit of the sealed key.
            let mut body = body.clone();
            let at = body.windows(8).position(|eight| eight == b"\"sealed\"").unwrap() + 14;
            body[at] = if body[at] == b'A' { b'B' } else { b'A' };
            body
        }] {
            sound.memory.put(object.clone(), damage);
            match sound.open(&[reader("a", 1)]).await {
                Err(error) => assert_eq!((name, error.kind()), ("content", ErrorKind::Corrupt), "{error:?}"),
                Ok(ring) => {
                    assert_eq!(ring.resolve(&CodecId::seal(data)).map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
                    assert_eq!(ring.stack("seal").map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
                    assert!(ring.warnings()[0].contains(object.as_str()), "{:?}", ring.warnings());
                }
            }
        }
        sound.memory.put(object, body);
    }
    assert!(sound.open(&[reader("a", 1)]).await.unwrap().warnings().is_empty());
}

#[tokio::test]
async fn wraps_that_were_moved_or_are_newer_or_gone_are_told() {
    let vault = Vault::with(&[reader("b", 1)]).await;
    let saved = vault.memory.contents();
    let ring = vault.open(&[reader("a", 1)]).await.unwrap();
    let of = |key: DataKeyId, name: &str| {
        let part = format!("/{key}/{name}/");
        saved.keys().find(|object| object.as_str().contains(&part)).unwrap().clone()
    };
    let (a, b) = (of(ring.content_key(), "a"), of(ring.content_key(), "b"));

    vault.memory.put(a.clone(), saved[&b].clone());
    let (kind, text) = shown(&vault.open(&[reader("a", 1)]).await.unwrap_err());
    assert!(kind == ErrorKind::Corrupt && text.contains("moved"), "{text}");

    vault.memory.put(a, r#"{"format":2,"other":"shape"}"#);
    let newer = vault.open(&[reader("a", 1)]).await.unwrap_err();
    assert_eq!(newer.kind(), ErrorKind::Unsupported);

    for object in vault.wraps() {
        assert!(vault.memory.take(&object).is_some());
    }
    let gone = vault.open(&[reader("a", 1)]).await.unwrap_err();
    assert!(gone.kind() == ErrorKind::Corrupt && gone.message().contains("gone"), "{gone}");
}

#[tokio::test]
async fn foreign_objects_below_keys_are_passed_over() {
    let vault = Vault::with(&[]).await;
    let folder = vault.wraps()[0].as_str().split('/').take(2).collect::<Vec<_>>().join("/");
    for name in ["note.txt", "zz/a/0000.json", "00000000000000000000000000000000/a/deep/0000.json"] {
        vault.memory.put(strongroom_core::Key::new(format!("{folder}/{name}")).unwrap(), "?");
    }
    let ring = vault.open(&[reader("a", 1)]).await.unwrap();
    assert_eq!(ring.warnings(), [""; 0]);
    assert_eq!(ring.readers().await.unwrap().len(), 1);
}

#[tokio::test]
async fn no_key_is_printed_or_stored_in_the_clear() {
    let vault = Vault::new();
    let ring = vault.init(&reader("a", 0xEE)).await.unwrap();
    let printed = format!("{ring:?}");
    assert!(printed.contains("KeyRing") && !printed.contains("238, 238"), "{printed}");
    for (object, body) in vault.memory.contents() {
        assert!(!body.windows(4).any(|four| four == [0xEE; 4]), "{object}");
    }
}
