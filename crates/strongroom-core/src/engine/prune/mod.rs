//! The prune job: what a policy does not keep, or what was named, is condemned; what was condemned a grace time ago is
//! deleted.
//!
//! ```text
//!   prune lease ─▶ sweep: look again, delete ─▶ evidence ─▶ retention decides ─▶ guard ─▶ condemned list ─▶ tidy up
//!                  (what is due)                            (pure)               (pure)   (nothing goes yet)
//! ```
//!
//! **Invariants.** What goes is decided by the very evidence that it is condemned by. Right before, the points that stay
//! are planned once more with what would be left. A dry run writes nothing.

mod decide;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::job::Job;
use crate::id::{BackupId, ClusterId};
use crate::model::PartName;
use crate::planner::{DeleteRefusal, RetentionPlan, RetentionPolicy};
use crate::repository::{PrunePlan, PruneTerms, Repository, SweepReport};

/// What a prune shall do, and how carefully.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneRequest {
    /// What goes.
    pub what: Removal,
    /// How long what is condemned stays. With zero it is deleted at once, and can't be brought back by a pin.
    pub grace: Duration,
    /// The age at which a backup that was begun and never committed is given up, if its lease is dead.
    pub unfinished_after: Duration,
    /// How long leases are watched to tell the living from the dead, and another prune is waited for. Less than a lease's
    /// time: all leases count as alive.
    pub patience: Duration,
    /// How long after its writing the storage keeps an object from being deleted (object lock); zero: not at all, or not
    /// known. What is younger stays until then.
    pub object_lock: Duration,
    /// Say what would be done, and write nothing. Leases are not watched: all count as alive.
    pub dry_run: bool,
}

/// What goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// What a policy does not keep, backups that were never committed, and content that nothing uses.
    Policy {
        /// The policy. Without a rule it keeps every point.
        policy: RetentionPolicy,
        /// Parts with a policy of their own.
        parts: BTreeMap<PartName, RetentionPolicy>,
        /// The one cluster it is about; `None`: all.
        cluster: Option<ClusterId>,
    },
    /// These backups. One whose manifest can't be read goes too if it is named.
    Backups {
        /// They.
        backups: BTreeSet<BackupId>,
        /// What could not be restored without them as well.
        cascade: bool,
        /// Even if a part's last point goes, or its last one that is verified.
        allow_last: bool,
    },
}

impl Default for PruneRequest {
    fn default() -> Self {
        let terms = PruneTerms::default();
        Self {
            what: Removal::Policy { policy: RetentionPolicy::default(), parts: BTreeMap::new(), cluster: None },
            grace: terms.grace,
            unfinished_after: terms.unfinished_after,
            patience: terms.patience,
            object_lock: terms.object_lock,
            dry_run: false,
        }
    }
}

/// What a prune did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneReport {
    /// Nothing was written: this is what would be done.
    pub dry_run: bool,
    /// What stays and what goes, and why. `None`: a dry run of a deletion that is refused.
    pub retention: Option<RetentionPlan>,
    /// What speaks against the deletion; only a dry run ends well with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<DeleteRefusal>,
    /// What is condemned now.
    pub condemned: PrunePlan,
    /// What was condemned a grace time ago and is deleted now.
    pub deleted: SweepReport,
    /// What came up on the way.
    pub warnings: Vec<String>,
}

/// Begins a prune.
///
/// The job fails with `Corrupt` when the catalogue is damaged, `Unavailable` when another prune runs or a listing is not
/// complete, `BrokenChain`, `Denied` or `NotFound` when a deletion is refused (see [`DeleteRefusal`]), and as the storage
/// otherwise. Whatever ends it, the next prune goes on where it stopped. What the storage refuses to delete is no error:
/// it is in the report, and stays in the catalogue.
pub fn prune(repository: Repository, request: PruneRequest) -> Job<PruneReport> {
    let environment = repository.environment().clone();
    Job::start_with_token("prune", &environment, move |progress, token| async move {
        run::Run { repository: &repository, request: &request, progress: &progress, token: &token }.run().await
    })
}
