//! An open repository: the jobs of the core, with the codecs and keys that belong to it.

use std::sync::Arc;

use strongroom_codec::KeyRing;
use strongroom_core::codec::CodecRegistry;
use strongroom_core::engine::{
    self, BackupReport, BackupRequest, CopyReport, CopyRequest, Job, PruneReport, PruneRequest, RestoreRequest,
    RestoreSummary, SynthesizeReport, SynthesizeRequest, VerifyReport, VerifyRequest,
};
use strongroom_core::id::{ClusterId, RunId};
use strongroom_core::pipeline::Stack;
use strongroom_core::planner::{Plan, Request};
use strongroom_core::repository::{Loaded, Registration, Repository};
use strongroom_core::{Cluster, Error, Result, Storage};
use strongroom_record::fold::RecordFold;

use crate::keys::Codecs;

/// A repository with its codecs and keys. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OpenRepository {
    repository: Repository,
    codecs: Codecs,
    stack: Stack,
}

impl OpenRepository {
    pub(crate) fn new(repository: Repository, codecs: Codecs, stack: &str) -> Result<Self> {
        let stack = codecs.stack(stack)?;
        Ok(Self { repository, codecs, stack })
    }

    /// The same with other codecs for new backups, such as `zstd:3,seal`.
    ///
    /// # Errors
    /// `Invalid`, `Unsupported` or `Denied` when the text names no stack that can be used here.
    pub fn with_codecs(mut self, codecs: &str) -> Result<Self> {
        self.stack = self.codecs.stack(codecs)?;
        Ok(self)
    }

    /// The repository of the core.
    #[must_use]
    pub fn core(&self) -> &Repository {
        &self.repository
    }

    /// The codecs that can be read here.
    #[must_use]
    pub fn registry(&self) -> Arc<dyn CodecRegistry> {
        self.codecs.registry()
    }

    /// The keys, if it has any.
    #[must_use]
    pub fn keys(&self) -> Option<&KeyRing> {
        match &self.codecs {
            Codecs::Plain(_) => None,
            Codecs::Keyed(ring) => Some(ring),
        }
    }

    /// The codecs of new backups.
    #[must_use]
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// All that is known of its backups.
    ///
    /// # Errors
    /// As [`Repository::load`].
    pub async fn load(&self) -> Result<Loaded> {
        self.repository.load().await
    }

    /// The cluster of that name or id among those whose backups are here.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a name that several have; as the storage otherwise.
    pub async fn cluster_id(&self, name: &str) -> Result<ClusterId> {
        let known = self.repository.clusters().await?;
        let id: Option<ClusterId> = name.parse().ok();
        let means = |known: &&Registration| known.cluster.name == name || Some(known.cluster.id) == id;
        let found: Vec<&Registration> = known.iter().filter(means).collect();
        let list = |of: &mut dyn Iterator<Item = &Registration>| {
            of.map(|known| format!("{} '{}'", known.cluster.id, known.cluster.name)).collect::<Vec<_>>().join(", ")
        };
        match found[..] {
            [one] => Ok(one.cluster.id),
            [] => Err(Error::not_found(format!("the repository has no backups of a cluster '{name}'"))
                .hint(format!("it has those of: {}", list(&mut known.iter())))),
            _ => Err(Error::invalid(format!("several clusters are named '{name}'"))
                .hint(format!("name one by its id: {}", list(&mut found.into_iter())))),
        }
    }

    /// Plans a restore.
    ///
    /// # Errors
    /// `BrokenChain`, with the nearest points, when the point can't be reached; as [`Repository::load`].
    pub async fn plan(&self, request: &Request) -> Result<Plan> {
        Ok(self.load().await?.catalogue().plan(request)?)
    }

    /// Begins a backup with this repository's codecs; those of `request` are not looked at.
    ///
    /// # Errors
    /// `Denied` when the key of shared content is not open; the job's own come from the job.
    pub fn backup(&self, cluster: Arc<dyn Cluster>, request: BackupRequest) -> Result<Job<BackupReport>> {
        let request = self.coded(request)?;
        Ok(engine::backup(self.repository.clone(), self.registry(), cluster, request))
    }

    /// Goes on with an interrupted run, with this repository's codecs, which must be those of the run.
    ///
    /// # Errors
    /// As [`OpenRepository::backup`].
    pub fn resume(&self, cluster: Arc<dyn Cluster>, run: RunId, request: BackupRequest) -> Result<Job<BackupReport>> {
        let request = self.coded(request)?;
        Ok(engine::resume_backup(self.repository.clone(), self.registry(), cluster, run, request))
    }

    fn coded(&self, request: BackupRequest) -> Result<BackupRequest> {
        let content_stack = self.codecs.content_stack(&self.stack)?;
        Ok(BackupRequest { stack: self.stack.clone(), content_stack, ..request })
    }

    /// Begins a restore.
    pub fn restore(&self, plan: Plan, target: Arc<dyn Cluster>, request: RestoreRequest) -> Job<RestoreSummary> {
        engine::restore(self.repository.clone(), self.registry(), plan, target, request)
    }

    /// Begins a check.
    pub fn verify(&self, request: VerifyRequest) -> Job<VerifyReport> {
        engine::verify(self.repository.clone(), self.registry(), request)
    }

    /// Begins a prune.
    pub fn prune(&self, request: PruneRequest) -> Job<PruneReport> {
        engine::prune(self.repository.clone(), request)
    }

    /// Begins to merge a chain of record backups into a new base, with this repository's codecs; those of `request` are
    /// not looked at. No cluster is touched.
    pub fn synthesize(&self, request: SynthesizeRequest) -> Job<SynthesizeReport> {
        let request = SynthesizeRequest { stack: self.stack.clone(), ..request };
        engine::synthesize(self.repository.clone(), self.registry(), Arc::new(RecordFold), request)
    }

    /// Begins a copy to another storage.
    pub fn copy(&self, destination: Arc<dyn Storage>, request: CopyRequest) -> Job<CopyReport> {
        engine::copy(self.repository.clone(), self.registry(), destination, request)
    }
}
