//! The strange catalogues on which the planner is held against its oracle: several clusters, windows that make no sense,
//! ids that come twice, keys and copies that are gone.

use strongroom_core::id::BackupId;
use strongroom_core::model::Status;
use strongroom_core::planner::{Activity, Catalogue, DeleteRequest, RetentionRequest};

use crate::generator::random_world;
use crate::picture::{World, at, word};
use crate::random::{cases, going, is_reached_as_before, reached};
use crate::worlds::{Rng, random_policy};

fn everywhere(usual: u64, check: impl Fn(&World, &Catalogue, &mut Rng)) {
    cases(usual, |seed| {
        let world = random_world(&mut fastrand::Rng::with_seed(seed), 16);
        let words: Vec<String> = world.entries.iter().map(word).collect();
        let described = format!("{} {:?}", words.join(" "), world.timelines);
        let check = || check(&world, &world.catalogue(), &mut Rng::new(seed));
        (described, std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)))
    });
}

fn left(world: &World, gone: &[BackupId]) -> Catalogue {
    let entries = world.entries.iter().filter(|entry| !gone.contains(&entry.id)).cloned().collect();
    World { entries, ..world.clone() }.catalogue()
}

#[test]
fn whatever_stays_is_reached_as_before() {
    everywhere(300, |world, catalogue, rng| {
        let mut policy = random_policy(rng);
        // Moments of these worlds are seconds.
        for span in [&mut policy.keep_within, &mut policy.point_in_time] {
            *span = span.map(|span| strongroom_core::units::Span(span.0 / 20_000));
        }
        let request = RetentionRequest::new(policy, at(rng.within(0, 100)));
        let gone = going(&catalogue.retain(&request).unwrap());
        assert!(gone.is_empty() || catalogue.is_complete());
        is_reached_as_before(&reached(catalogue), &reached(&left(world, &gone)), &gone);
        let second = left(world, &gone).retain(&request).unwrap();
        assert_eq!(going(&second), [], "a second round finds nothing to do");
    });
}

#[test]
fn a_deletion_takes_what_was_named_and_breaks_nothing() {
    everywhere(300, |world, catalogue, rng| {
        let backups = world.entries.iter().filter(|_| rng.odds(25)).map(|entry| entry.id).collect();
        let request = DeleteRequest {
            backups,
            cascade: rng.odds(50),
            allow_last: rng.odds(80),
            now: at(50),
            activity: Activity::default(),
        };
        let Ok(plan) = catalogue.delete(&request) else { return };
        let gone = going(&plan);
        for named in &request.backups {
            let deleted = world.entries.iter().any(|entry| entry.id == *named && entry.status == Status::Deleted);
            assert!(gone.contains(named) || deleted, "{named}");
        }
        assert!(request.cascade || gone.iter().all(|gone| request.backups.contains(gone)));
        is_reached_as_before(&reached(catalogue), &reached(&left(world, &gone)), &gone);
        plan.check(&left(world, &gone)).unwrap();
    });
}
