//! Leases: one holder at a time, take-over only of what stays unchanged, and the dead stay dead.

use std::time::Duration;

use strongroom_core::ErrorKind;
use strongroom_core::repository::{LeaseTerms, Patience, Purpose};
use strongroom_testkit::MemoryStorage;

use crate::shaken::Shaken;
use crate::support::{back_up, clock, draft, environment, new_repository, reopen};

fn terms() -> LeaseTerms {
    LeaseTerms::new(Purpose::Prune, "a test").lasting(Duration::from_mins(1))
}

#[tokio::test(start_paused = true)]
async fn a_held_lease_is_refused_and_a_released_one_is_free() {
    let storage = MemoryStorage::new();
    let one = new_repository(storage.clone()).await;
    let two = reopen(&one, storage, 2).await;
    let lease = one.lease("prune", terms(), Duration::ZERO).await.unwrap();
    let error = two.lease("prune", terms(), Duration::from_secs(59)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("'prune' is held (a test"), "{error}");
    assert_eq!(two.leases().await.unwrap().len(), 1);
    lease.release().await.unwrap();
    assert!(two.leases().await.unwrap().is_empty());
    two.lease("prune", terms(), Duration::ZERO).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_holder_is_followed_and_notices_when_he_wakes_up() {
    let storage = MemoryStorage::new();
    let one = new_repository(storage.clone()).await;
    let two = reopen(&one, storage, 2).await;
    let dead = one.lease("prune", terms(), Duration::ZERO).await.unwrap();
    let alive = two.lease("prune", terms(), Duration::from_mins(2)).await.unwrap();
    assert_eq!(dead.check().await.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(dead.renew().await.unwrap_err().kind(), ErrorKind::Cancelled);
    dead.release().await.unwrap();
    alive.check().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_take_over_waits_for_nobody_and_a_holder_who_lives_notices() {
    let storage = MemoryStorage::new();
    let one = new_repository(storage.clone()).await;
    let two = reopen(&one, storage, 2).await;
    let held = one.lease("prune", terms(), Duration::ZERO).await.unwrap();
    let before = tokio::time::Instant::now();
    let taken = two.lease("prune", terms(), Patience::TakeOver).await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(held.check().await.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(held.renew().await.unwrap_err().kind(), ErrorKind::Cancelled);
    taken.check().await.unwrap();
}

/// The work looks at its lease before each commit, and what keeps the lease runs beside it.
#[tokio::test(start_paused = true)]
async fn a_holder_who_renews_twice_at_once_takes_nothing_from_himself() {
    for seed in 1..=100 {
        let storage = MemoryStorage::new();
        let one = new_repository(storage.clone()).await;
        let slow = reopen(&one, Shaken::new(&storage, seed, 50, 20), 2).await;
        let lease = slow.lease("prune", terms(), Duration::ZERO).await.unwrap();
        tokio::time::advance(Duration::from_secs(30)).await;
        for round in 0..3 {
            let (first, second, third) = tokio::join!(lease.renew(), lease.renew(), lease.check());
            for result in [first, second, third] {
                assert!(result.is_ok(), "seed {seed}, round {round}: {result:?}");
            }
        }
        assert_eq!(one.lease("prune", terms(), Duration::ZERO).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_who_renews_is_never_followed_whatever_the_wall_clocks_say() {
    let storage = MemoryStorage::new();
    let one = new_repository(storage.clone()).await;
    // Another machine whose wall clock is ten years ahead.
    let ahead = clock();
    ahead.jump(10 * 365 * 86_400 * 1_000_000);
    let two = strongroom_core::repository::Repository::open(std::sync::Arc::new(storage), environment(&ahead, 5));
    let two = two.await.unwrap();
    let lease = one.lease("prune", terms(), Duration::ZERO).await.unwrap();
    let error = tokio::select! {
        error = lease.keep() => panic!("{error}"),
        taken = two.lease("prune", terms(), Duration::from_mins(10)) => taken.unwrap_err(),
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(lease.epoch() > 1);
    lease.check().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_many_who_follow_exactly_one_wins() {
    for seed in 0..20 {
        let storage = MemoryStorage::new();
        let first = new_repository(storage.clone()).await;
        let dead = first.lease("prune", terms(), Duration::ZERO).await.unwrap();
        let mut racers = Vec::new();
        for racer in 0..5 {
            // Lost replies too: one's own success must not look like a lost race.
            let shaken = Shaken::new(&storage, seed * 10 + racer, 200, 30);
            racers.push(reopen(&first, shaken, seed * 100 + racer + 10).await);
        }
        let taken = futures::future::join_all(
            racers.iter().map(|racer| racer.lease("prune", terms(), Duration::from_secs(100))),
        )
        .await;
        let mut holders = Vec::new();
        for lease in taken.into_iter().flatten() {
            if lease.check().await.is_ok() {
                holders.push(lease);
            }
        }
        assert!(holders.len() <= 1, "seed {seed}");
        assert!(dead.check().await.is_err(), "seed {seed}");
        let held = first.leases().await.unwrap();
        assert_eq!(held.len(), 1, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn old_epochs_are_cleaned_and_no_number_is_used_twice() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let lease = repository.lease("restore/1", terms(), Duration::ZERO).await.unwrap();
    for _ in 0..10 {
        lease.renew().await.unwrap();
    }
    let epochs = || storage.keys().into_iter().filter(|key| key.as_str().starts_with("leases/restore%2F1/")).count();
    assert!(epochs() <= 3, "{}", epochs());
    let prune = repository.prune_lease("a test", Duration::ZERO).await.unwrap();
    repository.tidy(&prune, Duration::ZERO).await.unwrap();
    assert!(epochs() <= 2);
    lease.check().await.unwrap();
    assert_eq!(lease.epoch(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_reader_holds_what_it_reads_and_never_starts_on_what_is_condemned() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let prune = repository.prune_lease("a test", Duration::ZERO).await.unwrap();
    let request = strongroom_core::repository::PruneTerms { delete: [a].into(), ..Default::default() };
    repository.condemn(&prune, &request, &|_| Ok(())).await.unwrap();
    let reading = LeaseTerms::new(Purpose::Restore, "a restore").keeping([a]);
    let error = repository.hold("restore-1", reading, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(repository.leases().await.unwrap().len(), 1, "the lease was given back");
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_free_again_makes_nobody_a_holder() {
    let storage = MemoryStorage::new();
    let one = new_repository(storage.clone()).await;
    let two = reopen(&one, storage.clone(), 2).await;
    let dead = one.lease("prune", terms(), Duration::ZERO).await.unwrap();
    let alive = two.lease("prune", terms(), Duration::from_mins(2)).await.unwrap();
    for _ in 0..5 {
        alive.renew().await.unwrap();
    }
    assert!(!storage.keys().iter().any(|key| key.as_str() == "leases/prune/000000000002"));
    assert_eq!(dead.renew().await.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(dead.check().await.unwrap_err().kind(), ErrorKind::Cancelled);
    alive.check().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_reply_was_lost_is_ones_own() {
    let storage = MemoryStorage::new();
    let shaken = Shaken::new(&storage, 1, 0, 0);
    let repository = new_repository(storage.clone()).await;
    let repository = reopen(&repository, shaken.clone(), 3).await;
    let lease = repository.lease("prune", terms(), Duration::ZERO).await.unwrap();
    shaken.fail_in(0);
    assert_eq!(lease.renew().await.unwrap_err().kind(), ErrorKind::Unavailable);
    shaken.heal();
    lease.renew().await.unwrap();
    assert_eq!(lease.epoch(), 3, "the second was written, and nobody else holds it");
}
