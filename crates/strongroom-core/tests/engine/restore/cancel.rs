//! A restore that is cancelled at any moment leaves no lease, and a session only where it can be gone on with.

use std::sync::Arc;
use std::time::Duration;

use strongroom_core::ErrorKind;
use strongroom_core::engine::{Journal, RestoreRequest, restore};
use strongroom_testkit::{Latency, MemoryStorage, SimulatedOptions, Workload};

use crate::support::{World, settings};
use crate::toy::Codecs;

#[tokio::test(start_paused = true)]
async fn cancelled_at_any_moment() {
    for (fold, journalled) in [(false, false), (true, false), (false, true)] {
        let few = Workload { steps: 14, records: 10, ..Workload::default() };
        let options = SimulatedOptions { fold, pieces: 2, ..SimulatedOptions::default() };
        let world = World::with(options, 6, few).await;
        world.backup().await;
        world.change_by(7, few);
        world.backup().await;
        let plan = world.latest().await;
        let mut moments = 0;
        loop {
            let target = world.target();
            let journal = journalled.then(|| Journal::new(Arc::new(MemoryStorage::new())));
            let request =
                RestoreRequest { journal: journal.clone(), settings: settings(), ..RestoreRequest::default() };
            // Every operation takes its time, so that each can be cut off.
            let slow = Latency::new(world.storage.clone(), Duration::from_millis(2));
            let repository = world.open_on(slow).await;
            let job = restore(repository, Arc::new(Codecs), plan.clone(), Arc::new(target.clone()), request.clone());
            tokio::time::sleep(Duration::from_millis(moments)).await;
            job.cancel();
            let result = job.await;
            assert!(!world.is_leased().await, "{moments}");
            match (&result, journal) {
                (Ok(_), _) => break,
                (Err(error), None) => {
                    assert_eq!(error.kind(), ErrorKind::Cancelled, "{moments}: {error:?}");
                    assert_eq!(target.open_sessions(), 0, "{moments}: nobody could go on with it");
                }
                (Err(error), Some(journal)) => {
                    assert_eq!(error.kind(), ErrorKind::Cancelled, "{moments}: {error:?}");
                    let session = journal.unfinished().await.unwrap().into_keys().next();
                    let request = RestoreRequest { session, ..request };
                    let summary = world.restore(plan.clone(), &target, request).await.unwrap();
                    assert_eq!(target.contents(), world.expected(&summary.parts), "{moments}");
                    assert_eq!(target.open_sessions(), 0, "{moments}");
                }
            }
            moments += 1;
        }
        assert!(moments > 60, "only {moments} moments");
    }
}
