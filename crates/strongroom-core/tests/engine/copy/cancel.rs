//! A copy that is cancelled at any moment gives both leases back and leaves nothing half done in sight.

use std::sync::Arc;
use std::time::Duration;

use strongroom_core::ErrorKind;
use strongroom_core::engine::copy;
use strongroom_testkit::{Latency, MemoryStorage};

use super::{all, copied, is_leased, is_repository, whole, world};
use crate::toy::Codecs;

#[tokio::test(start_paused = true)]
async fn cancelled_at_any_moment() {
    let world = world().await;
    let mut moments = 0;
    loop {
        let there = MemoryStorage::new();
        let millis = Duration::from_millis;
        let repository = world.open_on(Latency::new(world.storage.clone(), millis(2))).await;
        let destination = Arc::new(Latency::new(there.clone(), millis(2)));
        let job = copy(repository, Arc::new(Codecs), destination, all());
        tokio::time::sleep(millis(moments)).await;
        job.cancel();
        let result = job.await;
        assert!(!world.is_leased().await, "{moments}");
        if is_repository(&there) {
            assert!(!is_leased(&world, &there).await, "{moments}");
            if moments.is_multiple_of(10) {
                whole(&world, &there).await;
            }
        }
        match result {
            Ok(_) => break,
            Err(error) => {
                assert_eq!(
                    (error.kind(), error.message()),
                    (ErrorKind::Cancelled, "the copy was cancelled"),
                    "{moments}: {error:?}"
                );
            }
        }
        if moments.is_multiple_of(30) {
            assert!(copied(&world, there.clone(), all()).await.unwrap().is_whole(), "{moments}");
        }
        moments += 1;
    }
    assert!(moments > 150, "only {moments} ms");
}
