//! Changing who reads.
#![expect(clippy::unwrap_used, reason = "a test that can't go on shall stop")]

use std::sync::Arc;

use strongroom_codec::{KeyRing, ReaderKey};
use strongroom_core::codec::{CodecId, CodecRegistry as _};
use strongroom_core::{ErrorKind, Result};
use strongroom_testkit::poll_at_most;

use crate::fixtures::{CHEAP, REPOSITORY, Vault, opens, reader, sealed};

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(drop).unwrap_err().kind()
}

async fn names(ring: &KeyRing) -> Vec<String> {
    ring.readers().await.unwrap().into_iter().map(|reader| format!("{}:{}", reader.name, reader.keys.len())).collect()
}

#[tokio::test]
async fn a_repository_gets_keys_once() {
    let vault = Vault::with(&[]).await;
    let saved = vault.memory.contents();
    assert_eq!(kind(vault.init(&reader("b", 1)).await), ErrorKind::AlreadyExists);
    assert_eq!(vault.memory.contents(), saved);
}

#[tokio::test]
async fn a_new_reader_opens_what_there_is() {
    let vault = Vault::with(&[]).await;
    let mut ring = vault.open(&[reader("a", 1)]).await.unwrap();
    let old = ring.current_data_key().unwrap();
    let part = sealed(&ring, old);
    let new = ring.rotate_data_key(&[], &vault.entropy).await.unwrap();
    ring.add_reader(&reader("b", 1), &vault.entropy).await.unwrap();
    let theirs = vault.open(&[reader("b", 1)]).await.unwrap();
    opens(&theirs, old, &part).unwrap();
    assert_eq!(theirs.current_data_key().unwrap(), new);
    assert_eq!(names(&theirs).await, ["a:3", "b:3"]);

    // Once more adds nothing; under another key the name is taken.
    let saved = vault.memory.contents();
    ring.add_reader(&reader("b", 1), &vault.entropy).await.unwrap();
    assert_eq!(kind(ring.add_reader(&reader("b", 2), &vault.entropy).await), ErrorKind::AlreadyExists);
    assert_eq!(vault.memory.contents(), saved);
}

#[tokio::test]
async fn a_removed_reader_opens_nothing_and_the_last_one_stays() {
    let vault = Vault::with(&[reader("b", 1)]).await;
    let ring = vault.open(&[reader("a", 1)]).await.unwrap();
    assert_eq!(kind(ring.remove_reader("c", &vault.entropy).await), ErrorKind::NotFound);
    let unproved = ring.remove_reader("a", &vault.entropy).await.unwrap_err();
    assert_eq!(unproved.kind(), ErrorKind::Denied, "nobody at hand proves that b's key works");
    assert!(unproved.to_string().ends_with("one that stays: b)"), "{unproved}");
    ring.remove_reader("b", &vault.entropy).await.unwrap();
    assert_eq!(kind(vault.open(&[reader("b", 1)]).await), ErrorKind::Denied);
    assert_eq!(names(&ring).await, ["a:2"]);
    assert_eq!(vault.wraps().len(), 2, "the keeper's older wraps are tidied up");
    assert_eq!(kind(ring.remove_reader("a", &vault.entropy).await), ErrorKind::Invalid);
    vault.open(&[reader("a", 1)]).await.unwrap();
}

#[tokio::test]
async fn a_rotated_reader_opens_everything_with_the_new_key_only() {
    let vault = Vault::with(&[reader("b", 1)]).await;
    let mut ring = vault.open(&[reader("a", 1)]).await.unwrap();
    let key = ring.current_data_key().unwrap();
    let part = sealed(&ring, key);
    let phrase = ReaderKey::from_passphrase("a", b"new and long", CHEAP).unwrap();
    for (old, new) in [(reader("a", 1), reader("a", 2)), (reader("a", 2), phrase.clone()), (phrase, reader("a", 1))] {
        ring.rotate(&new, &vault.entropy).await.unwrap();
        assert_eq!(kind(vault.open(&[old]).await), ErrorKind::Denied);
        opens(&vault.open(&[new]).await.unwrap(), key, &part).unwrap();
        assert_eq!(names(&ring).await, ["a:2", "b:2"]);
        assert_eq!(vault.wraps().len(), 4);
    }
    vault.open(&[reader("b", 1)]).await.unwrap();
    assert_eq!(kind(ring.rotate(&reader("c", 1), &vault.entropy).await), ErrorKind::NotFound);
    assert_eq!(kind(ring.rotate(&reader("b", 2), &vault.entropy).await), ErrorKind::Denied);
    // To the key it has is no change, and ends.
    ring.rotate(&reader("a", 1), &vault.entropy).await.unwrap();
    assert_eq!(vault.wraps().len(), 4);
}

#[tokio::test]
async fn a_new_data_key_is_for_the_readers_at_hand() {
    let vault = Vault::with(&[reader("b", 1)]).await;
    let mut ring = vault.open(&[reader("a", 1)]).await.unwrap();
    let old = ring.current_data_key().unwrap();
    let naming = ring.content_naming_key();
    let lacking = ring.rotate_data_key(&[], &vault.entropy).await.unwrap_err();
    assert!(lacking.kind() == ErrorKind::Denied && lacking.message().ends_with("at hand: b"), "{lacking}");
    assert_eq!(kind(ring.rotate_data_key(&["a", "b"], &vault.entropy).await), ErrorKind::Invalid);
    let new = ring.rotate_data_key(&["b"], &vault.entropy).await.unwrap();
    assert_ne!(old, new);
    assert_eq!(ring.current_data_key().unwrap(), new);
    assert_eq!(ring.content_naming_key(), naming, "shared content keeps its names");

    // b reads what it could read, is told who can open the rest, and does not go on sealing with the old key.
    let theirs = vault.open(&[reader("b", 1)]).await.unwrap();
    opens(&theirs, old, &sealed(&ring, old)).unwrap();
    let denied = theirs.resolve(&CodecId::seal(new)).map(drop).unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied);
    assert!(denied.message().contains(&new.to_string()) && denied.advice().unwrap().ends_with("the key of: a"));
    assert_eq!(kind(theirs.stack("zstd,seal")), ErrorKind::Denied);
    assert_eq!(kind(theirs.default_stack()), ErrorKind::Denied);
}

/// Every change, stopped at every await point: what was readable stays readable, and the change done again completes.
#[tokio::test]
async fn a_crash_anywhere_loses_nothing() {
    for change in 0..4 {
        let mut stops = 0;
        for polls in 1.. {
            let vault = Vault::with(&[reader("b", 1)]).await;
            let all = [reader("a", 1), reader("a", 2), reader("b", 1), reader("c", 1)];
            let mut ring = vault.open(&[reader("a", 1), reader("b", 1)]).await.unwrap();
            let key = ring.current_data_key().unwrap();
            let part = sealed(&ring, key);
            if poll_at_most(polls, Box::pin(run(change, &mut ring, &vault))).await.is_some() {
                break;
            }
            stops += 1;
            let mut again = vault.open(&all).await.unwrap();
            opens(&again, key, &part).unwrap();
            if let Err(error) = run(change, &mut again, &vault).await {
                // The crash came after the last change that counts.
                assert!(matches!(error.kind(), ErrorKind::NotFound), "{change} {polls} {error:?}");
            }
            let after = match change {
                0 => vec!["a:2", "b:2", "c:2"],
                1 => vec!["a:2"],
                2 => vec!["a:2", "b:2"],
                _ => vec![],
            };
            if change < 3 {
                assert_eq!(names(&again).await, after, "{change} after {polls} polls");
                assert_eq!(vault.wraps().len(), 2 * after.len(), "{change} after {polls} polls");
            }
            opens(&vault.open(&all).await.unwrap(), key, &part).unwrap();
        }
        assert!(stops >= 3, "change {change} was stopped at {stops} points only");
    }
}

async fn run(change: u8, ring: &mut KeyRing, vault: &Vault) -> Result<()> {
    match change {
        0 => ring.add_reader(&reader("c", 1), &vault.entropy).await,
        1 => ring.remove_reader("b", &vault.entropy).await,
        2 => ring.rotate(&reader("a", 2), &vault.entropy).await,
        _ => ring.rotate_data_key(&[], &vault.entropy).await.map(drop),
    }
}

#[tokio::test]
async fn a_crash_while_giving_keys_leaves_a_repository_without_keys() {
    for polls in 1.. {
        let vault = Vault::new();
        let first = reader("a", 1);
        let init = KeyRing::init(Arc::clone(&vault.storage), REPOSITORY, &first, &vault.entropy);
        if poll_at_most(polls, Box::pin(init)).await.is_some() {
            assert!(polls > 4, "it was stopped at {polls} points only");
            break;
        }
        if KeyRing::exists(&*vault.storage, REPOSITORY).await.unwrap() {
            vault.open(&[reader("a", 1)]).await.unwrap();
        } else {
            vault.init(&reader("b", 1)).await.unwrap();
            assert_eq!(names(&vault.open(&[reader("b", 1)]).await.unwrap()).await, ["b:2"], "leftovers don't count");
        }
    }
}
