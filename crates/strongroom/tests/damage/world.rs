//! A sealed repository with one of everything that can be damaged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use strongroom_codec::{KeyRing, ReaderKey};
use strongroom_core::cluster::ClusterIdentity;
use strongroom_core::codec::{CodecId, CodecRegistry as _};
use strongroom_core::engine::{BackupKindWish, BackupReport, BackupRequest, CodedList, PartOutcome, backup};
use strongroom_core::environment::Environment;
use strongroom_core::id::BackupId;
use strongroom_core::pipeline::{Settings, Stack};
use strongroom_core::planner::{Pin, PinKind};
use strongroom_core::repository::{InitOptions, LeaseTerms, PruneTerms, Purpose, Repository};
use strongroom_core::{Cluster as _, Key, Result, Timestamp};
use strongroom_testkit::{
    Contents, MemoryStorage, SeededEntropy, SimulatedCluster, SimulatedOptions, TestClock, Workload,
};

pub(crate) const PART: &str = "a";
const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// What is damaged, and the world around it.
pub(crate) struct World {
    pub(crate) contents: Contents,
    /// The newest point, and what the cluster held then.
    pub(crate) until: Timestamp,
    pub(crate) cluster: SimulatedCluster,
    clock: TestClock,
    seed: u64,
    old: Contents,
    chain: [BackupId; 2],
    /// The shared content that the chain uses.
    content: Vec<Key>,
    before: BackupId,
}

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    /// `strongroom.json`.
    Identity,
    /// The registration of the cluster.
    Registration,
    /// The manifest of the chain's base.
    BaseManifest,
    /// That of its incremental.
    Manifest,
    /// The incremental's list of pieces.
    List,
    /// The base's list of shared content.
    SharedList,
    /// Data of one backup.
    Data,
    /// Shared content.
    Content,
    /// A segment of the catalogue.
    Segment,
    /// A snapshot whose segments are gone.
    Snapshot,
    /// What says which keys are the repository's.
    Ring,
    /// The wrapped data key.
    DataKey,
    /// The wrapped content key.
    ContentKey,
    /// The newest epoch of a lease.
    Lease,
    /// A list of what is to be deleted.
    Condemned,
    /// What says that another such list is worked off.
    Done,
}

pub(crate) fn reader() -> ReaderKey {
    ReaderKey::from_bytes("ops", [7; 32]).unwrap()
}

pub(crate) fn settings() -> Settings {
    Settings { parallel: 2, cores: 1, frame_bytes: 500, part_bytes: 2000, pack_bytes: 1000, ..Settings::default() }
}

fn committed(report: &BackupReport) -> (BackupId, Timestamp) {
    match &report.parts[0].outcome {
        PartOutcome::Committed(committed) => (committed.backup, committed.window.until),
        other => panic!("{other:?}"),
    }
}

impl World {
    /// Worlds of two seeds are alike but for their ids, keys and values.
    pub(crate) async fn new(seed: u64) -> Self {
        let clock = TestClock::on_tokio(START).ticking(1);
        let cluster = SimulatedCluster::new("orders", Arc::new(clock.clone()), SimulatedOptions::default());
        let storage = MemoryStorage::new();
        let mut world = Self {
            contents: Contents::new(),
            until: START,
            cluster,
            clock,
            seed,
            old: Contents::new(),
            chain: [BackupId::from_u128(0); 2],
            content: Vec::new(),
            before: BackupId::from_u128(0),
        };
        let init = Repository::init(Arc::new(storage.clone()), world.environment(1), InitOptions::default());
        let repository = init.await.unwrap();
        let entropy = SeededEntropy::new(seed * 100 + 2);
        KeyRing::init(Arc::new(storage.clone()), repository.id(), &reader(), &entropy).await.unwrap();
        world.change(1);
        world.cluster.put_file(PART, "large", vec![1; 3000]);
        // One that is gone, by a list that is worked off.
        let (first, _) = committed(&world.back_up(&storage, 2, BackupKindWish::Base).await);
        let identity = world.cluster.describe().await.unwrap().identity;
        let moved = ClusterIdentity { fingerprint: "while it was moved".to_owned(), ..identity.clone() };
        for identity in [moved, identity] {
            repository.register_cluster(&identity, true).await.unwrap();
        }
        world.prune(&repository, first, Duration::ZERO).await;
        world.change(2);
        world.cluster.put_file(PART, "large", vec![2; 3000]);
        world.before = committed(&world.back_up(&storage, 3, BackupKindWish::Base).await).0;
        compacted(&repository, world.before).await;
        world.old = storage.contents();
        world.change(3);
        world.cluster.put_file(PART, "large", vec![3; 3000]);
        let base = committed(&world.back_up(&storage, 4, BackupKindWish::Base).await).0;
        // One that will be deleted.
        world.prune(&repository, world.before, Duration::from_hours(24)).await;
        let terms = LeaseTerms::new(Purpose::Restore, "a reader that died").keeping([base]);
        let lease = repository.lease("reader", terms, Duration::ZERO).await.unwrap();
        lease.renew().await.unwrap();
        drop(lease);
        compacted(&repository, base).await;
        let lease = repository.prune_lease("a test", Duration::ZERO).await.unwrap();
        assert!(repository.trim_catalogue(&lease, Duration::ZERO).await.unwrap() > 0);
        lease.release().await.unwrap();
        world.change(4);
        let report = world.back_up(&storage, 5, BackupKindWish::Incremental).await;
        let (next, until) = committed(&report);
        (world.chain, world.until) = ([base, next], until);
        world.contents = storage.contents();
        world.content = world.content_of_chain(&storage).await;
        world
    }

    async fn content_of_chain(&self, storage: &MemoryStorage) -> Vec<Key> {
        let (repository, ring) = self.open(storage, 9).await.unwrap();
        let loaded = repository.load().await.unwrap();
        let form = CodedList::new(repository.id(), repository.environment().clone(), Arc::new(ring), Stack::default());
        let mut content = Vec::new();
        for id in self.chain {
            let manifest = repository.manifest(&loaded.entry(id).unwrap().manifest).await.unwrap();
            let pieces = repository.pieces(&manifest, &form).await.unwrap();
            content.extend(pieces.into_iter().flat_map(|piece| piece.parts).map(|part| part.object.key));
        }
        content.retain(|key| key.as_str().starts_with("content/"));
        assert!(!content.is_empty());
        content
    }

    pub(crate) fn environment(&self, number: u64) -> Environment {
        let entropy = SeededEntropy::new(self.seed * 1000 + number);
        Environment { clock: Arc::new(self.clock.clone()), entropy: Arc::new(entropy) }
    }

    fn change(&self, round: u64) {
        let workload = Workload { steps: 60, records: 30, value: 300, files: false };
        self.cluster.change(&[PART], self.seed * 10 + round, workload);
    }

    async fn prune(&self, repository: &Repository, backup: BackupId, grace: Duration) {
        let lease = repository.prune_lease("a test", Duration::from_hours(1)).await.unwrap();
        let request = PruneTerms { delete: [backup].into(), grace, ..PruneTerms::default() };
        let plan = repository.condemn(&lease, &request, &|_| Ok(())).await.unwrap();
        assert_eq!(plan.backups.len(), 1);
        if grace.is_zero() {
            repository.sweep(&lease, &request, &|_| Ok(())).await.unwrap();
        }
        lease.release().await.unwrap();
    }

    async fn back_up(&self, storage: &MemoryStorage, number: u64, kind: BackupKindWish) -> BackupReport {
        let (repository, ring) = self.open(storage, number).await.unwrap();
        let stack: Stack = ring.stack("zstd,seal").unwrap();
        let content = ["zstd".to_owned(), format!("seal:{}", ring.content_key())];
        let content: Vec<CodecId> = content.into_iter().map(|name| CodecId::new(name).unwrap()).collect();
        let content = content.iter().map(|id| ring.resolve(id).unwrap()).collect();
        let request = BackupRequest {
            kind,
            stack,
            content_stack: Some(Stack::new(content)),
            settings: settings(),
            ..BackupRequest::default()
        };
        let registry = Arc::new(ring);
        let report = backup(repository, registry, Arc::new(self.cluster.clone()), request).await.unwrap();
        assert!(report.is_success(), "{report:?}");
        report
    }

    /// Repository and keys, as one more process opens them.
    pub(crate) async fn open(&self, storage: &MemoryStorage, number: u64) -> Result<(Repository, KeyRing)> {
        let repository = Repository::open(Arc::new(storage.clone()), self.environment(number)).await?;
        let ring = KeyRing::open(Arc::new(storage.clone()), repository.id(), &[reader()]).await?;
        Ok((repository, ring))
    }

    /// The objects of a kind, that which is damaged first, then one with which it may be swapped.
    pub(crate) fn of(&self, object: Object) -> Vec<Key> {
        Self::find(&self.contents, object, self.chain[0], self.chain[1])
    }

    /// An earlier object of the kind: of an older backup, or of an earlier number in its series.
    pub(crate) fn earlier(&self, object: Object) -> Option<Bytes> {
        let now = self.of(object);
        let before = match object {
            Object::Registration | Object::Lease | Object::Condemned => self.contents.get(now.get(1)?).cloned(),
            _ => Self::find(&self.old, object, self.before, self.before).first().map(|key| self.old[key].clone()),
        };
        before.filter(|bytes| *bytes != self.contents[&now[0]])
    }

    fn find(contents: &Contents, object: Object, base: BackupId, next: BackupId) -> Vec<Key> {
        let (base, next) = (base.to_string(), next.to_string());
        let has = |key: &Key, parts: &[&str]| parts.iter().all(|part| key.as_str().contains(part));
        let plain = |key: &Key, folder: &str| {
            key.as_str().starts_with(folder) && key.name().bytes().all(|byte| byte.is_ascii_digit())
        };
        let ends = |key: &Key, end: &str| key.name().strip_suffix(end).is_some();
        let wanted = |key: &Key| match object {
            Object::Identity => key.as_str() == "strongroom.json",
            Object::Registration => plain(key, "clusters/"),
            Object::BaseManifest => key.name() == "manifest.json" && has(key, &[&base]),
            Object::Manifest => key.name() == "manifest.json" && has(key, &[&next]),
            Object::List => has(key, &[&next, "/pieces."]),
            Object::SharedList => has(key, &[&base, "/shared."]),
            Object::Data => has(key, &["/data/"]) && (has(key, &[&next]) || has(key, &[&base])),
            Object::Content => key.as_str().starts_with("content/"),
            Object::Segment => plain(key, "catalogue/"),
            Object::Snapshot => ends(key, ".snapshot"),
            Object::Ring => key.as_str() == "keys/ring.json",
            Object::DataKey | Object::ContentKey => {
                let own = ring_of(contents);
                let wrap = key.as_str().starts_with(&format!("keys/{own}/"));
                let content = has(key, &[&format!("/{own}/{own}/")]);
                wrap && content == (object == Object::ContentKey)
            }
            Object::Lease => plain(key, "leases/reader/"),
            Object::Condemned => plain(key, "condemned/"),
            Object::Done => ends(key, ".done"),
        };
        let mut found: Vec<Key> = contents.keys().filter(|key| wanted(key)).cloned().collect();
        match object {
            // Of many frames each, and equally large.
            Object::Data | Object::Content => found.sort_by_key(|key| std::cmp::Reverse(contents[key].len())),
            // The newest counts.
            Object::Registration | Object::Lease | Object::Condemned | Object::Snapshot | Object::Segment => {
                found.reverse();
            }
            _ => {}
        }
        // Of another backup.
        let alike = match object {
            Object::BaseManifest | Object::Manifest => "/manifest.json",
            Object::List => "/pieces.",
            Object::SharedList => "/shared.",
            Object::ContentKey => "/ops/",
            _ => return found,
        };
        let others: Vec<Key> =
            contents.keys().filter(|key| has(key, &[alike]) && !found.contains(key)).cloned().collect();
        found.into_iter().chain(others).collect()
    }

    /// The names of everything that the chain needs.
    pub(crate) fn needed(&self) -> impl Iterator<Item = &Key> {
        let chain = self.chain.map(|id| id.to_string());
        let of_chain = move |key: &&Key| chain.iter().any(|id| key.as_str().contains(id));
        let own = self.contents.keys().filter(of_chain);
        own.chain(self.content.iter())
    }
}

/// Writes a snapshot of everything: their numbers are multiples of eight.
async fn compacted(repository: &Repository, backup: BackupId) {
    for number in 0.. {
        if repository.load().await.unwrap().generation().is_multiple_of(8) {
            break;
        }
        let pin = Pin { until: Some(START), ..Pin::new(PinKind::Pin, format!("{number}")) };
        repository.pin(backup, pin).await.unwrap();
    }
    repository.compact(true).await.unwrap().unwrap();
}

/// The folder of the repository's keys.
fn ring_of(contents: &Contents) -> String {
    let mut folders = contents.keys().filter_map(|key| key.as_str().strip_prefix("keys/")?.split_once('/'));
    folders.next().map(|(ring, _)| ring.to_owned()).unwrap_or_default()
}
