//! What must be true after every round.

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_core::engine::{RestoreRequest, RestoreSummary, VerifyRequest, restore, verify};
use strongroom_core::id::BackupId;
use strongroom_core::model::{Deletes, Depth, PartName, Scope};
use strongroom_core::planner::{Entry, Plan, Request, Target};
use strongroom_core::repository::{Loaded, Repository};
use strongroom_core::{ErrorKind, Result};
use strongroom_testkit::{ClusterContents, MemoryStorage};

use crate::run::Simulation;
use crate::support::{World, settings};
use crate::toy::Codecs;

pub(crate) fn plan_for(loaded: &Loaded, entry: &Entry) -> Result<Plan> {
    let scope = Scope::of_parts([entry.part.clone()]);
    Ok(loaded.catalogue().plan(&Request::at(Target::Backup(entry.id)).of(scope))?)
}

/// Those that nobody is about to delete.
pub(crate) fn staying(loaded: &Loaded) -> Vec<Entry> {
    loaded.entries().filter(|entry| !loaded.condemned.contains_key(&entry.id)).collect()
}

/// Restores one backup alone; `Ok`: it was what the model says.
pub(crate) async fn restores(world: &World, repository: &Repository, plan: Plan, what: &str) -> Result<()> {
    let target = world.target();
    let request = RestoreRequest { settings: settings(), ..RestoreRequest::default() };
    let job = restore(repository.clone(), Arc::new(Codecs), plan, Arc::new(target.clone()), request);
    let summary = job.await?;
    is_true(world, &target.contents(), &summary, what);
    Ok(())
}

/// What was restored is what the model says of the points that were reached. A backup that was gone on with after its
/// process died was read at several moments: each record is as it was at one of them.
pub(crate) fn is_true(world: &World, found: &ClusterContents, summary: &RestoreSummary, what: &str) {
    for (part, reached) in &summary.parts {
        let own = found.iter().filter(|(name, _)| name.starts_with(&format!("{part}/")));
        let own: ClusterContents = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        let (until, settled) = (reached.until, reached.settled);
        let judged = world.cluster.check_between(part, &own, until, settled, Deletes::Seen);
        judged.unwrap_or_else(|wrong| panic!("{what}: {wrong}"));
        if until == settled {
            assert_eq!(own, world.cluster.part_at(part, until), "{what}");
        }
    }
}

impl Simulation {
    pub(crate) fn places(&self) -> Vec<(&'static str, MemoryStorage)> {
        let near = self.near.keys().iter().any(|key| key.as_str() == "strongroom.json");
        let mut places = vec![("home", self.world.storage.clone())];
        places.extend(near.then(|| ("near", self.near.clone())));
        places
    }

    /// The newest backup of each part that can be restored.
    pub(crate) async fn newest(&self) -> BTreeMap<PartName, BackupId> {
        let loaded = self.world.open().await.load().await.unwrap();
        let mut newest: BTreeMap<PartName, Entry> = BTreeMap::new();
        for entry in staying(&loaded) {
            let later = newest.get(&entry.part).is_none_or(|before| before.window.until < entry.window.until);
            if later && plan_for(&loaded, &entry).is_ok() {
                newest.insert(entry.part.clone(), entry);
            }
        }
        newest.into_iter().map(|(part, entry)| (part, entry.id)).collect()
    }

    pub(crate) async fn check(&mut self, before: &BTreeMap<PartName, BackupId>) {
        for (name, storage) in self.places() {
            let repository = self.world.open_on(storage).await;
            let loaded = repository.load().await.unwrap();
            let report = &loaded.report;
            assert!(report.damaged.is_empty() && report.quarantined.is_empty(), "{name}: {report:?}");
            assert!(report.vanished.is_empty(), "{name}: {report:?}");
            let request = VerifyRequest { depth: Depth::Hash, settings: settings(), record: false, backups: None };
            let checked = verify(repository, Arc::new(Codecs), request).await.unwrap();
            assert!(checked.is_whole(), "{name}: what is in sight is whole: {checked:?}");
        }
        let loaded = self.world.open().await.load().await.unwrap();
        let staying = staying(&loaded);
        for (part, backup) in before {
            let entry = staying.iter().find(|entry| entry.id == *backup);
            let entry = entry.unwrap_or_else(|| panic!("the newest backup {backup} of {part} is gone"));
            plan_for(&loaded, entry).unwrap_or_else(|error| panic!("{backup} of {part}: {error:?}"));
        }
        if !self.prunes {
            for backup in &self.committed {
                assert!(loaded.entry(*backup).is_some(), "backup {backup} was complete and is lost");
            }
        }
        for entry in &staying {
            plan_for(&loaded, entry).unwrap_or_else(|error| panic!("{} has no chain: {error:?}", entry.id));
        }
        let count = staying.len();
        self.tell(format!("{count} backups"));
    }

    /// Every backup, in both places, is what the model says.
    pub(crate) async fn everything_restores(&mut self) {
        for (name, storage) in self.places() {
            let repository = self.world.open_on(storage).await;
            let loaded = repository.load().await.unwrap();
            let mut count = 0;
            for entry in staying(&loaded) {
                let what = format!("{name}: backup {}", entry.id);
                match plan_for(&loaded, &entry) {
                    Ok(plan) => restores(&self.world, &repository, plan, &what).await.unwrap(),
                    // What a prune took away here, a copy does not bring back; what needs it is told then.
                    Err(error) if name == "near" && error.kind() == ErrorKind::BrokenChain => continue,
                    Err(error) => panic!("{what}: {error:?}"),
                }
                count += 1;
            }
            self.tell(format!("{name}: {count} restored"));
        }
    }
}
