//! Restore, verify and copy over simulated clusters and storages that fail, on paused time.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod folding;
mod lives;
mod prune;
mod restore;
mod support;
#[path = "../pipeline/toy.rs"]
mod toy;
mod verify;
