//! The data path from pieces to objects and back, over memory storage.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod damage;
mod round_trip;
mod support;
mod toy;
mod trouble;
mod worker;
