//! Through the whole engine: embedded cluster, repository, embedded cluster.

use std::sync::Arc;

use strongroom_core::codec::{Codec, CodecId, CodecRegistry};
use strongroom_core::engine::{BackupRequest, Committed, PartOutcome, RestoreRequest, backup, restore};
use strongroom_core::model::BackupKind;
use strongroom_core::planner::{Request, Target};
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_core::{Error, Result};
use strongroom_embedded::{EmbeddedCluster, ImportOptions, LookIn, PutOptions};
use strongroom_record::canonical::{Covers, SetHash};
use strongroom_testkit::{MemoryStorage, TestEnvironment};

use crate::common::record;
use crate::fixtures::fixture;

/// No codecs: pieces are stored as they are.
#[derive(Debug)]
pub(crate) struct None;

impl CodecRegistry for None {
    fn resolve(&self, id: &CodecId) -> Result<Arc<dyn Codec>> {
        Err(Error::unsupported(format!("no codec '{id}' here")))
    }
}

fn hash(cluster: &EmbeddedCluster) -> SetHash {
    cluster.canonical_hash("test", Covers::ALL, LookIn::default()).unwrap()
}

async fn store(repository: &Repository, cluster: &EmbeddedCluster) -> Committed {
    let job = backup(repository.clone(), Arc::new(None), Arc::new(cluster.clone()), BackupRequest::default());
    match job.await.unwrap().parts.remove(0).outcome {
        PartOutcome::Committed(committed) => *committed,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_point_of_a_history_comes_back_exactly() {
    let world = TestEnvironment::new(5);
    let source = EmbeddedCluster::in_memory(world.environment()).unwrap();
    source.import_folder(fixture("t0-base"), &ImportOptions::default()).unwrap();
    let storage = Arc::new(MemoryStorage::new());
    let repository = Repository::init(storage, world.environment(), InitOptions::default()).await.unwrap();
    let mut points = vec![(store(&repository, &source).await, hash(&source))];
    for round in 0..2 {
        source
            .write_batch(|batch| {
                for key in 0..100 {
                    batch.put(record("new", key * (round + 1), round), PutOptions::default())?;
                }
                Ok(())
            })
            .unwrap();
        let some = source.scan("test", &strongroom_core::model::Filter::default(), LookIn::default()).unwrap();
        let digests: Vec<_> = some.step_by(50).map(|found| found.unwrap().record.digest).collect();
        source
            .write_batch(|batch| digests.iter().try_for_each(|digest| batch.delete("test", *digest).map(drop)))
            .unwrap();
        points.push((store(&repository, &source).await, hash(&source)));
    }
    let kinds: Vec<_> = points.iter().map(|(committed, _)| committed.kind).collect();
    assert_eq!(kinds, [BackupKind::Base, BackupKind::Incremental, BackupKind::Incremental]);

    let catalogue = repository.load().await.unwrap().into_catalogue();
    for (committed, truth) in &points {
        // The handle kept the frozen state, so the window has no blur.
        assert_eq!(committed.window.until, committed.window.settled);
        let plan = catalogue.plan(&Request::at(Target::Exactly(committed.window.until))).unwrap();
        let target = EmbeddedCluster::in_memory(world.environment()).unwrap();
        let into = Arc::new(target.clone());
        restore(repository.clone(), Arc::new(None), plan, into, RestoreRequest::default()).await.unwrap();
        assert_eq!(hash(&target), *truth, "{}", committed.kind);
        assert_eq!(target.indexes("test").unwrap(), source.indexes("test").unwrap());
        assert_eq!(target.functions().unwrap(), source.functions().unwrap());
        assert_eq!(target.namespaces().unwrap()["test"].timeline, 1);
    }
}
