//! What goes, by evidence: the planner's retention with all that is going on. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{PruneRequest, Removal};
use crate::id::BackupId;
use crate::planner::{
    Activity, Catalogue, DeleteRefusal, DeleteRequest, HOME, Held, InFlight, RetentionPlan, RetentionRequest,
};
use crate::repository::layout::BackupFolder;
use crate::repository::{Evidence, Purpose};
use crate::{Result, Timestamp};

/// What was decided.
pub(super) struct Decision {
    pub(super) plan: RetentionPlan,
    /// What goes, by id.
    pub(super) gone: BTreeSet<BackupId>,
}

/// Decides, or says what speaks against it.
pub(super) fn decide(
    evidence: &Evidence,
    request: &PruneRequest,
    now: Timestamp,
) -> Result<Result<Decision, Box<DeleteRefusal>>> {
    let catalogue = with_locks(evidence, request, now);
    let activity = activity(evidence);
    let (plan, broken) = match &request.what {
        Removal::Policy { policy, parts, cluster } => {
            let (policy, parts, cluster) = (policy.clone(), parts.clone(), *cluster);
            let plan = catalogue.retain(&RetentionRequest { policy, parts, cluster, now, activity })?;
            (plan, BTreeSet::new())
        }
        Removal::Backups { backups, cascade, allow_last } => {
            // What can't be read is in no catalogue: nothing is known to need it.
            let (broken, backups): (BTreeSet<_>, BTreeSet<_>) =
                backups.iter().copied().partition(|backup| evidence.is_broken(*backup));
            let (cascade, allow_last) = (*cascade, *allow_last);
            match catalogue.delete(&DeleteRequest { backups, cascade, allow_last, now, activity }) {
                Ok(plan) => (plan, broken),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
    };
    let parts = plan.parts.iter().map(|part| &part.going);
    let going = parts.chain(plan.logs.iter().map(|log| &log.going)).flatten();
    let gone = going.map(|going| going.backup).chain(broken).collect();
    Ok(Ok(Decision { plan, gone }))
}

/// The catalogue, told of the locks that only the time of writing tells.
fn with_locks<'a>(evidence: &'a Evidence, request: &PruneRequest, now: Timestamp) -> Cow<'a, Catalogue> {
    let loaded = evidence.loaded();
    if request.object_lock.is_zero() {
        return Cow::Borrowed(loaded.catalogue());
    }
    let entries = loaded.entries().map(|mut entry| {
        if let Some(until) = evidence.locked_until(entry.id, now) {
            if entry.copies.is_empty() {
                entry.copies.push(Held::in_storage(HOME));
            }
            let home = entry.copies.iter_mut().filter(|copy| copy.storage == HOME);
            home.for_each(|copy| copy.locked_until = Some(until));
        }
        entry
    });
    let timelines = loaded.timelines().to_vec();
    Cow::Owned(Catalogue::from_entries(entries, timelines, loaded.generation(), loaded.is_complete()))
}

/// What others do meanwhile. A backup that was begun counts until it is given up, whether its writer lives or not: it may
/// be gone on with.
fn activity(evidence: &Evidence) -> Activity {
    let mut activity = Activity::default();
    for lease in evidence.leases() {
        let name = if lease.terms.note.is_empty() { lease.name.clone() } else { lease.terms.note.clone() };
        if lease.terms.purpose == Purpose::Other {
            activity.needs_all = Some(name.clone());
        }
        activity.leases.extend(lease.terms.backups.iter().map(|backup| (*backup, name.clone())));
    }
    let begun = evidence.loaded().in_progress.iter().filter_map(|begun| begun.folder().ok());
    let begun: Vec<BackupFolder> = begun.collect();
    // The name of a folder tells the part only escaped: its siblings tell it.
    let mut chains: BTreeMap<&str, Vec<&BackupFolder>> = BTreeMap::new();
    for folder in &begun {
        chains.entry(folder.chain()).or_default().push(folder);
    }
    for entry in evidence.loaded().entries() {
        if chains.is_empty() {
            break;
        }
        let Some(sibling) = BackupFolder::of(&entry.manifest) else { continue };
        for folder in chains.remove(sibling.chain()).into_iter().flatten() {
            let Some(name) = folder.name() else { continue };
            activity.in_flight.push(InFlight {
                backup: name.backup,
                cluster: entry.cluster,
                part: entry.part.clone(),
                timeline: entry.timeline,
                from: name.from,
            });
        }
    }
    activity
}
