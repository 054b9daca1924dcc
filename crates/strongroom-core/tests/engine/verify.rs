//! The check of stored backups: what it finds, records and leaves alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use strongroom_core::codec::{Codec, CodecId, CodecRegistry};
use strongroom_core::engine::{
    BackupKindWish, BackupReport, BackupRequest, Finding, RestoreRequest, VerifiedBackup, VerifyReport, VerifyRequest,
    verify,
};
use strongroom_core::id::BackupId;
use strongroom_core::model::{BackupKind, Depth, Scope, Status};
use strongroom_core::planner::{HOME, Held, HeldState, PlanError, Reason, Request, Target, WarningCode};
use strongroom_core::repository::PruneTerms;
use strongroom_core::{Error, ErrorKind, Key, Result};
use strongroom_testkit::{Crashing, Death, Faults, Faulty, Latency, PartFault, SimulatedOptions};

use crate::support::{World, committed, request, settings};
use crate::toy::Codecs;

const DEPTHS: [Depth; 3] = [Depth::Exists, Depth::Hash, Depth::Decode];

fn at(depth: Depth) -> VerifyRequest {
    VerifyRequest { depth, settings: settings(), ..VerifyRequest::default() }
}

async fn checked(world: &World, request: VerifyRequest) -> VerifyReport {
    verify(world.open().await, Arc::new(Codecs), request).await.unwrap()
}

async fn world() -> (World, Vec<BackupReport>) {
    let world = World::new(SimulatedOptions { zero_byte_piece: true, ..SimulatedOptions::default() }, 2).await;
    let reports = world.chain(2).await;
    (world, reports)
}

fn of(report: &VerifyReport, backup: BackupId) -> &VerifiedBackup {
    report.backups.iter().find(|checked| checked.backup == backup).unwrap()
}

/// The data objects of one backup alone, largest first.
fn data_of(world: &World, backup: BackupId) -> Vec<Key> {
    let own = |key: &Key| key.as_str().contains(&backup.to_string()) && key.as_str().contains("/data/");
    let mut keys: Vec<(usize, Key)> =
        world.storage.contents().into_iter().filter(|(key, _)| own(key)).map(|(key, body)| (body.len(), key)).collect();
    keys.sort();
    keys.into_iter().rev().map(|(_, key)| key).collect()
}

fn flip(world: &World, key: &Key) {
    let mut body = world.storage.contents()[key].to_vec();
    let middle = body.len() / 2;
    body[middle] ^= 0x10;
    world.storage.put(key.clone(), body);
}

async fn status(world: &World, backup: BackupId) -> (Status, Option<Depth>) {
    let entry = world.open().await.load().await.unwrap().entry(backup).unwrap();
    (entry.status, entry.verified.map(|verified| verified.depth))
}

#[tokio::test(start_paused = true)]
async fn whole_backups_are_whole_at_every_depth_and_that_is_recorded() {
    for depth in DEPTHS {
        let (world, reports) = world().await;
        let report = checked(&world, at(depth)).await;
        assert!(report.is_whole() && report.warnings.is_empty(), "{report:?}");
        assert_eq!((report.depth, report.backups.len()), (depth, 6));
        let until = |checked: &VerifiedBackup| {
            reports
                .iter()
                .flat_map(|report| report.parts.iter().map(move |part| committed(report, &part.part)))
                .find(|committed| committed.backup == checked.backup)
                .unwrap()
                .window
                .until
        };
        assert!(report.backups.is_sorted_by_key(until), "oldest first");
        for checked in &report.backups {
            assert!(checked.objects > 2 && checked.bytes > 0);
            assert_eq!(status(&world, checked.backup).await, (Status::Complete, Some(depth)));
        }
        let unverified = world.latest().await.warnings.iter().any(|warning| warning.code == WarningCode::Unverified);
        assert!(!unverified, "plans know it");
        assert!(!world.is_leased().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_without_record_writes_nothing() {
    let (world, reports) = world().await;
    let data = data_of(&world, committed(&reports[0], "a").backup);
    flip(&world, &data[0]);
    let before = world.storage.contents();
    let report = checked(&world, VerifyRequest { record: false, ..at(Depth::Decode) }).await;
    assert!(!report.is_whole());
    assert_eq!(world.storage.contents(), before);
}

#[tokio::test(start_paused = true)]
async fn every_damaged_object_is_named_and_none_hides_another() {
    let (world, reports) = world().await;
    let (base, next) = (committed(&reports[0], "a").backup, committed(&reports[1], "b").backup);
    let (of_base, of_next) = (data_of(&world, base), data_of(&world, next));
    drop(world.storage.take(&of_base[0]).unwrap());
    flip(&world, &of_base[1]);
    world.storage.put(of_base[2].clone(), world.storage.contents()[&of_base[2]].slice(1..));
    flip(&world, &of_next[0]);
    let content: Vec<Key> =
        world.storage.keys().into_iter().filter(|key| key.as_str().starts_with("content/")).collect();
    drop(world.storage.take(&content[0]).unwrap());
    let report = checked(&world, VerifyRequest { record: false, ..at(Depth::Decode) }).await;
    let keys = |findings: &[Finding]| findings.iter().map(|finding| finding.key.clone()).collect::<BTreeSet<Key>>();
    let mut expected: BTreeSet<Key> = of_base[..3].iter().cloned().collect();
    let found = keys(&of(&report, base).findings);
    assert!(expected.is_subset(&found), "{found:?}");
    let all: BTreeSet<Key> = report.backups.iter().flat_map(|backup| keys(&backup.findings)).collect();
    expected.extend([of_next[0].clone(), content[0].clone()]);
    assert_eq!(all, expected);
    for finding in report.backups.iter().flat_map(|backup| &backup.findings) {
        let missing = [&of_base[0], &content[0]].contains(&&finding.key);
        assert_eq!(finding.kind == ErrorKind::NotFound, missing, "{finding:?}");
        assert!(finding.problem.contains(finding.key.as_str()), "{finding:?}");
    }
    // What only a hash finds is not found by looking for names.
    let report = checked(&world, VerifyRequest { record: false, ..at(Depth::Exists) }).await;
    let all: BTreeSet<Key> = report.backups.iter().flat_map(|backup| keys(&backup.findings)).collect();
    assert_eq!(all, [of_base[0].clone(), of_base[2].clone(), content[0].clone()].into());
}

#[tokio::test(start_paused = true)]
async fn damage_is_recorded_and_plans_refuse_it_until_it_is_gone() {
    let (world, reports) = world().await;
    let base = committed(&reports[0], "a").backup;
    let key = data_of(&world, base).remove(0);
    let good = world.storage.contents()[&key].clone();
    flip(&world, &key);
    checked(&world, at(Depth::Hash)).await;
    assert_eq!(status(&world, base).await, (Status::Corrupt, None));
    let plan = async |world: &World| {
        let request = Request::at(Target::Latest).of(Scope::of_parts(["a"]));
        world.open().await.load().await.unwrap().catalogue().plan(&request)
    };
    let refused: Box<PlanError> = plan(&world).await.unwrap_err();
    assert!(refused.refused.iter().any(|one| (one.backup, one.reason) == (base, Reason::Corrupt)), "{refused:?}");
    let whole = plan(&world).await.map_err(Error::from).unwrap_err();
    assert_eq!(whole.kind(), ErrorKind::BrokenChain);
    // The next backup begins anew, and shares nothing with what is damaged.
    let report = world.backup().await;
    assert_eq!(committed(&report, "a").kind, BackupKind::Base);
    assert_eq!(plan(&world).await.unwrap().parts["a"].steps.len(), 1);
    // Put back: to find the names again proves nothing, to read the bytes does.
    world.storage.put(key, good);
    checked(&world, at(Depth::Exists)).await;
    assert_eq!(status(&world, base).await.0, Status::Corrupt);
    checked(&world, at(Depth::Hash)).await;
    assert_eq!(status(&world, base).await, (Status::Complete, Some(Depth::Hash)));
}

#[tokio::test(start_paused = true)]
async fn a_partial_backup_stays_partial() {
    let world = World::new(SimulatedOptions::default(), 2).await;
    world.cluster.fail("a", PartFault::Missing("tokens 1 to 5".to_owned()));
    let job = strongroom_core::engine::backup(
        world.open().await,
        Arc::new(Codecs),
        world.cluster(),
        crate::support::request(),
    );
    let backup = committed(&job.await.unwrap(), "a").backup;
    let key = data_of(&world, backup).remove(0);
    let good = world.storage.contents()[&key].clone();
    flip(&world, &key);
    checked(&world, at(Depth::Hash)).await;
    assert_eq!(status(&world, backup).await.0, Status::Corrupt);
    world.storage.put(key, good);
    checked(&world, at(Depth::Hash)).await;
    assert_eq!(status(&world, backup).await.0, Status::Partial);
}

#[tokio::test(start_paused = true)]
async fn content_of_a_damaged_backup_is_stored_anew() {
    let world = World::new(SimulatedOptions::default(), 2).await;
    world.cluster.put_file("a", "big", vec![7; 4000]);
    let first = world.backup().await;
    let content = |world: &World| -> BTreeSet<Key> {
        world.storage.keys().into_iter().filter(|key| key.as_str().starts_with("content/")).collect()
    };
    let before = content(&world);
    for key in &before {
        flip(&world, key);
    }
    checked(&world, at(Depth::Hash)).await;
    assert_eq!(status(&world, committed(&first, "a").backup).await.0, Status::Corrupt);
    let second = world.backup().await;
    assert_eq!(committed(&second, "a").totals.reused_bytes, 0);
    assert!(content(&world).is_disjoint(&before) || content(&world).len() > before.len());
    let target = world.target();
    let summary = world.restore(world.latest().await, &target, RestoreRequest::default()).await.unwrap();
    assert_eq!(target.contents(), world.expected(&summary.parts));
}

#[tokio::test(start_paused = true)]
async fn with_a_copy_elsewhere_only_the_copy_at_home_is_refused() {
    let (world, reports) = world().await;
    let base = committed(&reports[0], "a").backup;
    let repository = world.open().await;
    repository.record_copy(base, Held::in_storage("near")).await.unwrap();
    let key = data_of(&world, base).remove(0);
    let good = world.storage.contents()[&key].clone();
    flip(&world, &key);
    checked(&world, at(Depth::Hash)).await;
    assert_eq!(status(&world, base).await.0, Status::Complete);
    let step = |plan: &strongroom_core::planner::Plan| plan.parts["a"].steps[0].clone();
    let chosen = step(&world.latest().await);
    assert_eq!((chosen.backup, chosen.copy.storage.as_str(), chosen.alternates.len()), (base, "near", 0));
    world.storage.put(key, good);
    checked(&world, at(Depth::Hash)).await;
    let chosen = step(&world.latest().await);
    assert_eq!((chosen.copy.storage.as_str(), chosen.alternates.len()), (HOME, 1));
    let entry = world.open().await.load().await.unwrap().entry(base).unwrap();
    assert!(entry.copies.iter().all(|copy| copy.state == HeldState::Present));
}

/// A registry that lost the key of one codec.
#[derive(Debug)]
struct Without(&'static str);

impl CodecRegistry for Without {
    fn resolve(&self, id: &CodecId) -> Result<Arc<dyn Codec>> {
        if id.as_str() == self.0 { Err(Error::denied(format!("no key for '{id}'"))) } else { Codecs.resolve(id) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_key_is_denied_and_nothing_is_called_corrupt() {
    let (world, _) = world().await;
    for depth in DEPTHS {
        let before = world.storage.contents();
        let error = verify(world.open().await, Arc::new(Without("xor:5")), at(depth)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{depth:?}");
        assert!(error.message().contains("no key for 'xor:5'"), "{error}");
        assert_eq!(world.storage.contents(), before, "{depth:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_does_not_answer_is_not_called_damage() {
    let (world, _) = world().await;
    let mut operations = 1;
    loop {
        let storage =
            Crashing::failing_at(world.storage.clone(), operations + 2, Death::Before, ErrorKind::Unavailable);
        let request = VerifyRequest { record: false, ..at(Depth::Hash) };
        let result = verify(world.open_on(storage.clone()).await, Arc::new(Codecs), request).await;
        match result {
            Ok(report) => {
                assert!(report.is_whole() && !storage.is_dead(), "{operations}: {report:?}");
                break;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{operations}: {error:?}"),
        }
        operations += 1;
    }
    let flipping = Faulty::new(world.storage.clone(), 1, Faults::NONE);
    let repository = world.open_on(flipping.clone()).await;
    flipping.set(Faults { cut_read: 100, ..Faults::NONE });
    let error = verify(repository, Arc::new(Codecs), at(Depth::Decode)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let latest = world.latest().await;
    assert!(latest.refused.iter().all(|refusal| refusal.reason != Reason::Corrupt));
}

#[tokio::test(start_paused = true)]
async fn a_read_only_repository_is_checked_and_the_report_says_that_nothing_was_recorded() {
    let (world, _) = world().await;
    let denied = Faulty::new(world.storage.clone(), 1, Faults { room: Some(0), ..Faults::NONE });
    let report = verify(world.open_on(denied).await, Arc::new(Codecs), at(Depth::Hash)).await.unwrap();
    assert!(report.is_whole());
    assert_eq!(report.warnings.len(), 6, "{:?}", report.warnings);
    assert!(report.warnings[0].contains("was not recorded"));
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_a_prune_takes_meanwhile_is_not_called_damaged() {
    let (world, reports) = world().await;
    let goes = committed(&reports[2], "a").backup;
    let repository = world.open().await;
    let lease = repository.prune_lease("a test", std::time::Duration::ZERO).await.unwrap();
    let request = PruneTerms { delete: [goes].into(), grace: std::time::Duration::ZERO, ..PruneTerms::default() };
    // The check has loaded the catalogue; before it looks at the backup that is gone.
    let slow = strongroom_testkit::Latency::new(world.storage.clone(), std::time::Duration::from_secs(1));
    let job = verify(world.open_on(slow).await, Arc::new(Codecs), at(Depth::Hash));
    let progress = job.counters();
    while progress.snapshot().phase == strongroom_core::pipeline::Phase::Preparing {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    repository.condemn(&lease, &request, &|_| Ok(())).await.unwrap();
    repository.sweep(&lease, &request, &|_| Ok(())).await.unwrap();
    let report = job.await.unwrap();
    assert!(report.is_whole() && report.backups.len() == 5, "{report:?}");
    assert!(report.warnings[0].contains("was deleted while it was checked"), "{:?}", report.warnings);
}

#[tokio::test(start_paused = true)]
async fn named_backups_alone_are_checked_and_unknown_ones_are_told() {
    let (world, reports) = world().await;
    let one = committed(&reports[1], "b").backup;
    let report = checked(&world, VerifyRequest { backups: Some([one].into()), ..at(Depth::Decode) }).await;
    assert_eq!(report.backups.iter().map(|checked| checked.backup).collect::<Vec<_>>(), [one]);
    let ghost = VerifyRequest { backups: Some([BackupId::from_u128(9)].into()), ..at(Depth::Decode) };
    let error = verify(world.open().await, Arc::new(Codecs), ghost).await.unwrap_err();
    assert_eq!((error.kind(), error.advice()), (ErrorKind::NotFound, Some("see the list of backups")));
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_is_damaged_while_the_catalogue_is_lost_is_not_passed_over() {
    let (world, reports) = world().await;
    let manifest = committed(&reports[2], "a").manifest.clone();
    flip(&world, &manifest);
    let report = checked(&world, VerifyRequest { record: false, ..at(Depth::Hash) }).await;
    let damaged = of(&report, committed(&reports[2], "a").backup);
    assert_eq!((damaged.findings.len(), &damaged.findings[0].key), (1, &manifest));
    for key in world.storage.keys().into_iter().filter(|key| key.as_str().starts_with("catalogue/")) {
        drop(world.storage.take(&key).unwrap());
    }
    let report = checked(&world, VerifyRequest { record: false, ..at(Depth::Hash) }).await;
    assert_eq!(report.backups.len(), 5);
    assert!(!report.is_whole());
    assert_eq!((report.unusable.len(), &report.unusable[0].key), (1, &manifest));
    assert!(report.warnings.iter().any(|warning| warning.contains("the whole catalogue is missing")));
}

#[tokio::test(start_paused = true)]
async fn plans_that_want_verified_backups_get_them_after_a_check() {
    let (world, reports) = world().await;
    let request = Request { verified_only: true, ..Request::at(Target::Latest).of(Scope::of_parts(["a"])) };
    let plan = async |world: &World| world.open().await.load().await.unwrap().catalogue().plan(&request);
    assert_eq!(plan(&world).await.unwrap_err().reason, Reason::Unverified);
    let first = committed(&reports[0], "a").backup;
    checked(&world, VerifyRequest { backups: Some([first].into()), ..at(Depth::Hash) }).await;
    assert_eq!(plan(&world).await.unwrap_err().before.unwrap().until, committed(&reports[0], "a").window.until);
    checked(&world, at(Depth::Hash)).await;
    assert_eq!(plan(&world).await.unwrap().parts["a"].steps.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn of_two_chains_to_one_point_the_verified_one_is_planned() {
    let world = World::new(SimulatedOptions::default(), 2).await;
    let first = world.chain(1).await;
    world.change(7);
    let base = world.backup_with(BackupRequest { kind: BackupKindWish::Base, ..request() }).await;
    world.change(8);
    // It reaches back over the second base, so that both chains end with it.
    let last = world.backup().await;
    let steps = async |world: &World| -> Vec<BackupId> {
        let plan = world.latest().await;
        assert_eq!(plan.parts["a"].reached.until, committed(&last, "a").window.until);
        plan.parts["a"].steps.iter().map(|step| step.backup).collect()
    };
    let id = |report: &BackupReport| committed(report, "a").backup;
    assert_eq!(steps(&world).await, [id(&base), id(&last)], "the cheaper one");
    let known = Some([id(&first[0]), id(&first[1]), id(&last)].into());
    checked(&world, VerifyRequest { backups: known, ..at(Depth::Hash) }).await;
    assert_eq!(steps(&world).await, [id(&first[0]), id(&first[1]), id(&last)], "the one that was read back");
    let target = world.target();
    let summary = world.restore(world.latest().await, &target, RestoreRequest::default()).await.unwrap();
    assert_eq!(target.contents(), world.expected(&summary.parts));
    // And when the first base is damaged, nothing is lost but the base.
    flip(&world, &data_of(&world, id(&first[0]))[0]);
    checked(&world, at(Depth::Hash)).await;
    assert_eq!(steps(&world).await, [id(&base), id(&last)]);
}

#[tokio::test(start_paused = true)]
async fn cancelled_at_any_moment() {
    let (world, _) = world().await;
    let millis = std::time::Duration::from_millis;
    let mut moments = 0;
    loop {
        let repository = world.open_on(Latency::new(world.storage.clone(), millis(2))).await;
        let job = verify(repository, Arc::new(Codecs), at(Depth::Decode));
        tokio::time::sleep(millis(moments)).await;
        job.cancel();
        let result = job.await;
        assert!(!world.is_leased().await, "{moments}");
        match result {
            Ok(report) => {
                assert!(report.is_whole(), "{report:?}");
                break;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Cancelled, "{moments}: {error:?}"),
        }
        moments += 1;
    }
    assert!(moments > 20, "only {moments} ms");
    assert!(checked(&world, at(Depth::Decode)).await.is_whole(), "what broke off called nothing damaged");
}
