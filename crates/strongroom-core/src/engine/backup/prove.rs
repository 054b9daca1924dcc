//! After the commit, or instead of it: what a restore would reach, and what a backup would store.

use super::freeze::check;
use super::prepare::Prepared;
use super::report::{BackupReport, Committed, Estimate, PartOutcome, PartReport};
use super::run::Run;
use crate::Result;
use crate::model::Scope;
use crate::planner::{Request, Target, WarningCode};
use crate::repository::Loaded;

impl Run {
    /// Freezes, looks, lets go.
    pub(super) async fn estimate(&self, mut prepared: Prepared) -> Result<BackupReport> {
        let frozen = self.unless_cancelled(self.freeze(&mut prepared)).await?;
        let mut report = prepared.report(&frozen);
        for part in &frozen.parts {
            let Some(choice) = prepared.choices.get(&part.part) else { continue };
            let outcome = match check(part, choice) {
                Ok(kind) => PartOutcome::Estimated(Estimate {
                    kind,
                    window: part.window,
                    pieces: part.pieces.len() as u64,
                    pieces_of_unknown_size: part.pieces.iter().filter(|piece| piece.bytes.is_none()).count() as u64,
                    plain_bytes: part.pieces.iter().filter_map(|piece| piece.bytes).sum(),
                }),
                Err(error) => PartOutcome::failed(&error),
            };
            let (reason, warnings) = (choice.reason.clone(), [part.notes.clone(), choice.warnings.clone()].concat());
            report.parts.push(PartReport { part: part.part.clone(), reason, outcome, warnings });
        }
        self.cluster.release(&frozen).await?;
        report.parts.sort_by(|a, b| a.part.cmp(&b.part));
        Ok(report)
    }

    /// Every backup ends by planning a restore of itself.
    pub(super) async fn prove_restorable(&self, report: &mut BackupReport) {
        if report.backups().next().is_none() {
            return;
        }
        // What an earlier attempt committed, it may not have lived to prove.
        let loaded = match self.repository.load().await {
            Ok(loaded) => loaded,
            Err(error) => {
                report
                    .warnings
                    .push(format!("no restore could be planned, since the catalogue can't be read: {error}"));
                return;
            }
        };
        let catalogue = loaded.catalogue();
        for part in &mut report.parts {
            let (PartOutcome::Committed(committed) | PartOutcome::Already(committed)) = &mut part.outcome else {
                continue;
            };
            let request = restore_of(committed, &loaded);
            match catalogue.plan(&request) {
                Ok(plan) => {
                    committed.restorable = Some(plan.reached);
                    // That it is not verified yet, and not cut at one instant, is true of every new backup.
                    let news = |code| !matches!(code, WarningCode::Unverified | WarningCode::Fuzzy);
                    let warnings = plan.warnings.into_iter().filter(|warning| news(warning.code));
                    part.warnings.extend(warnings.map(|warning| warning.message));
                }
                Err(error) => part.warnings.push(format!("THIS BACKUP CAN'T BE RESTORED as things are: {error}")),
            }
        }
    }
}

/// A plan for `committed` as it is, with the ranges it lacks.
fn restore_of(committed: &Committed, loaded: &Loaded) -> Request {
    let mut request = Request::at(Target::Backup(committed.backup));
    if let Some(entry) = loaded.entry(committed.backup) {
        request.scope = Scope { parts: Some([(entry.part.clone(), entry.filter.clone())].into()) };
        request.cluster = Some(entry.cluster);
    }
    request.allow_partial = true;
    request
}
