//! Merging a chain before it is written.

use std::fmt::{self, Debug};

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::{ByteStream, Result};

/// One backup's pieces of a part, as the input of a fold.
pub struct FoldInput {
    /// The data pieces, each sorted, together in the order of their names.
    pub data: Vec<ByteStream>,
    /// The deletes pieces, likewise.
    pub deletes: Vec<ByteStream>,
}

impl Debug for FoldInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FoldInput({} data, {} deletes)", self.data.len(), self.deletes.len())
    }
}

/// How a merge is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoldRequest {
    /// Hand out what was deleted, too: where the result meets an older state. Else what was deleted is simply not there.
    pub deletes: bool,
    /// About how many bytes a stretch has; it rests in memory.
    pub piece_bytes: usize,
}

/// A stretch of a merge, as up to two pieces. No record is in two stretches; they come in the order of pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// A data piece: records in their final state. Empty if there are none.
    pub data: Bytes,
    /// How many records are in it.
    pub records: u64,
    /// A deletes piece: what the chain deleted last. Empty if there are none.
    pub deletes: Bytes,
    /// How many deletes are in it.
    pub deleted: u64,
}

/// Merges the sorted pieces of a chain, so that each record is written once, in its final state. It needs no cluster.
pub trait Fold: Debug + Send + Sync + 'static {
    /// The name of the form of pieces that it merges, as manifests have it. Clusters with the same form share a name.
    fn name(&self) -> &str;

    /// Merges `newest_first`. The same inputs and request give the same stretches.
    ///
    /// # Errors
    /// `Invalid` for a part that can have no such pieces. In the stream: those of the inputs; `Corrupt` when an input is
    /// no such piece or not sorted.
    fn fold(
        &self,
        part: &str,
        request: FoldRequest,
        newest_first: Vec<FoldInput>,
    ) -> Result<BoxStream<'static, Result<Folded>>>;
}
