//! What is remembered of a synthetic base that is being made.

use serde::{Deserialize, Serialize};

use crate::codec::CodecId;
use crate::engine::CodedList;
use crate::engine::backup::Notes;
use crate::id::{BackupId, ClusterId, RunId, TimelineId};
use crate::model::{BackupKind, Filter, PartName, Window};
use crate::repository::{BackupDraft, Begun, Loaded, Repository};
use crate::{Error, Result, Timestamp};

/// What was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) run: RunId,
    pub(super) cluster: ClusterId,
    pub(super) part: PartName,
    pub(super) filter: Filter,
    pub(super) timeline: TimelineId,
    pub(super) window: Window,
    /// Oldest first.
    pub(super) made_from: Vec<BackupId>,
    pub(super) codecs: Vec<CodecId>,
    /// Where the merge is cut: cut elsewhere, nothing that was stored fits.
    pub(super) piece_bytes: usize,
    pub(super) started: Timestamp,
}

impl Note {
    /// What the repository needs to begin it.
    pub(super) fn draft(&self) -> BackupDraft {
        BackupDraft {
            cluster: self.cluster,
            part: self.part.clone(),
            timeline: self.timeline,
            window: self.window,
            kind: BackupKind::Synthetic,
        }
    }
}

/// The name of a run's lease.
pub(super) fn lease_name(run: RunId) -> String {
    format!("synthesize-{run}")
}

/// What is left of `run`.
pub(super) async fn left(
    repository: &Repository,
    list: &CodedList,
    loaded: &Loaded,
    run: RunId,
) -> Result<(Begun, Note, Notes)> {
    let mut newest: Option<(Begun, Note, Notes)> = None;
    for begun in loaded.in_progress.iter().filter(|begun| begun.lease == lease_name(run)) {
        let notes = Notes::new(repository, list.clone(), begun);
        let Some(note) = notes.begun::<Note>().await? else { continue };
        if newest.as_ref().is_none_or(|(other, ..)| other.at < begun.at) {
            newest = Some((begun.clone(), note, notes));
        }
    }
    newest.ok_or_else(|| {
        Error::not_found(format!("nothing is left of run {run} to go on with"))
            .hint("it is done, or it stored nothing yet: begin anew without naming a run")
    })
}
