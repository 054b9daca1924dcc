//! Folders of the reference tools, restored straight into any cluster.
//!
//! Their records are in no order and in several files, so they are sorted first: into an embedded cluster in a temporary folder, and
//! from there through a repository beside it, as any other backup. So checks, counters and options are those of a restore.

use std::path::PathBuf;
use std::sync::Arc;

use strongroom_core::engine::{RestoreRequest, RestoreSummary};
use strongroom_core::planner::{Request, Target};
use strongroom_core::{Cluster, Error, Result};
use strongroom_embedded::{EmbeddedCluster, ImportOptions};

use crate::{BackupKindWish, BackupRequest, Strongroom};

impl Strongroom {
    /// Restores folders of the reference tools into `target`, in the order given, a base before its incrementals: merged, so that
    /// each record is written once. What is taken of them says `import`, what becomes of it in the target says `request`; of
    /// `import` only key, namespaces, filter and limits count. Takes about twice the plain bytes in the temporary folder.
    ///
    /// # Errors
    /// As [`EmbeddedCluster::import_folders`], before anything of the target is touched; then as a restore.
    pub async fn restore_folders(
        &self,
        folders: Vec<PathBuf>,
        import: ImportOptions,
        target: Arc<dyn Cluster>,
        request: RestoreRequest,
    ) -> Result<RestoreSummary> {
        let folder = tempfile::Builder::new().prefix("strongroom-folders-").tempdir();
        let folder = folder.map_err(|error| Error::from(error).within("a temporary folder to sort in"))?;
        let sorted = EmbeddedCluster::create(folder.path().join("sorted.redb"), self.environment().clone())?;
        let import = ImportOptions {
            key: import.key,
            namespaces: import.namespaces,
            filter: import.filter,
            limits: import.limits,
            ..ImportOptions::default()
        };
        let into = sorted.clone();
        let work = tokio::task::spawn_blocking(move || into.import_folders(&folders, &import));
        let read = work.await.map_err(|error| Error::internal("the reading ended early").because(error))??;
        if read.refused > 0 {
            // Left out in silence they would be lost.
            return Err(Error::corrupt(format!(
                "{} records can't be read: {}",
                read.refused,
                read.refusals.join("; ")
            ))
            .hint("nothing was changed; import them into an embedded cluster to restore the others"));
        }
        let place = folder.path().join("repository");
        let place = place.to_str().ok_or_else(|| Error::invalid("the temporary folder's path is not UTF-8"))?;
        let repository = self.init(place, Some("none"), &[]).await?;
        let taken = BackupRequest { kind: BackupKindWish::Base, ..BackupRequest::default() };
        repository.backup(Arc::new(sorted), taken)?.await?.into_result()?;
        let plan = repository.plan(&Request::at(Target::Latest)).await?;
        // The cluster of the folders is not known, so it can't be another one than was registered.
        let request = RestoreRequest { accept_cluster: true, ..request };
        let mut summary = repository.restore(plan, target, request).await?;
        // They are of a repository that nobody sees.
        summary.plan_warnings.clear();
        Ok(summary)
    }
}
