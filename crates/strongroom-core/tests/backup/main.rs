//! The backup job over a simulated cluster and memory storage, on paused time.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bridging;
mod content;
mod cut_off;
mod invariants;
mod resume;
mod support;
#[path = "../pipeline/toy.rs"]
mod toy;
mod whole;
