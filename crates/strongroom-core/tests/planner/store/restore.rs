//! Carries out a plan, and says what it left.

use std::collections::BTreeMap;

use strongroom_core::id::BackupId;
use strongroom_core::planner::{Apply, PartPlan};

use super::artefact::{Artefact, Body};
use super::model::{Change, Contents, Key};

/// How a cover step meets what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// What is applied later wins, as a fold of the newest first does it.
    LaterStep,
    /// What was written later wins, as a database with time stamps does it. Deletes leave time stamps too, but only
    /// those that a step brings.
    LaterWrite,
}

/// What is there after the steps of `plan`.
pub(crate) fn restore(plan: &PartPlan, artefacts: &BTreeMap<BackupId, Artefact>, style: Style) -> Contents {
    let mut contents = Contents::new();
    let mut replayed: Vec<Change> = Vec::new();
    for step in &plan.steps {
        match (&artefacts[&step.backup].body, step.apply) {
            (Body::Whole(whole), Apply::Begin) => contents.clone_from(whole),
            (Body::Changes(changes), Apply::Cover) => {
                for (key, value) in changes {
                    cover(&mut contents, *key, *value, style);
                }
            }
            (Body::Changes(changes), Apply::Exact) => {
                for (key, value) in changes {
                    set(&mut contents, *key, *value);
                }
            }
            (Body::Log(changes), Apply::Replay { after, until }) => {
                let within = |change: &&Change| {
                    let moment = change.at * 1_000_000;
                    moment > after.micros() && moment <= until.micros()
                };
                replayed.extend(changes.iter().filter(within));
            }
            (body, apply) => panic!("{body:?} can't be applied as {apply:?}"),
        }
    }
    // Nodes are replayed side by side; of one key the later write wins.
    replayed.sort_by_key(|change| change.at);
    for change in replayed {
        set(&mut contents, change.key, change.put.then_some(change.at));
    }
    contents
}

fn set(contents: &mut Contents, key: Key, value: Option<i64>) {
    match value {
        Some(value) => drop(contents.insert(key, value)),
        None => drop(contents.remove(&key)),
    }
}

fn cover(contents: &mut Contents, key: Key, value: Option<i64>, style: Style) {
    let newer = value.is_some() && contents.get(&key).copied() > value;
    if style == Style::LaterStep || !newer {
        set(contents, key, value);
    }
}
