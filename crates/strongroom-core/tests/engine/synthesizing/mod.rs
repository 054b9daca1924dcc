//! A chain that becomes a base: the same records, whatever happens on the way, and no word about deletes that were not
//! seen is lost.

mod damage;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use strongroom_core::cluster::Fold;
use strongroom_core::engine::{
    BackupKindWish, BackupRequest, RestoreRequest, SynthesizeReport, SynthesizeRequest, synthesize,
};
use strongroom_core::id::{BackupId, RunId};
use strongroom_core::model::{BackupKind, Deletes, Scope};
use strongroom_core::planner::{Request, Target, WarningCode};
use strongroom_core::{ErrorKind, Result, Storage};
use strongroom_testkit::{Crashing, Death, Latency, SimulatedFold, SimulatedOptions, Workload};

use crate::support::{World, committed, reached, request, settings};
use crate::toy::Codecs;

pub(crate) const FEW: Workload = Workload { steps: 16, records: 10, value: 60, files: false };

pub(crate) fn folding() -> SimulatedOptions {
    SimulatedOptions { fold: true, ..SimulatedOptions::default() }
}

/// A base, incrementals, a second base and more of them, cut into pieces at other places.
pub(crate) async fn history(options: SimulatedOptions, seed: u64) -> World {
    let world = World::with(options, seed, FEW).await;
    for (number, pieces) in (0..).zip([3, 1, 5, 2, 4]) {
        world.cluster.cut_into(pieces);
        let kind = if number == 3 { BackupKindWish::Base } else { BackupKindWish::Auto };
        world.backup_with(BackupRequest { kind, ..request() }).await;
        world.change_by(seed * 100 + number, FEW);
    }
    world
}

/// A base and one incremental of a few records.
pub(crate) async fn short(seed: u64) -> World {
    let world = World::with(SimulatedOptions { pieces: 2, ..folding() }, seed, FEW).await;
    world.backup().await;
    world.change_by(seed * 100, FEW);
    world.backup().await;
    world
}

pub(crate) fn state_of(backup: BackupId) -> Request {
    Request::at(Target::Backup(backup)).of(Scope::of_parts(["a"]))
}

pub(crate) fn of(state: Request) -> SynthesizeRequest {
    let BackupRequest { stack, .. } = request();
    SynthesizeRequest { state, stack, settings: settings(), ..SynthesizeRequest::default() }
}

fn fold() -> Arc<dyn Fold> {
    Arc::new(SimulatedFold)
}

pub(crate) async fn made(world: &World, request: SynthesizeRequest) -> Result<SynthesizeReport> {
    synthesize(world.open().await, Arc::new(Codecs), fold(), request).await
}

pub(crate) async fn made_on(
    world: &World,
    storage: impl Storage,
    request: SynthesizeRequest,
) -> Result<SynthesizeReport> {
    synthesize(world.open_on(storage).await, Arc::new(Codecs), fold(), request).await
}

/// What a restore of a backup's state leaves in an empty target.
pub(crate) async fn restored(world: &World, backup: BackupId) -> strongroom_testkit::ClusterContents {
    let plan = world.plan(&state_of(backup)).await;
    let target = world.target();
    world.restore(plan, &target, RestoreRequest { settings: settings(), ..RestoreRequest::default() }).await.unwrap();
    target.contents()
}

pub(crate) async fn backups(world: &World) -> Vec<BackupId> {
    let loaded = world.open().await.load().await.unwrap();
    loaded.entries().filter(|entry| entry.part == "a").map(|entry| entry.id).collect()
}

pub(crate) async fn newest(world: &World) -> BackupId {
    let plan = world.plan(&Request::at(Target::Latest).of(Scope::of_parts(["a"]))).await;
    plan.steps().last().unwrap().1.backup
}

#[tokio::test(start_paused = true)]
async fn a_synthetic_base_restores_what_its_chain_restores() {
    let forms = [
        folding(),
        SimulatedOptions { live: true, empty_pieces: true, ..folding() },
        SimulatedOptions { zero_byte_piece: true, nodes: 3, ..folding() },
    ];
    for (seed, form) in (1..).zip(forms) {
        let world = history(form, seed).await;
        let (mut merged, mut alone) = (0, 0);
        for backup in backups(&world).await {
            let plan = world.plan(&state_of(backup)).await;
            let steps: Vec<BackupId> = plan.steps().map(|(_, step)| step.backup).collect();
            let report = match made(&world, of(state_of(backup))).await {
                Ok(report) => report,
                Err(error) => {
                    assert_eq!((error.kind(), steps.len()), (ErrorKind::Invalid, 1), "{error}");
                    alone += 1;
                    continue;
                }
            };
            merged += 1;
            assert_eq!(report.made_from, steps);
            assert_eq!((report.window.from, report.window.until), (None, plan.parts["a"].reached.until));
            assert_eq!(report.window.settled, plan.parts["a"].reached.settled);
            assert_eq!(report.restorable, Some(plan.parts["a"].reached));
            assert!(report.warnings.is_empty() && report.totals.records > 0, "{report:?}");
            let model = world.expected(&reached(&plan));
            assert_eq!(restored(&world, report.backup).await, model, "seed {seed}");
            assert_eq!(restored(&world, backup).await, model, "seed {seed}");
            assert_eq!(world.plan(&state_of(report.backup)).await.totals.steps, 1);
        }
        assert!(merged >= 3 && alone >= 1, "seed {seed}: {merged} merged, {alone} alone");
        assert!(!world.is_leased().await);
    }
}

#[tokio::test(start_paused = true)]
async fn it_stands_for_a_base_of_what_follows_and_of_what_it_was_made_from() {
    let world = history(folding(), 4).await;
    let report = made(&world, of(state_of(newest(&world).await))).await.unwrap();
    assert_eq!(world.open().await.load().await.unwrap().entry(report.backup).unwrap().kind, BackupKind::Synthetic);
    // Nothing that it was made from is needed any more.
    let gone: BTreeSet<BackupId> = report.made_from.iter().copied().collect();
    let losses: Vec<_> = gone.iter().map(|id| strongroom_core::planner::Loss::Backup(*id)).collect();
    let what_if = world.open().await.load().await.unwrap();
    let what_if =
        what_if.catalogue().what_if(&Request::at(Target::Latest).of(Scope::of_parts(["a"])), &losses).unwrap();
    assert_eq!(what_if.before.newest, what_if.after.newest);
    world.change_by(900, FEW);
    let next = committed(&world.backup().await, "a").clone();
    assert_eq!(next.kind, BackupKind::Incremental);
    assert_eq!(
        restored(&world, next.backup).await,
        world.expected(&reached(&world.plan(&state_of(next.backup)).await))
    );
    // A base can be made of a chain that begins with a synthetic one.
    let from_it: Vec<BackupId> =
        world.plan(&state_of(next.backup)).await.steps().map(|(_, step)| step.backup).collect();
    assert_eq!(from_it, [report.backup, next.backup], "it is preferred to the chain that it was made of");
    let again = made(&world, of(state_of(next.backup))).await.unwrap();
    assert_eq!(again.made_from, from_it);
    assert_eq!(restored(&world, again.backup).await, restored(&world, next.backup).await);
}

#[tokio::test(start_paused = true)]
async fn deletes_that_the_chain_did_not_see_are_still_told() {
    let world = World::with(SimulatedOptions { deletes: Deletes::Unseen, ..folding() }, 3, FEW).await;
    world.backup_with(request()).await;
    world.change_by(30, FEW);
    strongroom_core::engine::backup(world.open().await, Arc::new(Codecs), world.cluster(), request()).await.unwrap();
    let plan = world.plan(&Request::at(Target::Latest).of(Scope::of_parts(["a"]))).await;
    assert!(plan.totals.deletes_unseen > 0, "{plan:?}");
    let report = made(&world, of(state_of(newest(&world).await))).await.unwrap();
    let plan = world.plan(&state_of(report.backup)).await;
    let warned: Vec<_> = plan.warnings.iter().map(|warning| warning.code).collect();
    assert!(warned.contains(&WarningCode::DeletesUnseen), "{warned:?}");
    assert!(report.warnings.iter().any(|warning| warning.contains("deleted things come back")), "{report:?}");
}

/// Makes a base and dies at operation `at`, then goes on, or begins anew where nothing was begun. `true`: it lived.
async fn die_and_go_on(world: World, backup: BackupId, at: u64, death: Death) -> bool {
    let before = backups(&world).await;
    let process = Crashing::at(world.storage.clone(), at, death);
    let work = made_on(&world, process.clone(), of(state_of(backup)));
    let done = process.run(work).await;
    let there: Vec<BackupId> = backups(&world).await.into_iter().filter(|id| !before.contains(id)).collect();
    let loaded = world.open().await.load().await.unwrap();
    let begun = loaded.in_progress.first().cloned();
    let report = match (there.as_slice(), &begun) {
        ([made], _) => {
            assert!(begun.is_none_or(|begun| begun.backup != *made), "{at} {death:?}: it is committed");
            assert_eq!(restored(&world, *made).await, restored(&world, backup).await, "{at} {death:?}");
            return done.is_some();
        }
        ([], Some(begun)) => {
            let name = begun.lease.strip_prefix("synthesize-").unwrap();
            let going = SynthesizeRequest { run: Some(name.parse().unwrap()), take_over: true, ..of(state_of(backup)) };
            match made(&world, going).await {
                Ok(report) => report,
                // It was begun, and died before it remembered what.
                Err(error) if error.kind() == ErrorKind::NotFound => made(&world, of(state_of(backup))).await.unwrap(),
                Err(error) => panic!("{at} {death:?}: {error:?}"),
            }
        }
        ([], None) => made(&world, of(state_of(backup))).await.unwrap(),
        more => panic!("{at} {death:?}: {more:?}"),
    };
    assert!(done.is_none(), "{at} {death:?}: it said that it was done");
    assert_eq!(restored(&world, report.backup).await, restored(&world, backup).await, "{at} {death:?}");
    false
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_operation_it_leaves_nothing_half_made_and_goes_on() {
    let world = short(6).await;
    let backup = newest(&world).await;
    for death in [Death::Before, Death::After] {
        let mut at = 1;
        while !die_and_go_on(world.duplicate(), backup, at, death).await {
            at += 1;
        }
        assert!(at > 30, "only {at} operations");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_is_not_stored_again() {
    let world = history(folding(), 7).await;
    let backup = newest(&world).await;
    let whole = made(&world.duplicate(), of(state_of(backup))).await.unwrap();
    let mut resumed = 0;
    for at in (15..).step_by(6) {
        let world = world.duplicate();
        let process = Crashing::failing_at(world.storage.clone(), at, Death::Before, ErrorKind::Denied);
        let Err(error) = made_on(&world, process, of(state_of(backup))).await else { break };
        let begun = world.open().await.load().await.unwrap().in_progress;
        let [begun] = begun.as_slice() else { continue };
        let advised = error.advice().is_some_and(|advice| advice.contains("name run"));
        let run = begun.lease.strip_prefix("synthesize-").unwrap();
        let going = SynthesizeRequest { run: Some(run.parse().unwrap()), take_over: true, ..of(state_of(backup)) };
        let report = match made(&world, going).await {
            Ok(report) => report,
            Err(nothing) if nothing.kind() == ErrorKind::NotFound && !advised => continue,
            Err(other) => panic!("{at}: {other:?} after {error:?}"),
        };
        assert!(advised, "{at}: {error:?}");
        assert_eq!((report.backup, report.totals.records), (begun.backup, whole.totals.records));
        assert!(report.resumed_pieces <= whole.totals.pieces);
        resumed += report.resumed_pieces;
    }
    assert!(resumed > 0, "a resume has stored everything again");
}

#[tokio::test(start_paused = true)]
async fn cancelled_at_any_moment_it_gives_its_lease_back() {
    let world = short(8).await;
    let backup = newest(&world).await;
    let mut moments = 0;
    loop {
        let world = world.duplicate();
        let before = backups(&world).await.len();
        let slow = Latency::new(world.storage.clone(), Duration::from_millis(2));
        let job = synthesize(world.open_on(slow).await, Arc::new(Codecs), fold(), of(state_of(backup)));
        tokio::time::sleep(Duration::from_millis(moments)).await;
        job.cancel();
        let outcome = job.await;
        assert!(!world.is_leased().await, "{moments}");
        match outcome {
            Ok(_) => break,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{moments}: {error:?}");
                assert!(backups(&world).await.len() <= before + 1, "{moments}");
            }
        }
        moments += 5;
    }
    assert!(moments > 60, "only {moments} moments");
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_merged_is_refused_before_anything_is_begun() {
    let world = history(folding(), 9).await;
    let backup = newest(&world).await;
    let kind = |outcome: Result<SynthesizeReport>| outcome.unwrap_err().kind();
    assert_eq!(kind(made(&world, of(Request::at(Target::Latest))).await), ErrorKind::Invalid, "several parts");
    let missing = SynthesizeRequest { run: Some(RunId::from_u128(5)), ..of(state_of(backup)) };
    assert_eq!(kind(made(&world, missing).await), ErrorKind::NotFound);
    let plain = World::with(SimulatedOptions::default(), 1, FEW).await;
    plain.backup().await;
    plain.change_by(2, FEW);
    plain.backup().await;
    assert_eq!(kind(made(&plain, of(state_of(newest(&plain).await))).await), ErrorKind::Unsupported, "another form");
    for world in [&world, &plain] {
        assert!(world.open().await.load().await.unwrap().in_progress.is_empty());
        assert!(!world.is_leased().await);
    }
}
