//! Retention: which backups stay, which go, and why; the planner's graph read the other way.
//!
//! ```text
//!   points of a part ──rules──▶ kept ─┐
//!   pins, holds, leases, locks … ─────┼─chains─▶ needed        the rest goes, newest first
//!   no restore can use it, and young ─┘
//! ```
//!
//! **Invariant.** Whatever can be restored and stays can be restored to the same point afterwards; the outcome is checked
//! by planning with what would be left before it is handed out. As the planner: no I/O, no clock, no randomness.

mod blocks;
mod chains;
mod check;
mod delete;
mod logs;
mod marks;
mod outcome;
mod plan;
mod policy;
mod reasons;
mod rebase;
mod request;
mod round;
mod rules;
mod series;
mod size;
mod zone;

pub use delete::{DeleteRefusal, DeleteRequest, Dependent};
pub use plan::{
    Block, Blocked, Freed, Going, KeptPoint, Later, LogRetention, Needed, PartRetention, RETENTION_FORMAT, Rebase,
    RetentionPlan, RetentionTotals,
};
pub use policy::{KEEP_UNUSABLE, RetentionPolicy};
pub use reasons::{KeepReason, Reasons};
pub use request::{Activity, InFlight, RetentionRequest};
pub use zone::Zone;

use super::catalogue::Catalogue;
use crate::Result;

impl Catalogue {
    /// What stays and what goes by a policy.
    ///
    /// # Errors
    /// `Internal` when something that stays could not be restored as before: then nothing must be deleted.
    pub fn retain(&self, request: &RetentionRequest) -> Result<RetentionPlan> {
        round::retain(self, request)
    }

    /// What stays and what goes when certain backups are deleted.
    ///
    /// # Errors
    /// Everything that speaks against it, at once.
    pub fn delete(&self, request: &DeleteRequest) -> Result<RetentionPlan, Box<DeleteRefusal>> {
        delete::delete(self, request)
    }
}
