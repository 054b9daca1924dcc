//! What moves the pieces of a run: worker, codecs, shared content.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::RemoteWorker;
use super::prepare::Prepared;
use super::run::Run;
use super::store::Yard;
use crate::cluster::Frozen;
use crate::codec::{Codec, CodecId, CodecRegistry};
use crate::manifest::Manifest;
use crate::model::Status;
use crate::pipeline::{AtHand, PieceWorker, Stack, Workroom};
use crate::planner::Entry;
use crate::repository::SharedContent;
use crate::{ErrorKind, Result};

/// As many of the newest manifests of a part are asked for shared content.
const MANIFESTS: usize = 64;
/// The names by which this process's own worker knows things.
const HERE: &str = "here";

impl Run {
    pub(super) async fn yard(&self, prepared: &Prepared, room: Arc<Workroom>, frozen: &Frozen) -> Result<Yard> {
        let settings = self.request.settings;
        let shared = if frozen.parts.iter().flat_map(|part| &part.pieces).any(|piece| piece.content.is_some()) {
            Some(Arc::new(self.shared_content(prepared).await?))
        } else {
            None
        };
        let registry: Arc<dyn CodecRegistry> = Arc::new(self.registry());
        let local = || {
            let resolver = AtHand::new(Arc::clone(&registry))
                .with_storage(HERE, Arc::clone(self.repository.storage()))
                .with_cluster(HERE, Arc::clone(&self.cluster));
            let worker = PieceWorker::new(room, self.repository.environment().clone(), Arc::new(resolver));
            RemoteWorker { worker: Arc::new(worker), storage: HERE.to_owned(), cluster: HERE.to_owned() }
        };
        let RemoteWorker { worker, storage, cluster } = self.request.worker.clone().unwrap_or_else(local);
        let content_stack = self.request.content_stack.as_ref().unwrap_or(&self.request.stack);
        Ok(Yard {
            worker,
            storage,
            cluster_name: cluster,
            cluster: prepared.topology.identity.id,
            repository: self.repository.id(),
            codecs: self.request.stack.ids(),
            content_codecs: content_stack.ids(),
            registry,
            settings,
            progress: Arc::clone(&self.progress),
            lanes: Arc::new(Semaphore::new(settings.parallel)),
            shared,
        })
    }

    /// The content of the newest backups of this cluster.
    async fn shared_content(&self, prepared: &Prepared) -> Result<SharedContent> {
        let mut manifests: Vec<Manifest> = Vec::new();
        for part in prepared.topology.parts.keys() {
            let own = prepared.loaded.catalogue().entries_of(prepared.topology.identity.id, part);
            // Content of a backup that a check found damaged may be what is damaged: it is stored anew.
            let whole = |entry: &Entry| !matches!(entry.status, Status::Deleted | Status::Corrupt);
            let mut entries: Vec<Entry> = own.filter(whole).collect();
            entries.sort_by_key(|entry| std::cmp::Reverse((entry.window.until, entry.created)));
            // Back to the newest base: a content that lives longer is in that base, too.
            let bases = entries.iter().position(|entry| entry.kind.starts_a_chain());
            entries.truncate(bases.map_or(MANIFESTS, |base| (base + 1).min(MANIFESTS)));
            for entry in entries {
                match self.repository.manifest(&entry.manifest).await {
                    Ok(manifest) => manifests.push(manifest),
                    // What can't be read is stored anew.
                    Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.repository.shared_content(&manifests).await
    }

    /// The request's own codecs first: they know the level that was asked for.
    pub(super) fn registry(&self) -> Preferring {
        let content = self.request.content_stack.clone().unwrap_or_default();
        Preferring { stacks: [self.request.stack.clone(), content], others: Arc::clone(&self.registry) }
    }
}

/// A registry that knows the codecs of some stacks before it asks another one.
#[derive(Debug)]
pub(super) struct Preferring {
    stacks: [Stack; 2],
    others: Arc<dyn CodecRegistry>,
}

impl CodecRegistry for Preferring {
    fn resolve(&self, id: &CodecId) -> Result<Arc<dyn Codec>> {
        let known = self.stacks.iter().find_map(|stack| stack.get(id));
        known.map_or_else(|| self.others.resolve(id), Ok)
    }

    fn content_naming_key(&self) -> Option<[u8; 32]> {
        self.others.content_naming_key()
    }
}
