//! A chain of sorted pieces merged into one stream: every record once, in its final state.
//!
//! Layers are backups, newest first. A layer has data pieces and deletes pieces, both sorted by (partition, digest)
//! and each digest at most once. Of all layers that know a digest the newest decides: its record, or that it was
//! deleted. **A digest that one layer both holds and deletes counts as deleted**: a layer's deletes are established
//! after its records were read.
//!
//! Memory is one chunk of every stream; nothing is looked up, so a chain of any length and size folds as it streams.

mod merge;
mod pieces;
mod sort;
mod stream;

pub use merge::Change;
pub use pieces::{RecordFold, fold_pieces};
pub use sort::{Sorted, Sorter};
pub use stream::{Deletes, Layer, fold};
