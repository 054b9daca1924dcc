//! A repository in memory, and the engine on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use strongroom_cassandra::CassandraCluster;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::codec::{Codec, CodecId, CodecRegistry};
use strongroom_core::engine::{BackupRequest, Committed, PartOutcome, RestoreRequest, RestoreSummary, backup, restore};
use strongroom_core::id::BackupId;
use strongroom_core::model::Scope;
use strongroom_core::planner::{Plan, Request, Target};
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_core::{Cluster, Error, Result, Storage};
use strongroom_testkit::TestEnvironment;

/// No codecs: pieces are stored as they are.
#[derive(Debug)]
pub(crate) struct NoCodecs;

impl CodecRegistry for NoCodecs {
    fn resolve(&self, id: &CodecId) -> Result<Arc<dyn Codec>> {
        Err(Error::unsupported(format!("no codec '{id}' here")))
    }
}

pub(crate) async fn repository(storage: Arc<dyn Storage>) -> Repository {
    // Two repositories must not give two restores the same id.
    static SEED: AtomicU64 = AtomicU64::new(7);
    let environment = TestEnvironment::new(SEED.fetch_add(1, Ordering::Relaxed)).environment();
    Repository::init(storage, environment, InitOptions::default()).await.unwrap()
}

/// Backs up one keyspace.
pub(crate) async fn store(repository: &Repository, cluster: &CassandraCluster, keyspace: &str) -> Result<Committed> {
    store_of(repository, Arc::new(cluster.clone()), keyspace).await
}

/// The same of any cluster.
pub(crate) async fn store_of(repository: &Repository, cluster: Arc<dyn Cluster>, keyspace: &str) -> Result<Committed> {
    let request = BackupRequest { scope: Scope::of_parts([keyspace]), ..BackupRequest::default() };
    let report = backup(repository.clone(), Arc::new(NoCodecs), cluster, request).await?;
    let part = report.parts.into_iter().next().ok_or_else(|| Error::internal("no part in the report"))?;
    match part.outcome {
        PartOutcome::Committed(committed) => Ok(*committed),
        other => Err(Error::invalid(format!("{other:?}"))),
    }
}

/// The plan for the newest state of some of the cluster.
pub(crate) async fn plan(repository: &Repository, scope: Scope) -> Plan {
    let request = Request::at(Target::Latest).of(scope);
    repository.load().await.unwrap().into_catalogue().plan(&request).unwrap()
}

/// Restores the newest state of one keyspace.
pub(crate) async fn bring_back(
    repository: &Repository,
    cluster: &CassandraCluster,
    scope: Scope,
    options: RestoreOptions,
) -> Result<RestoreSummary> {
    let plan = plan(repository, scope).await;
    let request = RestoreRequest { options, ..RestoreRequest::default() };
    restore(repository.clone(), Arc::new(NoCodecs), plan, Arc::new(cluster.clone()), request).await
}

/// Restores the state of one backup.
pub(crate) async fn bring_back_backup(
    repository: &Repository,
    cluster: &CassandraCluster,
    backup: BackupId,
    options: RestoreOptions,
) -> Result<RestoreSummary> {
    let request = Request::at(Target::Backup(backup));
    let plan = repository.load().await?.into_catalogue().plan(&request)?;
    let request = RestoreRequest { options, ..RestoreRequest::default() };
    restore(repository.clone(), Arc::new(NoCodecs), plan, Arc::new(cluster.clone()), request).await
}
