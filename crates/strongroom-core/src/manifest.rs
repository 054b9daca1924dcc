//! The one object that makes a backup exist.

use serde::{Deserialize, Serialize};

use crate::cluster::{ClusterIdentity, PieceSpec, PieceSummary, Topology};
use crate::codec::CodecId;
use crate::id::{BackupId, DataKeyId, RepositoryId, RunId, TimelineId};
use crate::model::{Applies, BackupKind, Deletes, Filter, PartName, Window};
use crate::{Error, Key, Result, Timestamp};

/// The newest format this version writes and reads.
pub const FORMAT: u32 = 1;

/// The commit mark of one backup of one part: it names every object, by way of the list of pieces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's version, [`FORMAT`] for what this version writes.
    pub format: u32,
    /// The repository it belongs to.
    pub repository: RepositoryId,
    /// Its id.
    pub backup: BackupId,
    /// The run it was taken in.
    pub run: RunId,
    /// What it is.
    pub kind: BackupKind,
    /// The backup whose end it starts at, for `exact` incrementals the one it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<BackupId>,
    /// The cluster it was taken of.
    pub cluster: ClusterIdentity,
    /// The part.
    pub part: PartName,
    /// The history it belongs to.
    pub timeline: TimelineId,
    /// Its window.
    pub window: Window,
    /// From which states it applies.
    pub applies: Applies,
    /// Whether it holds the deletes of its window.
    pub deletes: Deletes,
    /// What of the part was taken.
    pub filter: Filter,
    /// The form of its pieces, by the name of the fold that merges a chain of them. `None`: they can't be merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<String>,
    /// The codecs of its parts, in the order of encoding.
    pub codecs: Vec<CodecId>,
    /// The data keys that are needed to read it.
    #[serde(default)]
    pub keys: Vec<DataKeyId>,
    /// Counts and sizes.
    pub totals: Totals,
    /// The list of pieces.
    pub pieces: ObjectRef,
    /// The names of the shared content that its pieces use, in the clear, so that a prune needs no keys. `None`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<ObjectRef>,
    /// The cluster as it was.
    pub topology: Topology,
    /// Nodes, tables or ranges that are not in it. Not empty = partial.
    #[serde(default)]
    pub missing: Vec<String>,
    /// The backups that a synthetic one was made from.
    #[serde(default)]
    pub made_from: Vec<BackupId>,
    /// What people should know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// When it began, by the engine's clock.
    pub started: Timestamp,
    /// When it was ready to commit, by the engine's clock.
    pub finished: Timestamp,
    /// The program that made it, such as `strongroom 0.1.0`.
    pub tool: String,
}

/// Counts and sizes of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Records, rows or files.
    pub records: u64,
    /// Deletes.
    pub deletes: u64,
    /// Index and function definitions.
    pub definitions: u64,
    /// Pieces.
    pub pieces: u64,
    /// Objects, without manifest and list of pieces.
    pub objects: u64,
    /// Bytes before the codecs.
    pub plain_bytes: u64,
    /// Bytes on storage.
    pub stored_bytes: u64,
    /// Bytes of shared content that were there already.
    #[serde(default)]
    pub reused_bytes: u64,
}

/// An object with what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Its name.
    pub key: Key,
    /// Its size in bytes.
    pub size: u64,
    /// BLAKE3 of its bytes, 64 hex digits.
    pub blake3: Blake3,
}

/// One line of the list of pieces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredPiece {
    /// The piece as the cluster named it.
    pub spec: PieceSpec,
    /// What was in it.
    pub summary: PieceSummary,
    /// Bytes before the codecs.
    pub plain_bytes: u64,
    /// Its parts, in order.
    pub parts: Vec<StoredPart>,
}

/// One part of a stored piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPart {
    /// The object.
    pub object: ObjectRef,
    /// The part's identity in its header.
    pub part: String,
    /// Bytes before the codecs.
    pub plain_bytes: u64,
    /// Where in the object the part is, when the object holds other parts too: small pieces are packed.
    /// `None`: the part is the whole object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
    /// The part's codecs in the order of encoding, when they are not the manifest's: shared content has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codecs: Option<Vec<CodecId>>,
}

/// Some bytes of an object, with what proves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slice {
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// BLAKE3 of these bytes.
    pub blake3: Blake3,
}

/// A BLAKE3 hash; hex in text and JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Blake3([u8; 32]);

impl Blake3 {
    /// The hash of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// From the 32 bytes of a hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<blake3::Hash> for Blake3 {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl TryFrom<String> for Blake3 {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        blake3::Hash::from_hex(&text)
            .map(Self::from)
            .map_err(|error| Error::corrupt(format!("'{}' is no BLAKE3 hash", text.escape_debug())).because(error))
    }
}

impl From<Blake3> for String {
    fn from(hash: Blake3) -> Self {
        hash.to_string()
    }
}

impl std::fmt::Display for Blake3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl std::fmt::Debug for Blake3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
