//! Storages for tests: one in memory, and wrappers that watch, slow or break any other.

pub(crate) mod crashing;
pub(crate) mod faulty;
pub(crate) mod latency;
pub(crate) mod memory;
pub(crate) mod recording;
