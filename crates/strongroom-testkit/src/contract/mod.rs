//! The promises of the core's traits as tests that any adapter can call.
#![expect(clippy::panic, clippy::expect_used, reason = "a contract test tells what is broken by panicking")]

pub(crate) mod cluster;
pub(crate) mod codec;
pub(crate) mod polls;
pub(crate) mod storage;
