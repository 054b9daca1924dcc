//! A table of damage: whatever happens to an object of a sealed repository, a check names it, and a restore refuses it
//! before the target changes, or needs it not, or gets by. Never does it bring back wrong data and call that done.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod harm;
mod judge;
mod table;
mod world;
