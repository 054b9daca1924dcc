//! Against a real node: Cassandra out of the jars of Maven Central, which the tests fetch and start themselves.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a step that fails fails its test")]

mod backup;
mod contract;
mod control;
mod damage;
mod database;
mod engine;
mod holding;
mod replay;
mod ring;
mod server;
