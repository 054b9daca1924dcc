//! A whole prune, under the lease of which there is only one.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::decide::{Decision, decide};
use super::{PruneReport, PruneRequest, Removal};
use crate::engine::held::{give_back, take, until};
use crate::pipeline::{Phase, Progress};
use crate::planner::{Catalogue, RetentionPolicy, RetentionRequest};
use crate::repository::{Evidence, Lease, Loaded, PrunePlan, PruneTerms, Repository, SweepReport};
use crate::{Result, Timestamp};

/// The inputs of one prune.
pub(super) struct Run<'a> {
    pub(super) repository: &'a Repository,
    pub(super) request: &'a PruneRequest,
    pub(super) progress: &'a Arc<Progress>,
    pub(super) token: &'a CancellationToken,
}

impl Run<'_> {
    pub(super) async fn run(&self) -> Result<PruneReport> {
        // The repository's own calls keep the lease; between them nothing takes long.
        let keeper = std::future::pending;
        if self.request.dry_run {
            return until(self.token, "prune", keeper(), self.tell()).await;
        }
        let note = match &self.request.what {
            Removal::Policy { .. } => "prune by a policy",
            Removal::Backups { .. } => "delete of backups that were named",
        };
        let lease = take(self.token, "prune", self.repository.prune_lease(note, self.request.patience)).await?;
        let outcome = until(self.token, "prune", keeper(), self.round(&lease)).await;
        let warning = give_back(lease, "the prune's lease").await;
        let mut report = outcome?;
        report.warnings.extend(warning);
        Ok(report)
    }

    async fn round(&self, lease: &Lease) -> Result<PruneReport> {
        let mut terms = self.terms();
        let mut deleted = SweepReport::default();
        if matches!(self.request.what, Removal::Policy { .. }) {
            deleted = self.sweep(lease, &terms).await?;
        }
        self.progress.enter(Phase::Preparing);
        let evidence = lease.during(self.repository.evidence(Some(lease), &terms)).await?;
        let now = self.repository.environment().now();
        let warnings = warnings(evidence.loaded(), now);
        let Decision { plan, gone } = decide(&evidence, self.request, now)??;
        terms.delete = gone;
        let condemned = self.repository.condemn_by(lease, &evidence, &terms, &|kept| plan.check(kept)).await?;
        if terms.grace.is_zero() && !condemned.is_empty() {
            deleted.add(self.sweep(lease, &terms).await?);
        }
        self.progress.enter(Phase::Finishing);
        deleted.notes.extend(self.repository.tidy(lease, terms.grace).await?);
        Ok(PruneReport { dry_run: false, retention: Some(plan), refusal: None, condemned, deleted, warnings })
    }

    async fn sweep(&self, lease: &Lease, terms: &PruneTerms) -> Result<SweepReport> {
        let before = lease.during(self.repository.load()).await?;
        self.progress.enter(Phase::Moving);
        self.repository.sweep_counting(lease, terms, &|kept| nothing_moves(&before, kept), self.progress).await
    }

    /// What a prune would do now.
    async fn tell(&self) -> Result<PruneReport> {
        let mut terms = self.terms();
        terms.patience = std::time::Duration::ZERO;
        let mut deleted = SweepReport::default();
        if matches!(self.request.what, Removal::Policy { .. }) {
            let before = self.repository.load().await?;
            deleted = self.repository.plan_sweep(&terms, &|kept| nothing_moves(&before, kept)).await?;
        }
        let evidence: Evidence = self.repository.evidence(None, &terms).await?;
        let now = self.repository.environment().now();
        let warnings = warnings(evidence.loaded(), now);
        let mut report = PruneReport {
            dry_run: true,
            retention: None,
            refusal: None,
            condemned: PrunePlan::default(),
            deleted,
            warnings,
        };
        match decide(&evidence, self.request, now)? {
            Ok(Decision { plan, gone }) => {
                terms.delete = gone;
                report.condemned = self.repository.plan_prune_by(&evidence, &terms, &|kept| plan.check(kept)).await?;
                report.retention = Some(plan);
            }
            Err(refusal) => report.refusal = Some(*refusal),
        }
        Ok(report)
    }

    fn terms(&self) -> PruneTerms {
        let PruneRequest { grace, unfinished_after, patience, object_lock, .. } = *self.request;
        // Whoever names backups means these, and not what others left unfinished.
        let unfinished_after = match self.request.what {
            Removal::Policy { .. } => unfinished_after,
            Removal::Backups { .. } => std::time::Duration::MAX,
        };
        PruneTerms { grace, unfinished_after, patience, object_lock, ..PruneTerms::default() }
    }
}

/// The guard of what is deleted: every point that can be planned now is reached as now.
fn nothing_moves(before: &Loaded, kept: &Catalogue) -> Result<()> {
    let everything = RetentionRequest::new(RetentionPolicy::default(), Timestamp::EPOCH);
    before.catalogue().retain(&everything)?.check(kept)
}

/// What people should know before they trust what a prune keeps.
fn warnings(loaded: &Loaded, now: Timestamp) -> Vec<String> {
    let mut warnings = Vec::new();
    let newest = loaded.entries().map(|entry| entry.created).max();
    if let Some(newest) = newest.filter(|newest| *newest > now) {
        warnings.push(format!(
            "this clock says {now}, and the newest backup was committed at {newest}: what is kept by its age is kept longer"
        ));
    }
    for broken in &loaded.report.quarantined {
        warnings.push(format!(
            "{} can't be used ({}): nothing goes by a policy while it is there, since it may need any backup",
            broken.key, broken.why
        ));
    }
    for mended in loaded.report.mended.iter().filter(|mended| !mended.lost.is_empty()) {
        warnings.push(format!(
            "the catalogue was mended at {}: pins and holds that were recorded in {} are lost; look at them",
            mended.at,
            mended.lost.join("; ")
        ));
    }
    warnings
}
