//! Restore, verify and copy over simulated clusters and storages that fail, on paused time.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod copy;
mod folding;
mod lives;
mod meddled;
mod prune;
mod restore;
mod support;
mod synthesizing;
#[path = "../pipeline/toy.rs"]
mod toy;
mod verify;
