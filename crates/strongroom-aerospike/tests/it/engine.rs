//! A repository in memory, and the engine on it.

use std::sync::Arc;

use strongroom_aerospike::AerospikeCluster;
use strongroom_core::codec::{Codec, CodecId, CodecRegistry};
use strongroom_core::engine::{
    BackupKindWish, BackupRequest, Committed, PartOutcome, RestoreRequest, RestoreSummary, backup, restore,
};
use strongroom_core::model::Scope;
use strongroom_core::pipeline::Settings;
use strongroom_core::planner::{Plan, Request, Target};
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_core::{Error, Result, Storage};
use strongroom_testkit::{MemoryStorage, TestEnvironment};

/// No codecs: pieces are stored as they are.
#[derive(Debug)]
pub(crate) struct NoCodecs;

impl CodecRegistry for NoCodecs {
    fn resolve(&self, id: &CodecId) -> Result<Arc<dyn Codec>> {
        Err(Error::unsupported(format!("no codec '{id}' here")))
    }
}

/// A new repository in memory.
pub(crate) async fn repository() -> Repository {
    repository_in(Arc::new(MemoryStorage::new())).await
}

pub(crate) async fn repository_in(storage: Arc<dyn Storage>) -> Repository {
    Repository::init(storage, TestEnvironment::new(7).environment(), InitOptions::default()).await.unwrap()
}

/// Backs up one namespace.
pub(crate) async fn store(repository: &Repository, cluster: &AerospikeCluster, kind: BackupKindWish) -> Committed {
    store_scope(repository, cluster, kind, Scope::of_parts(["test"])).await.unwrap()
}

pub(crate) async fn store_scope(
    repository: &Repository,
    cluster: &AerospikeCluster,
    kind: BackupKindWish,
    scope: Scope,
) -> Result<Committed> {
    let request = BackupRequest { scope, kind, settings: settings(), ..BackupRequest::default() };
    let report = backup(repository.clone(), Arc::new(NoCodecs), Arc::new(cluster.clone()), request).await?;
    let part = report.parts.into_iter().next().ok_or_else(|| Error::internal("no part in the report"))?;
    match part.outcome {
        PartOutcome::Committed(committed) => Ok(*committed),
        other => Err(Error::invalid(format!("{other:?}"))),
    }
}

/// Small stretches, so that a merge has several.
pub(crate) fn settings() -> Settings {
    Settings { parallel: 2, cores: 2, frame_bytes: 2000, part_bytes: 20_000, pack_bytes: 5000, ..Settings::default() }
}

pub(crate) async fn plan(repository: &Repository, target: Target) -> Plan {
    let request = Request::at(target).of(Scope::of_parts(["test"]));
    repository.load().await.unwrap().into_catalogue().plan(&request).unwrap()
}

pub(crate) async fn bring_back(
    repository: &Repository,
    plan: Plan,
    into: &AerospikeCluster,
    request: RestoreRequest,
) -> Result<RestoreSummary> {
    let request = RestoreRequest { settings: settings(), accept_cluster: true, ..request };
    restore(repository.clone(), Arc::new(NoCodecs), plan, Arc::new(into.clone()), request).await
}
