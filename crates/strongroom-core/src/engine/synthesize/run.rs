//! A whole run, from the plan of the chain to the plan of what was made of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::note::{Note, lease_name, left};
use super::{SynthesizeReport, SynthesizeRequest};
use crate::cluster::{Fold, RestoreOptions};
use crate::codec::{CodecId, CodecRegistry};
use crate::engine::backup::Notes;
use crate::engine::held::{give_back, patience, take, until};
use crate::engine::restore::{Source, SourceStep};
use crate::engine::{CodedList, stretch_bytes};
use crate::id::{DataKeyId, RunId};
use crate::manifest::{FORMAT, Manifest, StoredPiece, Totals};
use crate::model::{Applies, BackupKind, Deletes, Scope, Window};
use crate::pipeline::{Phase, Progress, Workroom};
use crate::planner::{PartPlan, Plan, Request, Target, WarningCode};
use crate::repository::{Begun, Commit, Lease, LeaseTerms, Loaded, Purpose, Repository};
use crate::{Error, Result};

/// The program, as a manifest names it.
const TOOL: &str = concat!("strongroom ", env!("CARGO_PKG_VERSION"));

/// The inputs of a run.
pub(super) struct Run {
    pub(super) repository: Repository,
    pub(super) registry: Arc<dyn CodecRegistry>,
    pub(super) fold: Arc<dyn Fold>,
    pub(super) request: SynthesizeRequest,
    pub(super) progress: Arc<Progress>,
    pub(super) token: CancellationToken,
}

/// What an earlier attempt left.
type Left = Option<(Begun, Note, Notes)>;

/// The chain that becomes one backup.
pub(super) struct Chain {
    pub(super) note: Note,
    pub(super) source: Source,
    pub(super) warnings: Vec<String>,
    deletes: Deletes,
}

impl Run {
    pub(super) async fn run(self) -> Result<SynthesizeReport> {
        let room = Workroom::new(self.request.settings)?;
        let list = CodedList::new(
            self.repository.id(),
            self.repository.environment().clone(),
            Arc::clone(&self.registry),
            self.request.stack.clone(),
        );
        let prepared = async {
            let loaded = self.repository.load().await?;
            let left = match self.request.run {
                Some(run) => Some(left(&self.repository, &list, &loaded, run).await?),
                None => None,
            };
            let plan = self.plan(&loaded, &left)?;
            Ok((plan, left))
        };
        let (plan, left) = until(&self.token, "synthesize", std::future::pending(), prepared).await?;
        let run = match &left {
            Some((_, note, _)) => note.run,
            None => RunId::fresh(self.repository.environment())?,
        };
        let steps = plan.steps().map(|(_, step)| step.backup);
        let terms = LeaseTerms::new(Purpose::Backup, format!("synthesize run {run}")).keeping(steps);
        let patience = patience(left.is_some(), self.request.take_over);
        let name = lease_name(run);
        let held = self.repository.hold(&name, terms, patience);
        let lease = take(&self.token, "synthesize", held).await?;
        let resumable = AtomicBool::new(left.is_some());
        let work = Box::pin(self.leased(&plan, run, left, &lease, &list, (&room, &resumable)));
        let outcome = until(&self.token, "synthesize", lease.keep(), work).await;
        let warning = give_back(lease, "the lease").await;
        let mut report = outcome.map_err(|error| match error.advice() {
            None if resumable.load(Ordering::Relaxed) => error.hint(format!("to go on where it ended, name run {run}")),
            _ => error,
        })?;
        report.warnings.extend(warning);
        Ok(report)
    }

    /// The plan of the chain: as was asked, or as an earlier attempt had it.
    fn plan(&self, loaded: &Loaded, left: &Left) -> Result<Plan> {
        let request = match left {
            None => Request { no_logs: true, ..self.request.state.clone() },
            Some((_, note, _)) => {
                let newest = note.made_from.last();
                let newest = newest.ok_or_else(|| Error::corrupt("the note of the run names no backup"))?;
                let scope = Scope { parts: Some([(note.part.clone(), note.filter.clone())].into()) };
                Request { cluster: Some(note.cluster), no_logs: true, ..Request::at(Target::Backup(*newest)).of(scope) }
            }
        };
        let plan = loaded.catalogue().plan(&request)?;
        if plan.parts.len() != 1 {
            return Err(Error::invalid("a synthetic base is made of one part at a time").hint("name the part"));
        }
        let steps: Vec<_> = plan.steps().map(|(_, step)| step.backup).collect();
        if let Some((_, note, _)) = left
            && note.made_from != steps
        {
            return Err(Error::broken_chain("the chain that the run was begun with is planned otherwise now")
                .hint("begin anew without naming the run; what it stored is collected by prune"));
        }
        if steps.len() < 2 {
            return Err(Error::invalid("the state is one backup already: there is nothing to merge"));
        }
        Ok(plan)
    }

    /// Under the lease. The flag tells whether there is something to go on with.
    async fn leased(
        &self,
        plan: &Plan,
        run: RunId,
        left: Left,
        lease: &Lease,
        list: &CodedList,
        (room, resumable): (&Arc<Workroom>, &AtomicBool),
    ) -> Result<SynthesizeReport> {
        let chain = self.open(plan, run, left.as_ref().map(|(_, note, _)| note), room).await?;
        let (begun, notes, stored) = if let Some((begun, _, notes)) = left {
            let begun = self.repository.resume(lease, &begun).await?;
            (begun, notes.clone(), notes.receipts().await?)
        } else {
            let begun = self.repository.begin(lease, &chain.note.draft()).await?;
            let notes = Notes::new(&self.repository, list.clone(), &begun);
            notes.begin(&chain.note).await?;
            resumable.store(true, Ordering::Relaxed);
            (begun, notes, (Vec::new(), Vec::new()))
        };
        self.progress.enter(Phase::Moving);
        let (pieces, resumed_pieces) = self.merge(&chain, &begun, &notes, stored.0, room).await?;
        self.progress.enter(Phase::Finishing);
        let manifest = self.commit(&chain, &begun, lease, list, &pieces).await?;
        notes.clear().await;
        let mut report = SynthesizeReport {
            run,
            part: manifest.0.part.clone(),
            backup: manifest.0.backup,
            made_from: manifest.0.made_from.clone(),
            window: manifest.0.window,
            totals: manifest.0.totals,
            resumed_pieces,
            restorable: None,
            warnings: [chain.warnings, stored.1].concat(),
        };
        report.warnings.extend(manifest.1);
        self.prove(&manifest.0, &mut report).await;
        if let Err(error) = self.repository.compact(false).await {
            report.warnings.push(format!("the catalogue was not made smaller: {error}"));
        }
        Ok(report)
    }

    /// Reads what the chain consists of, and whether it can be merged.
    async fn open(&self, plan: &Plan, run: RunId, noted: Option<&Note>, room: &Arc<Workroom>) -> Result<Chain> {
        let options = RestoreOptions::default();
        let source = Source::open(&self.repository, &self.registry, plan, &options, &self.request.storages).await?;
        source.check_codecs(&*self.registry)?;
        let (name, part) = plan.parts.first_key_value().ok_or_else(|| Error::internal("a plan without a part"))?;
        for step in &source.steps {
            self.check(step, part)?;
        }
        let unseen = plan.totals.deletes_unseen > 0;
        let note = match noted {
            Some(note) => note.clone(),
            None => Note {
                run,
                cluster: plan.cluster,
                part: name.clone(),
                filter: part.filter.clone(),
                timeline: part.timeline,
                window: Window { from: None, until: part.reached.until, settled: part.reached.settled },
                made_from: part.steps.iter().map(|step| step.backup).collect(),
                codecs: self.request.stack.ids(),
                piece_bytes: stretch_bytes(room),
                started: self.repository.environment().now(),
            },
        };
        if note.codecs != self.request.stack.ids() {
            return Err(Error::invalid("the run was begun with other codecs")
                .hint(format!("name these: {}", join(&note.codecs))));
        }
        let deletes = if unseen { Deletes::Unseen } else { Deletes::Seen };
        let warnings = source.warnings.clone();
        Ok(Chain { note, source, warnings, deletes })
    }

    fn check(&self, step: &SourceStep, part: &PartPlan) -> Result<()> {
        let (manifest, backup) = (&step.manifest, step.manifest.backup);
        if manifest.fold.as_deref() != Some(self.fold.name()) {
            return Err(Error::unsupported(format!("backup {backup} has no form that can be merged here"))
                .hint("take a base of the cluster instead"));
        }
        if manifest.filter != part.filter {
            return Err(Error::unsupported(format!("backup {backup} took other things than the base shall hold"))
                .hint("name the tables or sets that the backups of the chain were taken of"));
        }
        Ok(())
    }

    async fn commit(
        &self,
        chain: &Chain,
        begun: &Begun,
        lease: &Lease,
        list: &CodedList,
        pieces: &[StoredPiece],
    ) -> Result<(Manifest, Option<String>)> {
        let (repository, note) = (&self.repository, &chain.note);
        let stored = repository.store_pieces(begun, list, pieces).await?;
        let newest = chain.source.steps.last().ok_or_else(|| Error::internal("a chain without a step"))?;
        let keys: std::collections::BTreeSet<DataKeyId> = note.codecs.iter().filter_map(CodecId::data_key).collect();
        let manifest = Manifest {
            format: FORMAT,
            repository: repository.id(),
            backup: begun.backup,
            run: note.run,
            kind: BackupKind::Synthetic,
            parent: None,
            cluster: newest.manifest.cluster.clone(),
            part: note.part.clone(),
            timeline: note.timeline,
            window: note.window,
            applies: Applies::Cover,
            deletes: chain.deletes,
            filter: note.filter.clone(),
            fold: Some(self.fold.name().to_owned()),
            codecs: note.codecs.clone(),
            keys: keys.into_iter().collect(),
            totals: totals(pieces),
            pieces: stored.pieces.clone(),
            shared: stored.shared.clone(),
            topology: newest.manifest.topology.clone(),
            missing: Vec::new(),
            made_from: note.made_from.clone(),
            notes: Vec::new(),
            started: note.started,
            finished: repository.environment().now(),
            tool: if self.request.tool.is_empty() { TOOL.to_owned() } else { self.request.tool.clone() },
        };
        match repository.commit(begun, lease, &manifest, &stored).await? {
            Commit::Done { unrecorded, .. } => {
                let told =
                    |error| format!("the catalogue could not be told of the backup; readers will find it: {error}");
                Ok((manifest, unrecorded.map(told)))
            }
            Commit::Condemned(_) => Err(Error::internal("a synthetic base uses no shared content")),
        }
    }

    /// Every backup ends by planning a restore of itself.
    async fn prove(&self, manifest: &Manifest, report: &mut SynthesizeReport) {
        let scope = Scope { parts: Some([(manifest.part.clone(), manifest.filter.clone())].into()) };
        let request = Request { cluster: Some(manifest.cluster.id), ..Request::at(Target::Backup(manifest.backup)) };
        let planned = async { Ok::<_, Error>(self.repository.load().await?.catalogue().plan(&request.of(scope))?) };
        match planned.await {
            Ok(plan) => {
                report.restorable = Some(plan.reached);
                let news = |code| !matches!(code, WarningCode::Unverified | WarningCode::Fuzzy);
                let warnings = plan.warnings.into_iter().filter(|warning| news(warning.code));
                report.warnings.extend(warnings.map(|warning| warning.message));
            }
            Err(error) => report.warnings.push(format!("THIS BACKUP CAN'T BE RESTORED as things are: {error}")),
        }
    }
}

fn join(codecs: &[CodecId]) -> String {
    codecs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Counts and sizes. An object that several pieces share counts once.
fn totals(pieces: &[StoredPiece]) -> Totals {
    let mut totals = Totals { pieces: pieces.len() as u64, ..Totals::default() };
    let mut objects = std::collections::BTreeMap::new();
    for piece in pieces {
        totals.records += piece.summary.records;
        totals.deletes += piece.summary.deletes;
        totals.definitions += piece.summary.definitions;
        totals.plain_bytes += piece.plain_bytes;
        objects.extend(piece.parts.iter().map(|part| (&part.object.key, part.object.size)));
    }
    totals.objects = objects.len() as u64;
    totals.stored_bytes = objects.values().sum();
    totals
}
