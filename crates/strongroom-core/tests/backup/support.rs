//! What the tests share: a world with a cluster, a storage and processes that come and go.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use strongroom_core::cluster::{PartOutline, RestoreOptions, RestoreOutline};
use strongroom_core::engine::{BackupReport, BackupRequest, CodedList, Committed, PartOutcome, PartReport};
use strongroom_core::environment::{Clock as _, Environment};
use strongroom_core::id::{BackupId, SessionId};
use strongroom_core::manifest::{Manifest, StoredPiece};
use strongroom_core::model::Scope;
use strongroom_core::pipeline::{ApplyTask, AtHand, PieceWorker, Progress, Settings, Stack, Worker as _, Workroom};
use strongroom_core::planner::{Plan, Request, Target};
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Cluster, Key, PutMode, Result, Storage, Timestamp, Upload};
use strongroom_testkit::{
    ClusterContents, MemoryStorage, SeededEntropy, SimulatedCluster, SimulatedOptions, TestClock, Workload,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::toy::{Codecs, id};

/// Everything that outlives a process.
pub(crate) struct World {
    pub(crate) storage: MemoryStorage,
    pub(crate) cluster: SimulatedCluster,
}

pub(crate) const START: Timestamp = Timestamp::from_secs(1_700_000_000);

impl World {
    /// An initialised repository, and a cluster with parts `a` and `b`.
    pub(crate) async fn new(options: SimulatedOptions) -> Self {
        let files = !options.fold;
        Self::with(options, Workload { files, ..Workload::default() }).await
    }

    pub(crate) async fn with(options: SimulatedOptions, workload: Workload) -> Self {
        let clock = TestClock::at(START).ticking(7);
        let cluster = SimulatedCluster::new("orders", Arc::new(clock), options);
        cluster.change(&["a", "b"], 1, workload);
        let storage = MemoryStorage::new();
        Repository::init(Arc::new(storage.clone()), environment(0), InitOptions::default()).await.unwrap();
        Self { storage, cluster }
    }

    /// The repository as process `number` opens it, with a clock and chance of its own.
    pub(crate) async fn open(&self, number: u64) -> Repository {
        self.open_on(self.storage.clone(), number).await
    }

    pub(crate) async fn open_on(&self, storage: impl Storage, number: u64) -> Repository {
        Repository::open(Arc::new(storage), environment(number)).await.unwrap()
    }

    pub(crate) fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::new(self.cluster.clone())
    }

    pub(crate) fn change(&self, seed: u64) {
        self.cluster.change(&["a", "b"], seed, Workload { files: false, ..Workload::default() });
    }

    /// A backup by process `number`.
    pub(crate) async fn backup(&self, number: u64, request: BackupRequest) -> Result<BackupReport> {
        let repository = self.open(number).await;
        let report = strongroom_core::engine::backup(repository, Arc::new(Codecs), self.cluster(), request).await;
        assert_eq!(self.cluster.open_freezes(), 0);
        report
    }

    /// Bytes and names of data objects, shared ones too.
    pub(crate) fn data(&self) -> BTreeMap<Key, Bytes> {
        let is_data = |key: &Key| key.as_str().contains("/data/") || key.as_str().starts_with("content/");
        self.storage.contents().into_iter().filter(|(key, _)| is_data(key)).collect()
    }

    /// How many backups are committed.
    pub(crate) fn manifests(&self) -> usize {
        self.storage.keys().iter().filter(|key| key.name() == "manifest.json").count()
    }
}

/// Both clocks of a process go with tokio's time; each process starts an hour after the one before.
pub(crate) fn environment(number: u64) -> Environment {
    let clock = TestClock::on_tokio(START.plus_micros(i64::try_from(number).unwrap() * 3_600_000_000));
    assert!(clock.now() >= START);
    Environment { clock: Arc::new(clock), entropy: Arc::new(SeededEntropy::new(number + 77)) }
}

/// Small frames and parts, two lanes, two codecs.
pub(crate) fn request() -> BackupRequest {
    BackupRequest {
        stack: Stack::resolve(&Codecs, &[id("xor:3"), id("xor:5")]).unwrap(),
        settings: Settings {
            parallel: 2,
            cores: 2,
            frame_bytes: 500,
            part_bytes: 2000,
            pack_bytes: 1000,
            ..Settings::default()
        },
        ..BackupRequest::default()
    }
}

pub(crate) fn part<'a>(report: &'a BackupReport, name: &str) -> &'a PartReport {
    report.parts.iter().find(|part| part.part == name).unwrap()
}

pub(crate) fn committed<'a>(report: &'a BackupReport, name: &str) -> &'a Committed {
    match &part(report, name).outcome {
        PartOutcome::Committed(committed) => committed,
        other => panic!("part {name}: {other:?}"),
    }
}

pub(crate) fn list(repository: &Repository) -> CodedList {
    CodedList::new(repository.id(), repository.environment().clone(), Arc::new(Codecs), Stack::default())
}

pub(crate) async fn plan(repository: &Repository, backup: BackupId) -> Plan {
    let loaded = repository.load().await.unwrap();
    let entry = loaded.entry(backup).unwrap();
    let scope = Scope { parts: Some([(entry.part.clone(), entry.filter.clone())].into()) };
    let request = Request { allow_partial: true, ..Request::at(Target::Backup(backup)).of(scope) };
    loaded.catalogue().plan(&request).unwrap()
}

pub(crate) async fn pieces(repository: &Repository, key: &Key) -> (Manifest, Vec<StoredPiece>) {
    let manifest = repository.manifest(key).await.unwrap();
    let pieces = repository.pieces(&manifest, &list(repository)).await.unwrap();
    (manifest, pieces)
}

/// Restores what a backup and its chain hold into a fresh cluster, and gives its contents.
pub(crate) async fn restored(repository: &Repository, backup: BackupId, options: SimulatedOptions) -> ClusterContents {
    let plan = plan(repository, backup).await;
    let target = SimulatedCluster::new("target", Arc::new(TestClock::at(START)), options);
    let (part, of_part) = plan.parts.iter().next().unwrap();
    let outline = PartOutline { filter: of_part.filter.clone(), bytes: 1, records: 1, reached: of_part.reached.until };
    let source = target.describe().await.unwrap().identity;
    let outline = RestoreOutline { parts: [(part.clone(), outline)].into(), source, source_version: "1".to_owned() };
    let session = target.begin_restore(SessionId::from_u128(1), &outline, &RestoreOptions::default()).await.unwrap();
    let resolver = AtHand::new(Arc::new(Codecs))
        .with_storage("here", Arc::clone(repository.storage()))
        .with_cluster("target", Arc::new(target.clone()));
    let room = Workroom::new(request().settings).unwrap();
    let worker = PieceWorker::new(room, repository.environment().clone(), Arc::new(resolver));
    let progress = Arc::new(Progress::new(Arc::clone(&repository.environment().clock)));
    for step in &of_part.steps {
        let (manifest, pieces) = pieces(repository, &step.manifest).await;
        let task = ApplyTask {
            sources: vec!["here".to_owned()],
            cluster: "target".to_owned(),
            repository: repository.id(),
            codecs: manifest.codecs,
            session: session.clone(),
            step: step.step,
            part: part.clone(),
            pieces,
        };
        worker.apply(&task, &progress).await.unwrap();
        target.seal_step(&session, step.step).await.unwrap();
    }
    target.finish_restore(session).await.unwrap();
    target.contents()
}

/// What happens at the n-th operation on a [`Tripwire`].
#[derive(Debug, Clone)]
pub(crate) enum Trip {
    /// It never ends, as in a process that was killed: the test is told.
    Hang(Arc<Notify>),
    /// The job is cancelled, and the operation goes on.
    Cancel(CancellationToken),
}

/// A storage that counts operations and keeps the names it created, and does something at one of them.
#[derive(Debug, Clone)]
pub(crate) struct Tripwire {
    inner: MemoryStorage,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// From here on operations count.
    armed: AtomicBool,
    /// Trips at the creation of an object of this name, too.
    name: Mutex<Option<&'static str>>,
    operations: AtomicU64,
    at: u64,
    trip: Trip,
    created: Mutex<BTreeMap<Key, u64>>,
}

impl Tripwire {
    pub(crate) fn new(inner: MemoryStorage, at: u64, trip: Trip) -> Self {
        let shared = Shared {
            armed: AtomicBool::new(false),
            name: Mutex::default(),
            operations: AtomicU64::new(0),
            at,
            trip,
            created: Mutex::default(),
        };
        Self { inner, shared: Arc::new(shared) }
    }

    /// One that only keeps the names.
    pub(crate) fn recording(inner: MemoryStorage) -> Self {
        Self::new(inner, u64::MAX, Trip::Hang(Arc::default()))
    }

    pub(crate) fn arm(&self) {
        self.shared.armed.store(true, Ordering::SeqCst);
    }

    /// Trips when an object of this name is created.
    pub(crate) fn at_name(self, name: &'static str) -> Self {
        *self.shared.name.lock().unwrap() = Some(name);
        self
    }

    /// Names and bytes that were finished through it.
    pub(crate) fn created(&self) -> BTreeMap<Key, u64> {
        self.shared.created.lock().unwrap().clone()
    }

    async fn step(&self) {
        if !self.shared.armed.load(Ordering::SeqCst) {
            return;
        }
        if self.shared.operations.fetch_add(1, Ordering::SeqCst) >= self.shared.at {
            self.trip().await;
        }
    }

    async fn trip(&self) {
        match &self.shared.trip {
            Trip::Hang(notify) => {
                notify.notify_one();
                std::future::pending::<()>().await;
            }
            Trip::Cancel(token) => token.cancel(),
        }
    }
}

struct Watched {
    storage: Tripwire,
    inner: Box<dyn Upload>,
}

#[async_trait]
impl Upload for Watched {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.storage.step().await;
        self.inner.write(chunk).await
    }
    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        self.storage.step().await;
        let meta = self.inner.finish().await?;
        self.storage.shared.created.lock().unwrap().insert(meta.key.clone(), meta.size);
        // A second chance: the object is there, but nobody was told.
        self.storage.step().await;
        Ok(meta)
    }
}

#[async_trait]
impl Storage for Tripwire {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        self.step().await;
        let named = *self.shared.name.lock().unwrap() == Some(key.name());
        if named {
            self.trip().await;
        }
        let inner = self.inner.create(key, mode).await?;
        Ok(Box::new(Watched { storage: self.clone(), inner }))
    }
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.step().await;
        self.inner.read(key, range).await
    }
    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        self.step().await;
        self.inner.stat(key).await
    }
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        self.step().await;
        self.inner.delete(key).await
    }
}
