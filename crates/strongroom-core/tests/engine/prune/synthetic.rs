//! A synthetic base and prune: the chain may go once the base is there, and not while it is made.

use std::collections::BTreeSet;

use strongroom_core::ErrorKind;
use strongroom_core::id::BackupId;
use strongroom_core::model::Scope;
use strongroom_core::planner::{Request, Target};

use super::racing::{deleted, pruned_at};
use super::support::{at_once, keep_last, nothing_is_left_over, points};
use crate::support::World;
use crate::synthesizing::{FEW, folding, history, made, made_on, newest, of, restored, state_of};

#[tokio::test(start_paused = true)]
async fn the_chain_of_a_synthetic_base_goes_and_every_point_that_stays_restores() {
    let world = history(folding(), 13).await;
    let report = made(&world, of(state_of(newest(&world).await))).await.unwrap();
    world.change_by(1300, FEW);
    world.backup().await;
    let latest = Request::at(Target::Latest).of(Scope::of_parts(["a"]));
    let (before, newest) = (points(&world.catalogue().await), world.plan(&latest).await);
    assert!(newest.steps().any(|(_, step)| step.backup == report.backup), "it is preferred: {newest:?}");
    let gone = world.prune(at_once(keep_last(1))).await.deleted.backups;
    assert!(report.made_from.iter().all(|merged| gone.contains(merged)), "{gone:?}");
    let after = world.every_point_restores().await;
    assert!(after.contains_key(&report.backup) && after.len() > 1, "{after:?}");
    for (backup, reached) in &after {
        assert_eq!(before[backup].1, *reached, "a point that stays reaches what it reached");
    }
    assert_eq!(world.plan(&latest).await.reached, newest.reached);
    nothing_is_left_over(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_chain_is_merged_whole_or_refused_whenever_a_prune_comes() {
    let first = World::with(folding(), 14, FEW).await;
    first.two_chains_by(2, FEW).await;
    // The end of the older chain, which the policy does not keep.
    let last = first.catalogue().await.entries().filter(|entry| entry.part == "a").nth(1).unwrap().id;
    let chain: BTreeSet<BackupId> = first.plan(&state_of(last)).await.steps().map(|(_, step)| step.backup).collect();
    let expected = restored(&first, last).await;
    let (mut merged, mut refused) = (0, 0);
    for at in 1.. {
        let world = first.duplicate();
        let (storage, outcome) = pruned_at(&world, at, at_once(keep_last(1)));
        let done = made_on(&world, storage.clone(), of(state_of(last))).await;
        let gone = deleted(&outcome);
        // A prune right before the lease is given back waits for that very lease, and the storage seems not to answer.
        let ends_by_itself = |warning: &String| warning.contains("ends by itself");
        let kept_lease = done.as_ref().is_ok_and(|report| report.warnings.iter().any(ends_by_itself));
        match done {
            Ok(report) => {
                merged += 1;
                // The policy may take the new base, too, once it is there.
                if world.usable().await.contains(&report.backup) {
                    assert_eq!(restored(&world, report.backup).await, expected, "{at}");
                } else {
                    assert!(gone.contains(&report.backup), "{at}: {gone:?}");
                }
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind(), ErrorKind::NotFound, "{at}: {error:?}");
                assert!(chain.iter().all(|merged| gone.contains(merged)), "{at}: {gone:?}");
            }
        }
        assert_eq!(world.is_leased().await, kept_lease, "{at}: what is not given back is told");
        if !storage.happened() {
            break;
        }
        world.every_point_restores().await;
    }
    assert!(merged > 10 && refused > 0, "{merged} merged, {refused} refused");
}
