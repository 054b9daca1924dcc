//! The jobs: what moves between cluster, repository and storage, and in what order.

mod attempt;
pub mod backup;
pub mod copy;
mod held;
pub mod job;
pub mod journal;
mod list;
mod merge;
pub mod proof;
pub mod prune;
pub mod restore;
pub mod synthesize;
pub mod verify;

pub use backup::{
    BackupKindWish, BackupReport, BackupRequest, Committed, Estimate, PartOutcome, PartReport, RemoteWorker, backup,
    resume_backup, run_of,
};
pub use copy::{CopyReport, CopyRequest, LeftOut, Unreachable, copy};
pub use job::Job;
pub use journal::Journal;
pub use list::CodedList;
pub use proof::{Finding, Proof};
pub use prune::{PruneReport, PruneRequest, Removal, prune};
pub use restore::{RestoreRequest, RestoreSummary, abort_restore, restore};
pub use synthesize::{SynthesizeReport, SynthesizeRequest, synthesize};
pub use verify::{VerifiedBackup, VerifyReport, VerifyRequest, verify};

/// How many bytes a stretch of a merge has: so many are in memory for each write at work.
fn stretch_bytes(room: &crate::pipeline::Workroom) -> usize {
    usize::try_from(room.settings().pack_bytes / 4).map_or(STRETCH, |bytes| bytes.clamp(1, STRETCH))
}

/// The most bytes of a stretch, but for a record that has more.
const STRETCH: usize = 8 << 20;
