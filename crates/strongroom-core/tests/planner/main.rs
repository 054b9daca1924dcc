//! The planner against its specification: an exhaustive oracle, a reference store, invariants, golden cases.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that is wrong shall stop")]

mod bugs;
mod choices;
mod exhaustive;
mod first;
mod generator;
mod invariants;
mod judge;
mod metamorphic;
mod oracle;
mod picture;
mod store;
mod table;
