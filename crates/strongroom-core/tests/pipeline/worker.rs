//! Tasks through a worker: from one simulated cluster to storage and into another one.

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_core::cluster::{FreezeRequest, PartOutline, RestoreOptions, RestoreOutline, RestoreSession};
use strongroom_core::id::{BackupId, SessionId};
use strongroom_core::manifest::StoredPiece;
use strongroom_core::model::Filter;
use strongroom_core::pipeline::{
    ApplyTask, AtHand, NumberedPiece, Origin, PieceWorker, StoreTask, Worker as _, Workroom,
};
use strongroom_core::{Cluster, ErrorKind, Key};
use strongroom_testkit::{MemoryStorage, PartFault, SimulatedCluster, SimulatedOptions, TestEnvironment, Workload};

use crate::support::{REPOSITORY, progress, small};
use crate::toy::{Codecs, id};

struct World {
    source: SimulatedCluster,
    target: SimulatedCluster,
    home: MemoryStorage,
    copy: MemoryStorage,
    worker: PieceWorker,
}

fn world() -> World {
    let environment = TestEnvironment::new(1).environment();
    let cluster = |name| SimulatedCluster::new(name, Arc::clone(&environment.clock), SimulatedOptions::default());
    let (source, target) = (cluster("source"), cluster("target"));
    source.change(&["a"], 7, Workload::default());
    let (home, copy) = (MemoryStorage::new(), MemoryStorage::new());
    let resolver = AtHand::new(Arc::new(Codecs))
        .with_storage("home", Arc::new(home.clone()))
        .with_storage("copy", Arc::new(copy.clone()))
        .with_cluster("source", Arc::new(source.clone()))
        .with_cluster("target", Arc::new(target.clone()));
    let worker = PieceWorker::new(Workroom::new(small()).unwrap(), environment, Arc::new(resolver));
    World { source, target, home, copy, worker }
}

impl World {
    async fn store_task(&self) -> StoreTask {
        let frozen = self.source.freeze(&FreezeRequest::default()).await.unwrap();
        let specs = frozen.parts[0].pieces.clone();
        let pieces = (0..).zip(specs).map(|(number, spec)| NumberedPiece { number, spec }).collect();
        StoreTask {
            storage: "home".to_owned(),
            cluster: "source".to_owned(),
            repository: REPOSITORY,
            codecs: vec![id("xor:4")],
            origin: Origin::Backup(BackupId::from_u128(5)),
            stem: Key::new("data/0").unwrap(),
            pieces,
        }
    }

    async fn apply_task(&self, pieces: Vec<StoredPiece>, sources: &[&str]) -> ApplyTask {
        let outline = RestoreOutline {
            parts: BTreeMap::from([(
                "a".to_owned(),
                PartOutline { filter: Filter::default(), bytes: 1, records: 1, reached: TestEnvironment::START },
            )]),
            source: self.source.describe().await.unwrap().identity,
            source_version: "1".to_owned(),
        };
        let options = RestoreOptions::default();
        let session = self.target.begin_restore(SessionId::from_u128(1), &outline, &options).await.unwrap();
        ApplyTask {
            sources: sources.iter().map(|name| (*name).to_owned()).collect(),
            cluster: "target".to_owned(),
            repository: REPOSITORY,
            codecs: vec![id("xor:4")],
            session,
            step: 0,
            part: "a".to_owned(),
            pieces,
        }
    }

    async fn finish(&self, session: RestoreSession) {
        self.target.seal_step(&session, 0).await.unwrap();
        self.target.finish_restore(session).await.unwrap();
    }
}

/// A task goes to another process as JSON, and so does its receipt.
fn travel<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_slice(&serde_json::to_vec(value).unwrap()).unwrap()
}

#[tokio::test]
async fn what_one_cluster_gave_another_one_takes() {
    let world = world();
    let progress = progress();
    let stored = travel(&world.worker.store(&travel(&world.store_task().await), &progress).await.unwrap());
    let task = travel(&world.apply_task(stored.pieces, &["home"]).await);
    let receipt = travel(&world.worker.apply(&task, &progress).await.unwrap());
    assert_eq!(receipt.applied.len(), task.pieces.len());
    world.finish(task.session).await;
    assert_eq!(world.target.contents(), world.source.contents());
    assert_eq!(progress.snapshot().pieces, 2 * task.pieces.len() as u64);
}

#[tokio::test]
async fn another_source_goes_on_where_one_fails() {
    let world = world();
    let stored = world.worker.store(&world.store_task().await, &progress()).await.unwrap();
    world.copy.replace(world.home.contents());
    // Damage in the middle: the pieces before it come from home, the others from the copy.
    let piece = &stored.pieces[stored.pieces.len() / 2];
    let object = &piece.parts[0].object;
    let mut body = world.home.contents()[&object.key].to_vec();
    let at = piece.parts[0].slice.map_or(0, |slice| slice.offset) + 130;
    body[usize::try_from(at).unwrap()] ^= 1;
    world.home.put(object.key.clone(), body);
    let task = world.apply_task(stored.pieces.clone(), &["home", "copy"]).await;
    let progress = progress();
    let receipt = world.worker.apply(&task, &progress).await.unwrap();
    assert_eq!(receipt.failovers.len(), 1, "{:?}", receipt.failovers);
    assert!(receipt.failovers[0].starts_with("home: piece"), "{:?}", receipt.failovers);
    assert_eq!(progress.snapshot().pieces, stored.pieces.len() as u64);
    assert_eq!(progress.snapshot().plain_bytes, stored.pieces.iter().map(|piece| piece.plain_bytes).sum::<u64>());
    let alone = world.apply_task(stored.pieces, &["home"]).await;
    assert_eq!(world.worker.apply(&alone, &progress).await.unwrap_err().kind(), ErrorKind::Corrupt);
    world.finish(task.session).await;
    assert_eq!(world.target.contents(), world.source.contents());
}

#[tokio::test]
async fn an_error_of_the_target_is_not_blamed_on_the_source() {
    let world = world();
    let stored = world.worker.store(&world.store_task().await, &progress()).await.unwrap();
    let task = world.apply_task(stored.pieces, &["home", "copy"]).await;
    world.target.create_part("a");
    world.target.fail("a", PartFault::Write { after: 0, kind: ErrorKind::NoSpace, times: 1 });
    let progress = progress();
    assert_eq!(world.worker.apply(&task, &progress).await.unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(progress.snapshot().plain_bytes, 0);
}

#[tokio::test]
async fn unknown_names_are_told() {
    let world = world();
    let task = StoreTask { storage: "tape".to_owned(), ..world.store_task().await };
    let error = world.worker.store(&task, &progress()).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "this worker knows no storage 'tape'"));
    let task = world.apply_task(Vec::new(), &[]).await;
    assert_eq!(world.worker.apply(&task, &progress()).await.unwrap_err().kind(), ErrorKind::Invalid);
}
