//! A live cluster, as the in-process one of three nodes stands for it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a fixture that is wrong shall stop the test")]

mod chain;
mod common;
mod contract;
mod defects;
mod engine;
mod faults;
mod fixtures;
mod live;
mod moving;
mod options;
mod restoring;
mod tls;
