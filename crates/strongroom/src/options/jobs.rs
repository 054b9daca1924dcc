//! The options of each job.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use strongroom_core::cluster::{Conflict, RestoreOptions};
use strongroom_core::engine::Journal;
use strongroom_core::id::{BackupId, RunId, SessionId};
use strongroom_core::model::{Depth, PartName};
use strongroom_core::planner::{Pin, PinKind, RetentionPolicy};
use strongroom_core::units::Span;
use strongroom_core::{Cluster, Error, Result, Storage, Timestamp};

use super::{Choice, Moment, Pace, Subject};
use crate::{
    BackupKindWish, BackupRequest, CopyRequest, OpenRepository, Proof, PruneRequest, Removal, RestoreRequest,
    SynthesizeRequest, VerifyRequest,
};

/// Of a backup.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// Which parts.
    pub of: Subject,
    /// Base or incremental.
    pub kind: BackupKindWish,
    /// The first incremental after a base starts at that base.
    pub no_bridging: bool,
    /// Say what would be stored, and store nothing.
    pub dry_run: bool,
    /// Accept a cluster whose fingerprint changed.
    pub accept_fingerprint: bool,
    /// How fast.
    pub pace: Pace,
    /// The program, for the manifest; empty: this library.
    pub tool: String,
}

impl Backup {
    /// As a request. `cluster` is asked for its parts where tables are named without them.
    ///
    /// # Errors
    /// As [`Cluster::describe`] and [`Pace::settings`].
    pub async fn request(self, cluster: &dyn Cluster) -> Result<BackupRequest> {
        let known = if self.of.needs_names() { cluster.describe().await?.parts } else { BTreeMap::new() };
        Ok(BackupRequest {
            scope: self.of.scope(known.into_keys()),
            kind: self.kind,
            no_bridging: self.no_bridging,
            settings: self.pace.settings()?,
            accept_cluster: self.accept_fingerprint,
            dry_run: self.dry_run,
            tool: self.tool,
            ..BackupRequest::default()
        })
    }
}

/// Of going on with an interrupted backup.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// The interrupted run.
    pub run: RunId,
    /// The process that began it is surely dead.
    #[serde(default)]
    pub take_over: bool,
    /// How fast.
    #[serde(default)]
    pub pace: Pace,
    /// The program, for the manifest; empty: this library.
    #[serde(default)]
    pub tool: String,
}

impl Resume {
    /// As a request.
    ///
    /// # Errors
    /// As [`Pace::settings`].
    pub fn request(self) -> Result<BackupRequest> {
        let (settings, take_over, tool) = (self.pace.settings()?, self.take_over, self.tool);
        Ok(BackupRequest { settings, take_over, tool, ..BackupRequest::default() })
    }
}

/// Of a restore.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent wishes")]
pub struct Restore {
    /// Empty the target's parts first.
    pub truncate: bool,
    /// What becomes of what is there already.
    pub conflict: Conflict,
    /// Restore a part under another name.
    pub rename: BTreeMap<PartName, PartName>,
    /// Leave out what has expired at this moment.
    pub now: Option<Moment>,
    /// Leave out indexes, functions and table definitions.
    pub no_definitions: bool,
    /// Definitions only.
    pub no_data: bool,
    /// Make indexes and functions after all data.
    pub definitions_last: bool,
    /// Plan and check everything, and restore nothing.
    pub dry_run: bool,
    /// How the source is proven first.
    pub proof: Option<Proof>,
    /// Go on with this unfinished restore of the journal.
    pub session: Option<SessionId>,
    /// The process that began it is surely dead.
    pub take_over: bool,
    /// Accept a cluster whose fingerprint changed.
    pub accept_fingerprint: bool,
    /// How fast.
    pub pace: Pace,
}

impl Restore {
    /// As a request. `journal` and `staging` are storages that the caller has opened.
    ///
    /// # Errors
    /// `Invalid` for what needs one of them and has none; as [`Pace::settings`].
    pub fn request(
        self,
        journal: Option<Arc<dyn Storage>>,
        staging: Option<Arc<dyn Storage>>,
    ) -> Result<RestoreRequest> {
        if self.proof == Some(Proof::Stage) && staging.is_none() {
            return Err(Error::invalid("the proof 'stage' needs a place for what is staged").hint("name one: staging"));
        }
        if self.no_data && self.no_definitions {
            return Err(Error::invalid("no_data and no_definitions together leave nothing to restore"));
        }
        Ok(RestoreRequest {
            options: RestoreOptions {
                truncate: self.truncate,
                conflict: self.conflict,
                rename: self.rename,
                now: self.now.map(|now| now.0),
                no_definitions: self.no_definitions,
                no_data: self.no_data,
                definitions_last: self.definitions_last,
            },
            proof: self.proof,
            staging,
            settings: self.pace.settings()?,
            journal: journal.map(Journal::new),
            session: self.session,
            take_over: self.take_over,
            accept_cluster: self.accept_fingerprint,
            dry_run: self.dry_run,
            ..RestoreRequest::default()
        })
    }
}

/// Of a check.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Verify {
    /// Only these backups; `None`: all.
    pub backups: Option<BTreeSet<BackupId>>,
    /// How deep.
    pub depth: Depth,
    /// How fast.
    pub pace: Pace,
}

impl Default for Verify {
    fn default() -> Self {
        Self { backups: None, depth: Depth::Hash, pace: Pace::default() }
    }
}

impl Verify {
    /// As a request.
    ///
    /// # Errors
    /// As [`Pace::settings`].
    pub fn request(self) -> Result<VerifyRequest> {
        let (backups, depth, settings) = (self.backups, self.depth, self.pace.settings()?);
        Ok(VerifyRequest { backups, depth, settings, ..VerifyRequest::default() })
    }
}

/// Of a copy.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Copy {
    /// Only these backups and the chains they need; `None`: all that are not there yet.
    pub backups: Option<BTreeSet<BackupId>>,
    /// How fast.
    pub pace: Pace,
}

impl Copy {
    /// As a request. `name` is what the destination is called in the profiles.
    ///
    /// # Errors
    /// As [`Pace::settings`].
    pub fn request(self, name: Option<String>) -> Result<CopyRequest> {
        Ok(CopyRequest { backups: self.backups, name, settings: self.pace.settings()? })
    }
}

/// Of a prune by a policy.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prune {
    /// In place of the profile's whole policy.
    pub policy: Option<RetentionPolicy>,
    /// Parts with a policy of their own.
    pub part_policies: BTreeMap<PartName, RetentionPolicy>,
    /// Only the parts of this cluster, by name or id.
    pub cluster: Option<String>,
    /// How long what is condemned stays.
    pub grace: Option<Span>,
    /// Give up backups that were begun longer ago than this.
    pub unfinished_after: Option<Span>,
    /// Change nothing.
    pub dry_run: bool,
}

impl Prune {
    /// As a request; `default` is what the profile says.
    ///
    /// # Errors
    /// As [`OpenRepository::cluster_id`].
    pub async fn request(self, repository: &OpenRepository, default: PruneRequest) -> Result<PruneRequest> {
        let mut request = PruneRequest { dry_run: self.dry_run, ..default };
        if let Some(policy) = self.policy {
            request.what = Removal::Policy { policy, parts: self.part_policies, cluster: None };
        } else if !self.part_policies.is_empty() {
            return Err(Error::invalid("part_policies are exceptions from a policy").hint("give the policy too"));
        }
        if let (Removal::Policy { cluster, .. }, Some(name)) = (&mut request.what, &self.cluster) {
            *cluster = Some(repository.cluster_id(name).await?);
        }
        request.grace = self.grace.map_or(request.grace, |span| span.0);
        request.unfinished_after = self.unfinished_after.map_or(request.unfinished_after, |span| span.0);
        Ok(request)
    }
}

/// Of a deletion by ids.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The backups.
    pub backups: BTreeSet<BackupId>,
    /// What could not be restored without them as well.
    #[serde(default)]
    pub cascade: bool,
    /// Even a part's last point.
    #[serde(default)]
    pub last: bool,
    /// How long what is condemned stays.
    #[serde(default)]
    pub grace: Option<Span>,
    /// Change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

impl Delete {
    /// As a request; `default` is what the profile says.
    #[must_use]
    pub fn request(self, default: &PruneRequest) -> PruneRequest {
        PruneRequest {
            what: Removal::Backups { backups: self.backups, cascade: self.cascade, allow_last: self.last },
            grace: self.grace.map_or(default.grace, |span| span.0),
            dry_run: self.dry_run,
            ..default.clone()
        }
    }
}

/// Of a merge.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Synthesize {
    /// The state that becomes a base, of one part.
    pub choice: Choice,
    /// Go on with this interrupted run.
    pub run: Option<RunId>,
    /// The process that began it is surely dead.
    pub take_over: bool,
    /// How fast.
    pub pace: Pace,
    /// The program, for the manifest; empty: this library.
    pub tool: String,
}

impl Synthesize {
    /// As a request.
    ///
    /// # Errors
    /// As [`Choice::request`] and [`Pace::settings`].
    pub async fn request(self, repository: &OpenRepository) -> Result<SynthesizeRequest> {
        let state = match self.run {
            Some(_) => crate::Request::default(),
            None => self.choice.request(repository, repository.load().await?.catalogue()).await?,
        };
        let (run, take_over, tool) = (self.run, self.take_over, self.tool);
        let settings = self.pace.settings()?;
        Ok(SynthesizeRequest { state, settings, run, take_over, tool, ..SynthesizeRequest::default() })
    }
}

/// Of setting pins and holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinning {
    /// The backups.
    pub backups: BTreeSet<BackupId>,
    /// A pin or a hold.
    pub kind: PinKind,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// When it ends by itself.
    #[serde(default)]
    pub until: Option<Moment>,
    /// Who sets it.
    pub by: String,
}

impl Pinning {
    /// The pin that is set.
    ///
    /// # Errors
    /// `Invalid` for one that would have ended already, that nobody sets, or a lease.
    pub fn pin(&self, now: Timestamp) -> Result<Pin> {
        let until = self.until.map(|until| until.0);
        if let Some(until) = until.filter(|until| *until <= now) {
            return Err(Error::invalid(format!("it would have ended at {until} already")).hint("name a moment to come"));
        }
        if self.by.is_empty() {
            return Err(Error::invalid("it is not known who sets it").hint("say it: by"));
        }
        if self.kind == PinKind::Lease {
            return Err(Error::invalid("leases are set by jobs alone").hint("set a pin or a hold"));
        }
        Ok(Pin { until, ..Pin::new(self.kind, &self.reason).by(&self.by, now) })
    }
}
