//! What a prune does when nothing goes wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use strongroom_core::engine::{PruneRequest, Removal};
use strongroom_core::id::BackupId;
use strongroom_core::model::Status;
use strongroom_core::planner::{KeepReason, RetentionPolicy};
use strongroom_core::{ErrorKind, Key};
use strongroom_testkit::{Contents, SimulatedOptions};

use super::support::{GRACE, at_once, by, delete, keep_last, nothing_is_left_over, points};
use crate::support::World;

fn ids(report: &strongroom_core::engine::BackupReport) -> Vec<BackupId> {
    report.backups().collect()
}

#[tokio::test(start_paused = true)]
async fn a_policy_condemns_first_and_deletes_after_the_grace_time() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    let made = world.two_chains().await;
    let old: BTreeSet<BackupId> = made[..3].iter().flat_map(ids).collect();
    let kept: BTreeSet<BackupId> = made[3..].iter().flat_map(ids).collect();
    let before = world.storage.contents();
    let told = world.prune(PruneRequest { dry_run: true, ..keep_last(1) }).await;
    assert_eq!(world.storage.contents(), before, "a dry run writes nothing");
    let plan = told.retention.as_ref().unwrap();
    for part in &plan.parts {
        let [base, newest] = part.kept[..] else { panic!("{:?}", part.kept) };
        assert!(ids(&made[3]).contains(&base.backup) && base.why.contains(KeepReason::MinRedundancy), "{base:?}");
        assert!(ids(&made[5]).contains(&newest.backup) && newest.why.contains(KeepReason::Last), "{newest:?}");
        let [between] = part.needed[..] else { panic!("{:?}", part.needed) };
        assert!(ids(&made[4]).contains(&between.backup) && between.by == newest.backup, "{between:?}");
    }
    assert_eq!(told.condemned.backups.iter().map(|doomed| doomed.backup).collect::<BTreeSet<_>>(), old);
    let planned = told.condemned.bytes;
    let done = world.prune(keep_last(1)).await;
    assert_eq!(done.condemned.backups, told.condemned.backups);
    assert_eq!(done.deleted.objects, 0);
    assert_eq!(world.usable().await, kept, "plans leave out what is condemned");
    let loaded = world.open().await.load().await.unwrap();
    assert_eq!(loaded.condemned.keys().copied().collect::<BTreeSet<_>>(), old);
    assert!(loaded.condemned.values().all(|status| *status == Status::Complete));
    let early = world.prune(keep_last(1)).await;
    assert_eq!((early.deleted.objects, early.condemned.backups.len()), (0, 0));
    assert!(early.deleted.next_due.is_some());

    tokio::time::advance(GRACE).await;
    let told = world.prune(PruneRequest { dry_run: true, ..keep_last(1) }).await;
    let done = world.prune(keep_last(1)).await;
    assert_eq!(done.deleted.backups.iter().copied().collect::<BTreeSet<_>>(), old);
    assert_eq!((told.deleted.objects, told.deleted.bytes), (done.deleted.objects, done.deleted.bytes));
    let stored = |contents: &Contents| {
        let data = |key: &Key| ["backups/", "content/"].iter().any(|folder| key.as_str().starts_with(folder));
        contents.iter().filter(|(key, _)| data(key)).map(|(_, body)| body.len() as u64).sum::<u64>()
    };
    let freed = stored(&before) - stored(&world.storage.contents());
    assert_eq!((done.deleted.bytes, planned), (freed, freed), "what the first dry run said, to the byte");
    nothing_is_left_over(&world).await;
    assert_eq!(world.every_point_restores().await.into_keys().collect::<BTreeSet<_>>(), kept);
    assert!(!world.is_leased().await);
}

#[tokio::test(start_paused = true)]
async fn without_a_rule_every_point_stays() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    world.two_chains().await;
    let before = points(&world.catalogue().await);
    let done = world.prune(at_once(PruneRequest::default())).await;
    assert!(done.condemned.is_empty() && done.deleted.objects == 0, "{done:?}");
    assert_eq!(points(&world.catalogue().await), before);
}

#[tokio::test(start_paused = true)]
async fn ages_are_told_by_the_clock_that_is_an_input() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    let first = world.chain(1).await;
    tokio::time::advance(Duration::from_hours(24 * 10)).await;
    world.change(7);
    let second = world.base().await;
    let policy: RetentionPolicy = serde_json::from_str(r#"{"keep_within": "5d", "min_redundancy": 0}"#).unwrap();
    let done = world.prune(at_once(by(policy))).await;
    let gone: BTreeSet<BackupId> = first.iter().flat_map(ids).collect();
    assert_eq!(done.deleted.backups.into_iter().collect::<BTreeSet<_>>(), gone);
    assert_eq!(world.usable().await, ids(&second).into_iter().collect());
    world.every_point_restores().await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_refused_with_all_that_needs_it_or_takes_that_along() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    let made = world.two_chains().await;
    let base = crate::support::committed(&made[0], "a").backup;
    let later: BTreeSet<BackupId> =
        made[1..3].iter().map(|report| crate::support::committed(report, "a").backup).collect();
    let before = world.storage.contents();
    let error = world.try_prune(delete([base], false)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenChain);
    assert!(error.advice().unwrap().contains("--cascade"), "{error}");
    let told = world.prune(PruneRequest { dry_run: true, ..delete([base], false) }).await;
    let refusal = told.refusal.unwrap();
    assert_eq!(refusal.dependents.iter().map(|dependent| dependent.backup).collect::<BTreeSet<_>>(), later);
    assert!(told.retention.is_none() && told.condemned.is_empty());
    let data = |contents: &Contents| {
        let backups = contents.keys().filter(|key| !key.as_str().starts_with("leases/"));
        backups.cloned().collect::<Vec<_>>()
    };
    assert_eq!(data(&world.storage.contents()), data(&before), "a refusal condemns nothing");

    let done = world.prune(at_once(delete([base], true))).await;
    let gone: BTreeSet<BackupId> = done.deleted.backups.iter().copied().collect();
    assert_eq!(gone, later.into_iter().chain([base]).collect());
    nothing_is_left_over(&world).await;
    world.every_point_restores().await;

    let unknown = BackupId::from_u128(99);
    assert_eq!(world.try_prune(delete([unknown], false)).await.unwrap_err().kind(), ErrorKind::NotFound);
    let all: Vec<BackupId> = world.usable().await.into_iter().collect();
    let error = world.try_prune(delete(all.clone(), false)).await.unwrap_err();
    assert!(error.advice().unwrap().contains("--last"), "{error}");
    let what = Removal::Backups { backups: all.into_iter().collect(), cascade: false, allow_last: true };
    world.prune(at_once(PruneRequest { what, ..PruneRequest::default() })).await;
    assert!(world.catalogue().await.is_empty());
    nothing_is_left_over(&world).await;
}

#[tokio::test(start_paused = true)]
async fn two_prunes_take_turns_and_a_dead_one_is_taken_over() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    world.two_chains().await;
    let repository = world.open().await;
    let other = repository.prune_lease("another", Duration::ZERO).await.unwrap();
    let error = other.during(world.try_prune(keep_last(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("another"), "{error}");
    // It renews no more.
    world.prune(at_once(keep_last(1))).await;
    assert_eq!(other.check().await.unwrap_err().kind(), ErrorKind::Cancelled);
    nothing_is_left_over(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_went_back_is_told_and_keeps_more() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    world.two_chains().await;
    world.prune(keep_last(1)).await;
    let newest = world.catalogue().await.entries().map(|entry| entry.created).max().unwrap();
    tokio::time::advance(GRACE * 2).await;
    world.clock.jump(-1_000_000 * 86_400 * 30);
    let policy: RetentionPolicy = serde_json::from_str(r#"{"keep_within": "1s"}"#).unwrap();
    let done = world.prune(by(policy)).await;
    assert_eq!((done.deleted.objects, done.condemned.backups.len()), (0, 0), "{done:?}");
    let told = format!("the newest backup was committed at {newest}");
    assert!(done.warnings.iter().any(|warning| warning.contains(&told)), "{:?}", done.warnings);
    world.clock.jump(1_000_000 * 86_400 * 30);
    assert!(world.prune(keep_last(1)).await.deleted.objects > 0);
    world.every_point_restores().await;
}
