//! A crash at every operation on the storage, before and after it takes effect; then another process goes on.

use std::time::Duration;

use strongroom_core::Result;
use strongroom_core::id::BackupId;
use strongroom_core::repository::{Guard, PruneTerms, Repository};
use strongroom_testkit::MemoryStorage;

use crate::shaken::{Crash, Shaken};
use crate::support::{back_up_sharing, check_whole, draft, fill_up, new_repository, reopen, sorted};

const FREE: &Guard<'static> = &|_| Ok(());

/// At once, but for what dead leases take.
fn request(delete: &[BackupId]) -> PruneTerms {
    PruneTerms {
        delete: delete.iter().copied().collect(),
        grace: Duration::ZERO,
        unfinished_after: Duration::ZERO,
        patience: Duration::from_mins(5),
        object_lock: Duration::ZERO,
    }
}

/// A repository with three backups that share content.
async fn prepared() -> (MemoryStorage, Repository, Vec<BackupId>) {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let mut made = Vec::new();
    for (until, shared) in [(10, ["x", "y"]), (20, ["y", "z"]), (30, ["x", "z"])] {
        made.push(back_up_sharing(&repository, "x", &draft(None, until), &shared).await.unwrap());
    }
    fill_up(&repository).await;
    (storage, repository, made)
}

/// Prunes until nothing is left to do, and checks that nothing is left over.
async fn clear_up(repository: &Repository, storage: &MemoryStorage, delete: &[BackupId]) {
    let lease = repository.prune_lease("a test", Duration::from_hours(1)).await.unwrap();
    for _ in 0..4 {
        tokio::time::advance(Duration::from_secs(1)).await;
        repository.prune(&lease, &request(delete), FREE).await.unwrap();
    }
    lease.release().await.unwrap();
    let whole = check_whole(repository).await;
    let ids: Vec<String> = whole.iter().map(ToString::to_string).collect();
    for key in storage.keys() {
        let name = key.as_str();
        let kept = !name.starts_with("backups/") || ids.iter().any(|id| name.contains(id));
        assert!(kept || name.ends_with("/manifest.json"), "left over: {name}");
    }
    let mut used = std::collections::BTreeSet::new();
    for entry in repository.load().await.unwrap().entries() {
        let manifest = repository.manifest(&entry.manifest).await.unwrap();
        let pieces = repository.pieces(&manifest, &strongroom_core::repository::PlainList).await.unwrap();
        used.extend(pieces.into_iter().flat_map(|piece| piece.parts).map(|part| part.object.key));
    }
    for key in storage.keys().into_iter().filter(|key| key.as_str().starts_with("content/")) {
        assert!(used.contains(&key), "left over: {key}");
    }
}

/// Runs `work` against a storage that crashes at operation 0, 1, 2 … until it gets through, and `check` after each.
async fn crash_everywhere(
    work: impl AsyncFn(&Repository, &[BackupId]) -> Result<Option<BackupId>>,
    check: impl AsyncFn(&Repository, &MemoryStorage, &[BackupId], Option<BackupId>),
) {
    for crash in [Crash::Before, Crash::After] {
        for at in 0.. {
            assert!(at < 2000, "it never gets through");
            let (storage, repository, made) = prepared().await;
            let shaken = Shaken::crashing(&storage, at + 1, crash);
            let dying = reopen(&repository, shaken.clone(), 1000).await;
            let result = work(&dying, &made).await;
            let next = reopen(&repository, storage.clone(), 2000).await;
            check(&next, &storage, &made, result.as_ref().ok().copied().flatten()).await;
            if !shaken.crashed() {
                result.unwrap();
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_dies_anywhere_is_there_or_not_there() {
    crash_everywhere(
        async |dying, _| back_up_sharing(dying, "new", &draft(None, 40), &["x", "new"]).await.map(Some),
        async |next, storage, made, done| {
            let whole = check_whole(next).await;
            assert!(made.iter().all(|id| whole.contains(id)));
            assert!(done.is_none_or(|done| whole.contains(&done)), "what was told as done is there");
            assert!(whole.len() <= made.len() + 1);
            // The next backup and the next prune go through whatever was left behind.
            let another = back_up_sharing(next, "next", &draft(None, 50), &["new", "y"]).await.unwrap();
            clear_up(next, storage, &[]).await;
            let mut expected = whole.clone();
            expected.push(another);
            assert_eq!(check_whole(next).await, sorted(expected), "what was committed stays");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_compaction_that_dies_anywhere_changes_nothing() {
    crash_everywhere(
        async |dying, _| {
            dying.compact(true).await?;
            let lease = dying.prune_lease("a test", Duration::from_hours(1)).await?;
            dying.trim_catalogue(&lease, Duration::ZERO).await?;
            Ok(None)
        },
        async |next, storage, made, _| {
            assert_eq!(check_whole(next).await, sorted(made.to_vec()));
            assert!(next.load().await.unwrap().report.damaged.is_empty());
            next.compact(true).await.unwrap();
            clear_up(next, storage, &[]).await;
            assert_eq!(check_whole(next).await, sorted(made.to_vec()));
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_prune_that_dies_anywhere_is_finished_by_the_next() {
    crash_everywhere(
        async |dying, made| {
            let lease = dying.prune_lease("a test", Duration::from_hours(1)).await?;
            for _ in 0..2 {
                dying.prune(&lease, &request(&made[..1]), FREE).await?;
            }
            lease.release().await?;
            Ok(None)
        },
        async |next, storage, made, _| {
            let whole = check_whole(next).await;
            assert!(made[1..].iter().all(|id| whole.contains(id)), "what was to stay is there, and whole");
            clear_up(next, storage, &made[..1]).await;
            assert_eq!(check_whole(next).await, sorted(made[1..].to_vec()));
            let entries = next.load().await.unwrap().into_catalogue();
            assert_eq!(entries.len(), 2, "what was deleted is gone from the catalogue too");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_mending_that_dies_anywhere_is_finished_by_the_next() {
    crash_everywhere(
        async |dying, _| dying.mend().await.map(|_| None),
        async |next, _, made, _| assert_eq!(check_whole(next).await, sorted(made.to_vec())),
    )
    .await;
}
