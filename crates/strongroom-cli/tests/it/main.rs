//! The built program from end to end, with a folder of its own for each test.
#![cfg(test)]

mod adopting;
mod aerospike;
mod archiving;
#[cfg(unix)]
mod bad_input;
mod cassandra;
#[path = "../../../strongroom-cassandra/tests/it/server.rs"]
#[expect(dead_code, reason = "the tests of nodes use all of it")]
mod cassandra_node;
mod cloud;
mod commands;
mod demo;
mod explaining;
mod inspecting;
#[cfg(unix)]
mod interrupted;
mod looking;
#[cfg(unix)]
#[path = "../../../strongroom-storage/tests/storage/support/proxy.rs"]
#[expect(dead_code, reason = "the storages' tests use all of it")]
mod proxy;
mod pruning;
mod restoring;
mod world;
