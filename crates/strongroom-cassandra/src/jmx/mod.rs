//! JMX over RMI: how every stock Cassandra node is managed, with nothing installed beside it.
//!
//! ```text
//!   registry ("jmxrmi") ──▶ RMI server ──newClient(user, password)──▶ connection ──▶ getAttribute, invoke, queryNames
//! ```
//!
//! The wire is JRMP as the *Java Remote Method Invocation Specification*, chapter 10, has it; the calls are those of
//! `javax.management.remote.rmi.RMIConnection`. It was held to Cassandra 3.11 to 5.0 on Java 11 and 17.

mod connection;
mod exception;
mod reference;
mod session;
#[cfg(test)]
mod tests;

pub use connection::JmxAddress;
pub(crate) use session::Session;
