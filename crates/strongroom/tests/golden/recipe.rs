//! How a golden repository is made: one of everything that the format knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use strongroom::codec::keys::Cost;
use strongroom::codec::{KeyRing, PlainRegistry, ReaderKey};
use strongroom::core::cluster::{PieceKind, PieceSpec};
use strongroom::core::codec::{CodecId, CodecRegistry};
use strongroom::core::engine::{BackupReport, VerifyRequest, backup, verify};
use strongroom::core::environment::Environment;
use strongroom::core::id::{BackupId, ClusterId, TimelineId};
use strongroom::core::manifest::Blake3;
use strongroom::core::model::{Depth, Filter, Scope};
use strongroom::core::pipeline::{Settings, Stack};
use strongroom::core::planner::{Held, HeldState, Pin, PinKind, Tier, Timeline};
use strongroom::core::repository::{InitOptions, PruneTerms, Repository};
use strongroom::{BackupKindWish, BackupRequest, Cluster, PartOutcome, Timestamp};
use strongroom_testkit::{MemoryStorage, SeededEntropy, TestClock};

use crate::pieces::{Bodies, PARTS, PieceCluster};

/// The key of the reader `ops`, after it was rotated once.
pub(crate) const OPS_KEY: [u8; 32] = *b"a golden key: it protects nobody";
const OLD_OPS_KEY: [u8; 32] = [0x77; 32];
/// The passphrase of the reader `night`.
pub(crate) const PASSPHRASE: &str = "correct horse battery staple";
const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// What a reader must find: for each backup that exists, its pieces with their size and plain BLAKE3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Expected {
    pub(crate) repository: String,
    pub(crate) backups: BTreeMap<String, ExpectedBackup>,
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExpectedBackup {
    pub(crate) part: String,
    pub(crate) kind: String,
    pub(crate) pieces: BTreeMap<String, (u64, String)>,
}

/// A repository with one of everything, and what a reader must find in it.
pub(crate) async fn make(sealed: bool, seed: u64) -> (MemoryStorage, Expected) {
    let storage = MemoryStorage::new();
    let mut kitchen = Kitchen::open(&storage, sealed, seed).await;
    kitchen.history().await;
    kitchen.change_keys().await;
    kitchen.histories_of_other_shape().await;
    kitchen.notes_in_the_catalogue().await;
    kitchen.prunes().await;
    let expected = Expected { repository: kitchen.repository.id().to_string(), backups: kitchen.expected };
    (storage, expected)
}

/// Everything at work.
struct Kitchen {
    clock: TestClock,
    environment: Environment,
    repository: Repository,
    cluster: PieceCluster,
    ring: Option<KeyRing>,
    expected: BTreeMap<String, ExpectedBackup>,
    /// Every backup made, oldest first.
    made: Vec<BackupId>,
}

/// Bytes that repeat every time: text that packs well, then noise that doesn't.
fn body(length: usize, salt: u8) -> Bytes {
    let mut state = u32::from(salt) + 1;
    let noise = (0..length / 2).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let text = format!("row {salt}: a strongroom keeps what it is given. ");
    text.bytes().cycle().take(length - length / 2).chain(noise).collect()
}

fn piece(name: &str, kind: PieceKind, body: Bytes) -> (PieceSpec, Bytes) {
    let detail = json!({"of": name.len()});
    (PieceSpec { bytes: Some(body.len() as u64), detail, ..PieceSpec::new(name, kind) }, body)
}

/// The pieces of one moment: some change with `salt`, one never does.
fn pieces(salt: u8) -> Vec<(PieceSpec, Bytes)> {
    let mut shared = piece("big.db", PieceKind::Data, body(5_000, 0));
    shared.0.content = Some("big.db of the first day".to_owned());
    shared.0.group = Some("big".to_owned());
    let mut small: Vec<_> =
        (0..4).map(|number| piece(&format!("row/{number}"), PieceKind::Data, body(300, salt + number))).collect();
    small[0].0.place = Some("n1".to_owned());
    let more = [
        piece("schema", PieceKind::Schema, Bytes::from_static(b"create table t (a int)")),
        piece("empty", PieceKind::Data, Bytes::new()),
        piece("long", PieceKind::Data, body(21_000, salt)),
        piece("ünïcode \"quoted\"\n", PieceKind::Deletes, body(10, salt)),
        shared,
    ];
    small.into_iter().chain(more).collect()
}

impl Kitchen {
    async fn open(storage: &MemoryStorage, sealed: bool, seed: u64) -> Self {
        let clock = TestClock::at(START).ticking(1000);
        let environment = Environment { clock: Arc::new(clock.clone()), entropy: Arc::new(SeededEntropy::new(seed)) };
        let codecs = if sealed { "zstd:1,seal" } else { "zstd:1" };
        let options = InitOptions { codecs: codecs.to_owned(), id: None };
        let repository = Repository::init(Arc::new(storage.clone()), environment.clone(), options).await.unwrap();
        let mut ring = None;
        if sealed {
            let first = ReaderKey::from_bytes("ops", OLD_OPS_KEY).unwrap();
            let made =
                KeyRing::init(Arc::new(storage.clone()), repository.id(), &first, &*environment.entropy).await.unwrap();
            let cost = Cost { memory_kib: 64, passes: 2, lanes: 1 };
            let night = ReaderKey::from_passphrase("night", PASSPHRASE.as_bytes(), cost).unwrap();
            made.add_reader(&night, &*environment.entropy).await.unwrap();
            ring = Some(made);
        }
        let cluster = PieceCluster::new(environment.clone());
        Self { clock, environment, repository, cluster, ring, expected: BTreeMap::new(), made: Vec::new() }
    }

    fn registry(&self) -> Arc<dyn CodecRegistry> {
        self.ring
            .as_ref()
            .map_or_else(|| Arc::new(PlainRegistry::new()) as Arc<dyn CodecRegistry>, |ring| Arc::new(ring.clone()))
    }

    fn stack(&self, compressor: &str) -> Stack {
        match &self.ring {
            Some(ring) if compressor == "none" => ring.stack("seal").unwrap(),
            Some(ring) => ring.stack(&format!("{compressor},seal")).unwrap(),
            None => PlainRegistry::new().stack(compressor).unwrap(),
        }
    }

    /// Shared content is sealed with the key that never changes.
    fn content_stack(&self) -> Option<Stack> {
        let ring = self.ring.as_ref()?;
        let ids = [CodecId::zstd(), CodecId::seal(ring.content_key())];
        Some(Stack::resolve(&*self.registry(), &ids).unwrap())
    }

    async fn back_up(&mut self, compressor: &str, kind: BackupKindWish, parts: &[&str]) -> BackupReport {
        self.clock.advance(Duration::from_mins(10));
        let request = BackupRequest {
            scope: Scope { parts: Some(parts.iter().map(|&part| (part.to_owned(), Filter::default())).collect()) },
            kind,
            stack: self.stack(compressor),
            content_stack: self.content_stack(),
            settings: Settings {
                parallel: 1,
                cores: 1,
                frame_bytes: 4_000,
                part_bytes: 9_000,
                pack_bytes: 4_000,
                ..Settings::default()
            },
            accept_cluster: true,
            tool: "golden".to_owned(),
            ..BackupRequest::default()
        };
        let cluster: Arc<dyn Cluster> = Arc::new(self.cluster.clone());
        let report = backup(self.repository.clone(), self.registry(), cluster, request).await.unwrap();
        for part in &report.parts {
            if let PartOutcome::Committed(committed) = &part.outcome {
                self.made.push(committed.backup);
                let pieces = hashes(&self.cluster.bodies());
                let kind = serde_json::to_value(committed.kind).unwrap().as_str().unwrap().to_owned();
                let expected = ExpectedBackup { part: part.part.clone(), kind, pieces };
                self.expected.insert(committed.backup.to_string(), expected);
            }
        }
        report
    }

    /// A base and two incrementals of two parts; the content that does not change is stored once.
    async fn history(&mut self) {
        for (salt, kind) in [(1, BackupKindWish::Base), (2, BackupKindWish::Incremental)] {
            self.cluster.holds(pieces(salt));
            self.back_up("zstd:1", kind, &PARTS).await.into_result().unwrap();
        }
        // The server was set up anew under the same name: accepted, so registered again.
        self.cluster.answers_as("second");
        self.cluster.holds(pieces(3));
        self.back_up("lz4", BackupKindWish::Incremental, &PARTS[..1]).await.into_result().unwrap();
    }

    /// A reader gets a new key, a guest comes and goes, and new backups get a new data key.
    async fn change_keys(&mut self) {
        let Some(ring) = &mut self.ring else { return };
        let entropy = &*self.environment.entropy;
        ring.rotate(&ReaderKey::from_bytes("ops", OPS_KEY).unwrap(), entropy).await.unwrap();
        ring.add_reader(&ReaderKey::from_bytes("guest@example", [9; 32]).unwrap(), entropy).await.unwrap();
        ring.remove_reader("guest@example", entropy).await.unwrap();
        let night = ReaderKey::from_passphrase("night", PASSPHRASE.as_bytes(), Cost::default()).unwrap();
        let readers = [ReaderKey::from_bytes("ops", OPS_KEY).unwrap(), night];
        let storage = Arc::clone(self.repository.storage());
        *ring = KeyRing::open(storage, self.repository.id(), &readers).await.unwrap();
        ring.rotate_data_key(&[], entropy).await.unwrap();
    }

    /// Without a compressor; with something missing; without any piece; and one that failed half-way.
    async fn histories_of_other_shape(&mut self) {
        self.cluster.holds(pieces(4));
        self.back_up("none", BackupKindWish::Base, &PARTS[..1]).await.into_result().unwrap();
        self.cluster.lacks(&["tokens 5 to 9: no replica"]);
        self.back_up("zstd:1", BackupKindWish::Base, &PARTS[1..]).await;
        self.cluster.lacks(&[]);
        self.cluster.holds(Vec::new());
        self.back_up("zstd:1", BackupKindWish::Base, &PARTS[1..]).await.into_result().unwrap();
        self.cluster.holds(pieces(5));
        self.cluster.breaks(Some("row/3"));
        self.back_up("zstd:1", BackupKindWish::Base, &PARTS[..1]).await.into_result().unwrap_err();
        self.cluster.breaks(None);
    }

    async fn notes_in_the_catalogue(&mut self) {
        let repository = &self.repository;
        let [first, second, ..] = self.made[..] else { panic!("too few backups") };
        let pin = |kind, reason: &str, until| Pin { until, ..Pin::new(kind, reason) };
        let later = self.environment.now().plus_micros(1_000_000);
        repository.pin(first, pin(PinKind::Hold, "case 7", None)).await.unwrap();
        repository.pin(second, pin(PinKind::Pin, "the release", Some(later))).await.unwrap();
        let copy = Held {
            storage: "vault".to_owned(),
            state: HeldState::default(),
            tier: Tier::default(),
            cost: 3,
            locked_until: Some(later),
        };
        repository.record_copy(first, copy).await.unwrap();
        let timeline = Timeline {
            id: TimelineId::from_u128(0x71),
            part: PARTS[0].to_owned(),
            cluster: ClusterId::from_u128(0xC1),
            parent: None,
            began: Some(later),
        };
        repository.open_timeline(timeline).await.unwrap();
        let request = VerifyRequest { depth: Depth::Decode, ..VerifyRequest::default() };
        let report = verify(repository.clone(), self.registry(), request).await.unwrap();
        assert!(report.is_whole(), "{report:?}");
        // A snapshot is due by now, and records follow it.
        repository.compact(true).await.unwrap();
        repository.unpin(second, PinKind::Pin, "").await.unwrap();
    }

    /// One backup is gone, the one that failed is given up, one more failed since, and one is condemned.
    async fn prunes(&mut self) {
        let condemn = async |kitchen: &Self, backup: BackupId| {
            let lease = kitchen.repository.prune_lease("golden", Duration::ZERO).await.unwrap();
            let request = PruneTerms {
                delete: [backup].into(),
                grace: Duration::from_hours(1),
                unfinished_after: Duration::from_hours(2),
                patience: Duration::ZERO,
                object_lock: Duration::ZERO,
            };
            kitchen.repository.sweep(&lease, &request, &|_| Ok(())).await.unwrap();
            let plan = kitchen.repository.condemn(&lease, &request, &|_| Ok(())).await.unwrap();
            lease.release().await.unwrap();
            plan
        };
        let [.., gone, condemned] = self.made[..] else { panic!("too few backups") };
        self.clock.advance(Duration::from_hours(3));
        let plan = condemn(self, gone).await;
        assert!(!plan.is_empty(), "{plan:?}");
        self.clock.advance(Duration::from_hours(2));
        condemn(self, condemned).await;
        for backup in [gone, condemned] {
            self.expected.remove(&backup.to_string()).unwrap();
        }
        // One more that failed: it is open, with the receipt of what it stored before.
        let mut more = pieces(6);
        let (spec, body) = piece("new.db", PieceKind::Data, body(200, 6));
        more.push((PieceSpec { content: Some("new.db".to_owned()), ..spec }, body));
        self.cluster.holds(more);
        self.cluster.breaks(Some("row/3"));
        self.back_up("zstd:1", BackupKindWish::Base, &PARTS[..1]).await.into_result().unwrap_err();
    }
}

/// Size and plain BLAKE3 of each.
pub(crate) fn hashes(bodies: &Bodies) -> BTreeMap<String, (u64, String)> {
    let hash = |body: &Bytes| (body.len() as u64, Blake3::of(body).to_string());
    bodies.iter().map(|(name, body)| (name.clone(), hash(body))).collect()
}
