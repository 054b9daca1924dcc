//! Keys on storage: opening them, changing them, and changing them at once.
#![cfg(feature = "seal")]

mod change;
mod fixtures;
mod hostile;
mod open;
mod race;
