//! Object locks and refusals, damaged manifests, and dead writers: what is in a prune's way is told and stays known.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{PruneRequest, RestoreRequest, backup};
use strongroom_core::id::BackupId;
use strongroom_core::planner::{Block, HOME, Held, RetentionPlan};
use strongroom_core::repository::Why;
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Error, ErrorKind, Key, PutMode, Result, Storage, Timestamp, Upload};
use strongroom_testkit::{Crashing, Death, MemoryStorage, SimulatedOptions};

use super::support::{GRACE, at_once, delete, keep_last, nothing_is_left_over};
use crate::support::{World, committed, request, settings};
use crate::toy::Codecs;

/// Refuses to delete what a test says; tells when objects were written by the clock of the world.
#[derive(Debug, Clone)]
struct Locked {
    inner: MemoryStorage,
    refused: Arc<Mutex<Vec<String>>>,
    written: Option<Timestamp>,
}

impl Locked {
    fn new(world: &World, refused: &[&str]) -> Self {
        let refused = refused.iter().map(|text| (*text).to_owned()).collect();
        Self { inner: world.storage.clone(), refused: Arc::new(Mutex::new(refused)), written: None }
    }

    fn unlock(&self) {
        self.refused.lock().unwrap().clear();
    }
}

#[async_trait]
impl Storage for Locked {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        self.inner.create(key, mode).await
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.inner.read(key, range).await
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        self.inner.stat(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        let written = self.written;
        let told = move |meta: ObjectMeta| ObjectMeta { modified: written.or(meta.modified), ..meta };
        self.inner.list(prefix).map(move |item| item.map(told)).boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        if self.refused.lock().unwrap().iter().any(|text| key.as_str().contains(text)) {
            return Err(Error::denied(format!("{key} is protected")));
        }
        self.inner.delete(key).await
    }
}

async fn world() -> World {
    let world = World::new(SimulatedOptions::default(), 1).await;
    world.two_chains().await;
    world
}

/// The backups that the policy does not keep.
async fn doomed(world: &World, request: &PruneRequest) -> BTreeSet<BackupId> {
    let told = world.prune(PruneRequest { dry_run: true, ..request.clone() }).await;
    told.condemned.backups.iter().map(|doomed| doomed.backup).collect()
}

fn blocked(plan: &RetentionPlan) -> Vec<&Block> {
    plan.parts.iter().flat_map(|part| &part.blocked).flat_map(|blocked| &blocked.by).collect()
}

#[tokio::test(start_paused = true)]
async fn what_the_storage_refuses_is_told_and_stays_known_until_it_is_gone() {
    for refused in [&["backups/"][..], &["/data/"], &["manifest.json"], &["content/"], &["leases/"]] {
        let world = world().await;
        let request = at_once(keep_last(1));
        let gone = doomed(&world, &request).await;
        let storage = Locked::new(&world, refused);
        let done = world.prune_on(storage.clone(), request.clone()).await.unwrap();
        let loaded = world.open().await.load().await.unwrap();
        let still: BTreeSet<BackupId> = loaded.condemned.keys().copied().collect();
        let told = done.deleted.spared.iter().filter(|spared| spared.why == Why::Refused);
        let told: Vec<_> = told.inspect(|spared| assert!(spared.by.contains("is protected"), "{spared:?}")).collect();
        for backup in &gone {
            let left = world.storage.keys().iter().any(|key| key.as_str().contains(&backup.to_string()));
            assert_eq!(
                left,
                still.contains(backup),
                "{refused:?}: the catalogue knows {backup} as long as it is there"
            );
        }
        match refused[0] {
            "backups/" | "/data/" | "manifest.json" => assert_eq!((&still, told.len()), (&gone, gone.len())),
            "content/" => assert_eq!((still.len(), told.len()), (0, 1), "{:?}", done.deleted.spared),
            _ => assert!(told.is_empty() && still.is_empty(), "{:?}", done.deleted),
        }
        world.every_point_restores().await;
        // Once more refused, once more told; then it may go.
        let again = world.prune_on(storage.clone(), request.clone()).await.unwrap().deleted;
        if refused[0] == "leases/" {
            assert!(again.notes[0].contains("epochs of leases can't be tidied up"), "{:?}", again.notes);
        } else {
            assert_eq!(again.spared.len(), told.len(), "{:?}", again.spared);
        }
        storage.unlock();
        let done = world.prune_on(storage, request).await.unwrap();
        assert!(done.deleted.spared.is_empty() && done.deleted.notes.is_empty(), "{:?}", done.deleted);
        nothing_is_left_over(&world).await;
        let loaded = world.open().await.load().await.unwrap();
        assert!(loaded.condemned.is_empty() && gone.iter().all(|backup| loaded.entry(*backup).is_none()));
        world.every_point_restores().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_the_time_of_writing_tells_is_waited_for_and_named() {
    let world = world().await;
    let written = world.catalogue().await.entries().map(|entry| entry.created).max().unwrap();
    let storage = Locked { written: Some(written), ..Locked::new(&world, &[]) };
    let lock = Duration::from_hours(24 * 30);
    let until = written.plus_micros(30 * 86_400 * 1_000_000);
    let request = PruneRequest { object_lock: lock, ..at_once(keep_last(1)) };
    let gone = doomed(&world, &at_once(keep_last(1))).await;
    let done = world.prune_on(storage.clone(), request.clone()).await.unwrap();
    assert!(done.condemned.is_empty() && done.deleted.objects == 0, "{done:?}");
    let plan = done.retention.unwrap();
    let named = plan.parts.iter().flat_map(|part| &part.blocked).map(|blocked| blocked.backup);
    assert!(named.collect::<BTreeSet<_>>().is_superset(&gone));
    for block in blocked(&plan) {
        assert_eq!(*block, Block::Locked { storage: HOME.to_owned(), until });
    }
    assert_eq!(plan.later.iter().map(|later| later.at).collect::<Vec<_>>(), [until]);
    // Named, it is refused with the date.
    let first = *gone.first().unwrap();
    let error =
        world.prune_on(storage.clone(), PruneRequest { object_lock: lock, ..delete([first], true) }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains(&until.to_string()), "{error}");

    tokio::time::advance(lock).await;
    let done = world.prune_on(storage, request).await.unwrap();
    assert_eq!(done.deleted.backups.into_iter().collect::<BTreeSet<_>>(), gone);
    nothing_is_left_over(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_put_on_within_the_grace_time_is_honoured_by_the_sweep() {
    let world = world().await;
    let request = keep_last(1);
    let gone = doomed(&world, &request).await;
    world.prune(request.clone()).await;
    let locked = *gone.first().unwrap();
    let now = world.catalogue().await.entries().map(|entry| entry.created).max().unwrap();
    let until = now.plus_micros(10 * 86_400 * 1_000_000);
    let held = Held { locked_until: Some(until), ..Held::in_storage(HOME) };
    world.open().await.record_copy(locked, held).await.unwrap();
    tokio::time::advance(GRACE).await;
    let done = world.prune(request.clone()).await;
    let spared = done.deleted.spared.iter().find(|spared| spared.what == locked.to_string()).unwrap();
    assert_eq!((spared.why, spared.until), (Why::Locked, Some(until)));
    assert!(world.storage.keys().iter().any(|key| key.as_str().contains(&locked.to_string())));
    // What it needs stays with it: it could not be restored once it is free to be used again.
    tokio::time::advance(Duration::from_hours(24 * 11)).await;
    world.prune(request.clone()).await;
    tokio::time::advance(GRACE).await;
    world.prune(request).await;
    nothing_is_left_over(&world).await;
    world.every_point_restores().await;
}

#[tokio::test(start_paused = true)]
async fn a_damaged_manifest_never_costs_the_content_that_it_may_need() {
    let world = world().await;
    let kept = world.every_point_restores().await;
    let gone = doomed(&world, &at_once(keep_last(1))).await;
    let manifests: Vec<_> = world.catalogue().await.entries().filter(|entry| !gone.contains(&entry.id)).collect();
    for entry in manifests {
        let world = world.duplicate();
        let whole = world.storage.take(&entry.manifest).unwrap();
        world.storage.put(entry.manifest.clone(), whole.slice(..whole.len() / 2));
        for _ in 0..2 {
            let done = world.prune(at_once(keep_last(1))).await;
            assert_eq!(done.deleted.content, 0, "{:?}", done.deleted);
        }
        let shared: Vec<Key> = world.storage.keys();
        let content = |keys: &[Key]| keys.iter().filter(|key| key.as_str().starts_with("content/")).count();
        assert!(content(&shared) > 0);
        // Whoever has the manifest somewhere puts it back.
        world.storage.put(entry.manifest.clone(), whole);
        let after = world.every_point_restores().await;
        assert!(after.iter().all(|(backup, reached)| kept.get(backup) == Some(reached)));
        assert!(after.contains_key(&entry.id));
        assert!(world.prune(at_once(keep_last(1))).await.deleted.content > 0, "now it is known what nothing uses");
        world.every_point_restores().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_no_record_tells_of_and_nobody_can_read_blocks_policies_until_it_is_deleted_by_name() {
    let world = world().await;
    // A writer died between its manifest and its record, and the manifest is damaged.
    world.change(77);
    let process = Crashing::never(world.storage.clone());
    let job =
        async { backup(world.open_on(process.clone()).await, Arc::new(Codecs), world.cluster(), request()).await };
    let report = process.run(job).await.unwrap().unwrap();
    let backups: Vec<BackupId> = report.backups().collect();
    let ends: Vec<Key> = {
        let contents = world.storage.contents();
        let ours = |key: &Key, body: &[u8]| {
            let text = String::from_utf8_lossy(body);
            key.as_str().starts_with("catalogue/")
                && text.contains("\"record\":\"end\"")
                && backups.iter().any(|backup| text.replace('-', "").contains(&backup.to_string()))
        };
        contents.iter().filter(|(key, body)| ours(key, body)).map(|(key, _)| key.clone()).collect()
    };
    assert_eq!(ends.len(), backups.len());
    let newest = ends.last().unwrap().clone();
    let taken = world.storage.take(&newest).unwrap();
    let text = String::from_utf8_lossy(&taken).replace('-', "");
    let broken = *backups.iter().find(|backup| text.contains(&backup.to_string())).unwrap();
    let manifest = world
        .storage
        .keys()
        .into_iter()
        .find(|key| key.as_str().ends_with("/manifest.json") && key.as_str().contains(&broken.to_string()));
    world.storage.put(manifest.unwrap(), "rubbish");
    let done = world.prune(at_once(keep_last(1))).await;
    assert!(done.condemned.backups.is_empty(), "{done:?}");
    assert!(blocked(&done.retention.unwrap()).contains(&&Block::CatalogueIncomplete));
    assert!(done.warnings.iter().any(|warning| warning.contains(&broken.to_string())), "{:?}", done.warnings);
    world.prune(at_once(delete([broken], false))).await;
    assert!(!world.storage.keys().iter().any(|key| key.as_str().contains(&broken.to_string())));
    let done = world.prune(at_once(keep_last(1))).await;
    assert!(!done.deleted.backups.is_empty() && done.warnings.is_empty(), "{done:?}");
    world.every_point_restores().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_writer_was_about_to_continue_stays_until_he_is_given_up() {
    let world = world().await;
    world.change(5);
    let count = Crashing::never(world.storage.clone());
    let dry = world.duplicate();
    let take = async |storage, world: &World| {
        backup(world.open_on(storage).await, Arc::new(Codecs), world.cluster(), request()).await
    };
    take(count.beside(dry.storage.clone()), &dry).await.unwrap();
    // In the middle of its data.
    let process = Crashing::at(world.storage.clone(), count.operations() / 2, Death::Before);
    assert!(process.run(take(process.clone(), &world)).await.is_none());
    assert_eq!(world.open().await.load().await.unwrap().in_progress.len(), 2);
    let everything = PruneRequest {
        what: strongroom_core::engine::Removal::Backups {
            backups: world.usable().await,
            cascade: false,
            allow_last: true,
        },
        ..PruneRequest::default()
    };
    let error = world.try_prune(at_once(everything.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("which is being taken"), "{error}");
    tokio::time::advance(Duration::from_hours(24 * 8)).await;
    let done = world.prune(at_once(keep_last(9))).await;
    assert_eq!(done.deleted.unfinished.len(), 2, "given up after a week");
    world.prune(at_once(everything)).await;
    assert!(world.catalogue().await.is_empty());
    nothing_is_left_over(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_plan_whose_backups_were_deleted_is_refused_before_anything_is_destroyed() {
    let world = World::new(SimulatedOptions::default(), 1).await;
    let made = world.two_chains().await;
    let old = committed(&made[2], "a").backup;
    let plan = world.plan(&strongroom_core::planner::Request::at(strongroom_core::planner::Target::Backup(old))).await;
    for grace in [GRACE, Duration::ZERO] {
        world.prune(PruneRequest { grace, ..keep_last(1) }).await;
        tokio::time::advance(GRACE).await;
        let before = world.cluster.contents();
        let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
        let request = RestoreRequest { options, settings: settings(), ..RestoreRequest::default() };
        let error = world.restore(plan.clone(), &world.cluster, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        assert_eq!(world.cluster.contents(), before);
        assert_eq!(world.cluster.open_sessions(), 0);
        // Condemned the first time, deleted the second.
        world.prune(at_once(keep_last(1))).await;
    }
    assert!(world.catalogue().await.entry(old).is_none());
}
