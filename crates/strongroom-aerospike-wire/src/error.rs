//! What can go wrong between a client and a cluster.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::{Malformed, ResultCode, TooLong};

/// Why a request got no answer, or not the one that was hoped for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WireError {
    /// The connection could not be made, or broke. Another try, or another node, may work.
    #[error("{node} can't be reached")]
    Io {
        /// The node, as it was addressed.
        node: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Nothing came for too long.
    #[error("{node} did not answer for {} s", .after.as_secs())]
    Timeout {
        /// The node, as it was addressed.
        node: String,
        /// How long was waited.
        after: Duration,
    },
    /// The other side does not speak the protocol.
    #[error("{node}: {source}")]
    Malformed {
        /// The node, as it was addressed.
        node: String,
        /// What is wrong.
        source: Malformed,
    },
    /// The TLS handshake failed: another certificate authority, another name, or no TLS there.
    #[error("no TLS connection to {node}")]
    Tls {
        /// The node, as it was addressed.
        node: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The server answered with a result other than done.
    #[error("{node} refused {what}: {code}")]
    Server {
        /// The node, as it was addressed.
        node: String,
        /// What was asked.
        what: &'static str,
        /// What it said.
        code: ResultCode,
    },
    /// The request can't be put into the protocol.
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

impl WireError {
    /// Whether the same request, later or elsewhere, may work.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        use crate::Class;
        match self {
            Self::Io { .. } | Self::Timeout { .. } => true,
            Self::Server { code, .. } => matches!(code.class(), Class::Busy | Class::Elsewhere | Class::Session),
            Self::Malformed { .. } | Self::Tls { .. } | Self::TooLong(_) => false,
        }
    }

    /// What the server said, if it said something.
    #[must_use]
    pub const fn code(&self) -> Option<ResultCode> {
        match self {
            Self::Server { code, .. } => Some(*code),
            _ => None,
        }
    }
}
