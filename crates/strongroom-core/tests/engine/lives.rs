//! Histories that the repository was not told of: a restore out of another repository, a copy of the cluster that goes its
//! own way. No chain may lead from one into the other.

use std::sync::Arc;

use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{
    BackupKindWish, BackupReport, BackupRequest, PartOutcome, RestoreRequest, backup, restore,
};
use strongroom_core::environment::Environment;
use strongroom_core::model::{BackupKind, Scope};
use strongroom_core::planner::{Request, Target};
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_core::{Cluster, ErrorKind};
use strongroom_testkit::{MemoryStorage, SimulatedCluster, SimulatedOptions};

use crate::support::{PARTS, World, committed, request, settings};
use crate::toy::Codecs;

fn emptying() -> RestoreRequest {
    let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
    RestoreRequest { options, settings: settings(), ..RestoreRequest::default() }
}

fn base() -> BackupRequest {
    BackupRequest { kind: BackupKindWish::Base, ..request() }
}

async fn back_up(repository: &Repository, cluster: &SimulatedCluster, request: BackupRequest) -> BackupReport {
    let job = backup(repository.clone(), Arc::new(Codecs), Arc::new(cluster.clone()), request);
    job.await.unwrap()
}

/// Every backup of `part` by itself is what `cluster` held at its end, and reaches it by backups of `cluster` alone.
async fn each_is_its_own(world: &World, reports: &[(&SimulatedCluster, &BackupReport)]) {
    for part in PARTS {
        for (cluster, report) in reports {
            let done = committed(report, part);
            let scope = Scope::of_parts([part]);
            let plan = world.plan(&Request::at(Target::Backup(done.backup)).of(scope)).await;
            let own: Vec<_> = reports
                .iter()
                .filter(|(other, _)| std::ptr::eq(*other, *cluster))
                .map(|(_, report)| committed(report, part).backup)
                .collect();
            assert!(plan.steps().all(|(_, step)| own.contains(&step.backup)), "{part}: {plan:?}");
            let target = world.target();
            world.restore(plan, &target, emptying()).await.unwrap();
            assert_eq!(target.contents(), cluster.part_at(part, done.window.until), "{part} of {}", done.backup);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_out_of_another_repository_is_noticed() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    let environment: Environment = world.environment();
    let storage = Arc::new(MemoryStorage::new());
    let elsewhere = Repository::init(storage, environment, InitOptions::default()).await.unwrap();
    back_up(&elsewhere, &world.cluster, request()).await;
    world.change(1);
    let before = world.chain(1).await;
    let plan = elsewhere.load().await.unwrap().catalogue().plan(&Request::at(Target::Latest)).unwrap();
    let target: Arc<dyn Cluster> = Arc::new(world.cluster.clone());
    restore(elsewhere, Arc::new(Codecs), plan, target, emptying()).await.unwrap();
    world.change(2);
    let wish = BackupRequest { kind: BackupKindWish::Incremental, ..request() };
    let refused = back_up(&world.open().await, &world.cluster, wish).await;
    for part in &refused.parts {
        let PartOutcome::Failed { kind: ErrorKind::BrokenChain, what } = &part.outcome else { panic!("{part:?}") };
        assert!(what.contains("does not lead up to what the part holds"), "{what}");
    }
    // A base that is asked for would be no better on the old timeline: what follows could reach over it.
    let second = world.backup_with(base()).await;
    world.change(3);
    let third = world.backup().await;
    let done = committed(&third, "a");
    assert_eq!((done.kind, done.bridges), (BackupKind::Incremental, None));
    assert_eq!(done.window.from, Some(committed(&second, "a").window.until));
    let cluster = &world.cluster;
    each_is_its_own(&world, &[(cluster, &before[0]), (cluster, &before[1])]).await;
    each_is_its_own(&world, &[(cluster, &second), (cluster, &third)]).await;
    // Latest is the new history, and a moment before the restore the old one.
    let old = committed(&before[1], "a").window.until;
    for (target, report) in [(Target::Latest, &third), (Target::AtOrBefore(old), &before[1])] {
        let plan = world.plan(&Request::at(target)).await;
        assert_eq!(plan.parts["a"].steps.last().unwrap().backup, committed(report, "a").backup);
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_lives_of_a_cluster_each_has_a_history_of_its_own() {
    for kind in [BackupKindWish::Auto, BackupKindWish::Base] {
        let world = World::new(SimulatedOptions::default(), 1).await;
        let shared = world.chain(1).await;
        let (one, two) = (world.cluster.clone(), world.cluster.duplicate());
        let take = async |cluster: &SimulatedCluster, seed, kind| {
            cluster.change(&PARTS, seed, strongroom_testkit::Workload { files: false, ..Default::default() });
            back_up(&world.open().await, cluster, BackupRequest { kind, ..request() }).await
        };
        let mut reports = vec![(&one, &shared[0]), (&one, &shared[1])];
        let later = [
            (&one, take(&one, 11, kind).await),
            (&two, take(&two, 12, kind).await),
            (&one, take(&one, 13, BackupKindWish::Auto).await),
            (&one, take(&one, 14, BackupKindWish::Auto).await),
            (&two, take(&two, 15, BackupKindWish::Auto).await),
            (&two, take(&two, 16, kind).await),
        ];
        let kinds: Vec<BackupKind> = later.iter().map(|(_, report)| committed(report, "a").kind).collect();
        let [first, second, third, fourth, fifth, _] = kinds.as_slice() else { panic!("{kinds:?}") };
        assert_eq!(*first, if kind == BackupKindWish::Auto { BackupKind::Incremental } else { BackupKind::Base });
        assert_eq!([second, third, fifth], [&BackupKind::Base; 3], "whose turn it is, the other was there before");
        assert_eq!(*fourth, BackupKind::Incremental);
        reports.extend(later.iter().map(|(cluster, report)| (*cluster, report)));
        each_is_its_own(&world, &reports).await;
    }
}

/// Of a cluster that can't tell the changes and does not know why, a restore is the safe thing to assume.
#[tokio::test(start_paused = true)]
async fn a_base_begins_a_timeline_unless_the_cluster_knows_its_history() {
    for remembers in [true, false] {
        let world = World::new(SimulatedOptions { remembers, ..SimulatedOptions::default() }, 1).await;
        let before = world.chain(1).await;
        world.cluster.forget_changes("a");
        world.change(5);
        let report = world.backup().await;
        assert_eq!(committed(&report, "a").kind, BackupKind::Base);
        let loaded = world.open().await.load().await.unwrap();
        let of = |report: &BackupReport| loaded.entry(committed(report, "a").backup).unwrap().timeline;
        assert_eq!(of(&report) == of(&before[1]), remembers);
        let latest = world.latest().await;
        assert_eq!(latest.parts["a"].reached.until, committed(&report, "a").window.until);
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_was_cut_off_is_not_gone_on_with_after_a_restore_from_elsewhere() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    let storage = Arc::new(MemoryStorage::new());
    let elsewhere = Repository::init(storage, world.environment(), InitOptions::default()).await.unwrap();
    back_up(&elsewhere, &world.cluster, request()).await;
    world.change(1);
    let fault = strongroom_testkit::PartFault::Read { after: 10, kind: ErrorKind::Denied, times: 1000 };
    world.cluster.fail("a", fault);
    let report = back_up(&world.open().await, &world.cluster, request()).await;
    assert!(!report.is_success());
    world.cluster.heal();
    let plan = elsewhere.load().await.unwrap().catalogue().plan(&Request::at(Target::Latest)).unwrap();
    restore(elsewhere, Arc::new(Codecs), plan, world.cluster(), emptying()).await.unwrap();
    let repository = world.open().await;
    let job =
        strongroom_core::engine::resume_backup(repository, Arc::new(Codecs), world.cluster(), report.run, request());
    let resumed = job.await.unwrap();
    let part = resumed.parts.iter().find(|part| part.part == "a").unwrap();
    let PartOutcome::Failed { what, .. } = &part.outcome else { panic!("{part:?}") };
    assert!(what.contains("new history"), "{what}");
}
