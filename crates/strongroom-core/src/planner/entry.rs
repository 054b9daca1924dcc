//! What the catalogue keeps of one backup: all that planning and retention ask, and nothing that needs its objects.

use serde::{Deserialize, Serialize};

use crate::codec::CodecId;
use crate::id::{BackupId, ClusterId, DataKeyId, RunId, TimelineId};
use crate::manifest::Manifest;
use crate::model::{Applies, BackupKind, Deletes, Depth, Filter, PartName, Status, Window};
use crate::{Key, Timestamp};

/// The name of the storage that holds the repository itself: where a backup rests whose `copies` are empty.
pub const HOME: &str = "home";

/// One backup, as the catalogue knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: BackupId,
    /// The run it was taken in.
    pub run: RunId,
    /// What it is.
    pub kind: BackupKind,
    /// The backup whose end it starts at; an `exact` incremental needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<BackupId>,
    /// The cluster it was taken of.
    pub cluster: ClusterId,
    /// The part; empty for a log segment that holds the changes of every part.
    pub part: PartName,
    /// The history it belongs to. Without meaning for a log segment of every part.
    pub timeline: TimelineId,
    /// Its window. A log segment's is the span of its changes: `from` = first, `until` = `settled` = last.
    pub window: Window,
    /// From which states it applies.
    pub applies: Applies,
    /// Whether it holds the deletes of its window.
    pub deletes: Deletes,
    /// What of the part was taken.
    #[serde(default)]
    pub filter: Filter,
    /// How many nodes, tables or ranges are not in it; the manifest names them.
    #[serde(default)]
    pub missing: u32,
    /// How much may be believed of it.
    #[serde(default)]
    pub status: Status,
    /// The newest check that found it whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// Counts and sizes.
    pub size: Size,
    /// The codecs of its parts, in the order of encoding.
    #[serde(default)]
    pub codecs: Vec<CodecId>,
    /// The data keys that are needed to read it.
    #[serde(default)]
    pub keys: Vec<DataKeyId>,
    /// The ids of the nodes it was taken of; commit logs must cover each of them, and carry nothing while none is told.
    #[serde(default)]
    pub nodes: Vec<String>,
    /// The name of its manifest, the same in every storage that holds a copy.
    pub manifest: Key,
    /// Where it rests. Empty: in the repository's own storage, present, [`Tier::Hot`].
    #[serde(default)]
    pub copies: Vec<Held>,
    /// What keeps it from being deleted.
    #[serde(default)]
    pub pins: Vec<Pin>,
    /// When it was committed, by the engine's clock.
    pub created: Timestamp,
    /// For a log segment: its place in its node's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogPlace>,
}

impl Entry {
    /// The entry of a committed backup, whose manifest is at `key`.
    #[must_use]
    pub fn of(manifest: &Manifest, key: &Key) -> Self {
        let totals = &manifest.totals;
        Self {
            id: manifest.backup,
            run: manifest.run,
            kind: manifest.kind,
            parent: manifest.parent,
            cluster: manifest.cluster.id,
            part: manifest.part.clone(),
            timeline: manifest.timeline,
            window: manifest.window,
            applies: manifest.applies,
            deletes: manifest.deletes,
            filter: manifest.filter.clone(),
            missing: u32::try_from(manifest.missing.len()).unwrap_or(u32::MAX),
            status: if manifest.missing.is_empty() { Status::Complete } else { Status::Partial },
            verified: None,
            size: Size {
                records: totals.records,
                deletes: totals.deletes,
                objects: totals.objects.saturating_add(2),
                plain_bytes: totals.plain_bytes,
                stored_bytes: totals.stored_bytes,
            },
            codecs: manifest.codecs.clone(),
            keys: manifest.keys.clone(),
            nodes: manifest.topology.nodes.iter().map(|node| node.id.clone()).collect(),
            manifest: key.clone(),
            copies: Vec::new(),
            pins: Vec::new(),
            created: manifest.finished,
            log: None,
        }
    }
}

/// Counts and sizes of an [`Entry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Size {
    /// Records, rows or files.
    pub records: u64,
    /// Deletes.
    #[serde(default)]
    pub deletes: u64,
    /// Objects on storage, manifest and list of pieces included.
    pub objects: u64,
    /// Bytes before the codecs.
    pub plain_bytes: u64,
    /// Bytes on storage.
    pub stored_bytes: u64,
}

/// A check that found a backup whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Verified {
    /// When it ended.
    pub when: Timestamp,
    /// How deep it looked.
    pub depth: Depth,
}

/// One copy of a backup in a storage.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Held {
    /// The storage, by the name it has in the caller's configuration; [`HOME`] for the repository's own.
    pub storage: String,
    /// Whether it can be read.
    #[serde(default)]
    pub state: HeldState,
    /// How quickly and at what price it is read.
    #[serde(default)]
    pub tier: Tier,
    /// What reading it costs beyond its bytes, in byte equivalents: a far or dear storage has a high number.
    #[serde(default)]
    pub cost: u64,
    /// Until when the storage refuses to delete it (object lock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<Timestamp>,
}

impl Held {
    /// A present, hot copy in `storage`.
    #[must_use]
    pub fn in_storage(storage: impl Into<String>) -> Self {
        Self { storage: storage.into(), state: HeldState::Present, tier: Tier::Hot, cost: 0, locked_until: None }
    }
}

/// Whether a copy can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldState {
    /// It is there.
    #[default]
    Present,
    /// Its storage does not answer now.
    Unreachable,
    /// A check found damage in this copy.
    Corrupt,
    /// It is gone, or condemned.
    Deleted,
}

/// How quickly and at what price a copy is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// At once.
    #[default]
    Hot,
    /// At once, at a price.
    Cool,
    /// After hours of thawing.
    Archive,
}

/// What keeps a backup from being deleted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pin {
    /// What kind of promise it is.
    pub kind: PinKind,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// When it ends by itself; `None`: when it is taken off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who set it; empty: not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// When it was set, by the setter's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Timestamp>,
}

impl Pin {
    /// One that ends when it is taken off; it is not known who set it.
    #[must_use]
    pub fn new(kind: PinKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), until: None, by: String::new(), set: None }
    }

    /// The same, set by somebody at a moment.
    #[must_use]
    pub fn by(self, name: impl Into<String>, set: Timestamp) -> Self {
        Self { by: name.into(), set: Some(set), ..self }
    }

    /// Whether it says the same, whenever it was set.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.kind, &self.reason, self.until, &self.by) == (other.kind, &other.reason, other.until, &other.by)
    }
}

/// Kinds of [`Pin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinKind {
    /// Keep the point this backup reaches restorable.
    Pin,
    /// A legal hold: as a pin, and nobody but its setter may take it off.
    Hold,
    /// A running restore or copy needs this very backup.
    Lease,
}

/// Where a log segment stands. Contiguity is proved by `previous`, the archiver's own ledger: segment numbers jump
/// when a node restarts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogPlace {
    /// The node that wrote it.
    pub node: String,
    /// The archiver's epoch: a new one begins when its ledger was lost or it was switched on again.
    pub epoch: u64,
    /// The number within the epoch, growing.
    pub seq: u64,
    /// The segment that the ledger says came right before; `None`: nothing is known to come before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<LogSeq>,
}

/// A segment of one node's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogSeq {
    /// The archiver's epoch.
    pub epoch: u64,
    /// The number within it.
    pub seq: u64,
}

/// The history of a part since its last restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Its id.
    pub id: TimelineId,
    /// The part.
    pub part: PartName,
    /// The cluster.
    pub cluster: ClusterId,
    /// The timeline whose state was restored, and the point that the restore reached on it. `None`: not known, or the
    /// first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<(TimelineId, Timestamp)>,
    /// When it became the part's live history: when the restore began to change the part. `None`: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
}
