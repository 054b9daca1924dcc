//! Pins and legal holds: what keeps backups, whatever a policy says.
//!
//! A prune looks at the pins after its condemned list is written, right before it deletes. So a pin that is recorded while
//! no list names its backup is always seen; one that comes later is made sure of while no prune runs.

use std::time::Duration;

use super::Repository;
use super::catalogue::Record;
use super::lease::LEASE_TIME;
use crate::id::BackupId;
use crate::planner::{Entry, Pin, PinKind};
use crate::{Error, Result};

/// How long a prune that runs is waited for by whoever pins what is condemned.
const PATIENCE: Duration = LEASE_TIME.saturating_mul(2);

impl Repository {
    /// Sets a pin or hold. What the backup needs stays with it. A backup that is condemned is brought back by it, with all
    /// it needs, as long as its grace time lasts: the next prune finds the pin.
    ///
    /// # Errors
    /// `NotFound` when there is no such backup, or no more; `Unavailable` when it is condemned and a prune runs; as
    /// [`Repository::record`] otherwise.
    pub async fn pin(&self, backup: BackupId, pin: Pin) -> Result<()> {
        let entry = self.entry_to_pin(backup).await?;
        if !entry.pins.iter().any(|there| there.says_the_same(&pin)) {
            self.record(&[Record::Pinned { backup, pin }]).await?;
        }
        let loaded = self.load().await?;
        if loaded.entry(backup).is_some() && !loaded.condemned.contains_key(&backup) {
            return Ok(());
        }
        let lease = self.prune_lease("a pin of what is condemned", PATIENCE).await?;
        let there = lease.during(self.is_whole_still(backup)).await;
        lease.release().await?;
        if there? { Ok(()) } else { Err(unknown(backup)) }
    }

    /// Takes the pins or holds of a backup off. `by` is who does it: a hold is taken off by who set it alone. Gives what was
    /// taken off.
    ///
    /// # Errors
    /// `NotFound` when there is no such backup; `Denied` for a hold that somebody else set; as [`Repository::record`]
    /// otherwise.
    pub async fn unpin(&self, backup: BackupId, kind: PinKind, by: &str) -> Result<Vec<Pin>> {
        let pins = self.entry_to_pin(backup).await?.pins;
        let pins: Vec<Pin> = pins.into_iter().filter(|pin| pin.kind == kind).collect();
        let foreign = |pin: &&Pin| kind == PinKind::Hold && !pin.by.is_empty() && pin.by != by;
        if let Some(hold) = pins.iter().find(foreign) {
            return Err(Error::denied(format!("the hold on backup {backup} was set by {} ({})", hold.by, hold.reason))
                .hint("let who set it release it"));
        }
        let records: Vec<Record> = pins.iter().map(|pin| Record::Unpinned { backup, pin: pin.clone() }).collect();
        if !records.is_empty() {
            self.record(&records).await?;
        }
        Ok(pins)
    }

    async fn entry_to_pin(&self, backup: BackupId) -> Result<Entry> {
        self.load().await?.entry(backup).ok_or_else(|| unknown(backup))
    }

    /// Whether a backup is there and no prune has begun to delete it; called while none runs.
    async fn is_whole_still(&self, backup: BackupId) -> Result<bool> {
        match self.load_listed().await?.entry(backup) {
            Some(entry) => self.has(&entry.manifest).await,
            None => Ok(false),
        }
    }
}

fn unknown(backup: BackupId) -> Error {
    Error::not_found(format!("there is no backup {backup} in this repository")).hint("see the list of backups")
}
