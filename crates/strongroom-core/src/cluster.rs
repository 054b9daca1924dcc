//! What is backed up, and restored into: a cluster that hands out and takes in *pieces of bytes*.

mod fold;
mod held;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ClusterId, SessionId};
use crate::model::{Applies, Deletes, Filter, PartName, Scope, Window};
use crate::{ByteStream, Result, Timestamp};

pub use fold::{Fold, FoldInput, FoldRequest, Folded};
pub use held::{HeldSnapshot, HeldSnapshots};

/// What a cluster can do. Callers ask instead of trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent abilities")]
pub struct Capabilities {
    /// Hands out the changes since a moment.
    pub incremental: bool,
    /// Hands out deletes too.
    pub deletes_seen: bool,
    /// Keeps snapshots on its own nodes: [`Cluster::held`] is there.
    pub held_snapshots: bool,
    /// Archives its commit log.
    pub log_archive: bool,
    /// Merges a chain of pieces before it is written: [`Cluster::fold`] is there.
    pub fold: bool,
    /// Can empty what a restore is about to fill.
    pub truncate: bool,
    /// Takes definitions after the data, also when a part's steps are sealed.
    pub definitions_last: bool,
    /// How many pieces it likes to have read or written at once; 0 = no opinion. A job has no more, whatever its settings say.
    pub parallelism: u16,
}

/// What a cluster is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// Who it is.
    pub identity: ClusterIdentity,
    /// The server's version.
    pub version: String,
    /// Its nodes; one for an embedded cluster.
    pub nodes: Vec<Node>,
    /// Its parts and what they hold.
    pub parts: BTreeMap<PartName, PartDescription>,
}

/// Who a cluster is: our own id, and what would change if it were another cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClusterIdentity {
    /// Our own UUID of it.
    pub id: ClusterId,
    /// Its name, for people.
    pub name: String,
    /// What the server says of itself; a mismatch with the registered one is refused until accepted.
    pub fingerprint: String,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Node {
    /// Its stable id.
    pub id: String,
    /// Where it is reached.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// Its datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<String>,
    /// Its rack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The tokens it owns, as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
}

/// What a part holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PartDescription {
    /// Tables or sets, with the count of their records if the cluster tells cheaply.
    pub tables: BTreeMap<String, Option<u64>>,
    /// Records in all, if the cluster tells cheaply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Bytes in all, if the cluster tells cheaply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What shall be frozen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FreezeRequest {
    /// What of the cluster.
    pub scope: Scope,
    /// For a part named here: only changes after this moment (an incremental). Other parts: everything (a base).
    #[serde(default)]
    pub since: BTreeMap<PartName, Timestamp>,
}

/// What a cluster has frozen: for each part its pieces, to be read by any process that reaches the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// The parts that could be frozen.
    pub parts: Vec<FrozenPart>,
    /// The parts that could not, and why: they fail alone.
    #[serde(default)]
    pub failed: BTreeMap<PartName, String>,
    /// What the adapter needs to let go of it again.
    #[serde(default)]
    pub token: Value,
}

/// One frozen part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrozenPart {
    /// Its name.
    pub part: PartName,
    /// What was taken of it.
    pub filter: Filter,
    /// Its window. `settled` may still move later: see [`PieceSummary::settled`].
    pub window: Window,
    /// From which states it applies; for a base this has no meaning.
    pub applies: Applies,
    /// Whether it holds the deletes of its window.
    pub deletes: Deletes,
    /// Its pieces, each readable by itself.
    pub pieces: Vec<PieceSpec>,
    /// Nodes, tables or ranges that are not in it. Not empty makes the backup partial.
    #[serde(default)]
    pub missing: Vec<String>,
    /// What people should know, such as a truncate that was noticed.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl FrozenPart {
    /// The whole of a part at `window`, without pieces yet; nothing is missing.
    pub fn base(part: impl Into<PartName>, window: Window) -> Self {
        Self {
            part: part.into(),
            filter: Filter::default(),
            window,
            applies: Applies::Exact,
            deletes: Deletes::Unseen,
            pieces: Vec::new(),
            missing: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// What a piece holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PieceKind {
    /// Tables, secondary indexes, functions: written before data.
    Schema,
    /// Data.
    Data,
    /// What was deleted in the window.
    Deletes,
    /// A commit-log segment.
    Log,
}

/// An independently readable unit of a backup. Self-contained: another process can read it from this alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PieceSpec {
    /// Its name, unique within its frozen part and the same when the same thing is frozen again. 1 to 512 bytes of
    /// UTF-8.
    pub name: String,
    /// What it holds.
    pub kind: PieceKind,
    /// The id of the node on which it must be worked on; `None` = anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Pieces of one group are applied together, at [`Cluster::seal_step`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// About how many bytes it will have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The identity of immutable content: stored once per repository. `None` = stored with this backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What the adapter needs to read or write it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

impl PieceSpec {
    /// A piece that can be worked on anywhere, in no group, of unknown size, stored with its backup, without detail.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: PieceKind) -> Self {
        let name = name.into();
        Self { name, kind, place: None, group: None, bytes: None, content: None, detail: Value::Null }
    }
}

/// A piece being read: its bytes, and what is known only at their end.
pub struct PieceReader {
    /// The bytes.
    pub body: ByteStream,
    /// Resolves once `body` has ended. Not awaited if `body` fails.
    pub summary: BoxFuture<'static, Result<PieceSummary>>,
}

impl Debug for PieceReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PieceReader")
    }
}

/// What was in a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PieceSummary {
    /// Records, rows or files.
    #[serde(default)]
    pub records: u64,
    /// Deletes.
    #[serde(default)]
    pub deletes: u64,
    /// Index and function definitions.
    #[serde(default)]
    pub definitions: u64,
    /// The moment after which no change is in it, if that was only known at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Timestamp>,
}

/// What a restore shall do with what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conflict {
    /// What is restored replaces what is there.
    #[default]
    Replace,
    /// What is there stays.
    Keep,
    /// The higher generation (or write time) stays. What is compared is a record's state at the moment that is restored: one that
    /// was deleted by then takes nothing away. Only a chain that is written step by step, not merged, compares each step's state.
    Newer,
}

/// How a restore shall be done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent options")]
pub struct RestoreOptions {
    /// Empty the target's parts first. All proof of the source comes before.
    #[serde(default)]
    pub truncate: bool,
    /// What happens to things that are there already.
    #[serde(default)]
    pub conflict: Conflict,
    /// Restore a part under another name.
    #[serde(default)]
    pub rename: BTreeMap<PartName, PartName>,
    /// "Now" for everything that expires. `None`: nothing is taken as expired.
    #[serde(default)]
    pub now: Option<Timestamp>,
    /// Leave out index, function and table definitions.
    #[serde(default)]
    pub no_definitions: bool,
    /// Leave out data: only definitions.
    #[serde(default)]
    pub no_data: bool,
    /// Write a part's definitions after its data, so that no index is kept up to date while records come. Only for clusters with
    /// [`Capabilities::definitions_last`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub definitions_last: bool,
}

impl RestoreOptions {
    /// The name under which `part` is restored.
    #[must_use]
    pub fn target_of<'a>(&'a self, part: &'a str) -> &'a str {
        self.rename.get(part).map_or(part, String::as_str)
    }
}

/// What a restore is about to do, as far as a cluster needs to know: no storage, no keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreOutline {
    /// The parts with their filters, and about how much comes.
    pub parts: BTreeMap<PartName, PartOutline>,
    /// Where the data comes from.
    pub source: ClusterIdentity,
    /// The version of the server it comes from.
    pub source_version: String,
}

/// One part of a [`RestoreOutline`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartOutline {
    /// What of the part.
    pub filter: Filter,
    /// Plain bytes to be written.
    pub bytes: u64,
    /// Records to be written, as the manifests count them.
    pub records: u64,
    /// The moment that is reached.
    pub reached: Timestamp,
}

/// What a cluster says before a restore begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Preflight {
    /// What makes the restore impossible. Empty = go.
    pub refusals: Vec<String>,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// A restore in progress: serde, journalled by the engine, so that it resumes in another process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestoreSession {
    /// Its id.
    pub id: SessionId,
    /// The options it was begun with.
    pub options: RestoreOptions,
    /// What the adapter needs to go on.
    #[serde(default)]
    pub detail: Value,
}

/// The number of a step within a restore, from 0 in the order of the plan.
pub type StepId = u32;

/// What writing one piece did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Applied {
    /// Records written.
    pub written: u64,
    /// Records deleted.
    pub deleted: u64,
    /// Records left alone because of the conflict policy: what is there stayed.
    pub kept: u64,
    /// Of those kept: what is there was newer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fresher: u64,
    /// Records that the cluster takes in no form, left out since that was asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ignored: u64,
    /// Writes whose answer was lost, so that nobody knows whether they were done; they were sent again. They are among the others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub in_doubt: u64,
    /// Records left out because they were expired.
    pub expired: u64,
    /// Records outside the filter.
    pub filtered: u64,
    /// Definitions created.
    pub definitions: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl std::ops::AddAssign for Applied {
    fn add_assign(&mut self, other: Self) {
        self.written += other.written;
        self.deleted += other.deleted;
        self.kept += other.kept;
        self.fresher += other.fresher;
        self.ignored += other.ignored;
        self.in_doubt += other.in_doubt;
        self.expired += other.expired;
        self.filtered += other.filtered;
        self.definitions += other.definitions;
    }
}

/// What a finished restore left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RestoreReport {
    /// What people should know.
    pub warnings: Vec<String>,
}

/// A database cluster, as pieces of bytes.
///
/// Dropping any future is safe. The contract is a test: `strongroom_testkit::cluster_contract`.
#[async_trait]
pub trait Cluster: Debug + Send + Sync + 'static {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Who it is and what it holds.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`.
    async fn describe(&self) -> Result<Topology>;

    /// Fixes a state and cuts it into pieces.
    ///
    /// # Errors
    /// `NotFound` for a part that does not exist; `Unsupported` for a filter it can't apply; `BrokenChain` for a
    /// `since` that lies before what it can still tell, so that a base is needed.
    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen>;

    /// Reads one piece. May be called again for the same piece, from any process.
    ///
    /// # Errors
    /// `NotFound` when it was released; `Unavailable`.
    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader>;

    /// Lets go of what was frozen. Called on success, failure and cancel; twice is no error.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn release(&self, frozen: &Frozen) -> Result<()>;

    /// Whether the history of `part` leads from a state that was frozen at `until` (the end of its window) to what the
    /// part holds now. `Some(false)`: it was restored, replaced or made anew since, or another copy of the cluster was
    /// frozen then, so that nothing backed up by then may be continued. `None`: the cluster can't tell. `until` may be
    /// any moment; of one at which nothing was frozen the answer is never `Some(true)`.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`.
    async fn remembers(&self, _part: &str, _until: Timestamp) -> Result<Option<bool>> {
        Ok(None)
    }

    /// Everything that can be checked before a restore begins: space, schema, permissions, versions. Changes nothing.
    ///
    /// # Errors
    /// Only when it can't find out; what it finds is in the answer.
    async fn check_restore(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight>;

    /// Begins a restore, once per plan. The only call that truncates. The same id again gives the same session. A live
    /// cluster may keep nothing of it: whoever has the session from a journal goes on with that, and does not begin again.
    ///
    /// # Errors
    /// `Invalid`, `Denied`, `Unavailable`, `NoSpace`.
    async fn begin_restore(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession>;

    /// Writes one piece of a part. Writing it twice is the same as once; nothing of a body that fails half-way is
    /// promised to be there or not to be there. A body is read to its end: what proves it comes last, so an error
    /// after its last byte fails the write too.
    ///
    /// # Errors
    /// The error of `body` unchanged; `Corrupt` when the bytes are no such piece; `NoSpace`, `Unavailable`.
    async fn write(
        &self,
        session: &RestoreSession,
        step: StepId,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied>;

    /// The barrier after the last piece of a step: staged groups are applied. Twice is once.
    ///
    /// # Errors
    /// As [`Cluster::write`].
    async fn seal_step(&self, session: &RestoreSession, step: StepId) -> Result<()>;

    /// Ends a restore: a new timeline begins. Twice is once: the first reply may have been lost.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport>;

    /// Gives up a restore and frees what was staged. What was written stays. Twice is once.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn abort_restore(&self, session: RestoreSession) -> Result<()>;

    /// The ability to merge a chain of pieces before it is written, if it has it.
    fn fold(&self) -> Option<&dyn Fold> {
        None
    }

    /// The snapshots that it keeps on its own nodes, if it has that ability.
    fn held(&self) -> Option<&dyn HeldSnapshots> {
        None
    }
}
