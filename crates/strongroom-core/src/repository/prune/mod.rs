//! Deleting, in two phases: a condemned list tells beforehand what will go; after a grace time it is looked again, and
//! what nothing needs by then is deleted. What shall go is decided elsewhere; here it is made safe.
//!
//! **Invariants.** Nothing is deleted on the word of a listing that failed, or that lacks what the catalogue knows to be
//! there. A manifest is deleted before its data. A name that is deleted never comes back. Every step may be repeated.

mod clean;
mod delete;
mod evidence;
mod needed;
mod plan;
mod report;
mod sweep;

use std::collections::BTreeSet;
use std::time::Duration;

pub use evidence::Evidence;
pub use report::{Doomed, PrunePlan, Spared, SweepReport, Why};

use super::Repository;
use super::lease::{Lease, LeaseTerms, Purpose};
use crate::id::BackupId;
use crate::planner::Catalogue;
use crate::{Error, Result};

/// Judges what would be kept; an error stops the prune before it does anything. The planner's check of every kept point
/// goes here.
pub type Guard<'a> = dyn Fn(&Catalogue) -> Result<()> + Send + Sync + 'a;

/// What goes, and how carefully.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneTerms {
    /// The backups that shall go.
    pub delete: BTreeSet<BackupId>,
    /// How long what is condemned stays.
    pub grace: Duration,
    /// The age at which a backup that was begun and never committed is given up, if its lease is dead.
    pub unfinished_after: Duration,
    /// How long leases are watched to tell the living from the dead. Less than a lease's time: all count as alive.
    pub patience: Duration,
    /// How long after its writing the storage keeps an object from being deleted (object lock); zero: not at all. What is
    /// younger stays until then.
    pub object_lock: Duration,
}

impl Default for PruneTerms {
    fn default() -> Self {
        Self {
            delete: BTreeSet::new(),
            grace: Duration::from_hours(24),
            unfinished_after: Duration::from_hours(7 * 24),
            patience: super::lease::LEASE_TIME.saturating_mul(2),
            object_lock: Duration::ZERO,
        }
    }
}

impl Repository {
    /// Takes the lease of which each prune needs the only one.
    ///
    /// # Errors
    /// As [`Repository::lease`].
    pub async fn prune_lease(&self, note: &str, patience: Duration) -> Result<Lease> {
        self.lease("prune", LeaseTerms::new(Purpose::Prune, note), patience).await
    }

    /// A whole round: deletes what was condemned long enough ago, condemns what `terms` name and what nothing uses,
    /// and tidies leases, lists and the catalogue.
    ///
    /// # Errors
    /// As [`Repository::sweep`] and [`Repository::condemn`].
    pub async fn prune(
        &self,
        lease: &Lease,
        terms: &PruneTerms,
        guard: &Guard<'_>,
    ) -> Result<(SweepReport, PrunePlan)> {
        let mut swept = self.sweep(lease, terms, guard).await?;
        let plan = self.condemn(lease, terms, guard).await?;
        swept.notes.extend(self.tidy(lease, terms.grace).await?);
        Ok((swept, plan))
    }
}

fn damaged(what: &[String]) -> Error {
    Error::corrupt(format!("nothing can be pruned while the catalogue is damaged: {}", what.join("; ")))
        .hint("mend it first, then look at its pins and holds")
}
