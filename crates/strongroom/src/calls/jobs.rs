//! The jobs. Each future begins one.
#![expect(clippy::unused_async, reason = "a job begins on the runtime that polls the future")]

use strongroom_core::engine::{
    BackupReport, CopyReport, Job, PruneReport, PruneRequest, RestoreRequest, RestoreSummary, SynthesizeReport,
    VerifyReport,
};
use strongroom_core::planner::Plan;
use strongroom_core::{Error, Result};

use super::{Calls, Party, Place};
use crate::Access;
use crate::inspect::Inspection;
use crate::options::{self, Choice};

/// Where a restore goes, and what it needs beside its options.
#[derive(Debug, Clone)]
pub struct Restoring {
    /// The target.
    pub into: Party,
    /// A plan as JSON, in place of what is chosen.
    pub plan: Option<String>,
    /// Where it is written down how far it came.
    pub journal: Option<Place>,
    /// Where everything is brought to first.
    pub staging: Option<Place>,
}

impl Calls {
    /// Begins a backup.
    ///
    /// # Errors
    /// As opening the cluster, the options and [`OpenRepository::backup`](crate::OpenRepository::backup).
    pub async fn backup(
        self,
        cluster: Party,
        options: options::Backup,
        codecs: Option<String>,
    ) -> Result<Job<BackupReport>> {
        let cluster = cluster.open(&self.strongroom, Access::Write).await?;
        let calls = self.coded(codecs.as_deref())?;
        let request = options.request(&*cluster).await?;
        calls.repository.backup(cluster, request)
    }

    /// Goes on with an interrupted backup.
    ///
    /// # Errors
    /// As [`Calls::backup`].
    pub async fn resume(
        self,
        cluster: Party,
        options: options::Resume,
        codecs: Option<String>,
    ) -> Result<Job<BackupReport>> {
        let cluster = cluster.open(&self.strongroom, Access::Write).await?;
        let run = options.run;
        let request = options.request()?;
        self.coded(codecs.as_deref())?.repository.resume(cluster, run, request)
    }

    /// Begins a restore of a plan, or of what is chosen. Nothing of the target is made before there is a plan.
    ///
    /// # Errors
    /// As the plan's, and opening the target, the journal and the staging.
    pub async fn restore(
        self,
        restoring: Restoring,
        choice: Choice,
        options: options::Restore,
    ) -> Result<Job<RestoreSummary>> {
        let Restoring { into, plan, journal, staging } = restoring;
        let storage = |place: Option<Place>| place.map(|place| place.open(&self.strongroom)).transpose();
        let (dry, session) = (options.dry_run, options.session);
        let mut request = options.request(storage(journal)?, storage(staging)?)?;
        let plan = match (session, &request.journal, plan) {
            (Some(session), Some(journal), _) => {
                let (_, begun) = journal.to_resume(Some(session)).await?;
                request.options = begun.options;
                begun.plan
            }
            (_, _, Some(plan)) => read_plan(&plan)?,
            (_, _, None) => choice.plan(&self.repository).await?,
        };
        let access = if dry || session.is_some() { Access::Write } else { Access::Create };
        let target = into.open(&self.strongroom, access).await?;
        request.storages = self.strongroom.copies(&plan);
        Ok(self.repository.restore(plan, target, request))
    }

    /// Restores what is chosen into a file of its own, to be looked into. Dropped, it leaves nothing.
    ///
    /// # Errors
    /// As the plan's, and [`OpenRepository::inspect`](crate::OpenRepository::inspect).
    pub async fn inspect(self, choice: Choice, pace: options::Pace) -> Result<Inspection> {
        let plan = choice.plan(&self.repository).await?;
        let storages = self.strongroom.copies(&plan);
        let request = RestoreRequest { settings: pace.settings()?, storages, ..RestoreRequest::default() };
        let (inspection, job) = self.repository.inspect(plan, request)?;
        job.await?;
        Ok(inspection)
    }

    /// Begins a check.
    ///
    /// # Errors
    /// As the options'.
    pub async fn verify(self, options: options::Verify) -> Result<Job<VerifyReport>> {
        Ok(self.repository.verify(options.request()?))
    }

    /// Begins a copy.
    ///
    /// # Errors
    /// As the options', and opening the destination.
    pub async fn copy(self, to: Place, options: options::Copy) -> Result<Job<CopyReport>> {
        let request = options.request(to.profile(&self.strongroom))?;
        Ok(self.repository.copy(to.open(&self.strongroom)?, request))
    }

    /// Begins a prune by a policy.
    ///
    /// # Errors
    /// As [`options::Prune::request`].
    pub async fn prune(self, options: options::Prune) -> Result<Job<PruneReport>> {
        let request = options.request(&self.repository, self.prune_request()).await?;
        Ok(self.repository.prune(request))
    }

    /// Begins to delete backups by their ids.
    ///
    /// # Errors
    /// None before the job's own.
    pub async fn delete(self, options: options::Delete) -> Result<Job<PruneReport>> {
        let request = options.request(&self.prune_request());
        Ok(self.repository.prune(request))
    }

    /// Begins to merge a chain into a new base.
    ///
    /// # Errors
    /// As [`options::Synthesize::request`], and the codecs'.
    pub async fn synthesize(
        self,
        options: options::Synthesize,
        codecs: Option<String>,
    ) -> Result<Job<SynthesizeReport>> {
        let calls = self.coded(codecs.as_deref())?;
        let request = options.request(&calls.repository).await?;
        Ok(calls.repository.synthesize(request))
    }

    /// What a prune does by the profile.
    fn prune_request(&self) -> PruneRequest {
        let name = self.place.profile(&self.strongroom).unwrap_or_default();
        self.strongroom.prune_request(&name)
    }
}

/// A plan from JSON.
fn read_plan(text: &str) -> Result<Plan> {
    serde_json::from_str(text).map_err(|error| Error::invalid("this is no plan").because(error))
}
