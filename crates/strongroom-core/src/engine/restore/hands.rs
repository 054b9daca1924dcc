//! Who moves the pieces of a restore, and by which names he knows storages and target.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RestoreRequest;
use super::run::Run;
use super::source::{Copy, Source};
use crate::engine::backup::RemoteWorker;
use crate::engine::proof::Proof;
use crate::pipeline::{AtHand, PieceWorker, Worker, Workroom};
use crate::planner::HOME;
use crate::{Error, Result};

/// The name by which this process's own worker knows the target.
const TARGET: &str = "target";

/// A worker, and the names it knows.
pub(super) struct Hands {
    pub(super) worker: Arc<dyn Worker>,
    pub(super) cluster: String,
    home: String,
}

impl Hands {
    /// Whether the worker can reach what is restored from.
    pub(super) fn check(request: &RestoreRequest, proof: Proof) -> Result<()> {
        if request.worker.is_some() && proof == Proof::Stage {
            return Err(Error::invalid("what is staged here can't be read by a worker elsewhere")
                .hint("ask for the proof 'hash' instead"));
        }
        Ok(())
    }

    /// The worker that was asked for, or one of this process.
    pub(super) fn of(run: &Run<'_>, source: &Source, room: Arc<Workroom>) -> Self {
        if let Some(RemoteWorker { worker, storage, cluster }) = &run.request.worker {
            return Self { worker: Arc::clone(worker), cluster: cluster.clone(), home: storage.clone() };
        }
        let copies: BTreeMap<&str, &Copy> =
            source.steps.iter().flat_map(|step| &step.copies).map(|copy| (copy.name.as_str(), copy)).collect();
        let resolver = AtHand::new(Arc::clone(run.registry)).with_cluster(TARGET, Arc::clone(run.target));
        let resolver =
            copies.into_iter().fold(resolver, |all, (name, copy)| all.with_storage(name, Arc::clone(&copy.storage)));
        let worker = PieceWorker::new(room, run.repository.environment().clone(), Arc::new(resolver));
        Self { worker: Arc::new(worker), cluster: TARGET.to_owned(), home: HOME.to_owned() }
    }

    /// The name by which the worker knows the storage of a copy.
    pub(super) fn storage(&self, copy: &Copy) -> String {
        if copy.name == HOME { self.home.clone() } else { copy.name.clone() }
    }
}
