//! One part of a run: store its pieces, write the list, commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::note::{BegunNote, Notes};
use super::report::Committed;
use super::store::{Kept, Stored, Yard};
use crate::cluster::{FrozenPart, Topology};
use crate::codec::CodecId;
use crate::engine::CodedList;
use crate::id::DataKeyId;
use crate::manifest::{FORMAT, Manifest, Totals};
use crate::model::Window;
use crate::repository::{BackupDraft, Begun, Commit, Lease, Repository, SharedContent};
use crate::{Error, Key, Result};

/// How often content is stored anew because a prune condemned it meanwhile.
const ROUNDS: u32 = 5;

/// A part that was begun.
pub(super) struct PartWork<'a> {
    pub(super) begun: Begun,
    pub(super) note: BegunNote,
    pub(super) frozen: &'a FrozenPart,
    pub(super) window: Window,
    pub(super) stored: Stored,
    pub(super) notes: Notes,
}

/// What all parts of a run have in common.
pub(super) struct Common<'a> {
    pub(super) repository: &'a Repository,
    pub(super) lease: &'a Lease,
    pub(super) topology: &'a Topology,
    pub(super) yard: &'a Arc<Yard>,
    pub(super) list: &'a CodedList,
    pub(super) tool: &'a str,
    /// The name of the cluster's fold.
    pub(super) fold: Option<String>,
}

impl BegunNote {
    /// What the repository needs to begin it.
    pub(super) fn draft(&self) -> BackupDraft {
        BackupDraft {
            cluster: self.cluster,
            part: self.part.clone(),
            timeline: self.timeline,
            window: self.window,
            kind: self.kind,
        }
    }
}

impl PartWork<'_> {
    /// Stores and commits.
    pub(super) async fn run(mut self, common: &Common<'_>) -> Result<(Committed, Vec<String>)> {
        let resumed_pieces = self.stored.pieces.len() as u64;
        for _ in 0..ROUNDS {
            common.yard.store(&self.begun, &self.notes, &self.frozen.pieces, &mut self.stored).await?;
            match self.commit(common).await? {
                (manifest, Commit::Done { manifest: object, unrecorded }) => {
                    self.notes.clear().await;
                    let mut warnings = std::mem::take(&mut self.stored.warnings);
                    warnings.extend(unrecorded.map(|error| {
                        format!("the catalogue could not be told of the backup; readers will find it: {error}")
                    }));
                    let bridges = self.note.bridges;
                    let committed = Committed { bridges, resumed_pieces, ..Committed::of(&manifest, object.key) };
                    return Ok((committed, warnings));
                }
                (_, Commit::Condemned(names)) => self.store_anew(&names, common.yard.shared.as_deref()).await,
            }
        }
        Err(Error::unavailable("a prune condemned the shared content of this backup again and again")
            .hint("resume the backup when the prune is done"))
    }

    /// Forgets content that a prune condemned.
    async fn store_anew(&mut self, names: &[Key], shared: Option<&SharedContent>) {
        if let Some(shared) = shared {
            shared.avoid(names.iter().cloned()).await;
        }
        self.stored.pieces.retain(|_, piece| !piece.parts.iter().any(|part| names.contains(&part.object.key)));
    }

    async fn commit(&self, common: &Common<'_>) -> Result<(Manifest, Commit)> {
        let repository = common.repository;
        let pieces = &self.stored.pieces;
        // Lines are made as they are written: there may be a hundred thousand.
        let lines = (0..).zip(&self.frozen.pieces).filter_map(|(number, spec)| Some(pieces.get(&number)?.of(spec)));
        let list = repository.store_pieces(&self.begun, common.list, lines).await?;
        let settled = pieces.values().filter_map(|piece| piece.summary.settled).fold(self.window.settled, Ord::max);
        let used = codecs_used(&self.note.codecs, pieces);
        let keys: BTreeSet<DataKeyId> = used.iter().filter_map(CodecId::data_key).collect();
        let manifest = Manifest {
            format: FORMAT,
            repository: repository.id(),
            backup: self.begun.backup,
            run: self.note.run,
            kind: self.note.kind,
            parent: self.note.parent,
            cluster: common.topology.identity.clone(),
            part: self.note.part.clone(),
            timeline: self.note.timeline,
            window: Window { settled, ..self.window },
            applies: self.frozen.applies,
            deletes: self.frozen.deletes,
            filter: self.frozen.filter.clone(),
            fold: common.fold.clone(),
            codecs: self.note.codecs.clone(),
            keys: keys.into_iter().collect(),
            totals: totals(pieces, self.stored.reused_bytes),
            pieces: list.pieces.clone(),
            shared: list.shared.clone(),
            topology: common.topology.clone(),
            missing: self.frozen.missing.clone(),
            made_from: Vec::new(),
            notes: self.frozen.notes.clone(),
            started: self.note.started,
            finished: repository.environment().now(),
            tool: common.tool.to_owned(),
        };
        let commit = repository.commit(&self.begun, common.lease, &manifest, &list).await?;
        Ok((manifest, commit))
    }
}

fn codecs_used(own: &[CodecId], pieces: &BTreeMap<u64, Kept>) -> BTreeSet<CodecId> {
    let others = pieces.values().flat_map(|piece| &piece.parts).filter_map(|part| part.codecs.as_ref()).flatten();
    own.iter().chain(others).cloned().collect()
}

/// Counts and sizes. An object that several pieces share counts once.
fn totals(pieces: &BTreeMap<u64, Kept>, reused_bytes: u64) -> Totals {
    let mut totals = Totals { pieces: pieces.len() as u64, reused_bytes, ..Totals::default() };
    let mut objects: BTreeSet<&Key> = BTreeSet::new();
    for piece in pieces.values() {
        totals.records += piece.summary.records;
        totals.deletes += piece.summary.deletes;
        totals.definitions += piece.summary.definitions;
        totals.plain_bytes += piece.plain_bytes;
        for part in &piece.parts {
            if objects.insert(&part.object.key) {
                totals.stored_bytes += part.object.size;
            }
        }
    }
    totals.objects = objects.len() as u64;
    totals
}
