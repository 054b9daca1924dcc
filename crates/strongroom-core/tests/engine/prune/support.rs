//! Prunes of a world, and what must be true after each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{BackupReport, PruneReport, PruneRequest, Removal, RestoreRequest, prune};
use strongroom_core::id::BackupId;
use strongroom_core::planner::{Catalogue, Plan, Reached, Request, RetentionPolicy, Target};
use strongroom_core::repository::Repository;
use strongroom_core::{Result, Storage};
use strongroom_testkit::Workload;

use crate::support::{World, settings};

pub(crate) const GRACE: Duration = Duration::from_hours(24);

pub(crate) fn by(policy: RetentionPolicy) -> PruneRequest {
    let what = Removal::Policy { policy, parts: BTreeMap::new(), cluster: None };
    PruneRequest { what, ..PruneRequest::default() }
}

pub(crate) fn keep_last(count: u32) -> PruneRequest {
    by(RetentionPolicy { keep_last: Some(count), ..RetentionPolicy::default() })
}

/// Names backups.
pub(crate) fn delete(backups: impl IntoIterator<Item = BackupId>, cascade: bool) -> PruneRequest {
    let what = Removal::Backups { backups: backups.into_iter().collect(), cascade, allow_last: false };
    PruneRequest { what, ..PruneRequest::default() }
}

/// With no grace, so that one job condemns and deletes.
pub(crate) fn at_once(request: PruneRequest) -> PruneRequest {
    PruneRequest { grace: Duration::ZERO, ..request }
}

impl World {
    /// A prune by one more process.
    pub(crate) async fn prune(&self, request: PruneRequest) -> PruneReport {
        self.try_prune(request).await.unwrap()
    }

    pub(crate) async fn try_prune(&self, request: PruneRequest) -> Result<PruneReport> {
        prune(self.open().await, request).await
    }

    pub(crate) async fn prune_on(&self, storage: impl Storage, request: PruneRequest) -> Result<PruneReport> {
        prune(self.open_on(storage).await, request).await
    }

    pub(crate) async fn catalogue(&self) -> Catalogue {
        self.open().await.load().await.unwrap().into_catalogue()
    }

    /// Every backup that a plan may use.
    pub(crate) async fn usable(&self) -> BTreeSet<BackupId> {
        let loaded = self.open().await.load().await.unwrap();
        loaded.entries().map(|entry| entry.id).filter(|id| !loaded.condemned.contains_key(id)).collect()
    }

    /// A base of both parts.
    pub(crate) async fn base(&self) -> BackupReport {
        use strongroom_core::engine::{BackupKindWish, BackupRequest};
        self.backup_with(BackupRequest { kind: BackupKindWish::Base, ..crate::support::request() }).await
    }

    /// Two chains: base, incremental, incremental, twice, with changes in between.
    pub(crate) async fn two_chains(&self) -> Vec<BackupReport> {
        self.two_chains_by(3, Workload::default()).await
    }

    /// The same of `length` backups each.
    pub(crate) async fn two_chains_by(&self, length: u64, workload: Workload) -> Vec<BackupReport> {
        let mut made = Vec::new();
        for number in 0..2 * length {
            made.push(if number % length == 0 { self.base().await } else { self.backup().await });
            self.change_by(200 + number, workload);
        }
        made
    }

    /// Restores every point that the catalogue offers into an empty cluster, and compares it with the model.
    pub(crate) async fn every_point_restores(&self) -> BTreeMap<BackupId, Reached> {
        let points = points(&self.catalogue().await);
        for (backup, (plan, reached)) in &points {
            let target = self.target();
            let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
            let request = RestoreRequest { options, settings: settings(), ..RestoreRequest::default() };
            let restored = self.restore(plan.clone(), &target, request).await;
            restored.unwrap_or_else(|error| panic!("backup {backup} at {}: {error:?}", reached.until));
            assert_eq!(target.contents(), self.expected(&crate::support::reached(plan)), "backup {backup}");
        }
        points.into_iter().map(|(backup, (_, reached))| (backup, reached)).collect()
    }
}

/// Every backup that a restore can end at, with the plan and the point it reaches.
pub(crate) fn points(catalogue: &Catalogue) -> BTreeMap<BackupId, (Plan, Reached)> {
    let mut points = BTreeMap::new();
    for entry in catalogue.entries() {
        let scope = strongroom_core::model::Scope::of_parts([entry.part.clone()]);
        if let Ok(plan) = catalogue.plan(&Request::at(Target::Backup(entry.id)).of(scope)) {
            let reached = plan.parts[&entry.part].reached;
            points.insert(entry.id, (plan, reached));
        }
    }
    points
}

/// Everything below `backups/` belongs to a backup of the catalogue or is the mark of one that was given up.
pub(crate) async fn nothing_is_left_over(world: &World) {
    let repository: Repository = world.open().await;
    let known: BTreeSet<BackupId> = repository.load().await.unwrap().entries().map(|entry| entry.id).collect();
    for key in world.storage.keys() {
        let name = key.as_str();
        if let Some(folder) = strongroom_core::repository::layout::BackupFolder::of(&key) {
            let there = known.contains(&folder.name().unwrap().backup);
            assert!(there || name.ends_with("/manifest.json"), "left over: {name}");
        }
    }
}
