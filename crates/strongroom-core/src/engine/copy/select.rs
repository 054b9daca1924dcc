//! Which backups are copied, and what a restore of each would be. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::report::LeftOut;
use crate::id::BackupId;
use crate::model::{Scope, Status};
use crate::planner::{Entry, HOME, HeldState, Request, Target};
use crate::repository::Loaded;
use crate::{Error, ErrorKind, Result};

/// The backups to copy, oldest first: those that were named, with all that a restore of them applies; or all. Apart from
/// them those that are known to be damaged.
pub(super) fn selected(loaded: &Loaded, wanted: Option<&BTreeSet<BackupId>>) -> Result<(Vec<Entry>, Vec<LeftOut>)> {
    let entries: Vec<Entry> = match wanted {
        Some(wanted) => chains(loaded, wanted)?,
        None => loaded.entries().filter(|entry| entry.status != Status::Deleted).collect(),
    };
    let (damaged, mut whole): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_damaged);
    whole.sort_by_key(|entry| (entry.window.until, entry.id));
    let left_out = |entry: Entry| LeftOut {
        backup: entry.id,
        part: entry.part,
        kind: ErrorKind::Corrupt,
        why: "a check has found it damaged (once it is mended, verify it and copy again)".to_owned(),
        findings: Vec::new(),
    };
    Ok((whole, damaged.into_iter().map(left_out).collect()))
}

/// Whether a check has found the backup damaged where it is copied from.
fn is_damaged(entry: &Entry) -> bool {
    let at_home = |copy: &crate::planner::Held| copy.storage == HOME && copy.state == HeldState::Corrupt;
    entry.status == Status::Corrupt || entry.copies.iter().any(at_home)
}

/// The named backups, each with its chain.
fn chains(loaded: &Loaded, wanted: &BTreeSet<BackupId>) -> Result<Vec<Entry>> {
    let mut chain = BTreeMap::new();
    for id in wanted {
        let unknown = || Error::not_found(format!("no backup {id}")).hint("see the list of backups");
        let entry = loaded.entry(*id).ok_or_else(unknown)?;
        let plan = loaded.catalogue().plan(&restore_of(&entry))?;
        let steps = plan.steps().filter_map(|(_, step)| loaded.entry(step.backup));
        chain.extend(steps.map(|entry| (entry.id, entry)));
    }
    Ok(chain.into_values().collect())
}

/// A restore of one backup as it is, partial or narrow, from one storage alone.
pub(super) fn restore_of(entry: &Entry) -> Request {
    Request {
        cluster: Some(entry.cluster),
        scope: Scope { parts: Some([(entry.part.clone(), entry.filter.clone())].into()) },
        timelines: [(entry.part.clone(), entry.timeline)].into(),
        storages: Some([HOME.to_owned()].into()),
        allow_partial: true,
        no_logs: true,
        ..Request::at(Target::Backup(entry.id))
    }
}
