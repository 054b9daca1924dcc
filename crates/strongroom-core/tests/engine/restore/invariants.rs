//! The planner's invariants that a restore must keep, by their numbers in `docs/planner.md`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use strongroom_core::ErrorKind;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{RestoreRequest, restore};
use strongroom_core::id::BackupId;
use strongroom_core::repository::{PruneTerms, Why};
use strongroom_testkit::{Latency, SimulatedOptions};

use crate::support::{World, settings};
use crate::toy::Codecs;

#[tokio::test(start_paused = true)]
async fn i13_what_a_running_restore_reads_is_not_deleted() {
    let world = World::new(SimulatedOptions::default(), 3).await;
    world.chain(2).await;
    let plan = world.latest().await;
    let chain: BTreeSet<BackupId> = plan.steps().map(|(_, step)| step.backup).collect();
    let (target, expected) = (world.target(), world.expected(&crate::support::reached(&plan)));
    let slow = world.open_on(Latency::new(world.storage.clone(), Duration::from_millis(50))).await;
    let request = RestoreRequest { settings: settings(), ..RestoreRequest::default() };
    let job = restore(slow, Arc::new(Codecs), plan, Arc::new(target.clone()), request);
    let pruner = world.open().await;
    let (grace, patience) = (Duration::ZERO, Duration::ZERO);
    let everything = PruneTerms { delete: chain.clone(), grace, patience, ..PruneTerms::default() };
    // In the middle: it has begun to write, and is not done.
    while target.contents().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let lease = pruner.prune_lease("a test", Duration::from_hours(1)).await.unwrap();
    let condemned = pruner.condemn(&lease, &everything, &|_| Ok(())).await.unwrap();
    assert!(condemned.backups.is_empty(), "{condemned:?}");
    assert!(condemned.spared.iter().all(|spared| spared.why == Why::Leased), "{condemned:?}");
    assert_eq!(condemned.spared.len(), chain.len());
    let swept = pruner.sweep(&lease, &everything, &|_| Ok(())).await.unwrap();
    assert_eq!(swept.objects, 0);
    assert!(target.contents() != expected, "the prune came too late to prove anything");
    job.await.unwrap();
    assert_eq!(target.contents(), expected);
    // Without it, all of them go.
    let condemned = pruner.condemn(&lease, &everything, &|_| Ok(())).await.unwrap();
    assert_eq!(condemned.backups.len(), chain.len(), "{condemned:?}");
}

#[tokio::test(start_paused = true)]
async fn i14_nothing_is_emptied_before_everything_was_proven() {
    let world = World::new(SimulatedOptions::default(), 4).await;
    world.chain(1).await;
    let plan = world.latest().await;
    let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
    let request = RestoreRequest { options, settings: settings(), ..RestoreRequest::default() };
    let is_data = |key: &strongroom_core::Key| key.as_str().contains("/data/");
    let data: Vec<_> = world.storage.keys().into_iter().filter(is_data).collect();
    // Whichever object is damaged, the last one too.
    for key in &data {
        let whole = world.storage.contents()[key].clone();
        let mut body = whole.to_vec();
        *body.last_mut().unwrap() ^= 1;
        world.storage.put(key.clone(), body);
        let target = world.target();
        target.put("a", "table-1", "before", "what was there before");
        let before = target.contents();
        let error = world.restore(plan.clone(), &target, request.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{key}: {error:?}");
        assert_eq!((target.contents(), target.open_sessions()), (before, 0), "{key}");
        world.storage.put(key.clone(), whole);
    }
    assert!(data.len() > 3);
    let target = world.target();
    target.put("a", "table-1", "before", "what was there before");
    let summary = world.restore(plan, &target, request).await.unwrap();
    assert_eq!(target.contents(), world.expected(&summary.parts), "and emptied it is, where all is whole");
}
