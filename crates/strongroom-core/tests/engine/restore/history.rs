//! Whatever moment of a random history is restored, the target holds what the cluster held then.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use strongroom_core::cluster::{Conflict, RestoreOptions};
use strongroom_core::engine::{BackupKindWish, BackupRequest, RestoreRequest};
use strongroom_core::model::{Applies, Deletes, Filter, Scope};
use strongroom_core::planner::{Request, Target};
use strongroom_core::{Key, Timestamp};
use strongroom_testkit::{ClusterContents, SeedGuard, SimulatedOptions, Workload, seeds};

use crate::support::{World, request, settings};

fn plain() -> RestoreRequest {
    RestoreRequest { settings: settings(), ..RestoreRequest::default() }
}

fn with(options: RestoreOptions) -> RestoreRequest {
    RestoreRequest { options, ..plain() }
}

/// Every form of cluster whose restore is worked off in another way.
fn forms() -> Vec<SimulatedOptions> {
    let usual = SimulatedOptions { zero_byte_piece: true, ..SimulatedOptions::default() };
    vec![
        usual.clone(),
        SimulatedOptions { fold: true, ..usual.clone() },
        SimulatedOptions { applies: Applies::Exact, empty_pieces: true, pieces: 9, ..usual.clone() },
        SimulatedOptions { nodes: 3, pieces: 16, ..usual },
    ]
}

/// A history of bases and incrementals, and moments all over it.
async fn history(world: &World, seed: u64) -> Vec<Timestamp> {
    let mut moments = Vec::new();
    for round in 0..6 {
        let kind = if round == 4 { BackupKindWish::Base } else { BackupKindWish::Auto };
        let report = world.backup_with(BackupRequest { kind, ..request() }).await;
        moments.extend(report.parts.iter().map(|part| crate::support::committed(&report, &part.part).window.until));
        for change in 0..3 {
            world.change_by(seed * 100 + round * 10 + change, Workload { steps: 12, ..Workload::default() });
            moments.push(world.cluster.put("a", "table-0", "the clock", format!("{round} {change}")));
        }
    }
    moments
}

#[tokio::test(start_paused = true)]
async fn every_moment_comes_back_as_it_was() {
    for (seed, options) in seeds(2).into_iter().flat_map(|seed| forms().into_iter().map(move |form| (seed, form))) {
        let _guard = SeedGuard::new(seed);
        let world = World::new(options, seed).await;
        for moment in history(&world, seed).await {
            let plan = world.plan(&Request::at(Target::AtOrBefore(moment))).await;
            assert!(plan.reached.until <= moment);
            let target = world.target();
            let summary = world.restore(plan, &target, plain()).await.unwrap();
            assert_eq!(target.contents(), world.expected(&summary.parts), "{moment}");
            assert_eq!((target.open_sessions(), summary.warnings.len()), (0, 2), "{summary:?}");
            assert!(summary.warnings.iter().all(|warning| warning.ends_with("will be made")));
        }
        assert!(!world.is_leased().await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_comes_back_only_where_deletes_are_not_seen() {
    for fold in [false, true] {
        let options = SimulatedOptions { deletes: Deletes::Unseen, fold, ..SimulatedOptions::default() };
        let world = World::new(options, 1).await;
        world.chain(3).await;
        let target = world.target();
        let summary = world.restore(world.latest().await, &target, plain()).await.unwrap();
        let found = target.contents();
        assert_ne!(found, world.expected(&summary.parts), "some deletes were lost");
        for (part, reached) in &summary.parts {
            let of_part = found.iter().filter(|(name, _)| name.starts_with(&format!("{part}/")));
            let of_part = of_part.map(|(name, value)| (name.clone(), value.clone())).collect();
            world.cluster.check_between(part, &of_part, reached.until, reached.settled, Deletes::Unseen).unwrap();
        }
        assert!(!summary.plan_warnings.is_empty(), "and the plan says so");
    }
}

#[tokio::test(start_paused = true)]
async fn a_living_cluster_comes_back_within_its_window() {
    for fold in [false, true] {
        let world = World::new(SimulatedOptions { live: true, fold, ..SimulatedOptions::default() }, 1).await;
        world.chain(3).await;
        let target = world.target();
        let summary = world.restore(world.latest().await, &target, plain()).await.unwrap();
        for (part, reached) in &summary.parts {
            let found = target.part_at(part, Timestamp::MAX);
            world.cluster.check_between(part, &found, reached.until, reached.settled, Deletes::Seen).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_scope_and_a_filter_bring_back_what_they_name_and_nothing_else() {
    for options in forms() {
        let world = World::new(options, 3).await;
        world.chain(2).await;
        let filter = Filter { tables: Some(["table-1".to_owned()].into()), ..Filter::default() };
        let scope = Scope { parts: Some([("b".to_owned(), filter)].into()) };
        let target = world.target();
        let plan = world.plan(&Request::at(Target::Latest).of(scope)).await;
        let summary = world.restore(plan, &target, plain()).await.unwrap();
        let wanted = |(name, _): &(String, Bytes)| name.starts_with("b/table-1/");
        let expected: ClusterContents = world.expected(&summary.parts).into_iter().filter(wanted).collect();
        assert!(!expected.is_empty());
        assert_eq!(target.contents(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renamed_part_comes_back_under_its_new_name() {
    for options in forms() {
        let world = World::new(options, 3).await;
        world.chain(2).await;
        let target = world.target();
        target.put("a", "kept", "r", "not touched");
        let rename = BTreeMap::from([("a".to_owned(), "a of old".to_owned())]);
        let request = with(RestoreOptions { rename, ..RestoreOptions::default() });
        let summary = world.restore(world.latest().await, &target, request).await.unwrap();
        let new_name = |name: String| match name.strip_prefix("a/") {
            Some(rest) => format!("{}/{rest}", Key::escape("a of old")),
            None => name,
        };
        let mut expected: ClusterContents =
            world.expected(&summary.parts).into_iter().map(|(name, value)| (new_name(name), value)).collect();
        expected.insert("a/kept/r".to_owned(), "not touched".into());
        assert_eq!(target.contents(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn conflicts_are_decided_as_asked() {
    for (options, conflict) in forms().into_iter().flat_map(|options| {
        [Conflict::Replace, Conflict::Keep, Conflict::Newer].map(|conflict| (options.clone(), conflict))
    }) {
        let world = World::new(options, 3).await;
        let target = world.target();
        let mut before: BTreeMap<String, (Timestamp, Bytes)> = BTreeMap::new();
        let fill = |round: u64, before: &mut BTreeMap<String, (Timestamp, Bytes)>| {
            for number in 0..15 {
                let record = format!("r{}", (number * 7 + round) % 40);
                let value = Bytes::from(format!("of the target {round} {number}"));
                let at = target.put("a", "table-1", &record, value.clone());
                before.insert(format!("a/table-1/{record}"), (at, value));
            }
        };
        fill(1, &mut before);
        let mut gone: BTreeMap<String, Timestamp> = BTreeMap::new();
        let mut wrote: BTreeMap<String, Timestamp> = BTreeMap::new();
        let mut change = |round: u64| {
            for number in 0..40_u64 {
                let record = format!("r{}", (number * 11 + round) % 40);
                let name = format!("a/table-1/{record}");
                if number % 3 == 0 && round > 0 {
                    gone.insert(name, world.cluster.delete("a", "table-1", &record));
                } else {
                    wrote.insert(name, world.cluster.put("a", "table-1", &record, format!("{round} {number}")));
                }
            }
        };
        change(0);
        world.backup().await;
        fill(2, &mut before);
        change(1);
        world.backup().await;
        change(2);
        world.backup().await;
        fill(3, &mut before);
        let plan = world.plan(&Request::at(Target::Latest).of(Scope::of_parts(["a"]))).await;
        let summary =
            world.restore(plan, &target, with(RestoreOptions { conflict, ..RestoreOptions::default() })).await.unwrap();
        let mut expected = world.expected(&summary.parts);
        for (name, (at, value)) in &before {
            let alive = expected.contains_key(name);
            let newest = [wrote.get(name), gone.get(name)].into_iter().flatten().max();
            let stays = match conflict {
                Conflict::Replace => newest.is_none(),
                Conflict::Keep => true,
                Conflict::Newer => newest.is_none_or(|newest| at > newest),
            };
            if stays {
                expected.insert(name.clone(), value.clone());
            } else if !alive {
                expected.remove(name);
            }
        }
        assert_eq!(target.contents(), expected, "{conflict:?}");
        assert_eq!(summary.applied.kept > 0, conflict != Conflict::Replace);
    }
}

#[tokio::test(start_paused = true)]
async fn truncating_leaves_nothing_but_what_is_restored() {
    for options in forms() {
        let world = World::new(options, 3).await;
        world.chain(2).await;
        let target = world.target();
        target.put("a", "table-1", "a stranger", "x");
        target.put("c", "table-1", "not meant", "x");
        let request = with(RestoreOptions { truncate: true, ..RestoreOptions::default() });
        let summary = world.restore(world.latest().await, &target, request).await.unwrap();
        let mut expected = world.expected(&summary.parts);
        expected.insert("c/table-1/not%20meant".to_owned(), "x".into());
        assert_eq!(target.contents(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn definitions_or_data_may_be_left_out() {
    for options in forms() {
        let world = World::new(options, 3).await;
        world.chain(2).await;
        let tables = |target: &strongroom_testkit::SimulatedCluster| {
            let target = target.clone();
            async move {
                let topology = strongroom_core::Cluster::describe(&target).await.unwrap();
                topology.parts.get("a").map(|part| part.tables.keys().cloned().collect::<BTreeSet<_>>())
            }
        };
        let target = world.target();
        let request = with(RestoreOptions { no_data: true, ..RestoreOptions::default() });
        let summary = world.restore(world.latest().await, &target, request).await.unwrap();
        assert!(target.contents().is_empty());
        assert!(summary.applied.definitions > 0 && summary.applied.written == 0, "{summary:?}");
        assert!(tables(&target).await.unwrap().contains("table-1"));

        world.cluster.create_table("a", "an empty table");
        world.change(9);
        world.backup().await;
        let target = world.target();
        let request = with(RestoreOptions { no_definitions: true, ..RestoreOptions::default() });
        let summary = world.restore(world.latest().await, &target, request).await.unwrap();
        assert_eq!(target.contents(), world.expected(&summary.parts));
        assert_eq!(summary.applied.definitions, 0);
        assert!(!tables(&target).await.unwrap().contains("an empty table"));
        let target = world.target();
        world.restore(world.latest().await, &target, plain()).await.unwrap();
        assert!(tables(&target).await.unwrap().contains("an empty table"), "a definition without data comes back");
    }
}

#[tokio::test(start_paused = true)]
async fn progress_tells_how_far_it_is() {
    for options in forms() {
        let world = World::new(options, 3).await;
        world.chain(2).await;
        let (repository, plan) = (world.open().await, world.latest().await);
        let target = std::sync::Arc::new(world.target());
        let job = strongroom_core::engine::restore(
            repository,
            std::sync::Arc::new(crate::toy::Codecs),
            plan,
            target,
            plain(),
        );
        let counters = job.counters();
        job.await.unwrap();
        let now = counters.snapshot();
        assert_eq!((now.permille, now.pieces, now.plain_bytes), (1000, now.pieces_total, now.plain_bytes_total));
        assert!(now.pieces > 10 && now.records > 10, "{now:?}");
    }
}
