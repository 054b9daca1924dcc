//! Talking to a cluster over TCP or TLS.
//!
//! ```text
//!   Client ──seeds, peers──▶ Node ──idle connections──▶ Connection ──frames──▶ server
//!     └── PartitionMap: which node is master of what
//! ```
//!
//! Nothing runs in the background: [`Client::refresh`] looks at the cluster anew when the caller wants it, such as after a
//! node was lost. Dropping any future is safe: a connection that was in the middle of an exchange is closed.

mod connection;
mod node;
mod options;
mod tend;

pub use connection::{Connection, Frame};
pub use node::{Answer, Node, Stream};
pub use options::{ClientOptions, Credentials, TlsOptions};
pub use tend::{Client, PartitionMap};
