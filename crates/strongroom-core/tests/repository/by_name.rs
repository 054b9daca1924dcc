//! Loading without listing: what is found by name is what a listing finds, whatever is lost and whoever cleans up.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use strongroom_core::id::BackupId;
use strongroom_core::repository::{Loaded, Record, Repository};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Key, PutMode, Result, Storage, Upload};
use strongroom_testkit::{Call, MemoryStorage, Recording};

use crate::support::{back_up, draft, new_repository, reopen};

/// A repository with some backups, and further records up to so many segments.
async fn with_segments(storage: &MemoryStorage, count: u64) -> Repository {
    let repository = new_repository(storage.clone()).await;
    for until in 1..=3 {
        back_up(&repository, "x", &draft(None, until * 10)).await.unwrap();
    }
    add(&repository, count - 6).await;
    repository
}

async fn add(repository: &Repository, count: u64) {
    for _ in 0..count {
        repository.record(&[Record::Voided { backup: BackupId::from_u128(0) }]).await.unwrap();
    }
}

async fn clean_up(repository: &Repository) {
    repository.compact(true).await.unwrap();
    let lease = repository.prune_lease("a test", Duration::from_hours(1)).await.unwrap();
    repository.trim_catalogue(&lease, Duration::ZERO).await.unwrap();
    lease.release().await.unwrap();
}

fn number(key: &Key) -> Option<u64> {
    key.as_str().strip_prefix("catalogue/")?.parse().ok()
}

#[tokio::test(start_paused = true)]
async fn loading_lists_neither_backups_nor_the_catalogue() {
    for (count, cleaned) in [(6, false), (16, true), (63, true), (64, true), (65, false), (200, true), (200, false)] {
        let storage = MemoryStorage::new();
        let repository = with_segments(&storage, count).await;
        if cleaned {
            clean_up(&repository).await;
        }
        let recording = Recording::new(storage.clone());
        let watched = Repository::open(Arc::new(recording.clone()), repository.environment().clone()).await.unwrap();
        let _ = recording.take();
        let loaded = watched.load().await.unwrap();
        assert_eq!((loaded.generation(), loaded.catalogue().len()), (count, 3), "{count}, {cleaned}");
        assert!(loaded.is_complete() && loaded.report.damaged.is_empty(), "{:?}", loaded.report);
        let calls = recording.take().calls;
        // The condemned lists are a handful, and which of them are worked off is told by their names alone.
        let lists: Vec<&Call> = calls.iter().filter(|call| matches!(call, Call::List(_))).collect();
        assert_eq!(lists, [&Call::List("condemned/".to_owned())], "{count}, {cleaned}");
        let reads =
            calls.iter().filter(|call| matches!(call, Call::Read(key, _) if storage.contents().contains_key(key)));
        let expected = if cleaned { 1 + count % 8 } else { count };
        assert_eq!(reads.count() as u64, expected, "{count}, {cleaned}");
    }
}

#[tokio::test(start_paused = true)]
async fn milestones_outlive_every_clean_up() {
    let storage = MemoryStorage::new();
    let repository = with_segments(&storage, 140).await;
    clean_up(&repository).await;
    let left: Vec<u64> = storage.keys().iter().filter_map(number).collect();
    assert_eq!(left, [64, 128, 137, 138, 139, 140]);
    add(&repository, 60).await;
    clean_up(&repository).await;
    let left: Vec<u64> = storage.keys().iter().filter_map(number).collect();
    assert_eq!(left, [64, 128, 192]);
    assert_eq!(repository.load().await.unwrap().generation(), 200);
}

/// What a load says, as far as it must not depend on how it was come by.
fn gist(loaded: &Loaded) -> (Vec<BackupId>, u64, bool) {
    (loaded.entries().map(|entry| entry.id).collect(), loaded.generation(), loaded.is_complete())
}

#[tokio::test(start_paused = true)]
async fn a_lost_object_is_told_as_if_the_catalogue_had_been_listed() {
    for (count, cleaned) in [(70, false), (135, true), (151, true)] {
        let storage = MemoryStorage::new();
        let repository = with_segments(&storage, count).await;
        if cleaned {
            clean_up(&repository).await;
            add(&repository, 20).await;
        }
        let whole = gist(&repository.load().await.unwrap());
        let contents = storage.contents();
        for key in contents.keys().filter(|key| key.as_str().starts_with("catalogue/")) {
            let damaged = MemoryStorage::holding(contents.clone());
            let _ = damaged.take(key).unwrap();
            let loaded = reopen(&repository, damaged.clone(), 1).await.load().await.unwrap();
            let (ids, generation, complete) = gist(&loaded);
            assert_eq!(ids, whole.0, "{key}");
            let snapshot = key.as_str().ends_with(".snapshot");
            let below = number(key).is_some_and(|number| cleaned && number <= count - count % 8);
            let last = number(key) == Some(whole.1);
            if snapshot {
                assert!(!complete, "{key}: all that it held is lost");
            } else if below {
                assert!(complete && generation == whole.1, "{key} is in the snapshot");
            } else if last {
                assert!(complete && generation == whole.1 - 1, "{key}: nobody can know");
            } else {
                assert!(!complete && generation == whole.1, "{key}: {:?}", loaded.report);
            }
        }
    }
}

/// What is there changes at one operation.
#[derive(Debug, Clone)]
struct Meddled {
    inner: MemoryStorage,
    later: MemoryStorage,
    left: Arc<AtomicI64>,
}

impl Meddled {
    fn now(&self) -> &MemoryStorage {
        if self.left.fetch_sub(1, Ordering::Relaxed) > 0 { &self.inner } else { &self.later }
    }
}

#[async_trait]
impl Storage for Meddled {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        self.now().create(key, mode).await
    }
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.now().read(key, range).await
    }
    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        self.now().stat(key).await
    }
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        self.now().list(prefix)
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        self.now().delete(key).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_in_the_middle_of_a_load_is_noticed() {
    for (before, more) in [(9, 9), (60, 70), (136, 8), (136, 200)] {
        let storage = MemoryStorage::new();
        let repository = with_segments(&storage, before).await;
        let inner = MemoryStorage::holding(storage.contents());
        let early = gist(&repository.load().await.unwrap());
        add(&repository, more).await;
        back_up(&repository, "late", &draft(None, 500)).await.unwrap();
        clean_up(&repository).await;
        let late = gist(&repository.load().await.unwrap());
        for at in 0.. {
            let left = Arc::new(AtomicI64::new(i64::MAX));
            let meddled = Meddled { inner: inner.clone(), later: storage.clone(), left: left.clone() };
            let reader = reopen(&repository, meddled, 3).await;
            left.store(at, Ordering::Relaxed);
            let loaded = reader.load().await.unwrap();
            let found = gist(&loaded);
            assert!(found == early || found == late, "{before}, {more}, after {at}: {found:?} {:?}", loaded.report);
            if left.load(Ordering::Relaxed) > 0 {
                break;
            }
        }
    }
}
