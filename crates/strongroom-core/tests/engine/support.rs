//! What the tests share: a world with a cluster, a repository, and processes that come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use strongroom_core::engine::{
    BackupReport, BackupRequest, Committed, PartOutcome, RestoreRequest, RestoreSummary, VerifyRequest, backup,
    restore, verify,
};
use strongroom_core::environment::Environment;
use strongroom_core::model::{Depth, PartName, Scope};
use strongroom_core::pipeline::{Settings, Stack};
use strongroom_core::planner::{Plan, Reached, Request, Target};
use strongroom_core::repository::{InitOptions, PrunePlan, PruneTerms, Repository};
use strongroom_core::{Cluster, Result, Storage, Timestamp};
use strongroom_testkit::{
    ClusterContents, MemoryStorage, SeededEntropy, SimulatedCluster, SimulatedOptions, TestClock, Workload,
};

use crate::toy::{Codecs, id};

pub(crate) const START: Timestamp = Timestamp::from_secs(1_700_000_000);
pub(crate) const PARTS: [&str; 2] = ["a", "b"];

/// Everything that outlives a process. All clocks are one: it goes with tokio's time, and on by 1 µs at every look.
pub(crate) struct World {
    pub(crate) storage: MemoryStorage,
    pub(crate) cluster: SimulatedCluster,
    pub(crate) clock: TestClock,
    processes: AtomicU64,
    options: SimulatedOptions,
}

impl World {
    /// An initialised repository, and a cluster with the parts `a` and `b`.
    pub(crate) async fn new(options: SimulatedOptions, seed: u64) -> Self {
        Self::with(options, seed, Workload::default()).await
    }

    pub(crate) async fn with(options: SimulatedOptions, seed: u64, workload: Workload) -> Self {
        let clock = TestClock::on_tokio(START).ticking(1);
        let cluster = SimulatedCluster::new("orders", Arc::new(clock.clone()), options.clone());
        let world =
            Self { storage: MemoryStorage::new(), cluster, clock, processes: AtomicU64::new(seed * 1000), options };
        world.cluster.change(&PARTS, seed, Workload { files: workload.files && !world.options.fold, ..workload });
        let storage = Arc::new(world.storage.clone());
        Repository::init(storage, world.environment(), InitOptions::default()).await.unwrap();
        world
    }

    /// A world that is as this one is now, and goes its own way from here.
    pub(crate) fn duplicate(&self) -> Self {
        Self {
            storage: MemoryStorage::holding(self.storage.contents()),
            cluster: self.cluster.duplicate(),
            clock: self.clock.clone(),
            processes: AtomicU64::new(self.processes.fetch_add(100, Ordering::Relaxed)),
            options: self.options.clone(),
        }
    }

    /// The clock, and the chance of one more process.
    pub(crate) fn environment(&self) -> Environment {
        let number = self.processes.fetch_add(1, Ordering::Relaxed);
        Environment { clock: Arc::new(self.clock.clone()), entropy: Arc::new(SeededEntropy::new(number)) }
    }

    /// The repository as one more process opens it.
    pub(crate) async fn open(&self) -> Repository {
        self.open_on(self.storage.clone()).await
    }

    pub(crate) async fn open_on(&self, storage: impl Storage) -> Repository {
        Repository::open(Arc::new(storage), self.environment()).await.unwrap()
    }

    pub(crate) fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::new(self.cluster.clone())
    }

    /// Random writes and deletes in both parts.
    pub(crate) fn change(&self, seed: u64) {
        self.change_by(seed, Workload::default());
    }

    pub(crate) fn change_by(&self, seed: u64, workload: Workload) {
        let files = workload.files && !self.options.fold;
        self.cluster.change(&PARTS, seed, Workload { files, ..workload });
    }

    /// A backup of everything that goes well.
    pub(crate) async fn backup(&self) -> BackupReport {
        self.backup_with(request()).await
    }

    pub(crate) async fn backup_with(&self, request: BackupRequest) -> BackupReport {
        let report = backup(self.open().await, Arc::new(Codecs), self.cluster(), request).await.unwrap();
        assert!(report.is_success() && report.warnings.is_empty(), "{report:?}");
        assert_eq!(self.cluster.open_freezes(), 0);
        report
    }

    /// A base and `incrementals`, with changes in between.
    pub(crate) async fn chain(&self, incrementals: u64) -> Vec<BackupReport> {
        let mut reports = vec![self.backup().await];
        for number in 0..incrementals {
            self.change(number + 100);
            reports.push(self.backup().await);
        }
        reports
    }

    /// Another cluster, empty.
    pub(crate) fn target(&self) -> SimulatedCluster {
        SimulatedCluster::new("target", Arc::new(self.clock.clone()), self.options.clone())
    }

    pub(crate) async fn plan(&self, request: &Request) -> Plan {
        self.open().await.load().await.unwrap().catalogue().plan(request).unwrap()
    }

    pub(crate) async fn latest(&self) -> Plan {
        self.plan(&Request::at(Target::Latest)).await
    }

    /// A restore by one more process.
    pub(crate) async fn restore(
        &self,
        plan: Plan,
        target: &SimulatedCluster,
        request: RestoreRequest,
    ) -> Result<RestoreSummary> {
        restore(self.open().await, Arc::new(Codecs), plan, Arc::new(target.clone()), request).await
    }

    /// What the model says that parts held at the points they reached.
    pub(crate) fn expected(&self, parts: &BTreeMap<PartName, Reached>) -> ClusterContents {
        parts.iter().flat_map(|(part, reached)| self.cluster.part_at(part, reached.until)).collect()
    }

    /// Whether any lease is held.
    pub(crate) async fn is_leased(&self) -> bool {
        !self.open().await.leases().await.unwrap().is_empty()
    }
}

/// Small frames and parts, two lanes, two codecs.
pub(crate) fn request() -> BackupRequest {
    let stack = Stack::resolve(&Codecs, &[id("xor:3"), id("xor:5")]).unwrap();
    BackupRequest { stack, settings: settings(), ..BackupRequest::default() }
}

pub(crate) fn settings() -> Settings {
    Settings { parallel: 2, cores: 2, frame_bytes: 500, part_bytes: 2000, pack_bytes: 1000, ..Settings::default() }
}

pub(crate) fn committed<'a>(report: &'a BackupReport, name: &str) -> &'a Committed {
    match report.parts.iter().find(|part| part.part == name).map(|part| &part.outcome) {
        Some(PartOutcome::Committed(committed)) => committed,
        other => panic!("part {name}: {other:?}"),
    }
}

/// The points that a plan reaches.
pub(crate) fn reached(plan: &Plan) -> BTreeMap<PartName, Reached> {
    plan.parts.iter().map(|(name, part)| (name.clone(), part.reached)).collect()
}

/// What a prune may delete: everything.
async fn everything(repository: &Repository, grace: Duration) -> PruneTerms {
    let delete = repository.load().await.unwrap().entries().map(|entry| entry.id).collect();
    PruneTerms { delete, grace, ..PruneTerms::default() }
}

/// Condemns everything that nobody needs.
pub(crate) async fn condemn_all(repository: &Repository, grace: Duration) -> PrunePlan {
    let lease = repository.prune_lease("a test", Duration::from_mins(10)).await.unwrap();
    let request = everything(repository, grace).await;
    let plan = repository.condemn(&lease, &request, &|_| Ok(())).await.unwrap();
    lease.release().await.unwrap();
    plan
}

/// Condemns everything that nobody needs, and deletes what is due.
pub(crate) async fn prune_all(repository: &Repository, grace: Duration) {
    let lease = repository.prune_lease("a test", Duration::from_mins(10)).await.unwrap();
    let request = everything(repository, grace).await;
    for _ in 0..2 {
        repository.prune(&lease, &request, &|_| Ok(())).await.unwrap();
    }
    lease.release().await.unwrap();
}

/// Every backup on `storage` that is not condemned is whole, and what has a chain restores to what the model says.
pub(crate) async fn sound(world: &World, storage: &MemoryStorage, what: &str) {
    let repository = world.open_on(storage.clone()).await;
    let request =
        VerifyRequest { depth: Depth::Decode, settings: settings(), record: false, ..VerifyRequest::default() };
    let checked = verify(repository.clone(), Arc::new(Codecs), request).await.unwrap();
    assert!(checked.is_whole(), "{what}: {checked:?}");
    let loaded = repository.load().await.unwrap();
    assert!(loaded.report.damaged.is_empty() && loaded.report.vanished.is_empty(), "{what}: {:?}", loaded.report);
    for entry in loaded.entries() {
        let scope = Scope { parts: Some([(entry.part.clone(), entry.filter.clone())].into()) };
        let Ok(plan) = loaded.catalogue().plan(&Request::at(Target::Backup(entry.id)).of(scope)) else { continue };
        let target = world.target();
        let request = RestoreRequest { settings: settings(), ..RestoreRequest::default() };
        let job = restore(repository.clone(), Arc::new(Codecs), plan, Arc::new(target.clone()), request);
        let summary = job.await.unwrap();
        assert_eq!(target.contents(), world.expected(&summary.parts), "{what}");
    }
}
