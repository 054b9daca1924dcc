//! All backups of a repository, ready to be planned with.

use super::entry::{Entry, Timeline};
use super::plan::Plan;
use super::reason::PlanError;
use super::search;
use super::target::Request;

/// All that is known of a repository's backups, at one generation.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    pub(super) entries: Vec<Entry>,
    timelines: Vec<Timeline>,
    generation: u64,
    complete: bool,
}

impl Catalogue {
    /// Takes what is known. `generation` goes into every plan; `complete` says that the entries are all there are: an
    /// incomplete catalogue never proves that something is absent.
    #[must_use]
    pub fn from_entries(
        entries: impl IntoIterator<Item = Entry>,
        timelines: impl IntoIterator<Item = Timeline>,
        generation: u64,
        complete: bool,
    ) -> Self {
        let mut entries: Vec<Entry> = entries.into_iter().collect();
        entries.sort_by_key(|entry| (entry.window.until, entry.id));
        Self { entries, timelines: timelines.into_iter().collect(), generation, complete }
    }

    /// How often the catalogue has changed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the entries are all there are.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The timelines that are known.
    #[must_use]
    pub fn timelines(&self) -> &[Timeline] {
        &self.timelines
    }

    /// Plans a restore.
    ///
    /// # Errors
    /// Why no chain reaches the target, with the nearest points that can be reached.
    pub fn plan(&self, request: &Request) -> Result<Plan, Box<PlanError>> {
        search::plan(self, request)
    }
}
