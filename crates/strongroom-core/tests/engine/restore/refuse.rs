//! Restores that are refused: nothing of the target, the journal or the timelines has changed.

use std::sync::Arc;

use strongroom_core::cluster::{ClusterIdentity, RestoreOptions};
use strongroom_core::codec::{Codec, CodecId, CodecRegistry};
use strongroom_core::engine::{Journal, RestoreRequest, RestoreSummary, restore};
use strongroom_core::id::SessionId;
use strongroom_core::model::Scope;
use strongroom_core::planner::{Plan, Request, Target};
use strongroom_core::{Cluster as _, Error, ErrorKind, Result};
use strongroom_testkit::{MemoryStorage, SimulatedCluster, SimulatedOptions};

use crate::support::{World, settings};
use crate::toy::Codecs;

fn plain() -> RestoreRequest {
    RestoreRequest { settings: settings(), ..RestoreRequest::default() }
}

async fn world() -> World {
    let world = World::new(SimulatedOptions::default(), 5).await;
    world.chain(1).await;
    world
}

/// Restores into `target`, which must not change, and gives the error.
async fn refused(
    world: &World,
    plan: Plan,
    target: &SimulatedCluster,
    registry: Arc<dyn CodecRegistry>,
    request: RestoreRequest,
) -> Error {
    let journal = MemoryStorage::new();
    let request = RestoreRequest { journal: Some(Journal::new(Arc::new(journal.clone()))), ..request };
    let timelines = |world: &World| {
        let storage = world.storage.clone();
        storage.keys().into_iter().filter(|key| key.as_str().starts_with("catalogue/")).count()
    };
    let before = (target.contents(), timelines(world));
    let job = restore(world.open().await, registry, plan, Arc::new(target.clone()), request);
    let result: Result<RestoreSummary> = job.await;
    assert_eq!((target.contents(), timelines(world)), before);
    assert_eq!(target.open_sessions(), 0);
    assert!(journal.keys().is_empty());
    assert!(!world.is_leased().await);
    result.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_target_that_refuses_is_not_touched() {
    let world = world().await;
    let options = SimulatedOptions { truncate: false, ..SimulatedOptions::default() };
    let target = SimulatedCluster::new("target", Arc::new(world.clock.clone()), options);
    target.put("a", "table-1", "r", "stays");
    let request = RestoreRequest { options: RestoreOptions { truncate: true, ..RestoreOptions::default() }, ..plain() };
    let error = refused(&world, world.latest().await, &target, Arc::new(Codecs), request).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "the target refuses the restore: this cluster can't be emptied (nothing was changed)"
    );
}

#[tokio::test(start_paused = true)]
async fn definitions_after_the_data_are_refused_by_a_cluster_that_needs_them_first() {
    let world = world().await;
    let options = RestoreOptions { definitions_last: true, ..RestoreOptions::default() };
    let request = RestoreRequest { options, ..plain() };
    let error = refused(&world, world.latest().await, &world.target(), Arc::new(Codecs), request).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("needs its definitions before its data"), "{error}");
}

/// A registry without the keys of some codecs.
#[derive(Debug)]
struct Keyless;

impl CodecRegistry for Keyless {
    fn resolve(&self, id: &CodecId) -> Result<Arc<dyn Codec>> {
        Err(Error::denied(format!("no key for '{id}'")))
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_key_is_told_before_anything_happens() {
    let world = world().await;
    let error = refused(&world, world.latest().await, &world.target(), Arc::new(Keyless), plain()).await;
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("no key for 'xor:"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn renames_that_make_no_sense_are_refused() {
    let world = world().await;
    for (rename, message) in [
        (vec![("a", "b")], "two parts would be restored as 'b'"),
        (vec![("c", "d")], "'c' is to be renamed, but is no part of the plan"),
    ] {
        let rename = rename.into_iter().map(|(from, to)| (from.to_owned(), to.to_owned())).collect();
        let request = RestoreRequest { options: RestoreOptions { rename, ..RestoreOptions::default() }, ..plain() };
        let error = refused(&world, world.latest().await, &world.target(), Arc::new(Codecs), request).await;
        assert_eq!((error.kind(), error.message()), (ErrorKind::Invalid, message));
    }
}

#[tokio::test(start_paused = true)]
async fn another_cluster_under_a_known_id_is_refused_until_accepted() {
    let world = world().await;
    let identity = world.cluster.describe().await.unwrap().identity;
    let other = ClusterIdentity { fingerprint: "another".to_owned(), ..identity };
    let repository = world.open().await;
    repository.register_cluster(&other, true).await.unwrap();
    let error = refused(&world, world.latest().await, &world.cluster, Arc::new(Codecs), plain()).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("fingerprint is 'simulated orders', and 'another' was registered"), "{error}");
    let request = RestoreRequest { accept_cluster: true, ..plain() };
    world.restore(world.latest().await, &world.cluster, request).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_being_deleted_is_refused() {
    use strongroom_core::repository::PruneTerms;
    let world = world().await;
    let plan = world.plan(&Request::at(Target::Latest).of(Scope::of_parts(["a"]))).await;
    let step = plan.steps().last().unwrap().1.backup;
    let repository = world.open().await;
    let lease = repository.prune_lease("a test", std::time::Duration::ZERO).await.unwrap();
    let request = PruneTerms { delete: [step].into(), ..PruneTerms::default() };
    repository.condemn(&lease, &request, &|_| Ok(())).await.unwrap();
    lease.release().await.unwrap();
    let error = refused(&world, plan, &world.target(), Arc::new(Codecs), plain()).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("is being deleted (plan again"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_ended_or_was_begun_with_another_plan_is_refused() {
    let world = world().await;
    let journal = Journal::new(Arc::new(MemoryStorage::new()));
    let session = SessionId::from_u128(7);
    let request = || RestoreRequest { journal: Some(journal.clone()), session: Some(session), ..plain() };
    let target = world.target();
    let first = world.restore(world.latest().await, &target, request()).await.unwrap();
    assert_eq!(first.session, session);
    let error = world.restore(world.latest().await, &target, request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.message().ends_with("has ended already"), "{error}");

    let half = Journal::new(Arc::new(MemoryStorage::new()));
    let request = |options| RestoreRequest { journal: Some(half.clone()), session: Some(session), options, ..plain() };
    let plan = world.latest().await;
    let target = world.target();
    target.create_part("b");
    target.fail("b", strongroom_testkit::PartFault::Write { after: 0, kind: ErrorKind::NoSpace, times: 1 });
    let error = world.restore(plan.clone(), &target, request(RestoreOptions::default())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace);
    let now = target.contents();
    let other = world.plan(&Request::at(Target::Latest).of(Scope::of_parts(["a"]))).await;
    for (plan, options) in [
        (other, RestoreOptions::default()),
        (plan.clone(), RestoreOptions { truncate: true, ..RestoreOptions::default() }),
    ] {
        let error = world.restore(plan, &target, request(options)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("was begun with another plan or other options"), "{error}");
        assert_eq!(target.contents(), now);
    }
    let summary = world.restore(plan, &target, request(RestoreOptions::default())).await.unwrap();
    assert_eq!(target.contents(), world.expected(&summary.parts));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_checks_everything_and_writes_nothing() {
    let world = world().await;
    let target = world.target();
    let before = world.storage.contents();
    let journal = MemoryStorage::new();
    let request = |options| RestoreRequest {
        dry_run: true,
        journal: Some(Journal::new(Arc::new(journal.clone()))),
        options,
        ..plain()
    };
    let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
    let summary = world.restore(world.latest().await, &target, request(options.clone())).await.unwrap();
    assert!(summary.dry_run && summary.applied == strongroom_core::cluster::Applied::default());
    assert_eq!(world.storage.contents(), before);
    assert!(target.contents().is_empty() && target.open_sessions() == 0 && journal.keys().is_empty());
    let damaged = before.keys().find(|key| key.as_str().contains("/data/")).unwrap();
    world.storage.put(damaged.clone(), "rubbish");
    let error = world.restore(world.latest().await, &target, request(options)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
