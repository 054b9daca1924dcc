//! Making, opening, backing up, loading.

use std::sync::Arc;

use strongroom_core::manifest::Blake3;
use strongroom_core::repository::{InitOptions, PlainList, RegistrationOutcome, Repository};
use strongroom_core::{ErrorKind, Key};
use strongroom_testkit::MemoryStorage;

use crate::support::{
    back_up, back_up_sharing, clock, draft, environment, identity, ids, new_repository, reopen, sorted,
};

#[tokio::test(start_paused = true)]
async fn what_was_made_opens_with_its_settings() {
    let storage = MemoryStorage::new();
    let options = InitOptions { codecs: "zstd:3,seal".to_owned(), id: None };
    let made = Repository::init(Arc::new(storage.clone()), environment(&clock(), 3), options).await.unwrap();
    let opened = reopen(&made, storage.clone(), 4).await;
    assert_eq!(opened.info(), made.info());
    assert_eq!(opened.info().codecs, "zstd:3,seal");
    let again = Repository::init(Arc::new(storage), environment(&clock(), 5), InitOptions::default()).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_repository_says_why() {
    let open = async |storage: &MemoryStorage| {
        Repository::open(Arc::new(storage.clone()), environment(&clock(), 3)).await.unwrap_err()
    };
    let storage = MemoryStorage::new();
    let error = open(&storage).await;
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::NotFound, "the folder is empty: there is no repository in it")
    );

    storage.put(Key::new("photos/cat.jpg").unwrap(), "meow");
    let error = open(&storage).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("strongroom.json is missing"), "{error}");

    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let file = Key::new("strongroom.json").unwrap();
    let body = storage.take(&file).unwrap();
    let error = open(&storage).await;
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let init = Repository::init(Arc::new(storage.clone()), environment(&clock(), 3), InitOptions::default()).await;
    assert_eq!(init.unwrap_err().kind(), ErrorKind::Corrupt, "an init would hide the backups that are there");

    storage.put(file.clone(), body.slice(..body.len() - 1));
    assert_eq!(open(&storage).await.kind(), ErrorKind::Corrupt);

    let text = String::from_utf8(body.to_vec()).unwrap().replacen("\"format\":1", "\"format\":2", 1);
    let covered = &text[..text.len() - 78];
    storage.put(file, format!("{covered}{{\"blake3\":\"{}\"}}\n", Blake3::of(covered.as_bytes())));
    let error = open(&storage).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("format 2") && error.message().contains("up to 1"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn committed_backups_are_loaded_and_read_back() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let b = back_up_sharing(&repository, "b", &draft(Some(10), 20), &["x"]).await.unwrap();
    let other = reopen(&repository, storage, 9).await;
    assert_eq!(ids(&other).await, sorted(vec![a, b]));
    let loaded = other.load().await.unwrap();
    assert!(loaded.is_complete() && loaded.in_progress.is_empty());
    assert_eq!(loaded.generation(), 4);
    let entry = loaded.entry(b).unwrap();
    assert_eq!(entry.window, draft(Some(10), 20).window);
    let manifest = other.manifest(&entry.manifest).await.unwrap();
    let pieces = other.pieces(&manifest, &PlainList).await.unwrap();
    assert_eq!(pieces.len(), 2);
    assert!(loaded.catalogue().is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_with_another_fingerprint_is_refused_until_accepted() {
    let repository = new_repository(MemoryStorage::new()).await;
    let mut cluster = identity();
    assert_eq!(repository.register_cluster(&cluster, false).await.unwrap(), RegistrationOutcome::Registered);
    assert_eq!(repository.register_cluster(&cluster, false).await.unwrap(), RegistrationOutcome::Known);
    cluster.fingerprint = "B2".to_owned();
    let error = repository.register_cluster(&cluster, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("'B2'") && error.message().contains("'A1'"), "{error}");
    assert_eq!(repository.register_cluster(&cluster, true).await.unwrap(), RegistrationOutcome::Accepted);
    assert_eq!(repository.register_cluster(&cluster, false).await.unwrap(), RegistrationOutcome::Known);
    assert_eq!(repository.registration(cluster.id).await.unwrap().cluster, cluster);
    assert_eq!(repository.clusters().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_registration_is_told_and_written_anew_by_whoever_accepts_the_cluster() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let cluster = identity();
    repository.register_cluster(&cluster, false).await.unwrap();
    let key = storage.keys().into_iter().find(|key| key.as_str().starts_with("clusters/")).unwrap();
    storage.put(key.clone(), "rubbish");
    let broken = repository.survey().await.unwrap();
    assert_eq!(broken.iter().map(|broken| &broken.key).collect::<Vec<_>>(), [&key]);
    for error in [
        repository.register_cluster(&cluster, false).await.unwrap_err(),
        repository.check_cluster(&cluster).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains(key.as_str()) && error.advice().unwrap().contains("accept it"), "{error}");
    }
    assert_eq!(repository.register_cluster(&cluster, true).await.unwrap(), RegistrationOutcome::Accepted);
    assert_eq!(repository.register_cluster(&cluster, false).await.unwrap(), RegistrationOutcome::Known);
}
