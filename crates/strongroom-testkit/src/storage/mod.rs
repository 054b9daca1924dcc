//! Storages for tests: one in memory, and wrappers that watch, slow or break any other.

pub(crate) mod memory;
