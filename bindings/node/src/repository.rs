//! Repositories: each method begins a job or a call of the façade.

use std::collections::BTreeSet;
use std::future::Future;

use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;
use serde::de::DeserializeOwned;
use strongroom::Result;
use strongroom::calls::{Calls, Restoring};
use strongroom::core::engine::Job as CoreJob;
use strongroom::core::id::BackupId;
use strongroom::handle::Report;
use strongroom::options::{self, read};

use crate::answer::{Answer, promise};
use crate::cluster::{Cluster, Party, found};
use crate::job::Job;
use crate::place::{Place, there};

/// An open repository.
#[napi]
pub struct Repository(pub(crate) Calls);

impl Repository {
    /// A question, and its options.
    fn ask<'env, O: DeserializeOwned, F: Future<Output = Result<String>> + Send + 'static>(
        &self,
        env: &'env Env,
        options: &str,
        call: impl FnOnce(Calls, O) -> F,
    ) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        let answer = read(options).map(|options| call(self.0.clone(), options));
        promise(env, async move { answer?.await })
    }

    /// A job, and its options.
    fn begin<O: DeserializeOwned, T: Report, F: Future<Output = Result<CoreJob<T>>> + Send + 'static>(
        &self,
        name: &'static str,
        options: &str,
        call: impl FnOnce(Calls, O) -> F,
    ) -> Job {
        let job = read(options).map(|options| call(self.0.clone(), options));
        Job::begin(name, async move { job?.await })
    }
}

#[napi]
impl Repository {
    /// What it is, as JSON.
    #[napi]
    pub fn info(&self) -> String {
        self.0.info()
    }

    /// Its backups.
    #[napi]
    pub fn catalogue<'env>(&self, env: &'env Env, of: String) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        self.ask(env, &of, Calls::catalogue)
    }

    /// The clusters whose backups are here.
    #[napi]
    pub fn clusters<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        promise(env, self.0.clone().clusters())
    }

    /// A plan.
    #[napi]
    pub fn plan<'env>(&self, env: &'env Env, choice: String) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        self.ask(env, &choice, Calls::plan)
    }

    /// Why a plan is as it is: `[explanation, its text]`.
    #[napi]
    pub fn explain<'env>(&self, env: &'env Env, choice: String) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        self.ask(env, &choice, Calls::explain)
    }

    /// Whether a moment can be restored: `[check, its text]`.
    #[napi]
    pub fn check<'env>(&self, env: &'env Env, choice: String) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        self.ask(env, &choice, Calls::check)
    }

    /// Which moments can be restored: `[windows, their text]`.
    #[napi]
    pub fn windows<'env>(&self, env: &'env Env, of: String) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        self.ask(env, &of, Calls::windows)
    }

    /// Sets pins or holds.
    #[napi]
    pub fn pin<'env>(&self, env: &'env Env, pinning: String) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        self.ask(env, &pinning, Calls::pin)
    }

    /// Takes pins or holds off: gives those that were.
    #[napi]
    pub fn unpin<'env>(
        &self,
        env: &'env Env,
        backups: String,
        hold: bool,
        by: String,
    ) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        self.ask(env, &backups, |calls, backups: BTreeSet<BackupId>| calls.unpin(backups, hold, by))
    }

    /// Begins a backup.
    #[napi]
    pub fn backup(&self, cluster: Party<'_>, options: String, codecs: Option<String>) -> Job {
        let cluster = found(cluster);
        self.begin("backup", &options, |calls, options| async move { calls.backup(cluster?, options, codecs).await })
    }

    /// Goes on with an interrupted backup.
    #[napi]
    pub fn resume(&self, cluster: Party<'_>, options: String, codecs: Option<String>) -> Job {
        let cluster = found(cluster);
        self.begin("backup", &options, |calls, options| async move { calls.resume(cluster?, options, codecs).await })
    }

    /// Begins a restore of a plan, or of what is chosen. Nothing of the target is made before there is a plan.
    #[napi]
    pub fn restore(
        &self,
        into: Party<'_>,
        plan: Option<String>,
        choice: String,
        options: String,
        journal: Option<Place<'_>>,
        staging: Option<Place<'_>>,
    ) -> Job {
        let (journal, staging) = (journal.map(there), staging.map(there));
        let (into, choice) = (found(into), read(&choice));
        self.begin("restore", &options, |calls, options: options::Restore| async move {
            let restoring = Restoring { into: into?, plan, journal, staging };
            calls.restore(restoring, choice?, options).await
        })
    }

    /// Restores what is chosen into a file of its own, to be looked into.
    #[napi]
    pub fn inspect<'env>(
        &self,
        env: &'env Env,
        choice: String,
        pace: String,
    ) -> napi::Result<PromiseRaw<'env, Answer<Cluster>>> {
        let (calls, choice, pace) = (self.0.clone(), read(&choice), read(&pace));
        promise(env, async move { calls.inspect(choice?, pace?).await.map(Cluster::inspected) })
    }

    /// Begins a check.
    #[napi]
    pub fn verify(&self, options: String) -> Job {
        self.begin("verify", &options, Calls::verify)
    }

    /// Begins a copy.
    #[napi]
    pub fn copy(&self, to: Place<'_>, options: String) -> Job {
        let to = there(to);
        self.begin("copy", &options, |calls, options| calls.copy(to, options))
    }

    /// Begins a prune by a policy.
    #[napi]
    pub fn prune(&self, options: String) -> Job {
        self.begin("prune", &options, Calls::prune)
    }

    /// Begins to delete backups by their ids.
    #[napi]
    pub fn delete(&self, options: String) -> Job {
        self.begin("prune", &options, Calls::delete)
    }

    /// Begins to merge a chain into a new base.
    #[napi]
    pub fn synthesize(&self, options: String, codecs: Option<String>) -> Job {
        self.begin("synthesize", &options, |calls, options| calls.synthesize(options, codecs))
    }
}
