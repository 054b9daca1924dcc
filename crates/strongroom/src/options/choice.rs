//! Which moment or backup, and of which parts.

use std::collections::BTreeSet;

use serde::Deserialize;
use strongroom_core::Result;
use strongroom_core::id::{BackupId, RunId};
use strongroom_core::model::{Filter, PartName, Scope};
use strongroom_core::planner::{Catalogue, Cut, Plan, Request, Strictness, Target};

use super::Moment;
use crate::OpenRepository;

/// Which parts of which cluster.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Subject {
    /// Only these keyspaces or namespaces; empty: all.
    pub parts: Vec<PartName>,
    /// Only these tables or sets of the parts; empty: all.
    pub tables: Vec<String>,
    /// The cluster, by name or id, where the repository holds those of several.
    pub cluster: Option<String>,
}

impl Subject {
    /// Whether [`Subject::scope`] needs to be told of the parts that there are.
    #[must_use]
    pub fn needs_names(&self) -> bool {
        self.parts.is_empty() && !self.tables.is_empty()
    }

    /// What of each part is meant.
    #[must_use]
    pub fn filter(&self) -> Filter {
        let tables = (!self.tables.is_empty()).then(|| self.tables.iter().cloned().collect());
        Filter { tables, ..Filter::default() }
    }

    /// What is meant; `known` are the parts that there are, for tables of all of them.
    pub fn scope(&self, known: impl IntoIterator<Item = PartName>) -> Scope {
        let filter = self.filter();
        let named = |part: PartName| (part, filter.clone());
        if self.needs_names() {
            Scope { parts: Some(known.into_iter().map(named).collect()) }
        } else if self.parts.is_empty() {
            Scope::all()
        } else {
            Scope { parts: Some(self.parts.iter().cloned().map(named).collect()) }
        }
    }

    /// A request for `target` of what is meant.
    ///
    /// # Errors
    /// As [`OpenRepository::cluster_id`].
    pub async fn request(&self, repository: &OpenRepository, catalogue: &Catalogue, target: Target) -> Result<Request> {
        let cluster = match &self.cluster {
            Some(cluster) => Some(repository.cluster_id(cluster).await?),
            None => None,
        };
        let known: BTreeSet<PartName> = match &target {
            _ if !self.needs_names() => BTreeSet::new(),
            Target::Backup(backup) => catalogue.entry(*backup).map(|entry| entry.part).into_iter().collect(),
            _ => catalogue.entries().filter(|entry| entry.log.is_none()).map(|entry| entry.part).collect(),
        };
        Ok(Request { cluster, ..Request::at(target).of(self.scope(known)) })
    }
}

/// Which moment or backup, and of which parts. At most one of the targets; none: the newest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent wishes")]
pub struct Choice {
    /// The newest state at or before this moment.
    pub at: Option<Moment>,
    /// Exactly this moment.
    pub exactly: Option<Moment>,
    /// The state of this backup.
    pub backup: Option<BackupId>,
    /// The states of this run's backups.
    pub run: Option<RunId>,
    /// Which parts.
    pub of: Subject,
    /// If the moment can't be reached, take the nearest earlier one instead of refusing.
    pub nearest_earlier: bool,
    /// All parts reach the same moment.
    pub together: bool,
    /// Only backups that a check has found whole.
    pub verified_only: bool,
    /// Backups with missing ranges may be used.
    pub allow_partial: bool,
    /// Parts without any chain may be left out.
    pub allow_missing_parts: bool,
}

impl Choice {
    /// What the planner is asked for.
    ///
    /// # Errors
    /// `Invalid` for several targets; as [`Subject::request`].
    pub async fn request(&self, repository: &OpenRepository, catalogue: &Catalogue) -> Result<Request> {
        let targets = [
            self.at.map(|at| Target::AtOrBefore(at.0)),
            self.exactly.map(|at| Target::Exactly(at.0)),
            self.backup.map(Target::Backup),
            self.run.map(Target::Run),
        ];
        let mut targets = targets.into_iter().flatten();
        let target = targets.next().unwrap_or_default();
        if targets.next().is_some() {
            return Err(strongroom_core::Error::invalid("at, exactly, backup and run exclude each other")
                .hint("name one of them, or none for the newest state"));
        }
        Ok(Request {
            strictness: if self.nearest_earlier { Strictness::NearestEarlier } else { Strictness::Refuse },
            cut: if self.together { Cut::Together } else { Cut::PerPart },
            verified_only: self.verified_only,
            allow_partial: self.allow_partial,
            allow_missing_parts: self.allow_missing_parts,
            ..self.of.request(repository, catalogue, target).await?
        })
    }

    /// Plans it.
    ///
    /// # Errors
    /// As [`Choice::request`] and [`OpenRepository::plan`].
    pub async fn plan(&self, repository: &OpenRepository) -> Result<Plan> {
        let loaded = repository.load().await?;
        let request = self.request(repository, loaded.catalogue()).await?;
        Ok(loaded.catalogue().plan(&request)?)
    }
}
