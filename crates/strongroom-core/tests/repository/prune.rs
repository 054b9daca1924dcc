//! Two-phase deleting: what goes, what stays, and why.

use std::collections::BTreeSet;
use std::time::Duration;

use strongroom_core::id::BackupId;
use strongroom_core::model::Status;
use strongroom_core::planner::{Pin, PinKind};
use strongroom_core::repository::{
    Commit, Guard, InitOptions, Lease, LeaseTerms, PruneTerms, Purpose, Repository, Why,
};
use strongroom_core::{Error, ErrorKind, Key};
use strongroom_testkit::MemoryStorage;

use crate::shaken::Shaken;
use crate::support::{
    back_up, back_up_sharing, backup_lease, check_whole, clock, commit, draft, environment, fill_up, new_repository,
    piece, reopen, share, sorted, store,
};

const GRACE: Duration = Duration::from_hours(24);
const FREE: &Guard<'static> = &|_| Ok(());

fn delete(ids: &[BackupId]) -> PruneTerms {
    PruneTerms { delete: ids.iter().copied().collect(), ..PruneTerms::default() }
}

/// All leases count as alive.
fn hasty() -> PruneTerms {
    PruneTerms { patience: Duration::ZERO, ..PruneTerms::default() }
}

async fn lease(repository: &Repository) -> Lease {
    repository.prune_lease("a test", Duration::from_hours(1)).await.unwrap()
}

/// Condemns, waits, sweeps.
async fn prune(repository: &Repository, request: &PruneTerms) -> strongroom_core::repository::SweepReport {
    let lease = lease(repository).await;
    repository.condemn(&lease, request, FREE).await.unwrap();
    tokio::time::advance(request.grace).await;
    let report = repository.sweep(&lease, request, FREE).await.unwrap();
    lease.release().await.unwrap();
    report
}

fn contents(storage: &MemoryStorage, folder: &str) -> Vec<Key> {
    storage.keys().into_iter().filter(|key| key.as_str().starts_with(folder)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_condemned_goes_after_the_grace_time_and_not_before() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up_sharing(&repository, "a", &draft(None, 10), &["x", "y"]).await.unwrap();
    let b = back_up_sharing(&repository, "b", &draft(None, 20), &["y", "z"]).await.unwrap();
    assert_eq!(contents(&storage, "content/").len(), 3, "y is stored once");

    let before = storage.contents();
    let told = repository.plan_prune(&delete(&[a]), FREE).await.unwrap();
    assert_eq!(storage.contents(), before, "a dry run writes nothing");
    let lease = lease(&repository).await;
    let plan = repository.condemn(&lease, &delete(&[a]), FREE).await.unwrap();
    assert_eq!((&told.backups, &told.content, told.bytes), (&plan.backups, &plan.content, plan.bytes));
    assert_eq!(plan.backups.iter().map(|doomed| doomed.backup).collect::<Vec<_>>(), [a]);
    assert_eq!(plan.content.len(), 1, "only x is used by nothing else");
    assert_eq!(repository.load().await.unwrap().entry(a).unwrap().status, Status::Deleted);
    assert_eq!(check_whole(&repository).await, [b]);

    tokio::time::advance(GRACE.saturating_sub(Duration::from_secs(1))).await;
    let early = repository.sweep(&lease, &hasty(), FREE).await.unwrap();
    assert_eq!((early.objects, early.next_due), (0, plan.due));
    tokio::time::advance(Duration::from_secs(1)).await;
    let told = repository.plan_sweep(&hasty(), FREE).await.unwrap();
    let swept = repository.sweep(&lease, &hasty(), FREE).await.unwrap();
    assert_eq!((swept.backups.as_slice(), swept.content, swept.bytes), ([a].as_slice(), 1, plan.bytes));
    assert_eq!((told.objects, told.bytes), (swept.objects, swept.bytes));
    assert_eq!(check_whole(&repository).await, [b]);
    assert_eq!(repository.load().await.unwrap().catalogue().len(), 1);
    assert_eq!(contents(&storage, "backups/").len(), 4, "manifest, pieces, shared, own data of b");
    assert_eq!(contents(&storage, "content/").len(), 2);
    let again = repository.sweep(&lease, &hasty(), FREE).await.unwrap();
    assert_eq!(again.objects, 0);
}

#[tokio::test(start_paused = true)]
async fn pins_leases_and_needs_spare_a_backup_at_both_phases() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let mut made = Vec::new();
    for until in 1..=3 {
        made.push(back_up(&repository, "x", &draft(None, until)).await.unwrap());
    }
    let pin = Pin::new(PinKind::Hold, "audit");
    repository.pin(made[0], pin.clone()).await.unwrap();
    let ghost = BackupId::from_u128(99);
    let prune_lease = lease(&repository).await;
    let request = delete(&[made[0], made[1], made[2], ghost]);
    let plan = repository.condemn(&prune_lease, &request, FREE).await.unwrap();
    let why: BTreeSet<(String, Why)> = plan.spared.iter().map(|spared| (spared.what.clone(), spared.why)).collect();
    assert_eq!(why, [(made[0].to_string(), Why::Pinned), (ghost.to_string(), Why::Unknown)].into());
    prune_lease.release().await.unwrap();
    // Between the phases: one is pinned, the other held by a copy that had begun before.
    repository.pin(made[1], pin).await.unwrap();
    let reading = LeaseTerms::new(Purpose::Restore, "a copy").keeping([made[2]]);
    let reader = repository.lease("copy-1", reading, Duration::ZERO).await.unwrap();
    tokio::time::advance(GRACE).await;
    let prune_lease = lease(&repository).await;
    let swept = reader.during(repository.sweep(&prune_lease, &delete(&[]), FREE)).await.unwrap();
    assert!(swept.backups.is_empty() && swept.objects == 0, "{swept:?}");
    assert_eq!(
        swept.spared.iter().map(|spared| spared.why).collect::<BTreeSet<_>>(),
        [Why::Pinned, Why::Leased].into()
    );
    reader.release().await.unwrap();
    let swept = repository.sweep(&prune_lease, &hasty(), FREE).await.unwrap();
    assert_eq!(swept.backups, [made[2]]);
    assert_eq!(check_whole(&repository).await, sorted(vec![made[0], made[1]]));
}

#[tokio::test(start_paused = true)]
async fn a_dead_reader_holds_nothing_for_ever() {
    let repository = new_repository(MemoryStorage::new()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let reading = LeaseTerms::new(Purpose::Restore, "a restore").keeping([a]);
    let dead = repository.hold("restore-1", reading, Duration::ZERO).await.unwrap();
    let impatient = PruneTerms { patience: Duration::from_secs(119), ..delete(&[a]) };
    let plan = repository.plan_prune(&impatient, FREE).await.unwrap();
    assert_eq!((plan.backups.len(), plan.spared[0].why), (0, Why::Leased));
    // Watched for its whole time, the lease is found dead and is fenced off.
    assert_eq!(prune(&repository, &delete(&[a])).await.backups, [a]);
    assert_eq!(dead.check().await.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_objects_stops_everything() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let b = back_up(&repository, "b", &draft(None, 20)).await.unwrap();
    let lease = lease(&repository).await;
    let objects: &Guard<'_> = &|kept| {
        assert_eq!(kept.len(), 1);
        Err(Error::broken_chain("the point is lost"))
    };
    let error = repository.condemn(&lease, &delete(&[a]), objects).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenChain);
    assert!(contents(&storage, "condemned/").is_empty());
    repository.condemn(&lease, &delete(&[a]), FREE).await.unwrap();
    tokio::time::advance(GRACE).await;
    let error = repository.sweep(&lease, &hasty(), objects).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenChain);
    assert_eq!(contents(&storage, "backups/").len(), 6);
    let _ = b;
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_fails_or_lacks_something_stops_a_prune_before_any_delete() {
    for fails in [true, false] {
        let storage = MemoryStorage::new();
        let repository = new_repository(storage.clone()).await;
        let a = back_up_sharing(&repository, "a", &draft(None, 10), &["x"]).await.unwrap();
        let b = back_up_sharing(&repository, "b", &draft(None, 20), &["x"]).await.unwrap();
        let lease_one = lease(&repository).await;
        repository.condemn(&lease_one, &delete(&[a]), FREE).await.unwrap();
        lease_one.release().await.unwrap();
        tokio::time::advance(GRACE).await;
        let shaken = Shaken::new(&storage, 1, 0, 0);
        let bad = reopen(&repository, shaken.clone(), 7).await;
        let lease_two = bad.prune_lease("a test", Duration::ZERO).await.unwrap();
        shaken.hide(&b.to_string(), fails);
        let backups = contents(&storage, "backups/");
        let error = bad.sweep(&lease_two, &hasty(), FREE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("listing of 'backups/' is not complete"), "{error}");
        let error = bad.condemn(&lease_two, &delete(&[b]), FREE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(contents(&storage, "backups/"), backups);
        assert_eq!(contents(&storage, "content/").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_back_makes_a_prune_wait() {
    let storage = MemoryStorage::new();
    let hands = clock();
    let new = Repository::init(std::sync::Arc::new(storage.clone()), environment(&hands, 1), InitOptions::default());
    let repository = new.await.unwrap();
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let lease = lease(&repository).await;
    repository.condemn(&lease, &delete(&[a]), FREE).await.unwrap();
    tokio::time::advance(GRACE).await;
    hands.jump(-2 * 86_400 * 1_000_000);
    assert_eq!(repository.sweep(&lease, &hasty(), FREE).await.unwrap().backups, []);
    // Backups and the catalogue do not mind.
    let b = back_up(&repository, "b", &draft(None, 20)).await.unwrap();
    fill_up(&repository).await;
    repository.compact(true).await.unwrap().unwrap();
    assert_eq!(repository.trim_catalogue(&lease, Duration::from_secs(1)).await.unwrap(), 0);
    assert_eq!(check_whole(&repository).await, [b]);
    hands.jump(2 * 86_400 * 1_000_000);
    assert_eq!(repository.sweep(&lease, &hasty(), FREE).await.unwrap().backups, [a]);
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_backup_is_collected_and_can_never_be_committed_again() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let keep = back_up(&repository, "keep", &draft(None, 5)).await.unwrap();
    let zombie = backup_lease(&repository, "zombie").await.unwrap();
    let begun = repository.begin(&zombie, &draft(None, 10)).await.unwrap();
    let part = store(&repository, begun.folder().unwrap().data("p", 0).unwrap(), b"bytes").await.unwrap();
    let plan = repository.plan_prune(&PruneTerms::default(), FREE).await.unwrap();
    assert!(plan.is_empty(), "it is young, and its writer alive");

    tokio::time::advance(Duration::from_hours(8 * 24)).await;
    // Its writer lives as long as it renews; then it is dead, and then it wakes up.
    let alive = zombie.during(async { repository.plan_prune(&PruneTerms::default(), FREE).await });
    assert!(alive.await.unwrap().is_empty());
    let swept = prune(&repository, &PruneTerms::default()).await;
    assert_eq!(swept.unfinished, [begun.backup]);
    assert!(!contents(&storage, begun.folder().unwrap().prefix()).contains(&part.object.key));
    let pieces = [piece("p", vec![part])];
    let late = commit(&repository, &zombie, &begun, &draft(None, 10), &pieces).await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Cancelled);
    // Even with a lease of its own it finds the mark at its manifest's name.
    let fresh = backup_lease(&repository, "other").await.unwrap();
    let late = commit(&repository, &fresh, &begun, &draft(None, 10), &pieces).await;
    let error = late.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(error.message().contains("given up"), "{error}");
    assert_eq!(repository.resume(&fresh, &begun).await.unwrap_err().kind(), ErrorKind::Cancelled);
    fresh.release().await.unwrap();
    assert_eq!(check_whole(&repository).await, [keep]);
    assert!(repository.load().await.unwrap().in_progress.is_empty());
    // The zombie's late list of pieces is garbage, and goes with the next round.
    prune(&repository, &PruneTerms::default()).await;
    assert_eq!(contents(&storage, begun.folder().unwrap().prefix()).len(), 1, "the mark stays");
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_backup_that_is_resumed_keeps_what_it_stored() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let dead = backup_lease(&repository, "x").await.unwrap();
    let begun = repository.begin(&dead, &draft(None, 10)).await.unwrap();
    let part = store(&repository, begun.folder().unwrap().data("p", 0).unwrap(), b"bytes").await.unwrap();
    tokio::time::advance(Duration::from_hours(1)).await;
    let other = reopen(&repository, storage.clone(), 8).await;
    assert_eq!(other.load().await.unwrap().in_progress, std::slice::from_ref(&begun));
    let lease = backup_lease(&other, "x").await.unwrap();
    let begun = other.resume(&lease, &begun).await.unwrap();
    let pieces = [piece("p", vec![part])];
    let _ = commit(&other, &lease, &begun, &draft(None, 10), &pieces).await.unwrap();
    assert_eq!(check_whole(&repository).await, [begun.backup]);
    assert_eq!(other.resume(&lease, &begun).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[tokio::test(start_paused = true)]
async fn content_that_a_running_backup_may_use_waits_for_it() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up_sharing(&repository, "a", &draft(None, 10), &["x"]).await.unwrap();
    let running = backup_lease(&repository, "running").await.unwrap();
    let begun = repository.begin(&running, &draft(None, 20)).await.unwrap();
    let prune_lease = lease(&repository).await;
    let request = PruneTerms { patience: Duration::ZERO, ..delete(&[a]) };
    let plan = repository.condemn(&prune_lease, &request, FREE).await.unwrap();
    assert_eq!(plan.content.len(), 1);
    tokio::time::advance(GRACE).await;
    let swept = repository.sweep(&prune_lease, &hasty(), FREE).await.unwrap();
    assert_eq!((swept.backups.as_slice(), swept.content), ([a].as_slice(), 0));
    assert_eq!(swept.spared[0].why, Why::MayBeUsed);
    // It never used it: once it is committed the content goes.
    let none: &[strongroom_core::manifest::StoredPiece] = &[];
    let _ = commit(&repository, &running, &begun, &draft(None, 20), none).await.unwrap();
    let swept = repository.sweep(&prune_lease, &hasty(), FREE).await.unwrap();
    assert_eq!((swept.backups.len(), swept.content), (0, 1));
    assert_eq!(check_whole(&repository).await, [begun.backup]);
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_cannot_be_read_keeps_all_shared_content() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up_sharing(&repository, "a", &draft(None, 10), &["x"]).await.unwrap();
    let b = back_up_sharing(&repository, "b", &draft(None, 20), &["y"]).await.unwrap();
    let manifest = repository.load().await.unwrap().entry(b).unwrap().manifest.clone();
    storage.put(manifest, "rubbish");
    let plan = repository.plan_prune(&delete(&[a]), FREE).await.unwrap();
    assert_eq!((plan.backups.len(), plan.content.len()), (1, 0));
    assert_eq!(plan.spared[0].why, Why::Unclear);
    // The broken one may go too when it is named.
    let plan = repository.plan_prune(&delete(&[a, b]), FREE).await.unwrap();
    assert_eq!((plan.backups.len(), plan.content.len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_pruned_while_the_catalogue_is_damaged() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up(&repository, "a", &draft(None, 10)).await.unwrap();
    let lease = lease(&repository).await;
    storage.put(Key::new("catalogue/000000000001").unwrap(), "rubbish");
    let error = repository.condemn(&lease, &delete(&[a]), FREE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("mend it first"), "{error}");
    repository.mend().await.unwrap();
    repository.condemn(&lease, &delete(&[a]), FREE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_damaged_condemned_list_condemns_nothing_and_is_cleared_away() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up_sharing(&repository, "a", &draft(None, 10), &["x"]).await.unwrap();
    let lease = lease(&repository).await;
    repository.condemn(&lease, &delete(&[a]), FREE).await.unwrap();
    let list = contents(&storage, "condemned/").remove(0);
    storage.put(list, "rubbish");
    // As long as it is there nobody uses older content, since it may be condemned.
    back_up_sharing(&repository, "b", &draft(None, 20), &["x"]).await.unwrap();
    assert_eq!(contents(&storage, "content/").len(), 2);
    tokio::time::advance(GRACE).await;
    let (swept, _) = repository.prune(&lease, &PruneTerms::default(), FREE).await.unwrap();
    assert_eq!(swept.objects, 0);
    back_up_sharing(&repository, "c", &draft(None, 30), &["x"]).await.unwrap();
    assert_eq!(contents(&storage, "content/").len(), 2);
    assert!(check_whole(&repository).await.contains(&a));
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_the_mended_catalogue_forgot_keeps_what_it_may_use() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up_sharing(&repository, "a", &draft(None, 10), &["x"]).await.unwrap();
    let running = backup_lease(&repository, "running").await.unwrap();
    let begun = repository.begin(&running, &draft(None, 20)).await.unwrap();
    store(&repository, begun.folder().unwrap().data("p", 0).unwrap(), b"bytes").await.unwrap();
    storage.put(Key::new("catalogue/000000000003").unwrap(), "rubbish");
    repository.mend().await.unwrap();
    assert!(repository.load().await.unwrap().in_progress.is_empty());
    let prune_lease = lease(&repository).await;
    let request = PruneTerms { patience: Duration::ZERO, ..delete(&[a]) };
    repository.condemn(&prune_lease, &request, FREE).await.unwrap();
    tokio::time::advance(GRACE).await;
    let swept = repository.sweep(&prune_lease, &hasty(), FREE).await.unwrap();
    assert_eq!((swept.backups.as_slice(), swept.content, swept.unfinished.len()), ([a].as_slice(), 0, 0));
    assert_eq!(swept.spared[0].why, Why::MayBeUsed);
}

#[tokio::test(start_paused = true)]
async fn what_is_condemned_while_a_backup_runs_is_stored_anew() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up_sharing(&repository, "a", &draft(None, 10), &["x"]).await.unwrap();
    let manifest = repository.load().await.unwrap().entry(a).unwrap().manifest.clone();
    let manifest = repository.manifest(&manifest).await.unwrap();
    let running = backup_lease(&repository, "running").await.unwrap();
    let begun = repository.begin(&running, &draft(None, 20)).await.unwrap();
    let content = repository.shared_content(&[manifest]).await.unwrap();
    let old = share(&repository, &content, "x").await.unwrap();
    let prune_lease = lease(&repository).await;
    let request = PruneTerms { patience: Duration::ZERO, ..delete(&[a]) };
    repository.condemn(&prune_lease, &request, FREE).await.unwrap();
    let refused = commit(&repository, &running, &begun, &draft(None, 20), &[piece("x", vec![old.clone()])]).await;
    let Commit::Condemned(names) = refused.unwrap() else { panic!("it was committed") };
    assert_eq!(names, std::slice::from_ref(&old.object.key));
    content.avoid(names).await;
    let new = share(&repository, &content, "x").await.unwrap();
    assert_ne!(new.object.key, old.object.key);
    let done = commit(&repository, &running, &begun, &draft(None, 20), &[piece("x", vec![new])]).await.unwrap();
    assert!(matches!(done, Commit::Done { unrecorded: None, .. }));
    tokio::time::advance(GRACE).await;
    let swept = repository.sweep(&prune_lease, &hasty(), FREE).await.unwrap();
    assert_eq!((swept.backups, swept.content), (vec![a], 1));
    assert_eq!(check_whole(&repository).await, [begun.backup]);
}

#[tokio::test(start_paused = true)]
async fn a_writer_who_lost_his_lease_or_is_condemned_commits_nothing() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let other = reopen(&repository, storage.clone(), 6).await;
    let slow = backup_lease(&repository, "x").await.unwrap();
    let begun = repository.begin(&slow, &draft(None, 10)).await.unwrap();
    let taken_over = backup_lease(&other, "x").await.unwrap();
    let late = commit(&repository, &slow, &begun, &draft(None, 10), &[]).await;
    let error = late.unwrap_err();
    assert!(error.message().contains("was taken over"), "{error}");
    taken_over.release().await.unwrap();

    let prune_lease = lease(&repository).await;
    let request = PruneTerms { unfinished_after: Duration::ZERO, ..PruneTerms::default() };
    let plan = repository.condemn(&prune_lease, &request, FREE).await.unwrap();
    assert_eq!(plan.unfinished.len(), 1);
    let fresh = backup_lease(&repository, "y").await.unwrap();
    let late = commit(&repository, &fresh, &begun, &draft(None, 10), &[]).await;
    assert!(late.unwrap_err().message().contains("given up"));
    assert!(repository.load().await.unwrap().catalogue().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_running_backup_has_just_stored_is_not_condemned() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let shaken = Shaken::new(&storage, 1, 0, 0);
    shaken.forget_times();
    let repository = reopen(&repository, shaken, 6).await;
    let running = backup_lease(&repository, "x").await.unwrap();
    repository.begin(&running, &draft(None, 10)).await.unwrap();
    let content = repository.shared_content(&[]).await.unwrap();
    share(&repository, &content, "fresh").await.unwrap();
    let request = PruneTerms { patience: Duration::ZERO, ..PruneTerms::default() };
    assert!(repository.plan_prune(&request, FREE).await.unwrap().is_empty());
    // Dead and old: it is collected, and then what it stored.
    tokio::time::advance(Duration::from_hours(8 * 24)).await;
    for expected in [0, 1] {
        assert_eq!(prune(&repository, &PruneTerms::default()).await.content, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_is_missing_keeps_all_shared_content_until_its_backup_is_named() {
    let storage = MemoryStorage::new();
    let repository = new_repository(storage.clone()).await;
    let a = back_up_sharing(&repository, "a", &draft(None, 10), &["x"]).await.unwrap();
    let b = back_up_sharing(&repository, "b", &draft(None, 20), &["y"]).await.unwrap();
    let key = repository.load().await.unwrap().entry(b).unwrap().manifest;
    let manifest = storage.take(&key).unwrap();
    let plan = repository.plan_prune(&delete(&[a]), FREE).await.unwrap();
    assert_eq!((plan.backups.len(), plan.content.len(), plan.unfinished.len()), (1, 0, 0));
    assert_eq!((plan.spared[0].why, plan.spared[0].by.as_str()), (Why::Unclear, format!("{key} is missing").as_str()));
    prune(&repository, &delete(&[a])).await;
    // So a manifest that comes back finds what it names.
    storage.put(key.clone(), manifest);
    assert_eq!(check_whole(&repository).await, [b]);
    drop(storage.take(&key).unwrap());
    let plan = repository.plan_prune(&delete(&[b]), FREE).await.unwrap();
    assert_eq!((plan.backups.len(), plan.content.len()), (1, 2));
}
