//! Adding a segment: the next number is taken with `CreateNew`; the loser rereads and takes the one after.

use super::super::document::Kind;
use super::super::objects::{list_all, put};
use super::super::{Repository, layout};
use super::record::Record;
use crate::id::BackupId;
use crate::model::Status;
use crate::planner::{Held, Timeline, Verified};
use crate::{ErrorKind, Key, Result};

/// The objects of the catalogue, as one listing shows them.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Numbers and names of segments, growing.
    pub(super) segments: Vec<(u64, Key)>,
    /// Likewise of snapshots.
    pub(super) snapshots: Vec<(u64, Key)>,
}

impl Listed {
    /// The highest number in use; 0 = none.
    pub(super) fn newest(&self) -> u64 {
        let last = |all: &[(u64, Key)]| all.last().map_or(0, |(number, _)| *number);
        last(&self.segments).max(last(&self.snapshots))
    }
}

impl Repository {
    pub(super) async fn list_catalogue(&self) -> Result<Listed> {
        let mut listed = Listed::default();
        for meta in list_all(&*self.storage, layout::CATALOGUE).await? {
            match layout::number_of(&meta.key) {
                // Numbers beyond are nobody's: no repository sees so many segments.
                Some((number, _)) if number == 0 || number > u64::from(u32::MAX) => {}
                Some((number, "")) => listed.segments.push((number, meta.key)),
                Some((number, ".snapshot")) => listed.snapshots.push((number, meta.key)),
                _ => {}
            }
        }
        Ok(listed)
    }

    /// Adds records to the catalogue, as one segment: all of them or none. Gives the segment's number.
    ///
    /// # Errors
    /// As the storage. After `Unavailable` they may have been added or not.
    pub async fn record(&self, records: &[Record]) -> Result<u64> {
        let mut next = self.list_catalogue().await?.newest() + 1;
        loop {
            let key = layout::numbered(layout::CATALOGUE, next)?;
            match put(&*self.storage, &key, self.seal(Kind::Segment, &key, records)?).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    next = (next + 1).max(self.list_catalogue().await?.newest() + 1);
                    continue;
                }
                Err(error) => return Err(error.within("the catalogue could not be written")),
            }
            // A writer that slept since it listed may have taken a number that was used, folded and deleted before.
            let now = self.list_catalogue().await?;
            if now.snapshots.last().is_none_or(|(through, _)| *through < next) {
                return Ok(next);
            }
            next = now.newest() + 1;
        }
    }

    /// Records that a check found `backup` whole.
    ///
    /// # Errors
    /// As [`Repository::record`].
    pub async fn record_verified(&self, backup: BackupId, verified: Verified) -> Result<()> {
        self.record(&[Record::Verified { backup, verified }]).await.map(drop)
    }

    /// Records how much may be believed of `backup`.
    ///
    /// # Errors
    /// As [`Repository::record`].
    pub async fn record_status(&self, backup: BackupId, status: Status) -> Result<()> {
        self.record(&[Record::Status { backup, status }]).await.map(drop)
    }

    /// Records a copy of `backup` in a storage.
    ///
    /// # Errors
    /// As [`Repository::record`].
    pub async fn record_copy(&self, backup: BackupId, held: Held) -> Result<()> {
        self.record(&[Record::Copied { backup, held }]).await.map(drop)
    }

    /// Opens a timeline: called at the end of a restore, and at the first backup of a part.
    ///
    /// # Errors
    /// As [`Repository::record`].
    pub async fn open_timeline(&self, timeline: Timeline) -> Result<()> {
        self.record(&[Record::Timeline(timeline)]).await.map(drop)
    }
}
