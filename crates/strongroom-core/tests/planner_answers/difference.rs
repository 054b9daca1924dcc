//! Differences of two plans.

use std::collections::BTreeSet;

use proptest::prelude::*;
use strongroom_core::id::BackupId;
use strongroom_core::planner::{Apply, Changed, Difference, Plan, Request, Target, WarningCode};

use crate::support::{at, by, draw, id, latest, point};

fn plan(picture: &str, request: &Request) -> Plan {
    draw(picture).plan(request).expect("a plan")
}

fn backups<'a>(steps: impl IntoIterator<Item = &'a strongroom_core::planner::StepSide>) -> Vec<BackupId> {
    steps.into_iter().map(|step| step.backup).collect()
}

#[test]
fn steps_that_come_and_go_change_their_source_and_their_mode() {
    let one = plan("1:-10=home,s3 2:10-20 3:20-30#p 9:-10#q", &by(25));
    let other = plan("1:-10=s3 2:1@10-20^? 4:20-40 8:-10#r", &latest());
    let difference = one.difference(&other);
    assert!(!difference.is_none());
    let part = &difference.parts["p"];
    assert_eq!(part.reached, Changed { before: Some(point(20, 20)), after: Some(point(40, 40)) });
    assert_eq!((backups(&part.added), backups(&part.removed)), (vec![id(4)], vec![]));
    let [base, incremental] = part.changed.as_slice() else { panic!("{part:#?}") };
    assert_eq!(base.storage, Some(Changed { before: "home".to_owned(), after: "s3".to_owned() }));
    assert_eq!(base.alternates, Some(Changed { before: 1, after: 0 }));
    assert_eq!(incremental.apply, Some(Changed { before: Apply::Cover, after: Apply::Exact }));
    assert_eq!(incremental.verified.map(|change| change.after), Some(None));
    assert_eq!(difference.parts["q"].reached.after, None);
    assert_eq!(difference.parts["r"].reached.before, None);
    let added: Vec<_> = difference.warnings_added.iter().map(|warning| warning.code).collect();
    assert!(added.contains(&WarningCode::DeletesUnseen) && added.contains(&WarningCode::Unverified), "{added:?}");
    let json = serde_json::to_string(&difference).expect("JSON");
    assert_eq!(serde_json::from_str::<Difference>(&json).expect("a difference"), difference);
    let text = difference.to_string();
    for told in [
        "part 'p' reaches 1970-01-01T00:00:40Z instead of 1970-01-01T00:00:20Z; 30 B to read instead of 20 B",
        "+ step 3: incremental until 1970-01-01T00:00:40Z",
        "read from s3 instead of home; 0 spares instead of 1",
        "onto its parent instead of last write wins",
        "part 'q' is left out",
        "part 'r' is new, and reaches 1970-01-01T00:00:10Z",
        "+ DELETES_UNSEEN part 'p'",
    ] {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(told), "{told} is missing in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn plans_that_do_the_same_for_different_requests_do_not_differ() {
    let difference = plan("1:-10 2:10-20", &latest()).difference(&plan("1:-10 2:10-20", &by(25)));
    assert!(difference.is_none());
    assert_ne!(difference.before.hash, difference.after.hash);
    assert_eq!((difference.before.asked, difference.after.asked), (None, Some(at(25))));
    assert!(difference.to_string().starts_with("Both plans do the same.\n"), "{difference}");
}

#[test]
fn a_thousand_steps_are_counted() {
    let chain: Vec<String> = (1..1000).map(|at| format!("{}:{}-{}", at + 1, at * 10, at * 10 + 10)).collect();
    let picture = format!("1:-10 {}", chain.join(" "));
    let text = plan(&picture, &by(10)).difference(&plan(&picture, &latest())).to_string();
    assert!(text.contains("987 more such steps") && text.lines().count() < 30, "{text}");
}

proptest! {
    #[test]
    fn a_difference_leads_from_one_plan_to_the_other_and_back(one in 10..70_i64, other in 10..70_i64) {
        let catalogue = draw("1:-10=home,s3 2:10-20 3:20-30~33 4:-25#p 5:25-35 6:-12#q 7:12-40^#q 8:-50?#p 9:50-60#p");
        let request = |at| Request::at(Target::AtOrBefore(self::at(at)));
        let (Ok(one), Ok(other)) = (catalogue.plan(&request(one)), catalogue.plan(&request(other))) else {
            return Ok(());
        };
        let (there, back) = (one.difference(&other), other.difference(&one));
        prop_assert!(one.difference(&one).is_none());
        prop_assert_eq!(there.is_none(), one.parts == other.parts && one.warnings == other.warnings);
        let ids = |plan: &Plan, part: &str| -> BTreeSet<BackupId> {
            plan.parts.get(part).into_iter().flat_map(|part| part.steps.iter().map(|step| step.backup)).collect()
        };
        for (name, part) in &there.parts {
            prop_assert_eq!(&part.added, &back.parts[name].removed);
            prop_assert_eq!(&part.removed, &back.parts[name].added);
            let mut made = ids(&one, name);
            for gone in backups(&part.removed) {
                prop_assert!(made.remove(&gone));
            }
            for new in backups(&part.added) {
                prop_assert!(made.insert(new));
            }
            prop_assert_eq!(made, ids(&other, name));
        }
    }
}
