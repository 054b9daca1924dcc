//! Losses: by picture, and against planning again without what is lost.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use strongroom_core::Key;
use strongroom_core::id::BackupId;
use strongroom_core::model::Scope;
use strongroom_core::planner::{Catalogue, Change, Effect, Loss, Plan, Reason, Request, Target, WhatIf};

use crate::random::{cases, moments, world};
use crate::support::{at, draw, id, latest, point};

fn lose(picture: &str, losses: &[Loss]) -> WhatIf {
    draw(picture).what_if(&latest(), losses).expect("an answer")
}

fn of(what_if: &WhatIf) -> Vec<(Effect, u64, Option<i64>)> {
    let instead = |change: &Change| change.instead.map(|reached| reached.until.micros() / 1_000_000);
    what_if.changes["p"].iter().map(|change| (change.effect, change.points, instead(change))).collect()
}

#[test]
fn losing_the_middle_of_a_chain_kills_what_comes_after_it_until_the_next_base() {
    let what_if = lose("1:-10 2:10-20 3:20-30 4:30-40 5:-50", &[Loss::Backup(id(2))]);
    assert_eq!(what_if.lost.oldest, [id(2)]);
    assert_eq!((what_if.stranded.count, what_if.stranded.oldest.as_slice()), (2, [id(3), id(4)].as_slice()));
    // Between 20 and 30 nothing is missed but a point; from 30 on something is there that can't be used.
    assert_eq!(of(&what_if), [(Effect::Earlier, 1, Some(10)), (Effect::Refused, 2, Some(10))]);
    let change = &what_if.changes["p"][1];
    assert_eq!((change.span.from, change.span.until), (at(30), Some(at(50).plus_micros(-1))));
    assert_eq!(
        (change.first, change.last, change.instead),
        (Some(point(30, 30)), Some(point(40, 40)), Some(point(10, 10)))
    );
    assert_eq!(change.refused, Some(Reason::Deleted));
    assert_eq!((what_if.before.parts["p"].gaps.len(), what_if.after.parts["p"].gaps.len()), (0, 1));
    assert!(!what_if.is_harmless());
}

#[test]
fn losing_the_only_base_leaves_nothing() {
    let what_if = lose("1:-10 2:10-20", &[Loss::Backup(id(1))]);
    assert_eq!(of(&what_if), [(Effect::Refused, 1, None), (Effect::Refused, 1, None)]);
    let reasons: Vec<_> = what_if.changes["p"].iter().map(|change| change.refused).collect();
    assert_eq!(reasons, [Some(Reason::BeforeFirst), Some(Reason::Deleted)]);
    assert_eq!(what_if.after.newest, None);
}

#[test]
fn a_bridge_makes_the_loss_of_a_base_cost_its_own_point_only() {
    // The first incremental after the second base begins where the one before it ended.
    let bridged = lose("1:-10 2:10-20 3:-22 4:20-30 5:30-40", &[Loss::Backup(id(3))]);
    assert_eq!(of(&bridged), [(Effect::Earlier, 1, Some(20))]);
    assert_eq!(bridged.stranded.count, 0);
    let plain = lose("1:-10 2:10-20 3:-22 4:22-30 5:30-40", &[Loss::Backup(id(3))]);
    assert_eq!(of(&plain), [(Effect::Earlier, 1, Some(20)), (Effect::Refused, 2, Some(20))]);
}

#[test]
fn a_storage_is_no_loss_where_another_holds_copies() {
    let picture = "1:-10=home,s3 2:10-20=s3 3:20-30=home,s3";
    let home = lose(picture, &[Loss::Storage("home".into())]);
    assert!(home.is_harmless());
    assert_eq!(home.lost.count, 0);
    let away = lose(picture, &[Loss::Storage("s3".into())]);
    assert_eq!(
        (away.lost.oldest.as_slice(), away.stranded.oldest.as_slice()),
        ([id(2)].as_slice(), [id(3)].as_slice())
    );
    assert_eq!(of(&away), [(Effect::Refused, 2, Some(10))]);
    assert_eq!(away.changes["p"][0].refused, Some(Reason::CopyUnavailable));
}

#[test]
fn an_object_belongs_to_the_backup_in_whose_folder_it_lies() {
    let key = |name: &str| Loss::Object(Key::new(name).expect("a key"));
    let folder = format!("backups/c/{}", id(2));
    for name in [format!("{folder}/manifest.json"), format!("{folder}/data/0.1.002")] {
        assert_eq!(lose("1:-10 2:10-20", &[key(&name)]).lost.oldest, [id(2)], "{name}");
    }
    for name in ["content/ab/abcdef.1".to_owned(), format!("{folder}x/data")] {
        let error = draw("1:-10 2:10-20").what_if(&latest(), &[key(&name)]).expect_err("nobody owns it");
        assert_eq!(error.reason, Reason::Unknown, "{name}");
    }
}

#[test]
fn what_is_not_there_is_told() {
    let refused = |loss: Loss| draw("1:-10=s3").what_if(&latest(), &[loss]).expect_err("not there").message;
    assert!(refused(Loss::Backup(id(9))).contains("no backup 00000000000000000000000000000009"));
    assert_eq!(refused(Loss::Storage("tape".into())), "no backup is in a storage 'tape'; there are: s3");
}

#[test]
fn deleting_what_stands_in_the_way_closes_a_gap() {
    let what_if = lose("1:-10 3:20-30", &[Loss::Backup(id(3))]);
    assert_eq!(of(&what_if), [(Effect::Gained, 1, Some(10))]);
    assert!(what_if.is_harmless());
}

#[test]
fn a_hole_in_a_log_costs_every_moment_after_it() {
    let picture = "1:-10&a 7:a.1.1@5-20 8:a.1.2<1.1@20-30 9:a.1.3<1.2@30-40 2:-60&a";
    let what_if = lose(picture, &[Loss::Backup(id(8))]);
    assert_eq!(of(&what_if), [(Effect::Earlier, 0, Some(20)), (Effect::Refused, 1, Some(20))]);
    let spans: Vec<_> = what_if.changes["p"].iter().map(|change| change.span.from).collect();
    assert_eq!(spans, [at(20).plus_micros(1), at(30)]);
}

#[test]
fn one_loss_in_a_long_chain_is_one_change() {
    const LONG: i64 = 50_000;
    let mut picture = "1:-1".to_owned();
    for number in 2..=LONG {
        write!(picture, " {number}:{}-{number}", number - 1).expect("a text");
    }
    let what_if = lose(&picture, &[Loss::Backup(id(2))]);
    assert_eq!(what_if.stranded.count, 49_998);
    assert_eq!(of(&what_if), [(Effect::Earlier, 1, Some(1)), (Effect::Refused, 49_998, Some(1))]);
}

fn reached(plan: Option<&Plan>) -> Option<strongroom_core::Timestamp> {
    plan.map(|plan| plan.reached.until)
}

/// Whether a chain ends at a backup.
fn restorable(catalogue: &Catalogue, request: &Request, backup: BackupId) -> bool {
    let request = Request { target: Target::Backup(backup), scope: Scope::all(), ..request.clone() };
    catalogue.plan(&request).is_ok()
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_loss_changes_what_planning_without_it_changes(
        world in world(),
        picks: [prop::sample::Index; 2],
        storage in prop::option::weighted(0.3, prop_oneof![Just("home"), Just("s3")]),
    ) {
        let now = world.catalogue();
        let numbers = world.numbers();
        let mut lost: BTreeSet<u128> = picks.iter().filter(|_| !numbers.is_empty()).map(|pick| *pick.get(&numbers)).collect();
        let mut losses: Vec<Loss> = lost.iter().map(|number| Loss::Backup(id(*number))).collect();
        let mut request = world.request.clone();
        if let Some(storage) = storage.filter(|name| now.storages().contains(*name)) {
            losses = vec![Loss::Storage(storage.into())];
            let left = world.request.storages.clone().unwrap_or_else(|| now.storages());
            request.storages = Some(left.into_iter().filter(|name| *name != storage).collect());
            lost.clear();
        }
        let then = world.deleted(&lost).catalogue();
        let Ok(what_if) = now.what_if(&world.request, &losses) else {
            prop_assert!(now.plan(&world.request).is_err());
            return Ok(());
        };
        if let Ok(windows) = then.windows(&request) {
            for (name, part) in &windows.parts {
                prop_assert_eq!(&what_if.after.parts[name], part);
            }
        }
        prop_assert_eq!(&what_if.before, &now.windows(&world.request).expect("windows"));
        for (name, changes) in &what_if.changes {
            for moment in moments() {
                let of = |catalogue: &Catalogue, request: &Request| {
                    let target = Target::AtOrBefore(moment);
                    let request = Request { target, scope: Scope::of_parts([name.as_str()]), ..request.clone() };
                    catalogue.plan(&request).ok()
                };
                let (now, then) = (of(&now, &world.request), of(&then, &request));
                let effect = match (reached(now.as_ref()), reached(then.as_ref())) {
                    (Some(_), None) => Some(Effect::Refused),
                    (None, Some(_)) => Some(Effect::Gained),
                    (Some(now), Some(then)) if then < now => Some(Effect::Earlier),
                    (Some(now), Some(then)) if then > now => Some(Effect::Later),
                    _ => None,
                };
                let told: Vec<&Change> = changes.iter().filter(|change| change.span.contains(moment)).collect();
                prop_assert!(told.len() <= 1);
                prop_assert_eq!(told.first().map(|change| change.effect), effect, "'{}' at {}", name, moment);
                if let (Some(change), Some(then)) = (told.first(), then) {
                    let instead = change.instead.expect("a plan reaches something").until;
                    prop_assert!(instead >= then.reached.until);
                }
            }
        }
        let dead = |number: &&u128| {
            !lost.contains(number)
                && restorable(&now, &world.request, id(**number))
                && !restorable(&then, &request, id(**number))
        };
        let dead: BTreeSet<BackupId> = numbers.iter().filter(dead).map(|number| id(*number)).collect();
        let told = what_if.stranded.oldest.iter().chain(&what_if.lost.oldest).copied().collect();
        prop_assert!(dead.is_subset(&told), "{:?} {:?}", dead, told);
        for stranded in &what_if.stranded.oldest {
            prop_assert!(dead.contains(stranded), "{} is not stranded", stranded);
        }
    }
}
