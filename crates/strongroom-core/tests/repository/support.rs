//! What the tests share: an environment that can be replayed, and backups that are quickly made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use strongroom_core::cluster::{ClusterIdentity, PieceKind, PieceSpec, PieceSummary, Topology};
use strongroom_core::environment::{Clock, Entropy, Environment};
use strongroom_core::id::{BackupId, ClusterId, RunId, TimelineId};
use strongroom_core::manifest::{Blake3, FORMAT, Manifest, ObjectRef, StoredPart, StoredPiece, Totals};
use strongroom_core::model::{Applies, BackupKind, Deletes, Filter, Status, Window};
use strongroom_core::repository::{
    BackupDraft, Begun, Commit, InitOptions, Lease, LeaseTerms, PlainList, Purpose, Record, Repository, SharedContent,
};
use strongroom_core::{ErrorKind, Key, Result, Storage, StorageExt as _, Timestamp};
use tokio::time::Instant;

/// Tokio's (paused) time as both clocks.
#[derive(Debug)]
pub(crate) struct TestClock {
    start: Instant,
    moved: AtomicI64,
}

impl TestClock {
    /// Moves the wall clock, and only that.
    pub(crate) fn jump(&self, by: i64) {
        self.moved.fetch_add(by, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.monotonic_micros()).unwrap();
        Timestamp::from_secs(1_700_000_000).plus_micros(passed + self.moved.load(Ordering::Relaxed))
    }
    fn monotonic_micros(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap()
    }
}

/// Split-mix from a seed.
#[derive(Debug)]
struct Seeded(AtomicU64);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

pub(crate) fn clock() -> Arc<TestClock> {
    Arc::new(TestClock { start: Instant::now(), moved: AtomicI64::new(0) })
}

pub(crate) fn environment(clock: &Arc<TestClock>, seed: u64) -> Environment {
    Environment { clock: clock.clone(), entropy: Arc::new(Seeded(AtomicU64::new(seed.wrapping_mul(0x1234_5678_9ABC)))) }
}

pub(crate) async fn new_repository(storage: impl Storage) -> Repository {
    Repository::init(Arc::new(storage), environment(&clock(), 1), InitOptions::default()).await.unwrap()
}

/// Opens the same repository as another process would: with its own clock's state and entropy.
pub(crate) async fn reopen(repository: &Repository, storage: impl Storage, seed: u64) -> Repository {
    let clock = repository.environment().clock.clone();
    let entropy = Arc::new(Seeded(AtomicU64::new(seed.wrapping_mul(0xFEED_5678_9ABD))));
    Repository::open(Arc::new(storage), Environment { clock, entropy }).await.unwrap()
}

pub(crate) const CLUSTER: ClusterId = ClusterId::from_u128(0xC1);
pub(crate) const TIMELINE: TimelineId = TimelineId::from_u128(0x71);

pub(crate) fn identity() -> ClusterIdentity {
    ClusterIdentity { id: CLUSTER, name: "orders".to_owned(), fingerprint: "A1".to_owned() }
}

/// A draft: `from` to `until` in seconds; no `from` is a base.
pub(crate) fn draft(from: Option<i64>, until: i64) -> BackupDraft {
    let at = Timestamp::from_secs;
    BackupDraft {
        cluster: CLUSTER,
        part: "test".to_owned(),
        timeline: TIMELINE,
        window: Window { from: from.map(at), until: at(until), settled: at(until) },
        kind: if from.is_some() { BackupKind::Incremental } else { BackupKind::Base },
    }
}

pub(crate) async fn backup_lease(repository: &Repository, name: &str) -> Result<Lease> {
    let terms = LeaseTerms::new(Purpose::Backup, "a test");
    repository.lease(&format!("backup-{name}"), terms, Duration::from_mins(10)).await
}

/// Stores bytes as a part of a piece.
pub(crate) async fn store(repository: &Repository, key: Key, body: &[u8]) -> Result<StoredPart> {
    let object = ObjectRef { key: key.clone(), size: body.len() as u64, blake3: Blake3::of(body) };
    match repository.storage().put_new(&key, body.to_vec().into()).await {
        // As the pipeline does: what is there with the right bytes was written.
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            let there = repository.storage().get(&key, object.size).await?;
            assert_eq!(there, body);
        }
        other => other?,
    }
    let part = key.name().to_owned();
    Ok(StoredPart { object, part, plain_bytes: body.len() as u64, codecs: None, slice: None })
}

pub(crate) fn piece(name: &str, parts: Vec<StoredPart>) -> StoredPiece {
    let spec = PieceSpec {
        name: name.to_owned(),
        kind: PieceKind::Data,
        place: None,
        group: None,
        bytes: None,
        content: None,
        detail: serde_json::Value::Null,
    };
    let plain_bytes = parts.iter().map(|part| part.plain_bytes).sum();
    StoredPiece { spec, summary: PieceSummary::default(), plain_bytes, parts }
}

pub(crate) async fn commit(
    repository: &Repository,
    lease: &Lease,
    begun: &Begun,
    draft: &BackupDraft,
    pieces: &[StoredPiece],
) -> Result<Commit> {
    let list = repository.store_pieces(begun, &PlainList, pieces).await?;
    let now = repository.environment().now();
    let parts = || pieces.iter().flat_map(|piece| &piece.parts);
    let manifest = Manifest {
        format: FORMAT,
        repository: repository.id(),
        backup: begun.backup,
        run: RunId::from_u128(5),
        kind: draft.kind,
        parent: None,
        cluster: identity(),
        part: draft.part.clone(),
        timeline: draft.timeline,
        window: draft.window,
        applies: Applies::Cover,
        deletes: Deletes::Seen,
        filter: Filter::default(),
        fold: None,
        codecs: Vec::new(),
        keys: Vec::new(),
        totals: Totals {
            pieces: pieces.len() as u64,
            objects: parts().count() as u64,
            plain_bytes: parts().map(|part| part.plain_bytes).sum(),
            stored_bytes: parts().map(|part| part.object.size).sum(),
            ..Totals::default()
        },
        pieces: list.pieces.clone(),
        shared: list.shared.clone(),
        topology: Topology { identity: identity(), version: "1".to_owned(), nodes: Vec::new(), parts: BTreeMap::new() },
        missing: Vec::new(),
        made_from: Vec::new(),
        notes: Vec::new(),
        started: begun.at,
        finished: now,
        tool: "a test".to_owned(),
    };
    repository.commit(begun, lease, &manifest, &list).await
}

/// A whole small backup: one piece of its own, and one of shared content for each text in `shared`. Tries again with
/// fresh uploads when a prune condemned what it used.
pub(crate) async fn back_up_sharing(
    repository: &Repository,
    name: &str,
    draft: &BackupDraft,
    shared: &[&str],
) -> Result<BackupId> {
    let lease = backup_lease(repository, name).await?;
    let backup = lease.during(back_up_under(repository, &lease, name, draft, shared)).await?;
    lease.release().await?;
    Ok(backup)
}

pub(crate) async fn back_up_under(
    repository: &Repository,
    lease: &Lease,
    name: &str,
    draft: &BackupDraft,
    shared: &[&str],
) -> Result<BackupId> {
    let begun = repository.begin(lease, draft).await?;
    let mut before = Vec::new();
    for entry in repository.load().await?.entries() {
        before.extend(repository.manifest(&entry.manifest).await);
    }
    let content = repository.shared_content(&before).await?;
    let own = store(repository, begun.folder()?.data("own", 0)?, name.as_bytes()).await?;
    for _ in 0..5 {
        let mut pieces = vec![piece("own", vec![own.clone()])];
        for text in shared {
            pieces.push(piece(text, vec![share(repository, &content, text).await?]));
        }
        match commit(repository, lease, &begun, draft, &pieces).await? {
            Commit::Done { .. } => return Ok(begun.backup),
            Commit::Condemned(names) => content.avoid(names).await,
        }
    }
    panic!("condemned again and again")
}

/// Uses shared content, or stores it.
pub(crate) async fn share(repository: &Repository, content: &SharedContent, text: &str) -> Result<StoredPart> {
    let hash = Blake3::of(text.as_bytes());
    if let Some(part) = content.find(&hash).await? {
        return Ok(part);
    }
    let part = store(repository, repository.content_key(&hash)?, text.as_bytes()).await?;
    content.insert(hash, part.clone()).await;
    Ok(part)
}

/// A whole small backup without shared content.
pub(crate) async fn back_up(repository: &Repository, name: &str, draft: &BackupDraft) -> Result<BackupId> {
    back_up_sharing(repository, name, draft, &[]).await
}

/// Reads back everything that a load gives: each committed backup has its manifest and all its bytes.
pub(crate) async fn check_whole(repository: &Repository) -> Vec<BackupId> {
    let loaded = repository.load().await.unwrap();
    assert!(loaded.is_complete(), "{:?}", loaded.report);
    let mut ids = Vec::new();
    for entry in loaded.entries().filter(|entry| entry.status != Status::Deleted) {
        let manifest = repository.manifest(&entry.manifest).await.unwrap();
        for piece in repository.pieces(&manifest, &PlainList).await.unwrap() {
            for part in piece.parts {
                let object = part.object;
                let body = repository.storage().get(&object.key, object.size).await;
                let body = body.unwrap_or_else(|error| panic!("{}: {error:?}", entry.id));
                assert_eq!(Blake3::of(&body), object.blake3, "{}", object.key);
            }
        }
        ids.push(entry.id);
    }
    sorted(ids)
}

/// Adds records without effect until a snapshot can hold all segments.
pub(crate) async fn fill_up(repository: &Repository) {
    while !repository.load().await.unwrap().generation().is_multiple_of(8) {
        repository.record(&[Record::Voided { backup: BackupId::from_u128(0) }]).await.unwrap();
    }
}

/// The ids that a load gives, sorted.
pub(crate) async fn ids(repository: &Repository) -> Vec<BackupId> {
    let mut ids: Vec<BackupId> = repository.load().await.unwrap().entries().map(|entry| entry.id).collect();
    ids.sort_unstable();
    ids
}

pub(crate) fn sorted(mut ids: Vec<BackupId>) -> Vec<BackupId> {
    ids.sort_unstable();
    ids
}
