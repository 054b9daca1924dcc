//! Backups and prunes at once, in an order that a seed decides: whatever is committed stays whole.

use std::time::Duration;

use strongroom_core::ErrorKind;
use strongroom_core::repository::{Guard, PruneTerms, Repository};
use strongroom_testkit::MemoryStorage;

use crate::shaken::Shaken;
use crate::support::{
    back_up_sharing, back_up_under, backup_lease, check_whole, draft, new_repository, reopen, sorted,
};

const FREE: &Guard<'static> = &|_| Ok(());

async fn actor(repository: &Repository, storage: &MemoryStorage, seed: u64, lost: u64) -> Repository {
    reopen(repository, Shaken::new(storage, seed, 300, lost), seed + 1).await
}

#[tokio::test(start_paused = true)]
async fn two_backups_at_once_are_both_there() {
    for seed in 0..30 {
        let storage = MemoryStorage::new();
        let repository = new_repository(storage.clone()).await;
        let one = actor(&repository, &storage, seed * 2 + 1, 20).await;
        let two = actor(&repository, &storage, seed * 2 + 2, 20).await;
        let (draft_one, draft_two) = (draft(None, 10), draft(None, 10));
        let (a, b) = futures::future::join(
            back_up_sharing(&one, "one", &draft_one, &["x"]),
            back_up_sharing(&two, "two", &draft_two, &["x"]),
        )
        .await;
        // Stored data may lose its reply: that is the engine's to repeat. What is told as done is there.
        let whole = check_whole(&repository).await;
        for done in [a, b].into_iter().flatten() {
            assert!(whole.contains(&done), "seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn backups_and_prunes_at_once_never_hurt_each_other() {
    for seed in 0..40 {
        let storage = MemoryStorage::new();
        let repository = new_repository(storage.clone()).await;
        let old = back_up_sharing(&repository, "old", &draft(None, 1), &["x", "y", "z"]).await.unwrap();
        let backups = async {
            let one = actor(&repository, &storage, seed * 3 + 1, 0).await;
            let mut made = Vec::new();
            for round in 0..4 {
                let draft = draft(None, 10 + round);
                let made_now = back_up_sharing(&one, "one", &draft, &["x", "y"]).await;
                made.push(made_now.unwrap_or_else(|error| panic!("seed {seed}: {error:?}")));
            }
            made
        };
        // It sleeps in the middle for longer than its lease lasts, and wakes up.
        let sleeper = async {
            let two = actor(&repository, &storage, seed * 3 + 2, 0).await;
            let lease = backup_lease(&two, "sleeper").await.unwrap();
            let draft = draft(None, 20);
            let work = back_up_under(&two, &lease, "sleeper", &draft, &["x", "z"]);
            tokio::pin!(work);
            let early = tokio::time::timeout(Duration::from_millis(200 * (seed % 20) + 1), &mut work).await;
            if let Ok(done) = early {
                return done;
            }
            tokio::time::sleep(Duration::from_mins(10)).await;
            work.await
        };
        let prunes = async {
            let three = actor(&repository, &storage, seed * 3 + 3, 0).await;
            let lease = three.prune_lease("a test", Duration::from_hours(1)).await.unwrap();
            for _ in 0..6 {
                let request = PruneTerms {
                    delete: [old].into(),
                    grace: Duration::from_secs(seed % 5),
                    unfinished_after: Duration::from_secs(1),
                    patience: Duration::from_mins(3),
                    object_lock: Duration::ZERO,
                };
                three.prune(&lease, &request, FREE).await.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        };
        let (made, late, ()) = futures::future::join3(backups, sleeper, prunes).await;
        let whole = check_whole(&repository).await;
        let mut expected = made;
        match late {
            Ok(late) => expected.push(late),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Cancelled, "seed {seed}: {error:?}"),
        }
        assert_eq!(whole, sorted(expected), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_prunes_at_once_take_turns() {
    for seed in 0..20 {
        let storage = MemoryStorage::new();
        let repository = new_repository(storage.clone()).await;
        let a = back_up_sharing(&repository, "a", &draft(None, 1), &["x"]).await.unwrap();
        let b = back_up_sharing(&repository, "b", &draft(None, 2), &["x"]).await.unwrap();
        let request = PruneTerms {
            delete: [a].into(),
            grace: Duration::ZERO,
            unfinished_after: Duration::from_hours(1),
            patience: Duration::ZERO,
            object_lock: Duration::ZERO,
        };
        let prune = async |seed| {
            let own = actor(&repository, &storage, seed, 0).await;
            let lease = own.prune_lease("a test", Duration::from_secs(30)).await?;
            own.prune(&lease, &request, FREE).await?;
            own.prune(&lease, &request, FREE).await?;
            lease.release().await
        };
        let (one, two) = futures::future::join(prune(seed * 2 + 50), prune(seed * 2 + 51)).await;
        assert!(one.is_ok() || two.is_ok(), "seed {seed}");
        for result in [one, two] {
            let kind = result.map_or_else(|error| error.kind(), |()| ErrorKind::Unavailable);
            assert_eq!(kind, ErrorKind::Unavailable, "seed {seed}: refused because the other one holds the lease");
        }
        assert_eq!(check_whole(&repository).await, [b], "seed {seed}");
    }
}
