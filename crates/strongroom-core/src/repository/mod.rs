//! A repository: a storage with a layout, that holds backups and the catalogue of them. The bytes are described in
//! `docs/format.md`.
//!
//! ```text
//!   begin ─▶ data … ─▶ list of pieces ─▶ manifest (CreateNew) ─▶ end          a backup
//!   condemned list ─▶ grace time ─▶ manifest ─▶ data ─▶ "deleted" entry        a prune
//! ```
//!
//! **Invariants.** A backup exists if and only if its manifest exists. Nothing is ever replaced: every name is written
//! once, with `CreateNew`. Of a backup and a prune that disagree about an unfinished backup, the one that creates the
//! manifest's name first is right. Loading writes nothing.

mod adoption;
mod catalogue;
mod condemned;
mod content;
mod document;
mod identity;
pub mod layout;
mod lease;
mod manifests;
mod objects;
mod pieces;
mod pins;
mod prune;
mod registration;
mod survey;
mod writer;

use std::sync::Arc;

pub use adoption::{CopyBegun, CopyCommit, OpenCopy};
pub use catalogue::{Begun, Broken, LoadReport, Loaded, Mended, Record};
pub use content::SharedContent;
pub use identity::{InitOptions, RepositoryInfo};
pub use lease::{LEASE_TIME, Lease, LeaseState, LeaseTerms, Patience, Purpose, Watch};
pub use manifests::folder_of;
pub use pieces::{Chunks, ListForm, PlainList, Sink, StoredList};
pub use prune::{Doomed, Evidence, Guard, PrunePlan, PruneTerms, Spared, SweepReport, Why};
pub use registration::{Registration, RegistrationOutcome};
pub use writer::{BackupDraft, Commit};

use crate::Storage;
use crate::environment::Environment;
use crate::id::RepositoryId;

/// An open repository. Cheap to clone; all clones are the same repository.
#[derive(Debug, Clone)]
pub struct Repository {
    storage: Arc<dyn Storage>,
    environment: Environment,
    info: Arc<RepositoryInfo>,
}

impl Repository {
    /// The storage on which it rests.
    #[must_use]
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// The same repository on another storage, where copies of its backups rest.
    #[must_use]
    pub fn at(&self, storage: Arc<dyn Storage>) -> Self {
        Self { storage, ..self.clone() }
    }

    /// The clock and the source of chance it was opened with.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Its identity and settings.
    #[must_use]
    pub fn info(&self) -> &RepositoryInfo {
        &self.info
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> RepositoryId {
        self.info.id
    }
}
