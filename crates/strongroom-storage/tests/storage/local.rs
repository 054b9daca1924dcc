//! The local folder: the contract, and everything that a file system adds to it.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::data::{self, Pattern};
use bytes::Bytes;
use futures::StreamExt as _;
use strongroom_core::{ErrorKind, Key, PutMode, Storage};
use strongroom_storage::{LocalStorage, Options, open};

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(crate) async fn put(storage: &dyn Storage, name: &str, mode: PutMode, body: &[u8]) -> strongroom_core::Result<()> {
    let mut upload = storage.create(&key(name), mode).await?;
    upload.write(Bytes::copy_from_slice(body)).await?;
    upload.finish().await.map(drop)
}

pub(crate) async fn names(storage: &dyn Storage, prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = storage.list(prefix).map(|item| item.unwrap().key.to_string()).collect().await;
    names.sort();
    names
}

pub(crate) fn files_below(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(&folder.path().join("root")).unwrap();
    strongroom_testkit::storage_contract(std::sync::Arc::new(storage), "").await;
}

#[tokio::test]
async fn a_missing_folder_is_empty_to_a_list_told_by_a_read_and_made_by_a_write() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a/b");
    let storage = LocalStorage::new(&root).unwrap();
    assert!(names(&storage, "").await.is_empty());
    for error in [storage.stat(&key("x")).await.unwrap_err(), storage.read(&key("x"), None).await.err().unwrap()] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("storage folder"), "{error}");
    }
    storage.delete(&key("x")).await.unwrap();
    assert!(!root.exists(), "looking must not create");
    put(&storage, "x/y", PutMode::CreateNew, b"1").await.unwrap();
    assert_eq!(names(&storage, "").await, ["x/y"]);
    let error = storage.stat(&key("x/z")).await.unwrap_err();
    assert!(error.message().contains("x/z does not exist"), "{error}");
}

#[tokio::test]
async fn what_is_being_written_is_never_listed_and_goes_when_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path()).unwrap();
    let mut upload = storage.create(&key("big"), PutMode::CreateNew).await.unwrap();
    upload.write(Bytes::from(vec![1; 3 << 20])).await.unwrap();
    let temp = folder.path().join(".strongroom-tmp");
    assert_eq!(files_below(&temp).len(), 1);
    assert!(names(&storage, "").await.is_empty());
    assert!(names(&storage, ".strongroom-tmp/").await.is_empty());
    for bad in ["listing", "/", "../", "a//"] {
        assert_eq!(storage.list(bad).next().await.unwrap().unwrap_err().kind(), ErrorKind::Invalid, "{bad}");
    }
    let reserved = key(".strongroom-tmp/x");
    assert_eq!(storage.create(&reserved, PutMode::Overwrite).await.err().unwrap().kind(), ErrorKind::Invalid);
    assert_eq!(storage.read(&reserved, None).await.err().unwrap().kind(), ErrorKind::Invalid);
    drop(upload);
    assert!(files_below(&temp).is_empty());
}

#[tokio::test]
async fn of_eight_racing_writers_exactly_one_wins_and_its_bytes_stay() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..10 {
        // Each racer has its own instance, as another process would.
        let racers = (0..8).map(|racer| {
            let storage = LocalStorage::new(folder.path()).unwrap();
            async move { put(&storage, &format!("f/{round}"), PutMode::CreateNew, &[racer; 1000]).await }
        });
        let results = futures::future::join_all(racers).await;
        let winners: Vec<usize> = (0..8).filter(|racer| results[*racer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        assert!(
            results.iter().filter_map(|result| result.as_ref().err()).all(|e| e.kind() == ErrorKind::AlreadyExists)
        );
        let body = std::fs::read(folder.path().join(format!("f/{round}"))).unwrap();
        assert_eq!(body, vec![u8::try_from(winners[0]).unwrap(); 1000]);
    }
}

#[tokio::test]
async fn a_folder_may_be_deleted_while_its_next_object_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path()).unwrap();
    let churn = |name: &'static str| {
        let storage = storage.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                put(&storage, &format!("deep/er/{name}"), PutMode::CreateNew, b"x").await.unwrap();
                storage.delete(&key(&format!("deep/er/{name}"))).await.unwrap();
            }
        })
    };
    for task in [churn("a"), churn("b"), churn("c")] {
        task.await.unwrap();
    }
    assert!(!folder.path().join("deep").exists(), "empty folders go with their last object");
}

#[tokio::test]
async fn foreign_files_are_named_and_links_and_pipes_are_no_objects() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path()).unwrap();
    put(&storage, "ok", PutMode::CreateNew, b"1").await.unwrap();
    std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"bad\xff")), "").unwrap();
    std::fs::write(folder.path().join("with space"), "").unwrap();
    std::os::unix::fs::symlink("ok", folder.path().join("link")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    std::fs::create_dir(folder.path().join("empty")).unwrap();

    let (good, bad): (Vec<_>, Vec<_>) = storage.list("").collect::<Vec<_>>().await.into_iter().partition(Result::is_ok);
    assert_eq!(good.into_iter().map(|item| item.unwrap().key.to_string()).collect::<Vec<_>>(), ["ok"]);
    let mut told: Vec<String> = bad.into_iter().map(|item| item.unwrap_err().to_string()).collect();
    told.sort();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("bad\u{fffd}") && told[1].contains("with space"), "{told:?}");

    for name in ["link", "pipe", "empty"] {
        assert_eq!(storage.stat(&key(name)).await.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        assert_eq!(storage.read(&key(name), None).await.err().unwrap().kind(), ErrorKind::NotFound, "{name}");
    }
}

#[tokio::test]
async fn a_file_in_the_way_of_a_folder_and_a_folder_in_the_way_of_a_file_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path()).unwrap();
    put(&storage, "a", PutMode::CreateNew, b"1").await.unwrap();
    let error = put(&storage, "a/b", PutMode::CreateNew, b"1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    put(&storage, "c/d", PutMode::CreateNew, b"1").await.unwrap();
    let error = put(&storage, "c", PutMode::Overwrite, b"1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(put(&storage, "c", PutMode::CreateNew, b"1").await.is_err());
    assert_eq!(names(&storage, "").await, ["a", "c/d"]);
    assert!(files_below(&folder.path().join(".strongroom-tmp")).is_empty());
}

#[tokio::test]
async fn two_hundred_megabytes_go_out_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(folder.path().to_str().unwrap(), &Options::default()).unwrap();
    let body = Pattern { seed: 1, size: 200_000_000 };
    data::write(&*storage, &key("large"), &body, PutMode::CreateNew).await.unwrap();
    data::check(&*storage, &key("large"), &body, None).await;
    data::check(&*storage, &key("large"), &body, Some(99_999_999..150_000_001)).await;
}
