//! Repositories that take no writes: they can be restored from, and what that means is told.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use strongroom_core::engine::{Journal, RestoreRequest, restore};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Error, ErrorKind, Key, PutMode, Result, Storage, Upload};
use strongroom_testkit::{MemoryStorage, SimulatedOptions};

use crate::support::{World, settings};
use crate::toy::Codecs;

/// Every write fails with this kind.
#[derive(Debug, Clone)]
struct NoWrites(MemoryStorage, ErrorKind);

#[async_trait]
impl Storage for NoWrites {
    async fn create(&self, key: &Key, _: PutMode) -> Result<Box<dyn Upload>> {
        Err(Error::new(self.1, format!("{key} can't be written")))
    }
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.0.read(key, range).await
    }
    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        self.0.stat(key).await
    }
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        Err(Error::new(self.1, format!("{key} can't be deleted")))
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_needs_no_right_and_no_room_to_write_into_the_repository() {
    for kind in [ErrorKind::Denied, ErrorKind::NoSpace] {
        let world = World::new(SimulatedOptions::default(), 1).await;
        world.chain(2).await;
        let before = world.storage.contents();
        let repository = world.open_on(NoWrites(world.storage.clone(), kind)).await;
        let target = world.target();
        let journal = Journal::new(Arc::new(MemoryStorage::new()));
        let request = RestoreRequest { journal: Some(journal), settings: settings(), ..RestoreRequest::default() };
        let plan = world.latest().await;
        let summary = restore(repository, Arc::new(Codecs), plan, Arc::new(target.clone()), request).await.unwrap();
        assert_eq!(target.contents(), world.expected(&summary.parts));
        assert_eq!(world.storage.contents(), before);
        let told = |what: &str| summary.warnings.iter().filter(|warning| warning.contains(what)).count();
        assert_eq!((told("no lease keeps a prune away"), told("the next backup of it must be a base")), (1, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_does_not_answer_is_no_reason_to_go_without_a_lease() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    world.chain(1).await;
    let repository = world.open_on(NoWrites(world.storage.clone(), ErrorKind::Unavailable)).await;
    let plan = world.latest().await;
    let target = world.target();
    let job = restore(repository, Arc::new(Codecs), plan, Arc::new(target.clone()), RestoreRequest::default());
    assert_eq!(job.await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(target.contents().is_empty());
}
