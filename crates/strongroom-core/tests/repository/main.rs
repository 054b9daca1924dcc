//! The repository as a whole, on memory storage and paused time.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod by_name;
mod catalogue;
mod copies;
mod crashes;
mod interleavings;
mod leases;
mod prune;
mod shaken;
mod support;
mod whole;
