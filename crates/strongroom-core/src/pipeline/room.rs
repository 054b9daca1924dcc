//! What all pieces at work share: turns on the processor, buffers, frames in flight, limits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::buffers::Buffers;
use super::cpu::Cpu;
use super::frame::MAX_PLAIN;
use super::throttle::{Limits, Throttle};
use crate::cluster::Capabilities;
use crate::{Error, Result};

/// How the data path works. The defaults suit a machine with a few cores and any size of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many pieces are at work at once; it bounds the memory: about 3 MiB for each.
    pub parallel: usize,
    /// How many cores the codecs may use. All of the machine's, as by default, are kept busy without a gap; fewer are
    /// never exceeded.
    pub cores: usize,
    /// Plain bytes of a frame, at most 1 MiB.
    pub frame_bytes: usize,
    /// Plain bytes after which a piece goes on in its next part.
    pub part_bytes: u64,
    /// Stored bytes after which an object takes no further small piece.
    pub pack_bytes: u64,
    /// How fast it may be.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            parallel: 8,
            cores: machine_cores(),
            frame_bytes: MAX_PLAIN,
            part_bytes: 256 << 20,
            pack_bytes: 32 << 20,
            limits: Limits::default(),
        }
    }
}

fn machine_cores() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// How many frames are coded at once. A core that has done one waits until the next is handed to it, for longer than a
/// quick codec takes; so where all cores may be used some frames more stand ready.
const fn turns(cores: usize, of_machine: usize) -> usize {
    if cores < of_machine { cores } else { 3 * cores }
}

impl Settings {
    /// No more pieces at once than a cluster likes to have.
    pub(crate) fn liked_by(self, cluster: Capabilities) -> Self {
        match cluster.parallelism {
            0 => self,
            most => Self { parallel: self.parallel.min(most.into()), ..self },
        }
    }
}

/// The shared part of the data path. One for each job, or for several that shall share limits and memory.
#[derive(Debug)]
pub struct Workroom {
    pub(crate) settings: Settings,
    pub(crate) cpu: Cpu,
    pub(crate) buffers: Buffers,
    bytes: Throttle,
    records: Throttle,
    common: Arc<Semaphore>,
}

impl Workroom {
    /// A workroom with these settings.
    ///
    /// # Errors
    /// `Invalid` for a setting that is zero or beyond its limit.
    pub fn new(settings: Settings) -> Result<Arc<Self>> {
        let Settings { parallel, cores, frame_bytes, part_bytes, limits, .. } = settings;
        if parallel == 0 || parallel > 4096 || cores == 0 || part_bytes == 0 || !(1..=MAX_PLAIN).contains(&frame_bytes)
        {
            return Err(Error::invalid(format!(
                "the data path can't work with parallel {parallel}, cores {cores}, frames of {frame_bytes} bytes and \
                 parts of {part_bytes} bytes"
            ))
            .hint("parallel is 1 to 4096, a frame has 1 to 1048576 bytes, the others are at least 1"));
        }
        Ok(Arc::new(Self {
            settings,
            cpu: Cpu::new(turns(cores, machine_cores())),
            buffers: Buffers::new(2 * parallel),
            bytes: Throttle::new(limits.bytes_per_second),
            records: Throttle::new(limits.records_per_second),
            common: Arc::new(Semaphore::new(parallel)),
        }))
    }

    /// Its settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Waits until `bytes` may pass.
    pub(crate) async fn pass_bytes(&self, bytes: usize) {
        self.bytes.pass(bytes as u64).await;
    }

    /// Waits until `records` may pass.
    pub(crate) async fn pass_records(&self, records: u64) {
        self.records.pass(records).await;
    }

    /// The frames that one stream may have in flight.
    pub(crate) fn slots(&self) -> Slots {
        Slots { own: Arc::new(Semaphore::new(1)), common: Arc::clone(&self.common) }
    }
}

/// The frames in flight of one stream: one is always its own, further ones come out of what all streams share.
///
/// The one of its own keeps streams from waiting for each other: a merge reads many streams at once, and would never
/// end if the frames of some could use up what another one needs to go on.
#[derive(Debug)]
pub(crate) struct Slots {
    own: Arc<Semaphore>,
    common: Arc<Semaphore>,
}

impl Slots {
    /// Waits for a slot; it is free again when dropped.
    pub(crate) async fn take(&self) -> Result<OwnedSemaphorePermit> {
        let slot = tokio::select! {
            biased;
            slot = Arc::clone(&self.own).acquire_owned() => slot,
            slot = Arc::clone(&self.common).acquire_owned() => slot,
        };
        slot.map_err(|_| Error::internal("the pipeline's slots are closed"))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn every_stream_has_one_slot_even_when_others_took_all() {
        let room = Workroom::new(Settings { parallel: 2, ..Settings::default() }).unwrap();
        let (greedy, late) = (room.slots(), room.slots());
        let taken: Vec<_> = std::iter::from_fn(|| greedy.take().now_or_never()).collect();
        assert_eq!(taken.len(), 3);
        let own = late.take().now_or_never().unwrap().unwrap();
        assert!(late.take().now_or_never().is_none());
        drop(own);
        assert!(late.take().now_or_never().is_some());
        drop(taken);
        assert!(greedy.take().now_or_never().is_some());
    }

    #[test]
    fn fewer_cores_than_there_are_is_a_limit() {
        assert_eq!([turns(1, 4), turns(3, 4), turns(4, 4)], [1, 3, 12]);
    }

    #[test]
    fn impossible_settings_are_refused() {
        let good = Settings::default();
        for bad in [
            Settings { parallel: 0, ..good },
            Settings { frame_bytes: MAX_PLAIN + 1, ..good },
            Settings { frame_bytes: 0, ..good },
            Settings { part_bytes: 0, ..good },
        ] {
            assert!(Workroom::new(bad).is_err());
        }
    }
}
