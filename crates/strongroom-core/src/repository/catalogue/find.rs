//! Reading the catalogue by name, without listing: a catalogue that nobody cleans up has an object for every backup that
//! began or ended, and listing those takes longer than reading a snapshot of all of them.
//!
//! ```text
//!   64 ✓  128 ✓  256 ✓  512 ✗ ─▶ between 256 and 512 ─▶ 320 is the newest milestone
//!   320.snapshot ✗  328.snapshot ✓  336.snapshot ✗ … ─▶ read 328.snapshot, then 329, 330 … until nothing comes
//! ```
//! Whatever looks odd on the way is left to the listing, which tells damage from absence.

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::super::objects::{found, get_sized};
use super::super::{Repository, layout};
use super::load::{AT_ONCE, LARGEST, Read};
use crate::{Error, ErrorKind, Result, StorageExt as _};

/// Segments whose number is a multiple of this are never deleted: by them the newest number is found.
pub(super) const MILESTONE: u64 = 64;

/// The number of a snapshot is a multiple of this, so that few names have to be tried.
pub(super) const SNAPSHOT_STEP: u64 = 8;

/// After so many numbers that are not there the series has ended: a lost segment in between is noticed.
const ENDED: u64 = AT_ONCE as u64;

impl Repository {
    /// Folds the newest snapshot and what came after it. `None`: something is missing or damaged, or nothing is there.
    pub(super) async fn read_by_name(&self) -> Result<Option<Read>> {
        for _ in 0..5 {
            let milestone = self.newest_milestone().await?;
            let mut read = Read::default();
            if let Some((number, size)) = self.newest_snapshot(milestone).await? {
                let key = layout::snapshot(number)?;
                let Some(body) = found(get_sized(&*self.storage, &key, size, LARGEST).await)? else { continue };
                match self.read_snapshot(&key, body).await {
                    Ok(state) => (read.state, read.snapshot) = (state, number),
                    Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
            if !self.fold_by_name(&mut read).await? || read.newest < milestone || read.newest == 0 {
                return Ok(None);
            }
            if self.nothing_newer(&read).await? {
                return Ok(Some(read));
            }
        }
        Ok(None)
    }

    /// The newest milestone; 0 = none. They are there without a hole.
    async fn newest_milestone(&self) -> Result<u64> {
        let (mut there, mut beyond) = (0, 1);
        while self.has_milestone(beyond).await? {
            (there, beyond) = (beyond, beyond * 2);
        }
        while beyond - there > 1 {
            let step = (beyond - there).div_ceil(ENDED);
            let tried: Vec<u64> = (1..=ENDED).map(|at| there + at * step).take_while(|at| *at < beyond).collect();
            let found = stream::iter(tried.clone()).map(|at| self.has_milestone(at)).buffered(AT_ONCE);
            let found: Vec<bool> = found.try_collect().await?;
            for (at, is_there) in tried.into_iter().zip(found) {
                if !is_there {
                    beyond = at;
                    break;
                }
                there = at;
            }
        }
        Ok(there * MILESTONE)
    }

    async fn has_milestone(&self, at: u64) -> Result<bool> {
        self.storage.exists(&layout::numbered(layout::CATALOGUE, at * MILESTONE)?).await
    }

    /// Number and size of the newest snapshot, given the newest milestone.
    async fn newest_snapshot(&self, milestone: u64) -> Result<Option<(u64, u64)>> {
        let mut from = milestone;
        loop {
            let newest = self.snapshots(from, from + MILESTONE).await?.pop();
            if newest.is_some() || from == 0 {
                return Ok(newest);
            }
            from -= MILESTONE;
        }
    }

    /// Numbers and sizes of the snapshots in a range.
    async fn snapshots(&self, from: u64, end: u64) -> Result<Vec<(u64, u64)>> {
        let first = from.next_multiple_of(SNAPSHOT_STEP).max(SNAPSHOT_STEP);
        let numbers = (first..end).step_by(usize::try_from(SNAPSHOT_STEP).unwrap_or(1));
        let sizes = stream::iter(numbers).map(async |number| {
            let meta = found(self.storage.stat(&layout::snapshot(number)?).await)?;
            Ok::<_, Error>(meta.map(|meta| (number, meta.size)))
        });
        let found: Vec<Option<(u64, u64)>> = sizes.buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Folds the segments after the snapshot, up to the newest one. False: one is missing or damaged.
    async fn fold_by_name(&self, read: &mut Read) -> Result<bool> {
        read.newest = read.snapshot;
        let bodies = stream::iter(read.snapshot + 1..).map(async |number| {
            let key = layout::numbered(layout::CATALOGUE, number)?;
            let body: Option<Bytes> = found(self.storage.get(&key, LARGEST).await)?;
            Ok::<_, Error>((number, key, body))
        });
        let mut bodies = bodies.buffered(AT_ONCE);
        while let Some((number, key, body)) = bodies.try_next().await? {
            let Some(body) = body else {
                if number - read.newest >= ENDED {
                    return Ok(true);
                }
                continue;
            };
            if number > read.newest + 1 {
                return Ok(false);
            }
            match self.records(&key, &body) {
                Ok(records) => records.into_iter().for_each(|line| read.state.line(line)),
                Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(false),
                Err(error) => return Err(error),
            }
            read.newest = number;
        }
        Ok(true)
    }

    /// Whether nothing was cleaned away while it was read: then there would be a newer snapshot.
    async fn nothing_newer(&self, read: &Read) -> Result<bool> {
        let next = read.newest / MILESTONE + 1;
        Ok(!self.has_milestone(next).await? && self.snapshots(read.snapshot + 1, next * MILESTONE).await?.is_empty())
    }
}
