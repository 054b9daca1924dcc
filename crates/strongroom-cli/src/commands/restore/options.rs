//! What happens in the target of a restore, and how the source is proven first.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use strongroom::core::cluster::RestoreOptions;
use strongroom::{Proof, RestoreRequest, Result, Storage, Strongroom};

use crate::writing::Writing;

/// What happens in the target. A journal remembers it, so none of it goes with `--resume`.
#[derive(Debug, Args)]
pub(super) struct InTarget {
    /// Empty the target's parts first, after all checks
    #[arg(long)]
    truncate: bool,
    #[command(flatten)]
    writing: Writing,
    /// Write indexes and functions after the records: faster to write, slower until they are built
    #[arg(long, conflicts_with = "no_definitions")]
    definitions_last: bool,
    /// Plan and check everything, and restore nothing; the target must exist
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// How the source is proven before anything of the target changes.
#[derive(Debug, Args)]
pub(super) struct Proving {
    /// How the source is proven before anything of the target changes [default: hash with --truncate, else check]
    #[arg(long, value_enum)]
    proof: Option<How>,
    /// Where --proof stage puts the objects meanwhile: a folder or a storage's URL
    #[arg(long, value_name = "FOLDER", required_if_eq("proof", "stage"))]
    staging: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// Everything is there with its size, and a sample decodes with the keys at hand
    Check,
    /// Everything is read and its hash compared
    Hash,
    /// Everything is brought to --staging, compared, and restored from there
    Stage,
}

impl InTarget {
    pub(super) fn options(&self) -> RestoreOptions {
        let (truncate, definitions_last) = (self.truncate, self.definitions_last);
        RestoreOptions { truncate, definitions_last, ..self.writing.options() }
    }
}

impl Proving {
    /// `request` with the proof that is wished for.
    ///
    /// # Errors
    /// As [`Strongroom::storage`].
    pub(super) fn put_into(&self, request: RestoreRequest, strongroom: &Strongroom) -> Result<RestoreRequest> {
        let proof = self.proof.map(|how| match how {
            How::Check => Proof::Check,
            How::Hash => Proof::Hash,
            How::Stage => Proof::Stage,
        });
        let staging: Option<Arc<dyn Storage>> =
            self.staging.as_deref().map(|staging| strongroom.storage(staging)).transpose()?;
        Ok(RestoreRequest { proof, staging, ..request })
    }
}
