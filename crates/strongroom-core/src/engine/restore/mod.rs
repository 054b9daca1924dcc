//! The restore job: plan → proof → target.
//!
//! Nothing of the target changes before the source is proven at the asked depth and the target has agreed. The session
//! is journalled where the caller names a place, so that a restore goes on after a crash, in another process.

mod apply;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use self::apply::{Applier, State};
use self::source::Source;
pub(super) use self::source::objects_of;
use super::job::Job;
use super::journal::{Begun, Journal, Remembered};
use super::proof::Proof;
use crate::cluster::{Applied, RestoreOptions, RestoreSession};
use crate::codec::CodecRegistry;
use crate::id::{SessionId, TimelineId};
use crate::manifest::Blake3;
use crate::model::PartName;
use crate::pipeline::{Phase, Progress, Settings, Workroom};
use crate::planner::{Plan, Reached, Timeline, Warning};
use crate::repository::{Lease, LeaseTerms, Purpose, Repository};
use crate::{Cluster, Error, ErrorKind, Result, Storage};

/// How a restore is run.
#[derive(Debug, Clone, Default)]
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
    /// Storages that hold copies, by the names used in the plan.
    pub storages: BTreeMap<String, Arc<dyn Storage>>,
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
/// when the target refuses: in all these cases nothing of the target has changed. After that, an error or a cancel
/// leaves what was written, and the restore goes on with the same journal and session.
pub fn restore(
    repository: Repository,
    registry: Arc<dyn CodecRegistry>,
    plan: Plan,
    target: Arc<dyn Cluster>,
    request: RestoreRequest,
) -> Job<RestoreSummary> {
    let environment = repository.environment().clone();
    Job::start("restore", &environment, move |progress| async move {
        let room = Workroom::new(request.settings)?;
        let run = Run { repository: &repository, registry: &registry, plan: &plan, target: &target, request: &request };
        run.leased(&progress, room).await
    })
}

/// The inputs of one restore.
struct Run<'a> {
    repository: &'a Repository,
    registry: &'a Arc<dyn CodecRegistry>,
    plan: &'a Plan,
    target: &'a Arc<dyn Cluster>,
    request: &'a RestoreRequest,
}

impl Run<'_> {
    /// Restores under a lease that a prune honours. A repository that can only be read gives none: the plan's backups
    /// are then safe only as long as nobody prunes.
    async fn leased(&self, progress: &Arc<Progress>, room: Arc<Workroom>) -> Result<RestoreSummary> {
        let id = match self.request.session {
            Some(id) => id,
            None => SessionId::fresh(self.repository.environment())?,
        };
        match self.lease(id).await {
            Ok(lease) => {
                let outcome = lease.during(self.restore(id, progress, room)).await;
                let released = lease.release().await;
                outcome.map(|mut summary| {
                    summary
                        .warnings
                        .extend(released.err().map(|error| format!("the lease was not given back: {error}")));
                    summary
                })
            }
            Err(error) if error.kind() == ErrorKind::Denied => {
                let mut summary = self.restore(id, progress, room).await?;
                summary
                    .warnings
                    .push("the repository can only be read: no lease kept a prune away meanwhile".to_owned());
                Ok(summary)
            }
            Err(error) => Err(error),
        }
    }

    async fn lease(&self, id: SessionId) -> Result<Lease> {
        let backups = self.plan.steps().map(|(_, step)| step.backup);
        let terms = LeaseTerms::new(Purpose::Restore, format!("restore {id}")).keeping(backups);
        self.repository.hold(&format!("restore-{id}"), terms, std::time::Duration::ZERO).await
    }

    async fn restore(&self, id: SessionId, progress: &Arc<Progress>, room: Arc<Workroom>) -> Result<RestoreSummary> {
        let (request, options) = (self.request, &self.request.options);
        let mut source = Source::open(self.repository, self.registry, self.plan, options, &request.storages).await?;
        source.check_codecs(&**self.registry)?;
        let preflight = self.target.check_restore(source.outline(), options).await?;
        if !preflight.refusals.is_empty() {
            return Err(Error::invalid(format!("the target refuses the restore: {}", preflight.refusals.join("; ")))
                .hint("nothing was changed"));
        }
        let memory = match &request.journal {
            Some(journal) => journal.remember(id).await?,
            None => Remembered::default(),
        };
        if memory.finished {
            return Err(Error::already_exists(format!("restore {id} has ended already")));
        }
        let proof = request.proof.unwrap_or(if options.truncate { Proof::Hash } else { Proof::Check });
        source.prove(proof, request.staging.as_ref(), self.repository.id(), self.registry, &room).await?;
        let mut summary = self.summary(id, proof, preflight.warnings);
        if request.dry_run {
            return Ok(summary);
        }
        let (pieces, bytes) = source.expected(options);
        progress.expect(pieces, bytes);
        progress.enter(Phase::Moving);
        let session = self.begin(id, &memory, source.outline()).await?;
        let applier = Applier {
            target: self.target,
            session: &session,
            registry: self.registry,
            repository: self.repository.id(),
            room,
            progress,
            journal: request.journal.as_ref(),
            state: Mutex::new(State { memory, warnings: Vec::new() }),
        };
        for part in self.plan.parts.keys() {
            let steps: Vec<_> = source.steps.iter().filter(|step| step.part == *part).collect();
            applier.part(&steps).await.map_err(|error| self.resumable(error, id))?;
        }
        progress.enter(Phase::Finishing);
        let state = applier.state.into_inner();
        summary.applied = state.memory.applied;
        summary.warnings.extend(state.warnings);
        summary.warnings.extend(self.target.finish_restore(session).await?.warnings);
        if let Some(journal) = &request.journal {
            journal.finish(id).await?;
        }
        if let Err(error) = self.open_timelines().await {
            summary
                .warnings
                .push(format!("the new timeline was not recorded, so the next backup must be a base: {error}"));
        }
        Ok(summary)
    }

    /// Begins in the target, or goes on with what was begun before.
    async fn begin(
        &self,
        id: SessionId,
        memory: &Remembered,
        outline: &crate::cluster::RestoreOutline,
    ) -> Result<RestoreSession> {
        let options = &self.request.options;
        let plan = self.plan.hash.to_string();
        if let Some(begun) = &memory.begun {
            if begun.plan != plan || begun.session.options != *options {
                return Err(Error::invalid(format!("restore {id} was begun with another plan or other options"))
                    .hint("resume it with the same ones, or begin a new one"));
            }
            return self.target.begin_restore(id, outline, options).await;
        }
        let session = self.target.begin_restore(id, outline, options).await?;
        if let Some(journal) = &self.request.journal {
            journal.begin(&Begun { plan, session: session.clone() }).await?;
        }
        Ok(session)
    }

    /// A restore opens a new timeline in its target: what was backed up of it before does not lead up to what it holds.
    async fn open_timelines(&self) -> Result<()> {
        let target = self.target.describe().await?.identity.id;
        let environment = self.repository.environment();
        for (name, part) in &self.plan.parts {
            let parent = (target == self.plan.cluster).then_some((part.timeline, part.reached.until));
            self.repository
                .open_timeline(Timeline {
                    id: TimelineId::fresh(environment)?,
                    part: self.request.options.target_of(name).to_owned(),
                    cluster: target,
                    parent,
                    began: Some(environment.now()),
                })
                .await?;
        }
        Ok(())
    }

    fn resumable(&self, error: Error, id: SessionId) -> Error {
        let advice = if self.request.journal.is_some() {
            format!("go on with restore {id} and the same journal once the cause is gone")
        } else {
            "the target is half restored: restore it again, with a journal to be able to go on".to_owned()
        };
        if error.advice().is_some() { error.within(advice) } else { error.hint(advice) }
    }

    fn summary(&self, session: SessionId, proof: Proof, warnings: Vec<String>) -> RestoreSummary {
        RestoreSummary {
            session,
            plan: self.plan.hash,
            parts: self.plan.parts.iter().map(|(name, part)| (name.clone(), part.reached)).collect(),
            applied: Applied::default(),
            proof,
            plan_warnings: self.plan.warnings.clone(),
            warnings,
            dry_run: self.request.dry_run,
        }
    }
}
