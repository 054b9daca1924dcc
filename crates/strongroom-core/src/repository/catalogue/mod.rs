//! The catalogue: immutable numbered segments, folded into what is known of all backups. See "Catalogue" in
//! `docs/format.md`.

mod append;
mod compact;
mod find;
mod load;
mod record;
mod rescue;
mod snapshot;
mod state;

pub use load::{Broken, LoadReport, Loaded};
pub use record::{Begun, Mended, Record};
