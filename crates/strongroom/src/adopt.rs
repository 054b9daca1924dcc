//! Adopting the storage of a backup service: every backup of a routine becomes one of a repository, with its window, so that
//! chains go on to be chains. The folder stays as it is.
//!
//! ```text
//!   each backup, oldest first ──▶ a file of its own (sorted) ──▶ backup(window of the service) ──▶ repository
//! ```
//!
//! What is there already is not taken again, so an adoption that broke off goes on when it is repeated.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use strongroom_core::cluster::{
    Applied, Capabilities, ClusterIdentity, Fold, FreezeRequest, Frozen, FrozenPart, Node, PartDescription, PieceKind,
    PieceReader, PieceSpec, PieceSummary, Preflight, RestoreOptions, RestoreOutline, RestoreReport, RestoreSession,
    StepId, Topology,
};
use strongroom_core::engine::{BackupKindWish, BackupRequest, PartOutcome};
use strongroom_core::id::{BackupId, ClusterId, SessionId};
use strongroom_core::manifest::Blake3;
use strongroom_core::model::{Applies, BackupKind, Deletes, Filter, Scope, Status, Window};
use strongroom_core::{ByteStream, Cluster, Error, Result, Timestamp};
use strongroom_embedded::{EmbeddedCluster, ImportOptions, ImportReport};
use strongroom_record::asb::Limits;
use strongroom_record::fold::RecordFold;
use strongroom_record::folder::{Kind, Metadata, ServiceBackup};
use strongroom_record::wrap::FileKey;

use crate::OpenRepository;
use crate::service_folder::ServiceFolder;

/// How a service's storage is taken over.
#[derive(Debug, Clone, Default)]
pub struct AdoptRequest {
    /// What the cluster is called in the repository, and by that name it is known. `None`: as the routine.
    pub name: Option<String>,
    /// The key of encrypted files.
    pub key: Option<FileKey>,
    /// Only this namespace. `None`: all.
    pub namespace: Option<String>,
    /// How much a single record may take.
    pub limits: Limits,
    /// Speed, memory, and who does it: what a backup would be asked with. Its scope and kind are the folder's.
    pub backup: BackupRequest,
}

/// What was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AdoptReport {
    /// The backups that are now in the repository.
    pub adopted: Vec<AdoptedBackup>,
    /// How many of the folder's were there already.
    pub already: u64,
    /// What of the folder is in the repository in no form, and why.
    pub left_out: Vec<String>,
}

/// A backup that was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdoptedBackup {
    /// Its id in the repository.
    pub backup: BackupId,
    /// The namespace.
    pub part: String,
    /// Whether it holds everything or changes.
    pub kind: BackupKind,
    /// Its window, as the service noted it.
    pub window: Window,
    /// How many records it holds.
    pub records: u64,
}

impl OpenRepository {
    /// Takes over every usable backup of a routine, oldest first.
    ///
    /// A backup that can't be read, or an incremental that follows on none that is here, is left out with the reason; the others
    /// are not harmed by it. Such storages tell of no deletes, which plans warn of.
    ///
    /// # Errors
    /// Those of the repository and its storage. What was taken over until then stays, and is not taken again.
    pub async fn adopt(&self, folder: &ServiceFolder, request: &AdoptRequest) -> Result<AdoptReport> {
        let name = request.name.clone().unwrap_or_else(|| folder.routine().to_owned());
        let hash = Blake3::of(format!("a backup service's cluster\0{name}").as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.as_bytes()[..16]);
        let fingerprint = format!("a backup service's cluster '{name}'");
        let identity = ClusterIdentity { id: ClusterId::from_bytes(id), name, fingerprint };
        let mut report = AdoptReport { left_out: folder.unusable.clone(), ..AdoptReport::default() };
        for (backup, metadata) in folder.usable() {
            if request.namespace.as_ref().is_some_and(|wanted| *wanted != backup.namespace) {
                continue;
            }
            let there = self.load().await?.into_catalogue().entries().any(|entry| {
                entry.cluster == identity.id
                    && entry.part == backup.namespace
                    && entry.kind == kind_of(backup)
                    && entry.window.until == metadata.created
                    && entry.status != Status::Deleted
            });
            if there {
                report.already += 1;
                continue;
            }
            match self.adopt_one(&identity, backup, metadata, request).await {
                Ok(adopted) => report.adopted.push(adopted),
                // Of the folder, or of this chain: the others may be whole.
                Err(Left::Out(error)) => report.left_out.push(format!("{}: {error}", backup.path.display())),
                Err(Left::Failed(error)) => return Err(error),
            }
        }
        Ok(report)
    }

    async fn adopt_one(
        &self,
        identity: &ClusterIdentity,
        backup: &ServiceBackup,
        metadata: &Metadata,
        request: &AdoptRequest,
    ) -> std::result::Result<AdoptedBackup, Left> {
        let window = folder_window(backup, metadata).map_err(Left::Out)?;
        let folder = tempfile::Builder::new().prefix("strongroom-adopt-").tempdir();
        let folder =
            folder.map_err(|error| Left::Failed(Error::from(error).within("a temporary folder to sort in")))?;
        let records = EmbeddedCluster::create(folder.path().join("backup.redb"), self.core().environment().clone())
            .map_err(Left::Failed)?;
        let report = read(&records, backup, metadata, request).await.map_err(Left::Out)?;
        let found = report.written + report.refused;
        if found != metadata.record_count {
            let told = metadata.record_count;
            return Err(Left::Out(Error::corrupt(format!("it holds {found} records, and its metadata says {told}"))));
        }
        let cluster = Adopted {
            identity: identity.clone(),
            part: backup.namespace.clone(),
            window,
            refused: report.refusals,
            records,
        };
        let wish = if kind_of(backup) == BackupKind::Base { BackupKindWish::Base } else { BackupKindWish::Incremental };
        let asked = BackupRequest {
            scope: Scope::of_parts([backup.namespace.as_str()]),
            kind: wish,
            // Each begins where the one before it ended: the service's did.
            no_bridging: true,
            run: None,
            dry_run: false,
            ..request.backup.clone()
        };
        let done = self.backup(Arc::new(cluster), asked).map_err(Left::Failed)?.await.map_err(Left::Failed)?;
        let part = done.parts.into_iter().next().ok_or_else(|| Left::Failed(Error::internal("a backup of no part")))?;
        match part.outcome {
            PartOutcome::Committed(done) | PartOutcome::Already(done) => Ok(AdoptedBackup {
                backup: done.backup,
                part: part.part,
                kind: done.kind,
                window: done.window,
                records: done.totals.records,
            }),
            PartOutcome::Failed { kind, what } => {
                let error = Error::new(kind, what);
                let of_this = matches!(
                    kind,
                    strongroom_core::ErrorKind::BrokenChain
                        | strongroom_core::ErrorKind::Invalid
                        | strongroom_core::ErrorKind::Corrupt
                );
                Err(if of_this { Left::Out(error) } else { Left::Failed(error) })
            }
            PartOutcome::Estimated(_) => Err(Left::Failed(Error::internal("a dry run was asked for"))),
        }
    }
}

/// Why a backup was not taken over.
enum Left {
    /// It is left out, and the others are not.
    Out(Error),
    /// None of them can be.
    Failed(Error),
}

const fn kind_of(backup: &ServiceBackup) -> BackupKind {
    match backup.kind {
        Kind::Full => BackupKind::Base,
        Kind::Incremental => BackupKind::Incremental,
    }
}

fn folder_window(backup: &ServiceBackup, metadata: &Metadata) -> Result<Window> {
    let from = metadata.from.filter(|_| backup.kind == Kind::Incremental);
    if backup.kind == Kind::Incremental && from.is_none() {
        return Err(Error::corrupt("its metadata does not say since when it holds changes"));
    }
    Window::new(from, metadata.created, metadata.finished.max(metadata.created))
}

/// Brings a backup into a file, where its records are in order.
async fn read(
    into: &EmbeddedCluster,
    backup: &ServiceBackup,
    metadata: &Metadata,
    request: &AdoptRequest,
) -> Result<ImportReport> {
    if metadata.file_count == 0 {
        return Ok(ImportReport::default());
    }
    let (into, path) = (into.clone(), backup.path.clone());
    let options = ImportOptions { key: request.key.clone(), limits: request.limits, ..ImportOptions::default() };
    let work = tokio::task::spawn_blocking(move || into.import_folder(path, &options));
    work.await.map_err(|error| Error::internal("the reading ended early").because(error))?
}

/// One backup of a service as a cluster that can only be backed up, in one window.
#[derive(Debug)]
struct Adopted {
    identity: ClusterIdentity,
    part: String,
    window: Window,
    refused: Vec<String>,
    records: EmbeddedCluster,
}

fn only_read() -> Error {
    Error::unsupported("a backup service's folder is only read").hint("restore into a cluster")
}

#[async_trait]
impl Cluster for Adopted {
    fn capabilities(&self) -> Capabilities {
        Capabilities { incremental: true, fold: true, ..Capabilities::default() }
    }

    async fn describe(&self) -> Result<Topology> {
        let description = PartDescription { records: None, tables: BTreeMap::new(), bytes: None };
        Ok(Topology {
            identity: self.identity.clone(),
            version: "of a backup service".to_owned(),
            nodes: vec![Node { id: "folder".to_owned(), ..Node::default() }],
            parts: [(self.part.clone(), description)].into(),
        })
    }

    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        let since = request.since.get(&self.part).copied();
        if let (Some(since), Some(from)) = (since, self.window.from)
            && from > since
        {
            return Err(Error::broken_chain(format!(
                "it holds changes since {from}, and the backups before it end at {since}: what changed between is in none"
            ))
            .hint("take over the backup that is missing, or go on with the next full one"));
        }
        let scope = Scope { parts: Some([(self.part.clone(), Filter::default())].into()) };
        let asked = FreezeRequest { scope, since: BTreeMap::new() };
        let mut frozen = if self.records.describe().await?.parts.contains_key(&self.part) {
            self.records.freeze(&asked).await?
        } else {
            // Nothing changed.
            Frozen {
                parts: vec![FrozenPart::base(self.part.clone(), self.window)],
                failed: BTreeMap::new(),
                token: serde_json::Value::Null,
            }
        };
        for part in &mut frozen.parts {
            (part.window, part.applies, part.deletes) = (self.window, Applies::Cover, Deletes::Unseen);
            part.missing.extend(self.refused.iter().cloned());
            if self.window.from.is_some() {
                // A service's incrementals hold no definitions: those of the full one count.
                part.pieces.retain(|piece| piece.kind != PieceKind::Schema);
            }
        }
        Ok(frozen)
    }

    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        use futures::FutureExt as _;
        let reader = self.records.read(piece).await?;
        // The window is the service's, whatever the time is now.
        let summary = reader.summary.map(|summary| summary.map(|summary| PieceSummary { settled: None, ..summary }));
        Ok(PieceReader { summary: summary.boxed(), ..reader })
    }

    async fn release(&self, frozen: &Frozen) -> Result<()> {
        if frozen.token.is_null() { Ok(()) } else { self.records.release(frozen).await }
    }

    async fn remembers(&self, _: &str, _: Timestamp) -> Result<Option<bool>> {
        Ok(None)
    }

    async fn check_restore(&self, _: &RestoreOutline, _: &RestoreOptions) -> Result<Preflight> {
        Err(only_read())
    }

    async fn begin_restore(&self, _: SessionId, _: &RestoreOutline, _: &RestoreOptions) -> Result<RestoreSession> {
        Err(only_read())
    }

    async fn write(&self, _: &RestoreSession, _: StepId, _: &str, _: &PieceSpec, _: ByteStream) -> Result<Applied> {
        Err(only_read())
    }

    async fn seal_step(&self, _: &RestoreSession, _: StepId) -> Result<()> {
        Err(only_read())
    }

    async fn finish_restore(&self, _: RestoreSession) -> Result<RestoreReport> {
        Err(only_read())
    }

    async fn abort_restore(&self, _: RestoreSession) -> Result<()> {
        Err(only_read())
    }

    fn fold(&self) -> Option<&dyn Fold> {
        Some(&RecordFold)
    }
}
