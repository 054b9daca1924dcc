//! What must stay since something that stays can't be restored without it.

use std::collections::BTreeSet;

use super::evidence::Evidence;
use crate::id::BackupId;
use crate::model::Scope;
use crate::planner::{Catalogue, DeleteRequest, Dependent, Plan, Request, Target};

impl Evidence {
    /// Takes out of `gone` what is needed by what stays, by the planner's own judgement: a backup that was pinned since it
    /// was condemned, or one that was begun before and committed since. Gives (needed, by).
    pub(super) fn spare_needed(&self, gone: &mut BTreeSet<BackupId>) -> Vec<(BackupId, BackupId)> {
        let mut spared = Vec::new();
        if gone.is_empty() {
            return spared;
        }
        let all = self.kept(&BTreeSet::new());
        // Each round spares something, or is the last one.
        loop {
            let before = spared.len();
            for dependent in dependents(&all, gone) {
                // The chain of a newer one had it.
                if !gone.contains(&dependent.needs) {
                    continue;
                }
                for needed in chain(&all, &dependent) {
                    if gone.remove(&needed) {
                        spared.push((needed, dependent.backup));
                    }
                }
            }
            if spared.len() == before {
                return spared;
            }
        }
    }
}

/// What could not be restored without `gone`, newest first: their chains hold those of the older ones.
fn dependents(all: &Catalogue, gone: &BTreeSet<BackupId>) -> Vec<Dependent> {
    let known = gone.iter().copied().filter(|backup| all.entry(*backup).is_some());
    let request = DeleteRequest { backups: known.collect(), allow_last: true, ..DeleteRequest::default() };
    let refusal = all.delete(&request).err();
    let mut lost: Vec<Dependent> = refusal.map(|refusal| refusal.dependents).unwrap_or_default();
    lost.retain(|dependent| !dependent.moves);
    lost.reverse();
    lost
}

/// What a restore of a backup applies, and at least what it is known to need.
fn chain(all: &Catalogue, dependent: &Dependent) -> Vec<BackupId> {
    let mut request = Request::at(Target::Backup(dependent.backup));
    if let Some(entry) = all.entry(dependent.backup) {
        request.scope = Scope { parts: Some([(entry.part, entry.filter)].into()) };
        request.cluster = Some(entry.cluster);
    }
    request.allow_partial = true;
    let plan = all.plan(&request).ok();
    let steps = plan.iter().flat_map(Plan::steps).map(|(_, step)| step.backup);
    steps.chain([dependent.needs]).collect()
}
