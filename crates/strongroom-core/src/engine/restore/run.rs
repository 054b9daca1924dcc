//! A whole restore, from the lease on what it reads to the end of the target's session.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::apply::Applier;
use super::hands::Hands;
use super::source::Source;
use super::{RestoreRequest, RestoreSummary};
use crate::cluster::{Applied, RestoreSession};
use crate::codec::CodecRegistry;
use crate::engine::held::{give_back, keep_reading, patience, take_if_writable, until};
use crate::engine::journal::{End, Remembered};
use crate::engine::proof::Proof;
use crate::id::SessionId;
use crate::pipeline::{Phase, Progress, Workroom};
use crate::planner::Plan;
use crate::repository::{Lease, LeaseTerms, Purpose, Repository};
use crate::{Cluster, Error, Result};

/// The inputs of one restore, and what it has to tell.
pub(super) struct Run<'a> {
    pub(super) repository: &'a Repository,
    pub(super) registry: &'a Arc<dyn CodecRegistry>,
    pub(super) plan: &'a Plan,
    pub(super) target: &'a Arc<dyn Cluster>,
    pub(super) request: &'a RestoreRequest,
    warnings: Mutex<Vec<String>>,
    /// The target's session, from its beginning to its end.
    open: Mutex<Option<RestoreSession>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        repository: &'a Repository,
        registry: &'a Arc<dyn CodecRegistry>,
        plan: &'a Plan,
        target: &'a Arc<dyn Cluster>,
        request: &'a RestoreRequest,
    ) -> Self {
        let (warnings, open) = (Mutex::default(), Mutex::default());
        Self { repository, registry, plan, target, request, warnings, open }
    }

    /// Notes what people should know.
    pub(super) fn warn(&self, warning: String) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }

    /// Notes the target's session, or that there is none any more.
    pub(super) fn session_is(&self, session: Option<RestoreSession>) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// Restores under a lease that a prune honours. A repository that takes no writes gives none: the plan's backups are
    /// then safe only as long as nobody prunes.
    pub(super) async fn run(
        &self,
        progress: &Arc<Progress>,
        room: Arc<Workroom>,
        token: &CancellationToken,
    ) -> Result<RestoreSummary> {
        let id = match self.request.session {
            Some(id) => id,
            None => SessionId::fresh(self.repository.environment())?,
        };
        // A dry run writes nothing, not even a lease.
        let lease = if self.request.dry_run { None } else { self.hold(id, token).await? };
        let warn = |warning| self.warn(warning);
        let keeper = keep_reading(lease.as_ref(), &warn);
        let outcome = until(token, "restore", keeper, self.restore(id, progress, room)).await;
        let outcome = match outcome {
            Ok(summary) => Ok(summary),
            Err(error) => Err(self.leave(id, error).await),
        };
        if let Some(lease) = lease
            && let Some(warning) = give_back(lease, "the lease").await
        {
            self.warn(warning);
        }
        let mut summary = outcome?;
        summary.warnings.append(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(summary)
    }

    async fn hold(&self, id: SessionId, token: &CancellationToken) -> Result<Option<Lease>> {
        let backups = self.plan.steps().map(|(_, step)| step.backup);
        let terms = LeaseTerms::new(Purpose::Restore, format!("restore {id}")).keeping(backups);
        let patience = patience(self.request.session.is_some(), self.request.take_over);
        let name = format!("restore-{id}");
        let acquire = self.repository.hold(&name, terms, patience);
        take_if_writable(token, "restore", acquire, &|warning| self.warn(warning)).await
    }

    async fn restore(&self, id: SessionId, progress: &Arc<Progress>, room: Arc<Workroom>) -> Result<RestoreSummary> {
        let (request, options) = (self.request, &self.request.options);
        if options.definitions_last && !self.target.capabilities().definitions_last {
            return Err(Error::unsupported("this cluster needs its definitions before its data")
                .hint("restore without the option of writing definitions last"));
        }
        let mut source = Source::open(self.repository, self.registry, self.plan, options, &request.storages).await?;
        source.check_codecs(&**self.registry)?;
        let identity = self.target.describe().await?.identity;
        if !request.accept_cluster {
            self.repository.check_cluster(&identity).await?;
        }
        let preflight = self.target.check_restore(source.outline(), options).await?;
        if !preflight.refusals.is_empty() {
            return Err(Error::invalid(format!("the target refuses the restore: {}", preflight.refusals.join("; ")))
                .hint("nothing was changed"));
        }
        let memory = self.remember(id).await?;
        let proof = self.proof(&memory);
        Hands::check(request, proof)?;
        if let Some(staging) = request.staging.as_ref().filter(|_| proof == Proof::Stage) {
            Source::check_staging(&**staging).await?;
        }
        source.prove(proof, request.staging.as_ref(), self.repository.id(), self.registry, &room).await?;
        let warnings = preflight.warnings.into_iter().chain(std::mem::take(&mut source.warnings));
        let mut summary = self.summary(id, proof, warnings.collect());
        if request.dry_run {
            return Ok(summary);
        }
        let (pieces, bytes) = source.expected(options);
        progress.expect(pieces, bytes);
        progress.enter(Phase::Moving);
        let session = self.begin(id, &memory, &source, identity.id).await?;
        let applier = Applier {
            run: self,
            session: &session,
            hands: Hands::of(self, &source, Arc::clone(&room)),
            room,
            progress,
            memory: tokio::sync::Mutex::new(memory),
        };
        for part in self.plan.parts.keys() {
            let steps: Vec<_> = source.steps.iter().filter(|step| step.part == *part).collect();
            applier.part(&steps).await?;
        }
        progress.enter(Phase::Finishing);
        summary.applied = applier.memory.into_inner().applied;
        summary.warnings.extend(self.target.finish_restore(session).await?.warnings);
        self.session_is(None);
        if let Some(journal) = &request.journal {
            journal.end(id, End::Finished).await?;
        }
        summary.warnings.extend(source.clear_staging().await);
        Ok(summary)
    }

    /// How the source is proven. Once the restore has begun there is nothing left to protect, and every piece is
    /// proven as it is read: a second look at every byte would only cost time.
    fn proof(&self, memory: &Remembered) -> Proof {
        let usual = if self.request.options.truncate { Proof::Hash } else { Proof::Check };
        match self.request.proof.unwrap_or(usual) {
            Proof::Hash if memory.begun.is_some() => Proof::Check,
            proof => proof,
        }
    }

    /// After an error: what can be gone on with stays as it is, else the target's session is given up.
    async fn leave(&self, id: SessionId, error: Error) -> Error {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(session) = open else { return error };
        let advice = if self.request.journal.is_some() {
            format!("go on with restore {id} and the same journal once the cause is gone")
        } else {
            let freed = self.target.abort_restore(session).await;
            let rest = freed.err().map_or_else(String::new, |error| format!("; what was staged is not freed: {error}"));
            format!("the target is half restored: restore it again, with a journal to be able to go on{rest}")
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
