//! The client against small servers on loopback: recorded conversations, logins, TLS, lost nodes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a fixture that is wrong shall stop the test")]

mod cluster;
mod login;
mod replay;
mod server;
mod tls;
