//! What kind of cluster is simulated, and how it fails.

use std::time::Duration;

use strongroom_core::ErrorKind;
use strongroom_core::model::{Applies, Deletes};

/// What kind of cluster is simulated.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent traits of a cluster")]
pub struct SimulatedOptions {
    /// Data pieces a part is cut into (1 to [`super::PARTITIONS`]).
    pub pieces: u16,
    /// Whether pieces without a record are handed out too.
    pub empty_pieces: bool,
    /// Whether every part has a piece of 0 bytes more.
    pub zero_byte_piece: bool,
    /// Whether it hands out changes.
    pub incremental: bool,
    /// Whether changes hold deletes.
    pub deletes: Deletes,
    /// What incrementals say of themselves.
    pub applies: Applies,
    /// Whether it knows the moments at which it was frozen.
    pub remembers: bool,
    /// Whether it folds chains. Takes no files.
    pub fold: bool,
    /// Whether a restore can empty it first.
    pub truncate: bool,
    /// Whether pieces are read from the living cluster, so that `settled` is known only at their end. Otherwise from a
    /// snapshot of the moment of freezing.
    pub live: bool,
    /// Nodes. With more than one, each piece has its place on one of them.
    pub nodes: u16,
    /// Bytes of a read chunk, about.
    pub chunk: usize,
    /// What [`strongroom_core::cluster::Capabilities::parallelism`] says.
    pub parallelism: u16,
}

impl Default for SimulatedOptions {
    /// One node, 4 pieces, incrementals that cover and see deletes, snapshots, truncate; no fold.
    fn default() -> Self {
        Self {
            pieces: 4,
            empty_pieces: false,
            zero_byte_piece: false,
            incremental: true,
            deletes: Deletes::Seen,
            applies: Applies::Cover,
            remembers: true,
            fold: false,
            truncate: true,
            live: false,
            nodes: 1,
            chunk: 4096,
            parallelism: 0,
        }
    }
}

/// A way in which a part fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartFault {
    /// It can't be frozen, for this reason.
    Freeze(String),
    /// This is missing in what is frozen: the backup is partial.
    Missing(String),
    /// Reading a piece fails after this many bytes, this many times in all.
    Read {
        /// Bytes that come before the error.
        after: usize,
        /// The error.
        kind: ErrorKind,
        /// How many readings fail.
        times: u32,
    },
    /// Writing a piece fails after this many records, this many times in all.
    Write {
        /// Records that are applied before the error.
        after: u64,
        /// The error.
        kind: ErrorKind,
        /// How many writings fail.
        times: u32,
    },
    /// Every chunk read or written takes this long, by tokio's time.
    Slow(Duration),
}

impl PartFault {
    /// Whether nothing is left of it after one use more.
    pub(super) const fn used_up(&mut self) -> bool {
        match self {
            Self::Read { times, .. } | Self::Write { times, .. } => {
                *times = times.saturating_sub(1);
                *times == 0
            }
            _ => false,
        }
    }
}
