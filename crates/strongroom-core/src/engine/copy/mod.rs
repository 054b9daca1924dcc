//! The copy job: backups to another storage, as the same backups of the same repository.
//!
//! Objects are copied as they are, each compared with its hash on the way, the manifest last: a copy that was cut off
//! leaves nothing that looks complete, and goes on where it ended. A backup that can't be copied is left out and told;
//! the others are copied all the same.

mod one;
mod report;
mod run;
mod select;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use self::report::{CopyReport, LeftOut, Unreachable};
use self::run::Run;
use super::job::Job;
use crate::Storage;
use crate::codec::CodecRegistry;
use crate::id::BackupId;
use crate::pipeline::{Settings, Workroom};
use crate::repository::Repository;

/// What shall be copied.
#[derive(Debug, Clone, Default)]
pub struct CopyRequest {
    /// These backups and the chains they need; `None`: all that are not there yet, and were not deleted there.
    pub backups: Option<BTreeSet<BackupId>>,
    /// The name of the destination in the caller's configuration. The catalogue remembers it, so that plans can read
    /// from there. `None`: not remembered.
    pub name: Option<String>,
    /// How many objects at once, and how fast.
    pub settings: Settings,
}

/// Begins a copy. The destination becomes a repository of the same id, to be opened like any other.
///
/// The job fails with `Invalid` when the destination holds another repository, `NotFound` when a named backup is not
/// there, `BrokenChain` when the chain of a named backup is not whole, `Denied` when a key is missing that lists of
/// pieces need, `NoSpace` when the destination is full, and as the storages otherwise. What was copied by then stays, and
/// the next copy goes on from there. Damage of one backup fails nothing: see [`CopyReport::left_out`].
pub fn copy(
    repository: Repository,
    registry: Arc<dyn CodecRegistry>,
    destination: Arc<dyn Storage>,
    request: CopyRequest,
) -> Job<CopyReport> {
    let environment = repository.environment().clone();
    Job::start_with_token("copy", &environment, move |progress, token| async move {
        let room = Workroom::new(request.settings)?;
        let there = repository.at(destination);
        let run = Run::new(&repository, &registry, there, &request, room, &progress, &token);
        run.run().await
    })
}
