//! Looking into a record backup without a server: a planned state, restored into a file of its own.

use std::sync::Arc;

use strongroom_core::engine::{Job, RestoreRequest, RestoreSummary};
use strongroom_core::planner::Plan;
use strongroom_core::{Error, Result};
use strongroom_embedded::EmbeddedCluster;
use tempfile::TempDir;

use crate::OpenRepository;

/// A state of a repository, to be looked into. Its file goes when this is dropped.
#[derive(Debug)]
pub struct Inspection {
    cluster: EmbeddedCluster,
    /// Holds the file, readable by its owner alone: what was sealed on storage is plain here.
    _folder: TempDir,
}

impl Inspection {
    /// The state as an embedded cluster. Whole once the job of [`OpenRepository::inspect`] has ended.
    #[must_use]
    pub fn cluster(&self) -> &EmbeddedCluster {
        &self.cluster
    }
}

impl OpenRepository {
    /// Begins to restore what `plan` reaches into an embedded cluster in a temporary folder, to be looked into. The file
    /// takes about as many bytes as the plan's plain bytes.
    ///
    /// # Errors
    /// `NoSpace`, `Denied` when the file can't be made; the job ends as a restore does, with `Invalid` for a backup
    /// that holds no records.
    pub fn inspect(&self, plan: Plan, request: RestoreRequest) -> Result<(Inspection, Job<RestoreSummary>)> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("strongroom-inspect-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir().map_err(|error| Error::from(error).within("a temporary folder to look into"))?;
        let cluster = EmbeddedCluster::create(folder.path().join("state.redb"), self.core().environment().clone())?;
        let job = self.restore(plan, Arc::new(cluster.clone()), request);
        Ok((Inspection { cluster, _folder: folder }, job))
    }
}
