//! The backup job: freeze → store → commit, each part by itself.
//!
//! ```text
//!  catalogue ──choose──▶ since when ──freeze──▶ pieces ──tasks──▶ worker ──receipts──▶ list ──▶ manifest
//! ```
//!
//! A part that fails leaves its siblings alone. What was stored of it is remembered beside its data, and a resume goes
//! on from there. Cancelled or killed, a backup leaves nothing that looks complete.

mod batch;
mod choice;
mod content;
mod freeze;
mod history;
mod note;
mod part;
mod prepare;
mod prove;
mod report;
mod resume;
mod reuse;
mod run;
mod store;
mod yard;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use choice::BackupKindWish;
pub(super) use note::Notes;
pub use report::{BackupReport, Committed, Estimate, PartOutcome, PartReport};
pub use resume::run_of;

use self::run::Run;
use super::job::Job;
use crate::Cluster;
use crate::codec::CodecRegistry;
use crate::id::RunId;
use crate::model::Scope;
use crate::pipeline::{Settings, Stack, Worker};
use crate::repository::Repository;

/// How a backup is run.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent wishes")]
pub struct BackupRequest {
    /// What of the cluster.
    pub scope: Scope,
    /// Base or incremental.
    pub kind: BackupKindWish,
    /// Let the first incremental after a base start at that base. Else it starts where the backup before the base ended,
    /// if the cluster's incrementals cover: then losing the base loses no other point, and little more is stored.
    pub no_bridging: bool,
    /// The codecs, in the order of encoding.
    pub stack: Stack,
    /// The codecs of shared content; `None`: the same. Sealed repositories have a key for it that outlives data keys.
    pub content_stack: Option<Stack>,
    /// How many pieces at once, how fast, how they are cut.
    pub settings: Settings,
    /// Accept that the cluster's fingerprint is another one than registered.
    pub accept_cluster: bool,
    /// The run's id; `None`: a fresh one.
    pub run: Option<RunId>,
    /// When going on with a run: its process is known to be dead, so do not wait until its lease ends by itself.
    pub take_over: bool,
    /// The program, for the manifest; empty: this library.
    pub tool: String,
    /// Freeze, estimate, let go; store nothing.
    pub dry_run: bool,
    /// Who moves the pieces; `None`: this process.
    pub worker: Option<RemoteWorker>,
}

/// A worker that resolves names itself, such as one that hands tasks to the agents of nodes.
#[derive(Debug, Clone)]
pub struct RemoteWorker {
    /// The worker.
    pub worker: Arc<dyn Worker>,
    /// The name it knows the repository's storage by.
    pub storage: String,
    /// The name it knows the cluster by.
    pub cluster: String,
}

/// Begins a backup. Returns at once, with a handle that has progress, cancel and the result.
///
/// The job fails as a whole with `Invalid` when the cluster is another one than registered or the scope is empty,
/// `Cancelled` when it was cancelled or its lease was lost, and with the error of cluster or repository when they can't
/// be reached. What concerns one part is in the report.
pub fn backup(
    repository: Repository,
    registry: Arc<dyn CodecRegistry>,
    cluster: Arc<dyn Cluster>,
    request: BackupRequest,
) -> Job<BackupReport> {
    start(repository, registry, cluster, request, None)
}

/// Goes on with a run that was cut off: what rests on storage already is not sent again, parts that were committed
/// stay, parts that were never begun are begun. Scope and kind are those of the run, codecs must be the same.
///
/// The job fails with `NotFound` when nothing of the run is left to go on with, `Unavailable` while the run is still
/// held by a living process; otherwise as [`backup()`].
pub fn resume_backup(
    repository: Repository,
    registry: Arc<dyn CodecRegistry>,
    cluster: Arc<dyn Cluster>,
    run: RunId,
    request: BackupRequest,
) -> Job<BackupReport> {
    start(repository, registry, cluster, BackupRequest { run: Some(run), dry_run: false, ..request }, Some(run))
}

fn start(
    repository: Repository,
    registry: Arc<dyn CodecRegistry>,
    cluster: Arc<dyn Cluster>,
    request: BackupRequest,
    resumed: Option<RunId>,
) -> Job<BackupReport> {
    let environment = repository.environment().clone();
    Job::start_with_token("backup", &environment, move |progress, token| async move {
        let run = Run { repository, registry, cluster, request, resumed: resumed.is_some(), progress, token };
        run.run().await
    })
}

/// Errors and reports by part.
type ByPart<T> = BTreeMap<crate::model::PartName, T>;
