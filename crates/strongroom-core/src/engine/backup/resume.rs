//! Finding what an earlier attempt at a run left.

use super::ByPart;
use super::note::{BegunNote, Notes};
use crate::engine::CodedList;
use crate::id::RunId;
use crate::repository::{Begun, Loaded, Repository};
use crate::{Error, Result};

/// A part that was begun and not committed.
pub(super) struct Left {
    pub(super) begun: Begun,
    pub(super) note: BegunNote,
    pub(super) notes: Notes,
}

/// What the name of a run's lease begins with.
const LEASE: &str = "backup-";

/// The name of a run's lease.
pub(super) fn lease_name(run: RunId) -> String {
    format!("{LEASE}{run}")
}

/// The run that a backup in progress belongs to: what to resume with if its process is dead. `None` for what no run of
/// this engine has begun.
#[must_use]
pub fn run_of(begun: &Begun) -> Option<RunId> {
    begun.lease.strip_prefix(LEASE)?.parse().ok()
}

/// What is left of `run`, by part. Backups that were begun without a note have stored nothing, and are left to prune.
pub(super) async fn left(
    repository: &Repository,
    list: &CodedList,
    loaded: &Loaded,
    run: RunId,
) -> Result<ByPart<Left>> {
    let mut left: ByPart<Left> = ByPart::new();
    for begun in loaded.in_progress.iter().filter(|begun| begun.lease == lease_name(run)) {
        let notes = Notes::new(repository, list.clone(), begun);
        let Some(note) = notes.begun::<BegunNote>().await? else { continue };
        if note.run != run {
            return Err(Error::corrupt(format!("the note of {begun} is that of another run")));
        }
        let newer = |other: &Left| other.begun.at >= begun.at;
        if !left.get(&note.part).is_some_and(newer) {
            left.insert(note.part.clone(), Left { begun: begun.clone(), note, notes });
        }
    }
    Ok(left)
}
