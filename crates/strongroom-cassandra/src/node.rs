//! What is asked of a node: the one trait between what a backup does and how nodes are managed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::PathBuf;

use async_trait::async_trait;
use strongroom_core::Result;

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its release, such as `5.0.9`.
    pub version: String,
    /// The cluster's name.
    pub cluster: String,
    /// Its own id in the cluster, a UUID.
    pub host_id: String,
    /// The class that turns keys into tokens.
    pub partitioner: String,
    /// The UUID of the schema that it has.
    pub schema: String,
    /// `NORMAL` for a node that takes part.
    pub mode: String,
    /// The tokens it owns, in its own order.
    pub tokens: Vec<String>,
    /// Who owns which token, in the whole ring: address and port by token.
    pub ring: BTreeMap<String, String>,
    /// The ids of all nodes by address and port.
    pub hosts: BTreeMap<String, String>,
    /// Where it keeps tables.
    pub data_folders: Vec<PathBuf>,
}

/// A snapshot of one table that a node holds. Sizes are as the node words them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotFacts {
    /// The snapshot's name.
    pub tag: String,
    /// Keyspace.
    pub keyspace: String,
    /// Table.
    pub table: String,
    /// When it was made, as the node words it.
    pub created: Option<String>,
    /// What its files have in all.
    pub size: String,
    /// What would be free without it.
    pub true_size: String,
}

/// How files are taken into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the node's own list of switches")]
pub struct Import {
    /// Keyspace.
    pub keyspace: String,
    /// Table.
    pub table: String,
    /// Folders of files on the node.
    pub folders: BTreeSet<String>,
    /// Forget the level that a file had; else it keeps it.
    pub reset_level: bool,
    /// Forget that data was repaired; else it counts as repaired.
    pub clear_repaired: bool,
    /// Look at the files' checksums first.
    pub verify: bool,
    /// Look for tokens that this node does not own first.
    pub verify_tokens: bool,
    /// Empty the row cache of what comes.
    pub invalidate_caches: bool,
    /// Read every row first.
    pub extended_verify: bool,
    /// Copy the files; else they are moved.
    pub copy: bool,
}

impl Import {
    /// The safe choice: files are checked, stay where they are, and count as neither levelled nor repaired.
    pub fn new(keyspace: impl Into<String>, table: impl Into<String>, folders: BTreeSet<String>) -> Self {
        Self {
            keyspace: keyspace.into(),
            table: table.into(),
            folders,
            reset_level: true,
            clear_repaired: true,
            verify: true,
            verify_tokens: true,
            invalidate_caches: true,
            extended_verify: false,
            copy: true,
        }
    }
}

/// A node under management. Each call is an errand of its own: nothing is held between two.
///
/// # Errors
/// Of every call: `Unavailable` for a node that does not answer, `Denied` for a wrong user or password; what the node itself
/// refuses carries its own words.
#[async_trait]
pub trait NodeControl: Debug + Send + Sync + 'static {
    /// What it says of itself and the ring.
    async fn facts(&self) -> Result<NodeFacts>;

    /// The ranges of a keyspace with their replicas, each as the node words it.
    async fn ring_of(&self, keyspace: &str) -> Result<Vec<String>>;

    /// Takes a snapshot of whole keyspaces (`ks`), or of tables (`ks.table`), after writing out what is in memory. A snapshot
    /// is links to files that never change.
    async fn take_snapshot(&self, tag: &str, of: &[String]) -> Result<()>;

    /// Deletes a snapshot in these keyspaces. One that is not there is no error.
    async fn clear_snapshot(&self, tag: &str, keyspaces: &[String]) -> Result<()>;

    /// The snapshots that it holds.
    async fn snapshots(&self) -> Result<Vec<SnapshotFacts>>;

    /// Writes out what is in memory of these tables.
    async fn flush(&self, keyspace: &str, tables: &[String]) -> Result<()>;

    /// Empties a table, on all nodes.
    async fn truncate(&self, keyspace: &str, table: &str) -> Result<()>;

    /// Takes files into a table. Gives the folders that could not be taken.
    async fn import(&self, import: &Import) -> Result<Vec<String>>;

    /// Sends the files of a folder, which must be named `…/KEYSPACE/TABLE`, to all nodes that own what is in them. They stay
    /// where they are.
    async fn stream(&self, folder: &str) -> Result<()>;

    /// Replays a segment of a commit log, as far as the node was started to replay any.
    async fn replay_log(&self, file: &str) -> Result<()>;

    /// Whether each new file is linked into `backups/`.
    async fn incremental_backups(&self) -> Result<bool>;

    /// Switches that on or off, until the node's next start.
    async fn set_incremental_backups(&self, on: bool) -> Result<()>;
}
