//! The jobs: what moves between cluster, repository and storage, and in what order.

mod attempt;
pub mod backup;
pub mod copy;
mod held;
pub mod job;
pub mod journal;
mod list;
pub mod proof;
pub mod restore;
pub mod verify;

pub use backup::{
    BackupKindWish, BackupReport, BackupRequest, Committed, Estimate, PartOutcome, PartReport, RemoteWorker, backup,
    resume_backup, run_of,
};
pub use copy::{CopyReport, CopyRequest, copy};
pub use job::Job;
pub use journal::Journal;
pub use list::CodedList;
pub use proof::{Finding, Proof};
pub use restore::{RestoreRequest, RestoreSummary, abort_restore, restore};
pub use verify::{VerifyReport, VerifyRequest, verify};
