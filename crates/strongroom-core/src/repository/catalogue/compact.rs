//! Keeping the catalogue small: a snapshot folds all segments before it; what it folds is deleted after a grace time.

use std::time::Duration;

use super::super::lease::{Lease, micros};
use super::super::objects::put;
use super::super::{Repository, layout};
use super::find::{MILESTONE, SNAPSHOT_STEP};
use super::state::Line;
use crate::{Error, ErrorKind, Result};

/// Segments after the newest snapshot that make a new one worth while.
const SEGMENTS_BEFORE_SNAPSHOT: u64 = 64;

impl Repository {
    /// Writes a snapshot when many segments have come since the last one (`force`: when it would hold any of them; the
    /// numbers of snapshots are multiples of eight). Gives the last segment's number that is in it, or `None` when nothing
    /// was to be done. Needs no right to delete.
    ///
    /// # Errors
    /// `Corrupt` when the catalogue is damaged: [`Repository::mend`] it first; as the storage otherwise.
    pub async fn compact(&self, force: bool) -> Result<Option<u64>> {
        let listed = self.list_catalogue().await?;
        let through = listed.newest() - listed.newest() % SNAPSHOT_STEP;
        let due = |snapshot: u64| through >= snapshot + if force { 1 } else { SEGMENTS_BEFORE_SNAPSHOT };
        if !due(listed.snapshots.last().map_or(0, |(through, _)| *through)) {
            return Ok(None);
        }
        let mut read = self.read_catalogue(through).await?;
        if read.lossy {
            return Err(Error::corrupt(format!("the catalogue is damaged: {}", read.damaged.join("; ")))
                .hint("mend it, which reads all manifests"));
        }
        let lines: Vec<Line> = read.state.lines(through, self.environment.now()).collect();
        let key = layout::snapshot(through)?;
        let body = self.seal_snapshot(&key, &lines, &read.state.catalogue(through, true))?;
        match put(&*self.storage, &key, body).await {
            Ok(()) => Ok(Some(through)),
            // The same segments give the same fold, whoever wrote it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error.within("the catalogue's snapshot could not be written")),
        }
    }

    /// Deletes segments and snapshots that a newer snapshot made superfluous at least `grace` ago, but for the segments
    /// by which readers find the newest. Gives how many.
    ///
    /// # Errors
    /// As [`Lease::check`] and the storage.
    pub async fn trim_catalogue(&self, lease: &Lease, grace: Duration) -> Result<usize> {
        let read = self.read_catalogue(u64::MAX).await?;
        let age = read.state.snapshot_at.map_or(0, |at| self.environment.now().since(at));
        if read.snapshot == 0 || u64::try_from(age).unwrap_or(0) < micros(grace) {
            return Ok(0);
        }
        let listed = self.list_catalogue().await?;
        let old = listed.segments.iter();
        let old = old.filter(|(number, _)| *number <= read.snapshot && !number.is_multiple_of(MILESTONE));
        let old = old.chain(listed.snapshots.iter().filter(|(number, _)| *number < read.snapshot));
        let mut deleted = 0;
        lease.check().await?;
        for (_, key) in old {
            self.storage.delete(key).await?;
            deleted += 1;
        }
        Ok(deleted)
    }
}
