//! Deleting what is named, with the same guard.

use strongroom_core::planner::{
    Block, Catalogue, DeleteRefusal, DeleteRequest, Entry, KeepReason, Pin, PinKind, RetentionPlan,
};
use strongroom_core::{Error, ErrorKind};

use crate::drawn::{at, draw, entries, id};
use crate::support::{going, kept_for, leased, number, segments_going};

fn named(backups: &[u128]) -> DeleteRequest {
    DeleteRequest {
        backups: backups.iter().map(|number| id(*number)).collect(),
        now: at(1000),
        ..DeleteRequest::default()
    }
}

fn delete(catalogue: &Catalogue, backups: &[u128]) -> Result<RetentionPlan, Box<DeleteRefusal>> {
    catalogue.delete(&named(backups))
}

fn dependents(refusal: &DeleteRefusal) -> Vec<(u128, u128)> {
    refusal.dependents.iter().map(|one| (number(one.backup), number(one.needs))).collect()
}

#[test]
fn what_depends_is_named_or_goes_along() {
    let catalogue = draw("1:-10 2:10-20 3:20-30 4:-40 5:40-50");
    let refusal = delete(&catalogue, &[1]).unwrap_err();
    assert_eq!(dependents(&refusal), [(2, 1), (3, 1)]);
    assert_eq!((refusal.unknown.len(), refusal.blocked.len(), refusal.last.len()), (0, 0, 0));
    let error = Error::from(refusal);
    assert_eq!(error.kind(), ErrorKind::BrokenChain);
    assert!(error.to_string().contains("--cascade"), "{error}");
    let plan = catalogue.delete(&DeleteRequest { cascade: true, ..named(&[1]) }).unwrap();
    assert_eq!(going(&plan), [3, 2, 1], "newest first");
    assert_eq!(kept_for(&plan, KeepReason::NotNamed), [4, 5]);
    assert_eq!(plan.totals.going, 3);
    plan.check(&catalogue).unwrap();
    assert_eq!(going(&delete(&catalogue, &[2, 1, 3]).unwrap()), [3, 2, 1], "all named");
    assert_eq!(going(&delete(&catalogue, &[3]).unwrap()), [3]);
}

#[test]
fn what_has_another_chain_does_not_depend() {
    // 4 goes back over 3 (a bridge): without 3 its chain begins with 1.
    let catalogue = draw("1:-10 2:10-20 3:-30 4:20-40");
    let plan = delete(&catalogue, &[3]).unwrap();
    assert_eq!((going(&plan), kept_for(&plan, KeepReason::NotNamed)), (vec![3], vec![1, 2, 4]));
    assert_eq!(dependents(&delete(&catalogue, &[1]).unwrap_err()), [(2, 1)], "and without 1 with 3");
    let both = catalogue.delete(&DeleteRequest { cascade: true, ..named(&[1, 3]) });
    assert_eq!(both.unwrap_err().last.len(), 1, "4 needs one of them");
}

#[test]
fn a_point_that_would_move_is_no_less_than_one_that_would_be_lost() {
    // Without 3, the chain of 4 applies 2, which is settled at 60: what a restore to 4 reaches moves from 45 to 60.
    let catalogue = draw("1:-10 2:10-20~60 3:-25 4:20-40~45");
    let refusal = delete(&catalogue, &[3]).unwrap_err();
    assert_eq!((dependents(&refusal), refusal.dependents[0].moves), (vec![(4, 3)], true));
    let cascade = catalogue.delete(&DeleteRequest { cascade: true, ..named(&[3]) }).unwrap_err();
    assert_eq!(dependents(&cascade), [(4, 3)], "it can still be restored, so a cascade does not take it");
    assert!(Error::from(cascade).to_string().contains("name that backup too"));
    assert_eq!(going(&delete(&catalogue, &[3, 4]).unwrap()), [4, 3]);
}

#[test]
fn pins_leases_and_locks_are_named() {
    let mut all = entries("1:-10 2:10-20 3:-30");
    all[1].pins.push(Pin { until: Some(at(2000)), ..Pin::new(PinKind::Hold, "audit") });
    let catalogue = Catalogue::from_entries(all, [], 1, true);
    let hold = Block::Hold { reason: "audit".to_owned(), until: Some(at(2000)), by: String::new() };
    // Through the cascade, too.
    for request in [named(&[2]), DeleteRequest { cascade: true, ..named(&[1]) }] {
        let refusal = catalogue.delete(&request).unwrap_err();
        let blocked: Vec<_> = refusal.blocked.iter().map(|one| (number(one.backup), one.by.clone())).collect();
        assert_eq!(blocked, [(2, vec![hold.clone()])]);
        let error = Error::from(refusal);
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("a legal hold until") && error.to_string().contains("audit"), "{error}");
    }
    assert_eq!(going(&catalogue.delete(&DeleteRequest { now: at(2000), ..named(&[2]) }).unwrap()), [2]);
    let read = DeleteRequest { activity: leased(&[3], "restore-1"), ..named(&[3]) };
    assert_eq!(catalogue.delete(&read).unwrap_err().blocked[0].by, [Block::Lease { name: "restore-1".to_owned() }]);
    let incomplete = Catalogue::from_entries(entries("1:-10 2:-20"), [], 1, false);
    assert_eq!(delete(&incomplete, &[1]).unwrap_err().blocked[0].by, [Block::CatalogueIncomplete]);
}

#[test]
fn the_advice_fits_what_speaks_against_it() {
    let advice = |picture: &str, change: &dyn Fn(&mut Entry)| {
        let mut all = entries(picture);
        change(&mut all[0]);
        let refusal = delete(&Catalogue::from_entries(all, [], 1, true), &[1]).unwrap_err();
        Error::from(refusal).advice().unwrap().to_owned()
    };
    let pinned = |kind| move |entry: &mut Entry| entry.pins.push(Pin::new(kind, "audit"));
    assert!(advice("1:-10 3:-30", &pinned(PinKind::Pin)).contains("take the pin off"));
    assert!(advice("1:-10 3:-30", &pinned(PinKind::Hold)).contains("release it"));
    let locked = |entry: &mut Entry| entry.copies[0].locked_until = Some(at(9000));
    assert!(advice("1:-10=home 3:-30", &locked).contains("until the lock ends"));
    assert!(advice("1:-10 1:-12 3:-30", &|_| ()).contains("which of the two is meant can't be told"));
}

#[test]
fn a_long_chain_names_for_each_backup_the_nearest_that_goes() {
    let chain: Vec<String> = (1..300).map(|number| format!("{}:{number}0-{}0", number + 1, number + 1)).collect();
    let catalogue = draw(&format!("1:-10 {}", chain.join(" ")));
    let refusal = delete(&catalogue, &[3, 200]).unwrap_err();
    let expected: Vec<_> =
        (4..=300).filter(|number| *number != 200).map(|n| (n, if n < 200 { 3 } else { 200 })).collect();
    assert_eq!(dependents(&refusal), expected);
}

#[test]
fn the_last_point_goes_only_if_that_is_said() {
    let catalogue = draw("1:-10 2:10-20 3:-30?");
    let refusal = delete(&catalogue, &[1, 2]).unwrap_err();
    assert_eq!(refusal.last.iter().map(|(_, part)| part.as_str()).collect::<Vec<_>>(), ["p"], "3 is not verified");
    assert!(Error::from(refusal).to_string().contains("--last"));
    let all = DeleteRequest { allow_last: true, ..named(&[1, 2, 3]) };
    assert_eq!(going(&catalogue.delete(&all).unwrap()), [3, 2, 1]);
    assert_eq!(delete(&draw("1:-10? 2:-20?"), &[1, 2]).unwrap_err().last.len(), 1);
    assert_eq!(going(&delete(&draw("1:-10? 2:-20?"), &[1]).unwrap()), [1]);
    // What no chain reaches is no point that could be lost.
    assert_eq!(going(&delete(&draw("1:-10 2:15-20"), &[2]).unwrap()), [2]);
}

#[test]
fn an_unknown_backup_is_named_and_a_condemned_one_is_done() {
    let catalogue = draw("1:-10 2:-20!deleted");
    let refusal = delete(&catalogue, &[7]).unwrap_err();
    assert_eq!(refusal.unknown, [id(7)]);
    assert_eq!(Error::from(refusal).kind(), ErrorKind::NotFound);
    assert_eq!(going(&delete(&catalogue, &[2]).unwrap()), []);
}

#[test]
fn a_log_segment_goes_when_no_point_needs_it() {
    let picture = "1:-20&a 2:-60&a 11:a.1.1@5-15 12:a.1.2<1.1@15-30 13:a.1.3<1.2@30-50 14:a.1.4<1.3@50-90";
    let catalogue = draw(picture);
    let refusal = delete(&catalogue, &[13]).unwrap_err();
    assert_eq!(dependents(&refusal), [(1, 13)]);
    let plan = delete(&catalogue, &[1, 11, 12, 13]).unwrap();
    assert_eq!((going(&plan), segments_going(&plan)), (vec![1], vec![13, 12, 11]));
    assert_eq!((plan.logs[0].kept, plan.totals.going), (1, 4));
}

#[test]
fn all_that_speaks_against_it_is_told_at_once() {
    let mut all = entries("1:-10 2:10-20");
    all[0].pins.push(Pin::new(PinKind::Pin, "quarter"));
    let refusal = delete(&Catalogue::from_entries(all, [], 1, true), &[1, 9]).unwrap_err();
    let text = refusal.to_string();
    for part in ["there is no backup", "a pin (quarter)", "needs"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = serde_json::to_string(&refusal).unwrap();
    assert_eq!(serde_json::from_str::<DeleteRefusal>(&json).unwrap(), *refusal);
}
