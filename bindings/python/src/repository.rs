//! Repositories: each method begins a job or a call of the façade.

use std::collections::BTreeSet;

use pyo3::prelude::*;
use serde_json::json as value;
use strongroom::core::id::BackupId;
use strongroom::core::planner::PinKind;
use strongroom::options::{self, Choice, Pinning, Subject};
use strongroom::{Access, Listing, OpenRepository, Plan, RestoreRequest, Result, Strongroom, Target};

use crate::cluster::{Cluster, Party};
use crate::errors::raise;
use crate::job::Job;
use crate::place::{Place, There, maybe};
use crate::runtime::Owned;
use crate::task::{Task, json, object};

/// An open repository.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Repository {
    open: Owned<Open>,
}

#[derive(Clone)]
struct Open {
    strongroom: Strongroom,
    repository: OpenRepository,
    place: There,
}

impl Repository {
    pub(crate) fn new(strongroom: Strongroom, repository: OpenRepository, place: There) -> Self {
        Self { open: Owned::new(Open { strongroom, repository, place }) }
    }

    fn open(&self, py: Python<'_>) -> PyResult<Open> {
        self.open.get(py).cloned()
    }
}

impl Open {
    /// With other codecs for new backups, if they are named.
    fn coded(self, codecs: Option<&str>) -> Result<Self> {
        let Some(codecs) = codecs else { return Ok(self) };
        Ok(Self { repository: self.repository.with_codecs(codecs)?, ..self })
    }

    /// What a prune does by the profile.
    fn prune_request(&self) -> strongroom::PruneRequest {
        let name = self.place.profile(&self.strongroom).unwrap_or_default();
        self.strongroom.prune_request(&name)
    }
}

/// Options from JSON.
fn read<T: serde::de::DeserializeOwned>(py: Python<'_>, text: &str) -> PyResult<T> {
    options::read(text).map_err(|error| raise(py, &error))
}

/// A plan from JSON.
fn read_plan(text: &str) -> Result<Plan> {
    serde_json::from_str(text).map_err(|error| strongroom::Error::invalid("this is no plan").because(error))
}

#[pymethods]
impl Repository {
    /// What it is, as JSON.
    fn info(&self, py: Python<'_>) -> PyResult<String> {
        let open = self.open.get(py)?;
        let (info, stack) = (open.repository.core().info(), open.repository.stack());
        let codecs: Vec<String> = stack.ids().iter().map(ToString::to_string).collect();
        Ok(value!({ "repository": info.id, "created": info.created, "codecs": codecs }).to_string())
    }

    /// Its backups.
    fn list(&self, py: Python<'_>, of: &str) -> PyResult<Task> {
        let (open, of) = (self.open(py)?, read::<Subject>(py, of)?);
        Task::spawn(py, async move {
            let cluster = match &of.cluster {
                Some(cluster) => Some(open.repository.cluster_id(cluster).await?),
                None => None,
            };
            let loaded = open.repository.load().await?;
            json(&Listing::of(&loaded, |entry| {
                cluster.is_none_or(|cluster| entry.cluster == cluster)
                    && (of.parts.is_empty() || of.parts.contains(&entry.part))
            }))
        })
    }

    /// The clusters whose backups are here.
    fn clusters(&self, py: Python<'_>) -> PyResult<Task> {
        let open = self.open(py)?;
        Task::spawn(py, async move {
            let known = open.repository.core().clusters().await?;
            json(&known.iter().map(|known| &known.cluster).collect::<Vec<_>>())
        })
    }

    /// A plan.
    fn plan(&self, py: Python<'_>, choice: &str) -> PyResult<Task> {
        let (open, choice) = (self.open(py)?, read::<Choice>(py, choice)?);
        Task::spawn(py, async move { json(&choice.plan(&open.repository).await?) })
    }

    /// Why a plan is as it is: `[explanation, its text]`.
    fn explain(&self, py: Python<'_>, choice: &str) -> PyResult<Task> {
        let (open, choice) = (self.open(py)?, read::<Choice>(py, choice)?);
        Task::spawn(py, async move {
            let loaded = open.repository.load().await?;
            let request = choice.request(&open.repository, loaded.catalogue()).await?;
            let explanation = loaded.catalogue().explain(&request);
            json(&(&explanation, explanation.to_string()))
        })
    }

    /// Whether a moment can be restored: `[check, its text]`.
    fn check(&self, py: Python<'_>, choice: &str) -> PyResult<Task> {
        let (open, choice) = (self.open(py)?, read::<Choice>(py, choice)?);
        Task::spawn(py, async move {
            let loaded = open.repository.load().await?;
            let request = choice.request(&open.repository, loaded.catalogue()).await?;
            let check = loaded.catalogue().check(&request);
            json(&(&check, check.to_string()))
        })
    }

    /// Which moments can be restored: `[windows, their text]`.
    fn windows(&self, py: Python<'_>, of: &str) -> PyResult<Task> {
        let (open, of) = (self.open(py)?, read::<Subject>(py, of)?);
        Task::spawn(py, async move {
            let loaded = open.repository.load().await?;
            let request = of.request(&open.repository, loaded.catalogue(), Target::Latest).await?;
            let windows = loaded.catalogue().windows(&request)?;
            json(&(&windows, windows.to_string()))
        })
    }

    /// Sets pins or holds.
    fn pin(&self, py: Python<'_>, pinning: &str) -> PyResult<Task> {
        let (open, pinning) = (self.open(py)?, read::<Pinning>(py, pinning)?);
        Task::spawn(py, async move {
            let pin = pinning.pin(open.strongroom.environment().now())?;
            for backup in &pinning.backups {
                open.repository.core().pin(*backup, pin.clone()).await?;
            }
            json(&pin)
        })
    }

    /// Takes pins or holds off: gives those that were.
    fn unpin(&self, py: Python<'_>, backups: &str, hold: bool, by: String) -> PyResult<Task> {
        let (open, backups) = (self.open(py)?, read::<BTreeSet<BackupId>>(py, backups)?);
        let kind = if hold { PinKind::Hold } else { PinKind::Pin };
        Task::spawn(py, async move {
            let mut removed = Vec::new();
            for backup in backups {
                removed.extend(open.repository.core().unpin(backup, kind, &by).await?);
            }
            json(&removed)
        })
    }

    /// Begins a backup.
    fn backup(&self, py: Python<'_>, cluster: Party<'_>, options: &str, codecs: Option<String>) -> PyResult<Job> {
        let (open, cluster) = (self.open(py)?, cluster.found(py)?);
        let options: options::Backup = read(py, options)?;
        Job::begin(py, "backup", async move {
            let cluster = cluster.open(&open.strongroom, Access::Write).await?;
            let open = open.coded(codecs.as_deref())?;
            let request = options.request(&*cluster).await?;
            open.repository.backup(cluster, request)
        })
    }

    /// Goes on with an interrupted backup.
    fn resume(&self, py: Python<'_>, cluster: Party<'_>, options: &str, codecs: Option<String>) -> PyResult<Job> {
        let (open, cluster) = (self.open(py)?, cluster.found(py)?);
        let options: options::Resume = read(py, options)?;
        Job::begin(py, "backup", async move {
            let cluster = cluster.open(&open.strongroom, Access::Write).await?;
            let run = options.run;
            let request = options.request()?;
            open.coded(codecs.as_deref())?.repository.resume(cluster, run, request)
        })
    }

    /// Begins a restore of a plan, or of what is chosen. Nothing of the target is made before there is a plan.
    #[expect(clippy::too_many_arguments, reason = "the Python half names each")]
    fn restore(
        &self,
        py: Python<'_>,
        into: Party<'_>,
        plan: Option<String>,
        choice: &str,
        options: &str,
        journal: Option<Place<'_>>,
        staging: Option<Place<'_>>,
    ) -> PyResult<Job> {
        let (open, into) = (self.open(py)?, into.found(py)?);
        let (journal, staging) = (maybe(py, journal)?, maybe(py, staging)?);
        let (choice, options): (Choice, options::Restore) = (read(py, choice)?, read(py, options)?);
        Job::begin(py, "restore", async move {
            let storage = |there: Option<There>| there.map(|there| there.open(&open.strongroom)).transpose();
            let (dry, session) = (options.dry_run, options.session);
            let mut request = options.request(storage(journal)?, storage(staging)?)?;
            let plan = match (session, &request.journal, plan) {
                (Some(session), Some(journal), _) => {
                    let (_, begun) = journal.to_resume(Some(session)).await?;
                    request.options = begun.options;
                    begun.plan
                }
                (_, _, Some(plan)) => read_plan(&plan)?,
                (_, _, None) => choice.plan(&open.repository).await?,
            };
            let access = if dry || session.is_some() { Access::Write } else { Access::Create };
            let target = into.open(&open.strongroom, access).await?;
            request.storages = open.strongroom.copies(&plan);
            Ok(open.repository.restore(plan, target, request))
        })
    }

    /// Restores what is chosen into a file of its own, to be looked into. Cancelled, it leaves nothing.
    fn inspect(&self, py: Python<'_>, choice: &str, pace: &str) -> PyResult<Task> {
        let (open, choice) = (self.open(py)?, read::<Choice>(py, choice)?);
        let pace: options::Pace = read(py, pace)?;
        Task::spawn(py, async move {
            let plan = choice.plan(&open.repository).await?;
            let storages = open.strongroom.copies(&plan);
            let request = RestoreRequest { settings: pace.settings()?, storages, ..RestoreRequest::default() };
            let (inspection, job) = open.repository.inspect(plan, request)?;
            job.await?;
            Ok(object(Cluster::inspected(inspection)))
        })
    }

    /// Begins a check.
    fn verify(&self, py: Python<'_>, options: &str) -> PyResult<Job> {
        let (open, options) = (self.open(py)?, read::<options::Verify>(py, options)?);
        Job::begin(py, "verify", async move { Ok(open.repository.verify(options.request()?)) })
    }

    /// Begins a copy.
    fn copy(&self, py: Python<'_>, to: Place<'_>, options: &str) -> PyResult<Job> {
        let (open, to, options) = (self.open(py)?, to.there(py)?, read::<options::Copy>(py, options)?);
        Job::begin(py, "copy", async move {
            let request = options.request(to.profile(&open.strongroom))?;
            Ok(open.repository.copy(to.open(&open.strongroom)?, request))
        })
    }

    /// Begins a prune by a policy.
    fn prune(&self, py: Python<'_>, options: &str) -> PyResult<Job> {
        let (open, options) = (self.open(py)?, read::<options::Prune>(py, options)?);
        Job::begin(py, "prune", async move {
            let request = options.request(&open.repository, open.prune_request()).await?;
            Ok(open.repository.prune(request))
        })
    }

    /// Begins to delete backups by their ids.
    fn delete(&self, py: Python<'_>, options: &str) -> PyResult<Job> {
        let (open, options) = (self.open(py)?, read::<options::Delete>(py, options)?);
        Job::begin(py, "prune", async move {
            let request = options.request(&open.prune_request());
            Ok(open.repository.prune(request))
        })
    }

    /// Begins to merge a chain into a new base.
    fn synthesize(&self, py: Python<'_>, options: &str, codecs: Option<String>) -> PyResult<Job> {
        let (open, options) = (self.open(py)?, read::<options::Synthesize>(py, options)?);
        Job::begin(py, "synthesize", async move {
            let open = open.coded(codecs.as_deref())?;
            let request = options.request(&open.repository).await?;
            Ok(open.repository.synthesize(request))
        })
    }
}
