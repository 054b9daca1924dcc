//! The restore job: plan → proof → target.
//!
//! Nothing of the target changes before the source is proven at the asked depth and the target has agreed. The session
//! is journalled where the caller names a place, so that a restore goes on after a crash, in another process.

mod abort;
mod apply;
mod begin;
mod fold;
mod hands;
mod run;
mod source;
mod task;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::abort::abort_restore;
use self::run::Run;
pub(super) use self::source::{Source, SourceStep, objects_of};
use super::backup::RemoteWorker;
use super::job::Job;
use super::journal::Journal;
use super::proof::Proof;
use crate::cluster::{Applied, RestoreOptions};
use crate::codec::CodecRegistry;
use crate::id::SessionId;
use crate::manifest::Blake3;
use crate::model::PartName;
use crate::pipeline::{Settings, Workroom};
use crate::planner::{Plan, Reached, Warning};
use crate::repository::Repository;
use crate::{Cluster, Storage};

/// How a restore is run.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent wishes")]
pub struct RestoreRequest {
    /// What happens in the target.
    pub options: RestoreOptions,
    /// How the source is proven. `None`: [`Proof::Hash`] when truncating, else [`Proof::Check`].
    pub proof: Option<Proof>,
    /// Where [`Proof::Stage`] puts the objects meanwhile.
    pub staging: Option<Arc<dyn Storage>>,
    /// How many pieces at once, how fast, with how much memory.
    pub settings: Settings,
    /// Where the journal is kept. `None`: a failed restore cannot go on.
    pub journal: Option<Journal>,
    /// The session to go on with. `None`: a new one.
    pub session: Option<SessionId>,
    /// When going on with a session: its process is known to be dead, so do not wait until its lease ends by itself.
    pub take_over: bool,
    /// Storages that hold copies, by the names used in the plan.
    pub storages: BTreeMap<String, Arc<dyn Storage>>,
    /// Restore into a cluster although its fingerprint is another one than registered.
    pub accept_cluster: bool,
    /// Who moves the pieces; `None`: this process. A merge of a chain is always done by this process.
    pub worker: Option<RemoteWorker>,
    /// Write the backups of a chain one after the other even where they could be merged: for comparison.
    pub no_fold: bool,
    /// Plan and check everything, and change nothing.
    pub dry_run: bool,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestoreSummary {
    /// Its session: what to resume with if it did not end.
    pub session: SessionId,
    /// The hash of the plan that was restored.
    pub plan: Blake3,
    /// The point that each part reached.
    pub parts: BTreeMap<PartName, Reached>,
    /// What the writes did.
    pub applied: Applied,
    /// How the source was proven.
    pub proof: Proof,
    /// What the plan warned of.
    pub plan_warnings: Vec<Warning>,
    /// What came up on the way.
    pub warnings: Vec<String>,
    /// Whether nothing was changed because only a dry run was asked for.
    pub dry_run: bool,
}

/// Begins a restore. Returns at once, with a handle that has progress, cancel and the result.
///
/// The job fails with `Denied` for a missing key, `Corrupt` or `NotFound` for a source that is not whole, and `Invalid`
/// when the target refuses or is another cluster than registered: in all these cases nothing of the target has changed.
/// After that, an error or a cancel leaves what was written, and the restore goes on with the same journal and session;
/// without a journal the target's session is given up.
pub fn restore(
    repository: Repository,
    registry: Arc<dyn CodecRegistry>,
    plan: Plan,
    target: Arc<dyn Cluster>,
    request: RestoreRequest,
) -> Job<RestoreSummary> {
    let environment = repository.environment().clone();
    Job::start_with_token("restore", &environment, move |progress, token| async move {
        let room = Workroom::new(request.settings.liked_by(target.capabilities()))?;
        let run = Run::new(&repository, &registry, &plan, &target, &request);
        run.run(&progress, room, &token).await
    })
}
