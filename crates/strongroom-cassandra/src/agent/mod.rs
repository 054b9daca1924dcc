//! Several nodes as one cluster: an agent on each, and a coordinator that asks them.
//!
//! ```text
//!   coordinator ── freeze, on all at once ──▶ agent ── snapshot, hashes ──▶ its node
//!               ◀── the bytes of pieces ────        ◀── the snapshot's files
//!               ── a restore, to one of them ─▶     ── staged, proven, streamed ──▶ all nodes
//! ```
//!
//! The calls are those of [`Cluster`](strongroom_core::Cluster), as JSON over HTTP/1.1; see
//! `docs/decisions/0045-agents-hand-out-pieces.md`.

mod merge;
pub(crate) mod remote;
mod serve;
mod several;

use serde::{Deserialize, Serialize};
use strongroom_core::cluster::{PieceSpec, RestoreOptions, RestoreOutline, RestoreSession, StepId, Topology};
use strongroom_core::id::SessionId;
use strongroom_core::{Error, ErrorKind};

pub use serve::Agent;
pub use several::CassandraAgents;

/// The most that the head of a call may have. A schema is in it; data is not.
const MOST_HEAD: usize = 128 << 20;

/// What an agent says of its node.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct About {
    /// The node's id.
    host: String,
    /// The name of the cluster that it is in.
    cluster: String,
    topology: Topology,
}

/// What is asked before a restore.
#[derive(Debug, Serialize, Deserialize)]
struct Check {
    outline: RestoreOutline,
    options: RestoreOptions,
}

/// How a restore begins.
#[derive(Debug, Serialize, Deserialize)]
struct Begin {
    id: SessionId,
    outline: RestoreOutline,
    options: RestoreOptions,
}

/// What stands before the bytes of a piece that is written: its length in four bytes, little-endian, and this as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Write {
    session: RestoreSession,
    step: StepId,
    part: String,
    piece: PieceSpec,
}

/// An error on its way back.
#[derive(Debug, Serialize, Deserialize)]
struct Refusal {
    kind: ErrorKind,
    message: String,
    advice: Option<String>,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        Self { kind: error.kind(), message: error.message().to_owned(), advice: error.advice().map(str::to_owned) }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let error = Self::new(refusal.kind, refusal.message);
        match refusal.advice {
            Some(advice) => error.hint(advice),
            None => error,
        }
    }
}
