//! A restore begins a new history: what is backed up afterwards starts with a base and never joins the old chain.

use std::sync::Arc;

use strongroom_core::Cluster as _;
use strongroom_core::ErrorKind;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{BackupKindWish, BackupRequest, PartOutcome, RestoreRequest, backup};
use strongroom_core::model::{BackupKind, Scope};
use strongroom_core::planner::{Request, Target, Timeline};
use strongroom_testkit::SimulatedOptions;

use crate::support::{World, committed, request, settings};
use crate::toy::Codecs;

fn emptying() -> RestoreRequest {
    let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
    RestoreRequest { options, settings: settings(), ..RestoreRequest::default() }
}

#[tokio::test(start_paused = true)]
async fn the_first_backup_after_a_restore_in_place_is_a_base() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    let before = world.chain(2).await;
    let first = committed(&before[0], "a").window.until;
    let plan = world.plan(&Request::at(Target::AtOrBefore(first)).of(Scope::of_parts(["a"]))).await;
    world.restore(plan, &world.cluster, emptying()).await.unwrap();
    let wish = BackupRequest { kind: BackupKindWish::Incremental, ..request() };
    let refused = backup(world.open().await, Arc::new(Codecs), world.cluster(), wish).await.unwrap();
    assert!(matches!(refused.parts[0].outcome, PartOutcome::Failed { kind: ErrorKind::BrokenChain, .. }));
    assert!(matches!(refused.parts[1].outcome, PartOutcome::Committed(_)), "part b was not restored");
    let report = world.backup().await;
    let base = committed(&report, "a");
    assert_eq!((base.kind, committed(&report, "b").kind), (BackupKind::Base, BackupKind::Incremental));
    world.change(7);
    let next = world.backup().await;
    assert_eq!(committed(&next, "a").kind, BackupKind::Incremental);
    // Each moment is restored from the history that was live then.
    for (moment, report) in [(first, &before[0]), (committed(&before[2], "a").window.until, &before[2])]
        .into_iter()
        .chain([(base.window.until, &report), (committed(&next, "a").window.until, &next)])
    {
        let plan = world.plan(&Request::at(Target::AtOrBefore(moment)).of(Scope::of_parts(["a"]))).await;
        assert_eq!(plan.parts["a"].steps.last().unwrap().backup, committed(report, "a").backup);
        let target = world.target();
        let summary = world.restore(plan, &target, emptying()).await.unwrap();
        assert_eq!(target.contents(), world.expected(&summary.parts));
    }
    let repository = world.open().await;
    let loaded = repository.load().await.unwrap();
    let cluster = world.cluster.describe().await.unwrap().identity.id;
    let own = |timeline: &&Timeline| timeline.part == "a" && timeline.cluster == cluster;
    let timelines: Vec<_> = loaded.timelines().iter().filter(own).collect();
    let opened = timelines.iter().find(|timeline| timeline.parent.is_some()).unwrap();
    assert_eq!((timelines.len(), opened.parent.unwrap().1), (2, first));
}

#[tokio::test(start_paused = true)]
async fn a_restore_into_another_cluster_begins_its_history_too() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    world.chain(1).await;
    let other = world.target();
    other.put("a", "table-1", "r", "of its own");
    let take = async || {
        let job = backup(world.open().await, Arc::new(Codecs), Arc::new(other.clone()), request());
        job.await.unwrap()
    };
    assert_eq!(committed(&take().await, "a").kind, BackupKind::Base);
    assert_eq!(committed(&take().await, "a").kind, BackupKind::Incremental);
    let cluster = world.cluster.describe().await.unwrap().identity.id;
    let plan = world.plan(&Request { cluster: Some(cluster), ..Request::at(Target::Latest) }).await;
    world.restore(plan, &other, emptying()).await.unwrap();
    let base = take().await;
    assert_eq!((committed(&base, "a").kind, committed(&base, "b").kind), (BackupKind::Base, BackupKind::Base));
    assert_eq!(committed(&take().await, "a").kind, BackupKind::Incremental);
}

/// The catalogue alone tells of a restore. When it is lost, an incremental could join the history before it.
#[tokio::test(start_paused = true)]
async fn a_lost_catalogue_does_not_hide_a_restore() {
    for mend in [false, true] {
        let world = World::new(SimulatedOptions::default(), 1).await;
        let before = world.chain(1).await;
        let first = committed(&before[0], "a").window.until;
        let plan = world.plan(&Request::at(Target::AtOrBefore(first))).await;
        world.restore(plan, &world.cluster, emptying()).await.unwrap();
        for key in world.storage.keys().into_iter().filter(|key| key.as_str().starts_with("catalogue/")) {
            drop(world.storage.take(&key).unwrap());
        }
        if mend {
            world.open().await.mend().await.unwrap();
        }
        let report = world.backup().await;
        assert_eq!(committed(&report, "a").kind, BackupKind::Base, "mended: {mend}");
        let target = world.target();
        let summary = world.restore(world.latest().await, &target, emptying()).await.unwrap();
        assert_eq!(summary.parts["a"].until, committed(&report, "a").window.until);
        assert_eq!(target.contents(), world.cluster.contents());
        if mend {
            assert_eq!(committed(&world.backup().await, "a").kind, BackupKind::Incremental, "once is enough");
        }
    }
}
