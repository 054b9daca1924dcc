//! The synthesize job: a chain of backups becomes a new base, without touching the cluster.
//!
//! ```text
//!   base ●──┬──●──┬──●  incrementals        one sorted merge, as a restore of records does it
//!           └─────┴──▼
//!   synthetic        ●                      the same state as one backup: it stands for a base
//! ```
//!
//! What is merged stays as it is. Cut off, it leaves nothing that looks complete, and goes on where it ended: the same
//! chain gives the same stretches.

mod merge;
mod note;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::run::Run;
use super::job::Job;
use crate::Storage;
use crate::cluster::Fold;
use crate::codec::CodecRegistry;
use crate::id::{BackupId, RunId};
use crate::manifest::Totals;
use crate::model::{PartName, Window};
use crate::pipeline::{Settings, Stack};
use crate::planner::{Reached, Request};
use crate::repository::Repository;

/// What shall be made.
#[derive(Debug, Clone, Default)]
pub struct SynthesizeRequest {
    /// The state that becomes a base, of one part. Logs are not replayed: a merge has no form for them.
    pub state: Request,
    /// The codecs, in the order of encoding.
    pub stack: Stack,
    /// How many pieces at once, how fast, how they are cut.
    pub settings: Settings,
    /// Storages that hold copies, by the names used in plans.
    pub storages: BTreeMap<String, Arc<dyn Storage>>,
    /// The run to go on with; `None`: a new one.
    pub run: Option<RunId>,
    /// When going on with a run: its process is known to be dead, so do not wait until its lease ends by itself.
    pub take_over: bool,
    /// The program, for the manifest; empty: this library.
    pub tool: String,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SynthesizeReport {
    /// The run.
    pub run: RunId,
    /// The part.
    pub part: PartName,
    /// The new backup.
    pub backup: BackupId,
    /// The backups that were merged, oldest first.
    pub made_from: Vec<BackupId>,
    /// Its window: it ends and is settled as the chain is.
    pub window: Window,
    /// Counts and sizes.
    pub totals: Totals,
    /// Pieces that an earlier attempt had stored already.
    pub resumed_pieces: u64,
    /// The point that a restore of it would reach, by a plan that was made right after the commit. `None`: no restore is
    /// possible, and a warning says why.
    pub restorable: Option<Reached>,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// Begins to make a synthetic base.
///
/// The job fails with `BrokenChain` when the state can't be reached; `Invalid` when it is of several parts, or one backup
/// already; `Unsupported` when a step has another form than `fold` merges, or took other things than are asked for;
/// `NotFound` when nothing of the run is left to go on with; `Cancelled`; as storage and codecs otherwise.
pub fn synthesize(
    repository: Repository,
    registry: Arc<dyn CodecRegistry>,
    fold: Arc<dyn Fold>,
    request: SynthesizeRequest,
) -> Job<SynthesizeReport> {
    let environment = repository.environment().clone();
    Job::start_with_token("synthesize", &environment, move |progress, token| async move {
        let run = Run { repository, registry, fold, request, progress, token };
        run.run().await
    })
}
