use super::*;
use crate::{MemoryStorage, storage_contract};
use strongroom_core::{ErrorKind, StorageExt as _};

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn with(faults: Faults) -> (MemoryStorage, Faulty<MemoryStorage>) {
    let below = MemoryStorage::new();
    (below.clone(), Faulty::new(below, 1, faults))
}

#[tokio::test]
async fn without_faults_it_keeps_the_contract() {
    storage_contract(Arc::new(with(Faults::NONE).1), "").await;
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_fails_the_same_way() {
    let run = async |seed| {
        let storage = Faulty::new(MemoryStorage::new(), seed, Faults::flaky(200));
        let mut outcomes = Vec::new();
        for number in 0..100 {
            let put = storage.put_new(&key(&format!("{number}")), "body".into()).await;
            outcomes.push(put.map_err(|error| error.to_string()));
        }
        assert!(storage.injected() > 0);
        outcomes
    };
    assert_eq!(run(1).await, run(1).await);
    assert_ne!(run(1).await, run(2).await);
}

#[tokio::test]
async fn a_lost_reply_leaves_the_object() {
    let (below, storage) = with(Faults { lost_reply: 1000, ..Faults::NONE });
    assert_eq!(storage.put_new(&key("a"), "body".into()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(below.contents()[&key("a")], "body");
    assert!(storage.put_new(&key("a"), "body".into()).await.is_ok(), "one's own body there is a success");
    assert_eq!(storage.delete(&key("a")).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(below.keys().is_empty());
}

#[tokio::test]
async fn failed_and_halved_writes_leave_nothing() {
    for (faults, kind) in [
        (Faults { fail: 1000, ..Faults::NONE }, ErrorKind::Unavailable),
        (Faults { half_write: 1000, ..Faults::NONE }, ErrorKind::Unavailable),
        (Faults { denied: 1000, ..Faults::NONE }, ErrorKind::Denied),
        (Faults { room: Some(3), ..Faults::NONE }, ErrorKind::NoSpace),
    ] {
        let (below, storage) = with(faults);
        assert_eq!(storage.put_new(&key("a"), "body".into()).await.unwrap_err().kind(), kind);
        assert!(below.keys().is_empty());
        storage.set(Faults::NONE);
        assert!(storage.put_new(&key("a"), "body".into()).await.is_ok(), "it is healed");
    }
}

#[tokio::test]
async fn reads_are_cut_truncated_or_flipped() {
    let body: Bytes = (0..=255).collect::<Vec<u8>>().into();
    let read = async |faults| {
        let (below, storage) = with(faults);
        below.put(key("a"), body.clone());
        storage.get(&key("a"), 1000).await
    };
    let cut = read(Faults { cut_read: 1000, ..Faults::NONE }).await;
    assert_eq!(cut.unwrap_err().kind(), ErrorKind::Unavailable);
    let truncated = read(Faults { truncated_read: 1000, ..Faults::NONE }).await.unwrap();
    assert!(truncated.len() < body.len() && body.starts_with(&truncated));
    let flipped = read(Faults { flipped_bit: 1000, ..Faults::NONE }).await.unwrap();
    let bits: u32 = flipped.iter().zip(&body).map(|(one, two)| (one ^ two).count_ones()).sum();
    assert_eq!((flipped.len(), bits), (256, 1));
}

#[tokio::test]
async fn listings_are_stale_or_fail() {
    let (_, storage) = with(Faults::NONE);
    for number in 0..5 {
        storage.put_new(&key(&format!("{number}")), "body".into()).await.unwrap();
    }
    storage.set(Faults { stale_list: 1000, ..Faults::NONE });
    assert_eq!(storage.list("").count().await, 2);
    storage.set(Faults { failing_page: 1000, ..Faults::NONE });
    let items: Vec<_> = storage.list("").collect().await;
    assert_eq!(items.iter().filter(|item| item.is_err()).count(), 1);
    assert!(items.last().unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn delays_take_tokio_time() {
    let (_, storage) = with(Faults { delay: 1000, longest_delay: Duration::from_secs(100), ..Faults::NONE });
    let start = tokio::time::Instant::now();
    storage.put_new(&key("a"), "body".into()).await.unwrap();
    assert!(start.elapsed() > Duration::ZERO && start.elapsed() < Duration::from_mins(5));
}
