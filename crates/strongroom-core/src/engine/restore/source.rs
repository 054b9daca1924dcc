//! Where a restore reads from: the manifests and pieces of every step, and the storages that hold copies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cluster::{PartOutline, PieceKind, RestoreOptions, RestoreOutline, StepId};
use crate::codec::{CodecId, CodecRegistry};
use crate::engine::CodedList;
use crate::engine::proof::{Proof, Prover};
use crate::id::{BackupId, RepositoryId};
use crate::manifest::{Manifest, ObjectRef, StoredPiece};
use crate::model::{Filter, PartName};
use crate::pipeline::{Stack, Workroom};
use crate::planner::{HOME, Plan, Step};
use crate::repository::{Repository, layout};
use crate::{Error, ErrorKind, Result, Storage, StorageExt as _};

/// The name of the storage to which a restore brought its source first.
const STAGED: &str = "(staged)";

/// Everything that a plan's steps consist of.
#[derive(Debug)]
pub(in crate::engine) struct Source {
    pub(in crate::engine) steps: Vec<SourceStep>,
    outline: RestoreOutline,
    /// Copies that can't be used, and why.
    pub(in crate::engine) warnings: Vec<String>,
}

/// One step with its manifest and pieces.
#[derive(Debug)]
pub(in crate::engine) struct SourceStep {
    pub(super) step: StepId,
    pub(super) part: PartName,
    pub(in crate::engine) manifest: Manifest,
    pub(super) pieces: Vec<StoredPiece>,
    /// The storages that hold it, the chosen one first.
    pub(in crate::engine) copies: Vec<Copy>,
}

/// A storage that holds a step.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Copy {
    pub(super) name: String,
    pub(in crate::engine) storage: Arc<dyn Storage>,
}

impl Copy {
    fn unusable(&self, backup: BackupId, error: &Error) -> String {
        format!("the copy of backup {backup} in storage '{}' can't be used: {error}", self.name)
    }
}

impl Source {
    /// Reads the manifests and the lists of pieces of every step, from the first copy that gives them.
    pub(in crate::engine) async fn open(
        repository: &Repository,
        registry: &Arc<dyn CodecRegistry>,
        plan: &Plan,
        options: &RestoreOptions,
        storages: &BTreeMap<String, Arc<dyn Storage>>,
    ) -> Result<Self> {
        let (mut steps, mut warnings) = (Vec::new(), Vec::new());
        for (part, step) in plan.steps() {
            steps.push(SourceStep::open(repository, registry, part, step, storages, &mut warnings).await?);
        }
        steps.sort_by_key(|step| step.step);
        let outline = outline(plan, &steps, options)?;
        Ok(Self { steps, outline, warnings })
    }

    /// What the target needs to know.
    pub(super) fn outline(&self) -> &RestoreOutline {
        &self.outline
    }

    /// Resolves every codec of every step: a wrong or missing key is told here, before anything else happens.
    pub(in crate::engine) fn check_codecs(&self, registry: &dyn CodecRegistry) -> Result<()> {
        let codecs: BTreeSet<&CodecId> = self
            .steps
            .iter()
            .flat_map(|step| {
                let own = step.pieces.iter().flat_map(|piece| &piece.parts).filter_map(|part| part.codecs.as_ref());
                step.manifest.codecs.iter().chain(own.flatten())
            })
            .collect();
        codecs.into_iter().try_for_each(|codec| registry.resolve(codec).map(|_| ()))
    }
}

impl SourceStep {
    async fn open(
        repository: &Repository,
        registry: &Arc<dyn CodecRegistry>,
        part: &str,
        step: &Step,
        storages: &BTreeMap<String, Arc<dyn Storage>>,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let copies: Vec<Copy> = std::iter::once(&step.copy)
            .chain(&step.alternates)
            .filter_map(|copy| {
                let storage =
                    if copy.storage == HOME { Some(repository.storage()) } else { storages.get(&copy.storage) };
                storage.map(|storage| Copy { name: copy.storage.clone(), storage: Arc::clone(storage) })
            })
            .collect();
        let form =
            CodedList::new(repository.id(), repository.environment().clone(), Arc::clone(registry), Stack::default());
        let mut first_error = None;
        for (at, copy) in copies.iter().enumerate() {
            let there = repository.at(Arc::clone(&copy.storage));
            let read = async {
                let manifest = there.manifest(&step.manifest).await?;
                let pieces = there.pieces(&manifest, &form).await?;
                Ok::<_, Error>((manifest, pieces))
            };
            let error = match read.await {
                Ok((manifest, pieces)) if manifest.backup == step.backup => {
                    let copies = copies[at..].iter().chain(&copies[..at]).cloned().collect();
                    return Ok(Self { step: step.step, part: part.to_owned(), manifest, pieces, copies });
                }
                Ok((manifest, _)) => Error::corrupt(format!(
                    "{} holds backup {} instead of {}",
                    step.manifest, manifest.backup, step.backup
                )),
                Err(error) => error,
            };
            warnings.push(copy.unusable(step.backup, &error));
            first_error.get_or_insert(error);
        }
        Err(first_error.unwrap_or_else(|| {
            Error::not_found(format!("no storage named '{}' is open for step {}", step.copy.storage, step.step))
                .hint("name the storages that hold copies in the restore's request")
        }))
    }

    /// Every object that is still to be read, once each: the list of pieces is read, that of shared content is a prune's.
    fn objects(&self) -> Vec<ObjectRef> {
        data_of(&self.pieces)
    }
}

/// Every object that a backup consists of but for its manifest, once each, in the order of their names.
pub(in crate::engine) fn objects_of(manifest: &Manifest, pieces: &[StoredPiece]) -> Vec<ObjectRef> {
    let mut objects = data_of(pieces);
    objects.extend(std::iter::once(&manifest.pieces).chain(&manifest.shared).cloned());
    objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    objects
}

/// The objects that pieces rest in, once each, in the order of their names.
fn data_of(pieces: &[StoredPiece]) -> Vec<ObjectRef> {
    let parts = pieces.iter().flat_map(|piece| &piece.parts).map(|part| &part.object);
    let objects: BTreeMap<_, _> = parts.map(|object| (&object.key, object)).collect();
    objects.into_values().cloned().collect()
}

impl Source {
    /// How many pieces and plain bytes the options ask for.
    pub(super) fn expected(&self, options: &RestoreOptions) -> (u64, u64) {
        let parts: BTreeSet<&PartName> = self.steps.iter().map(|step| &step.part).collect();
        let defining = |part: &PartName| {
            SourceStep::with_definitions(self.steps.iter().filter(|step| step.part == *part)).map(|step| step.step)
        };
        let defining: BTreeSet<StepId> = parts.into_iter().filter_map(defining).collect();
        let written = |step: &SourceStep, piece: &StoredPiece| {
            wants(options, piece.spec.kind) && (piece.spec.kind != PieceKind::Schema || defining.contains(&step.step))
        };
        let all = self.steps.iter().flat_map(|step| step.pieces.iter().map(move |piece| (step, piece)));
        all.filter(|(step, piece)| written(step, piece))
            .fold((0, 0), |(pieces, bytes), (_, piece)| (pieces + 1, bytes + piece.plain_bytes))
    }

    /// Makes sure that a staging place is one: what is staged is deleted again, and in a repository that would be the
    /// backups.
    pub(super) async fn check_staging(staging: &dyn Storage) -> Result<()> {
        if staging.exists(&layout::repository()?).await? {
            return Err(Error::invalid("the staging place is a repository").hint("name an empty folder to stage in"));
        }
        Ok(())
    }

    /// Deletes what was staged; why it could not be, as a warning.
    pub(super) async fn clear_staging(&self) -> Option<String> {
        for step in &self.steps {
            let Some(staged) = step.copies.iter().find(|copy| copy.name == STAGED) else { continue };
            for object in step.objects() {
                if let Err(error) = staged.storage.delete(&object.key).await {
                    return Some(format!("what was staged could not be deleted: {error}"));
                }
            }
        }
        None
    }

    /// Proves every object at the asked depth; a step whose first copy is damaged goes over to one that is whole.
    pub(super) async fn prove(
        &mut self,
        proof: Proof,
        staging: Option<&Arc<dyn Storage>>,
        repository: RepositoryId,
        registry: &Arc<dyn CodecRegistry>,
        room: &Arc<Workroom>,
    ) -> Result<()> {
        for step in &mut self.steps {
            let objects = step.objects();
            let mut first_error = None;
            while let Some(copy) = step.copies.first() {
                let prover = Prover { storage: &copy.storage, repository, registry, room };
                match prover.prove(&objects, &step.pieces, &step.manifest.codecs, proof, staging).await {
                    Ok(()) => break,
                    Err(error) if matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::Invalid) => return Err(error),
                    Err(error) => {
                        self.warnings.push(copy.unusable(step.manifest.backup, &error));
                        first_error.get_or_insert(error);
                        step.copies.remove(0);
                    }
                }
            }
            if step.copies.is_empty() {
                let error = first_error.unwrap_or_else(|| Error::internal("a step without copies"));
                return Err(error.within(format!("backup {} cannot be restored", step.manifest.backup)));
            }
            if let (Proof::Stage, Some(staging)) = (proof, staging) {
                step.copies.insert(0, Copy { name: STAGED.to_owned(), storage: Arc::clone(staging) });
            }
        }
        Ok(())
    }
}

fn outline(plan: &Plan, steps: &[SourceStep], options: &RestoreOptions) -> Result<RestoreOutline> {
    let first = steps
        .first()
        .ok_or_else(|| Error::invalid("the plan has no steps").hint("choose another moment, or other parts"))?;
    let mut parts = BTreeMap::new();
    let mut targets = BTreeSet::new();
    for (name, part) in &plan.parts {
        if !targets.insert(options.target_of(name)) {
            return Err(Error::invalid(format!("two parts would be restored as '{}'", options.target_of(name)))
                .hint("give each part its own new name"));
        }
        let wanted = |piece: &&StoredPiece| wants(options, piece.spec.kind);
        let pieces = || steps.iter().filter(|step| step.part == *name).flat_map(|step| &step.pieces).filter(wanted);
        parts.insert(
            name.clone(),
            PartOutline {
                filter: left_to_do(&part.filter, steps.iter().filter(|step| step.part == *name)),
                bytes: pieces().map(|piece| piece.plain_bytes).sum(),
                records: pieces().map(|piece| piece.summary.records).sum(),
                reached: part.reached.until,
            },
        );
    }
    if let Some(unknown) = options.rename.keys().find(|name| !plan.parts.contains_key(*name)) {
        return Err(Error::invalid(format!("'{unknown}' is to be renamed, but is no part of the plan")));
    }
    Ok(RestoreOutline {
        parts,
        source: first.manifest.cluster.clone(),
        source_version: first.manifest.topology.version.clone(),
    })
}

/// What of a filter the target has to see to. An expression that every step was taken with is seen to: what it left out is in none
/// of them.
fn left_to_do<'a>(filter: &Filter, mut steps: impl Iterator<Item = &'a SourceStep>) -> Filter {
    if steps.all(|step| step.manifest.filter.expression == filter.expression) {
        return Filter { expression: None, ..filter.clone() };
    }
    filter.clone()
}

/// Whether the options ask for pieces of this kind.
pub(super) fn wants(options: &RestoreOptions, kind: PieceKind) -> bool {
    match kind {
        PieceKind::Schema => !options.no_definitions,
        PieceKind::Data | PieceKind::Deletes | PieceKind::Log => !options.no_data,
    }
}
