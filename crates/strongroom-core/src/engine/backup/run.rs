//! A whole run, from looking at the catalogue to planning a restore of what was stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use super::choice::Choice;
use super::freeze::{check, freeze};
use super::note::Notes;
use super::part::{Common, PartWork};
use super::prepare::Prepared;
use super::report::{BackupReport, PartOutcome, PartReport};
use super::resume::lease_name;
use super::reuse::reuse;
use super::store::Stored;
use super::{BackupRequest, ByPart};
use crate::cluster::{Frozen, FrozenPart};
use crate::codec::CodecRegistry;
use crate::engine::held::{give_back, patience, take};
use crate::id::BackupId;
use crate::model::{PartName, Status};
use crate::pipeline::{Phase, Progress, Workroom};
use crate::repository::{Lease, LeaseTerms, Purpose, Repository};
use crate::{Cluster, Error, ErrorKind, Result};

/// The program, as a manifest names it.
const TOOL: &str = concat!("strongroom ", env!("CARGO_PKG_VERSION"));

/// How often it is prepared, should prunes take away what it was to continue.
const ATTEMPTS: u32 = 5;

/// The inputs of a run.
pub(super) struct Run {
    pub(super) repository: Repository,
    pub(super) registry: Arc<dyn CodecRegistry>,
    pub(super) cluster: Arc<dyn Cluster>,
    pub(super) request: BackupRequest,
    pub(super) resumed: bool,
    pub(super) progress: Arc<Progress>,
    pub(super) token: CancellationToken,
}

impl Run {
    pub(super) async fn run(self) -> Result<BackupReport> {
        let room = Workroom::new(self.request.settings.liked_by(self.cluster.capabilities()))?;
        if self.request.dry_run {
            let prepared = self.unless_cancelled(self.prepare(None)).await?;
            return self.estimate(prepared).await;
        }
        let (mut prepared, lease) = self.prepare_leased().await?;
        let run = prepared.run;
        let outcome = self.leased(&mut prepared, &lease, room).await;
        let kept = give_back(lease, "the lease").await;
        let mut report = outcome.map_err(|error| match error.advice() {
            None => error.hint(format!("to go on where it ended, resume run {run}")),
            Some(_) => error,
        })?;
        report.warnings.extend(kept);
        Ok(report)
    }

    pub(super) async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.token.cancelled() => Err(Error::cancelled("the backup was cancelled")),
            outcome = work => outcome,
        }
    }

    /// Prepares and takes the lease that keeps the chains which are continued. What a prune condemned in between is not
    /// continued: then it is prepared anew.
    async fn prepare_leased(&self) -> Result<(Prepared, Lease)> {
        let mut run = self.request.run;
        for _ in 0..ATTEMPTS {
            let prepared = self.unless_cancelled(self.prepare(run)).await?;
            run = Some(prepared.run);
            let lease = take(&self.token, "backup", self.lease(&prepared)).await?;
            let still = self.unless_cancelled(lease.during(self.is_still_there(&prepared))).await;
            if matches!(still, Ok(true)) {
                return Ok((prepared, lease));
            }
            let released = lease.release().await;
            still?;
            released?;
        }
        Err(Error::unavailable("prunes deleted the chains that the backup was to continue again and again")
            .hint("start the backup again when they are done"))
    }

    /// Whether everything that is continued is there, now that the lease keeps it.
    async fn is_still_there(&self, prepared: &Prepared) -> Result<bool> {
        let chains = prepared.chains();
        if chains.is_empty() {
            return Ok(true);
        }
        let now = self.repository.load().await?;
        let there = |backup: &BackupId| now.entry(*backup).is_some_and(|entry| entry.status != Status::Deleted);
        Ok(chains.iter().all(there))
    }

    async fn lease(&self, prepared: &Prepared) -> Result<Lease> {
        let note = format!("backup run {}", prepared.run);
        let terms = LeaseTerms::new(Purpose::Backup, note).keeping(prepared.chains());
        let patience = patience(self.resumed, self.request.take_over);
        self.repository.lease(&lease_name(prepared.run), terms, patience).await
    }

    pub(super) async fn freeze(&self, prepared: &mut Prepared) -> Result<Frozen> {
        let fixed: BTreeSet<PartName> = prepared.left.keys().cloned().collect();
        if prepared.choices.is_empty() {
            return Ok(Frozen { parts: Vec::new(), failed: ByPart::new(), token: serde_json::Value::Null });
        }
        freeze(&*self.cluster, prepared.wish, &fixed, &mut prepared.choices, &mut prepared.failed).await
    }

    /// Everything that happens under the lease. What was frozen is let go in any case.
    async fn leased(&self, prepared: &mut Prepared, lease: &Lease, room: Arc<Workroom>) -> Result<BackupReport> {
        let frozen = self.unless_cancelled(self.freeze(prepared)).await?;
        let outcome = tokio::select! {
            biased;
            () = self.token.cancelled() => Err(Error::cancelled("the backup was cancelled")),
            lost = lease.keep() => Err(lost),
            outcome = self.frozen(prepared, lease, room, &frozen) => outcome,
        };
        let released = if frozen.parts.is_empty() { Ok(()) } else { self.cluster.release(&frozen).await };
        let mut report = outcome?;
        report
            .warnings
            .extend(released.err().map(|error| format!("the cluster could not let go of what it froze: {error}")));
        Ok(report)
    }

    async fn frozen(
        &self,
        prepared: &mut Prepared,
        lease: &Lease,
        room: Arc<Workroom>,
        frozen: &Frozen,
    ) -> Result<BackupReport> {
        let mut report = prepared.report(frozen);
        let mut works = Vec::new();
        for part in &frozen.parts {
            let Some(choice) = prepared.choices.get(&part.part).cloned() else { continue };
            match self.begin(prepared, lease, part, &choice).await {
                Ok(work) => works.push((choice, work)),
                // Without its lease no part can be begun.
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(error) => report.parts.push(PartReport::failed(&part.part, choice.reason, &error)),
            }
        }
        let yard = Arc::new(self.yard(prepared, room, frozen).await?);
        for (_, work) in &works {
            let bytes = work.frozen.pieces.iter().filter_map(|piece| piece.bytes).sum();
            self.progress.expect(work.frozen.pieces.len() as u64, bytes);
            for (number, piece) in &work.stored.pieces {
                let spec = usize::try_from(*number).ok().and_then(|number| work.frozen.pieces.get(number));
                let expected = spec.and_then(|spec| spec.bytes).unwrap_or(0);
                self.progress.reuse(expected, piece.plain_bytes, piece.summary.records);
            }
        }
        self.progress.enter(Phase::Moving);
        let tool = if self.request.tool.is_empty() { TOOL } else { &self.request.tool };
        let (topology, list, repository) = (&prepared.topology, &prepared.list, &self.repository);
        let fold = self.cluster.fold().map(|fold| fold.name().to_owned());
        let common = Common { repository, lease, topology, yard: &yard, list, tool, fold };
        let moved = join_all(works.into_iter().map(|(Choice { reason, warnings, .. }, work)| async {
            let (part, mut notes) = (work.frozen.part.clone(), [work.frozen.notes.clone(), warnings].concat());
            match work.run(&common).await {
                Ok((committed, warnings)) => {
                    notes.extend(warnings);
                    PartReport { part, reason, outcome: PartOutcome::Committed(Box::new(committed)), warnings: notes }
                }
                Err(error) => PartReport::failed(&part, reason, &error),
            }
        }))
        .await;
        self.progress.enter(Phase::Finishing);
        report.parts.extend(moved);
        report.parts.sort_by(|a, b| a.part.cmp(&b.part));
        self.prove_restorable(&mut report).await;
        if let Err(error) = self.repository.compact(false).await {
            report.warnings.push(format!("the catalogue was not made smaller: {error}"));
        }
        Ok(report)
    }

    /// Begins a part, or goes on with one that was begun.
    async fn begin<'a>(
        &self,
        prepared: &mut Prepared,
        lease: &Lease,
        frozen: &'a FrozenPart,
        choice: &Choice,
    ) -> Result<PartWork<'a>> {
        let kind = check(frozen, choice)?;
        if let Some(left) = prepared.left.remove(&frozen.part) {
            let begun = self.repository.resume(lease, &left.begun).await?;
            let (pieces, warnings) = left.notes.receipts().await?;
            let (window, pieces) = reuse(&left.note, frozen, pieces)?;
            let stored = Stored { pieces, warnings, ..Stored::default() };
            return Ok(PartWork { begun, note: left.note, frozen, window, stored, notes: left.notes });
        }
        if choice.new_timeline {
            let timeline = prepared.new_timeline(choice.timeline, &frozen.part, frozen.window.until);
            self.repository.open_timeline(timeline).await?;
        }
        let now = self.repository.environment().now();
        let note = prepared.note(frozen, choice, kind, self.request.stack.ids(), now);
        let begun = self.repository.begin(lease, &note.draft()).await?;
        let notes = Notes::new(&self.repository, prepared.list.clone(), &begun);
        notes.begin(&note).await?;
        let window = frozen.window;
        Ok(PartWork { begun, note, frozen, window, stored: Stored::default(), notes })
    }
}
