//! The backups of a repository as a list, and what is not in order with them: what `list --json` prints.

use std::collections::BTreeMap;

use serde::Serialize;
use strongroom_core::engine::run_of;
use strongroom_core::id::{BackupId, RunId};
use strongroom_core::planner::Entry;
use strongroom_core::repository::Loaded;
use strongroom_core::{Key, Timestamp};

/// The backups of a repository.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    /// They, by the moment that they reach.
    pub backups: Vec<Entry>,
    /// Runs that have begun backups and not committed them: running, or to be resumed.
    pub unfinished: Vec<Unfinished>,
    /// Whether all backups that there are were found.
    pub complete: bool,
    /// Manifests that can't be used.
    pub quarantined: Vec<Quarantined>,
    /// What of the catalogue is damaged.
    pub damaged: Vec<String>,
    /// What a prune has condemned and not yet deleted.
    pub condemned: Vec<BackupId>,
}

/// A run that has begun backups and not committed them.
#[derive(Debug, Clone, Serialize)]
pub struct Unfinished {
    /// The run.
    pub run: RunId,
    /// When the first of them was begun.
    pub begun: Timestamp,
    /// How many.
    pub backups: usize,
}

/// A manifest that can't be used.
#[derive(Debug, Clone, Serialize)]
pub struct Quarantined {
    /// It.
    pub key: Key,
    /// Why, one line.
    pub why: String,
}

impl Listing {
    /// The backups that `wants` lets through, with all that is not in order.
    pub fn of(loaded: &Loaded, wants: impl Fn(&Entry) -> bool) -> Self {
        let mut backups: Vec<Entry> = loaded.entries().filter(|entry| wants(entry)).collect();
        backups.sort_by_key(|entry| (entry.window.until, entry.id));
        let broken = loaded.report.quarantined.iter();
        Self {
            backups,
            unfinished: unfinished(loaded),
            complete: loaded.is_complete(),
            quarantined: broken.map(|one| Quarantined { key: one.key.clone(), why: one.why.clone() }).collect(),
            damaged: loaded.report.damaged.clone(),
            condemned: loaded.condemned.keys().copied().collect(),
        }
    }
}

fn unfinished(loaded: &Loaded) -> Vec<Unfinished> {
    let mut runs: BTreeMap<RunId, Unfinished> = BTreeMap::new();
    for begun in &loaded.in_progress {
        if let Some(run) = run_of(begun) {
            let known = runs.entry(run).or_insert(Unfinished { run, begun: begun.at, backups: 0 });
            known.begun = known.begun.min(begun.at);
            known.backups += 1;
        }
    }
    runs.into_values().collect()
}
