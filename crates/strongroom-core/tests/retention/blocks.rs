//! What keeps backups that no rule keeps, and what that means for others.

use strongroom_core::planner::{
    Activity, Block, Catalogue, Entry, Held, HeldState, InFlight, Pin, PinKind, RetentionPolicy,
};
use strongroom_core::units::Span;
use strongroom_core::{Timestamp, id::BackupId};

use crate::drawn::{at, draw, entries, id};
use crate::support::{bare, blocked, going, kept, last, leased, needed, request, round};

fn catalogue(picture: &str, change: impl Fn(&mut Vec<Entry>)) -> Catalogue {
    let mut all = entries(picture);
    change(&mut all);
    Catalogue::from_entries(all, [], 1, true)
}

fn pin(kind: PinKind, until: Option<i64>) -> Pin {
    Pin { until: until.map(at), ..Pin::new(kind, "audit") }
}

#[test]
fn pins_and_holds_keep_a_backup_and_its_chain_until_they_end() {
    let picture = "1:-10 2:10-20 3:20-30 4:-40";
    for (kind, block) in [
        (PinKind::Pin, Block::Pin { reason: "audit".to_owned(), until: Some(at(100)), by: String::new() }),
        (PinKind::Hold, Block::Hold { reason: "audit".to_owned(), until: Some(at(100)), by: String::new() }),
    ] {
        let catalogue = catalogue(picture, |all| all[1].pins.push(pin(kind, Some(100))));
        let plan = round(&catalogue, last(1), 99);
        assert_eq!(blocked(&plan), [(2, vec![block])]);
        assert_eq!((needed(&plan), going(&plan)), (vec![(1, 2)], vec![3]));
        assert_eq!(plan.later.iter().map(|later| (later.at, later.backups)).collect::<Vec<_>>(), [(at(100), 2)]);
        assert_eq!(going(&round(&catalogue, last(1), 100)), [3, 2, 1], "it ends at that moment");
    }
    let for_ever = catalogue(picture, |all| all[1].pins.push(pin(PinKind::Pin, None)));
    let plan = round(&for_ever, last(1), i64::from(i32::MAX));
    assert_eq!((going(&plan), plan.later.len()), (vec![3], 0));
}

#[test]
fn an_object_lock_is_waited_for() {
    let catalogue = catalogue("1:-10*7 2:10-20*3 3:-30", |all| {
        all[1].copies = vec![
            Held { locked_until: Some(at(100)), ..Held::in_storage("home") },
            Held { locked_until: Some(at(200)), ..Held::in_storage("far") },
        ];
    });
    let lock = |storage: &str, until| Block::Locked { storage: storage.to_owned(), until: at(until) };
    let plan = round(&catalogue, last(1), 50);
    assert_eq!(blocked(&plan), [(2, vec![lock("home", 100), lock("far", 200)])]);
    assert_eq!(needed(&plan), [(1, 2)], "what applies to it could not be deleted before it");
    let later = plan.later[0];
    assert_eq!((later.at, later.backups, later.freed.bytes, later.freed.objects), (at(200), 2, 10, 6));
    assert_eq!(plan.totals.blocked_size.bytes, 3);
    assert_eq!(blocked(&round(&catalogue, last(1), 100)), [(2, vec![lock("far", 200)])]);
    assert_eq!(going(&round(&catalogue, last(1), 200)), [2, 1]);
}

#[test]
fn a_running_restore_keeps_what_it_reads() {
    let mut asked = request(last(1), 100);
    asked.activity = leased(&[2], "restore-7");
    let plan = draw("1:-10 2:10-20 3:20-30 4:-40").retain(&asked).unwrap();
    assert_eq!(blocked(&plan), [(2, vec![Block::Lease { name: "restore-7".to_owned() }])]);
    assert_eq!((needed(&plan), going(&plan)), (vec![(1, 2)], vec![3]));
    // Somebody who may need anything keeps everything.
    asked.activity = Activity { needs_all: Some("future".to_owned()), ..Activity::default() };
    let plan = draw("1:-10 2:10-20 3:20-30 4:-40").retain(&asked).unwrap();
    assert_eq!((going(&plan), plan.totals.blocked), (vec![], 3));
}

#[test]
fn a_backup_that_is_being_taken_finds_its_chain() {
    let picture = "1:-10 2:10-20 3:20-30 4:-40";
    let mut asked = request(last(1), 100);
    let template = &entries(picture)[0];
    let flight = |from: Option<i64>, timeline: u128| InFlight {
        backup: id(9),
        cluster: template.cluster,
        part: template.part.clone(),
        timeline: strongroom_core::id::TimelineId::from_u128(timeline),
        from: from.map(at),
    };
    asked.activity.in_flight = vec![flight(Some(20), 1)];
    let plan = draw(picture).retain(&asked).unwrap();
    assert_eq!(blocked(&plan), [(2, vec![Block::InFlight { backup: id(9) }])]);
    assert_eq!((needed(&plan), going(&plan)), (vec![(1, 2)], vec![3]));
    // A base needs nothing, and another timeline nothing of this one.
    for other in [flight(None, 1), flight(Some(20), 2)] {
        asked.activity.in_flight = vec![other];
        assert_eq!(going(&draw(picture).retain(&asked).unwrap()), [3, 2, 1]);
    }
    // One that goes back behind the newest point continues that, though another timeline is live.
    let timelines = [(1, "p", None), (2, "p", Some(35))];
    asked.activity.in_flight = vec![flight(Some(25), 1)];
    let plan = crate::drawn::draw_with("1:-10 2:10-20 3:20-30 4:-40/2", &timelines).retain(&asked).unwrap();
    assert_eq!(blocked(&plan), [(3, vec![Block::InFlight { backup: id(9) }])]);
}

#[test]
fn an_incomplete_catalogue_proves_nothing() {
    let catalogue = Catalogue::from_entries(entries("1:-10 2:-20"), [], 1, false);
    let plan = round(&catalogue, last(1), 100);
    assert_eq!(blocked(&plan), [(1, vec![Block::CatalogueIncomplete])]);
}

#[test]
fn a_storage_that_does_not_answer_is_no_loss() {
    let picture = "1:-10 2:10-20 3:20-30 4:-40 5:-50";
    let held = |state| vec![Held { state, ..Held::in_storage("far") }];
    let away = catalogue(picture, |all| all[1].copies = held(HeldState::Unreachable));
    let plan = round(&away, last(1), 100);
    assert_eq!(going(&plan), [], "2 may be there, and then it needs 1");
    let storage = Block::StorageUnreachable { storage: "far".to_owned() };
    assert!(blocked(&plan).iter().all(|(_, by)| by.contains(&storage)));
    // Another copy answers.
    let both = catalogue(picture, |all| {
        all[1].copies = [held(HeldState::Unreachable), vec![Held::in_storage("home")]].concat();
    });
    assert_eq!(going(&round(&both, last(1), 100)), [4, 3, 2, 1]);
    let lost = catalogue(picture, |all| all[1].copies = held(HeldState::Deleted));
    assert_eq!(going(&round(&lost, last(1), 100)), [4, 3, 2, 1]);
}

#[test]
fn two_backups_of_one_id_are_not_touched() {
    let twins = catalogue("1:-10 1:-12 3:-40", |_| ());
    let plan = round(&twins, last(1), 100);
    assert_eq!(blocked(&plan), [(1, vec![Block::DuplicateId]), (1, vec![Block::DuplicateId])]);
    // The same twice is one.
    assert_eq!(going(&round(&catalogue("1:-10 1:-10 3:-40", |_| ()), last(1), 100)), [1]);
}

#[test]
fn what_no_restore_can_use_is_kept_for_a_while() {
    let policy = || RetentionPolicy { keep_unusable: Span::secs(60), ..last(9) };
    // Damaged, without its base, and a chain on it.
    let picture = "1:-10 2:-20!corrupt 3:20-30 4:15-35 5:-90";
    let plan = round(&draw(picture), policy(), 89);
    assert_eq!(kept(&plan), [1, 5]);
    let unusable = |until| vec![Block::Unusable { until: at(until) }];
    assert_eq!(blocked(&plan), [(3, unusable(90)), (4, unusable(95))]);
    assert_eq!(going(&plan), [2], "20 and 60");
    assert_eq!(plan.later.iter().map(|later| later.at).collect::<Vec<_>>(), [at(90), at(95)]);
    assert_eq!(going(&round(&draw(picture), policy(), 95)), [4, 3, 2]);
}

#[test]
fn what_no_restore_can_use_stays_while_nothing_is_newer() {
    let plan = round(&draw("1:-10 2:-20!corrupt 3:-30!corrupt"), last(9), 1_000_000);
    assert_eq!(blocked(&plan), [(2, vec![Block::NothingNewer]), (3, vec![Block::NothingNewer])]);
    let plan = round(&draw("1:10-20 2:20-30"), last(9), 1_000_000);
    assert_eq!(going(&plan), [], "without any point nothing goes");
}

#[test]
fn partial_points_count_for_themselves_while_nothing_whole_is_newer() {
    let plan = round(&draw("1:-10 2:-20!partial 3:-30!partial 4:30-40 5:-50!partial"), last(2), 1_000_000);
    let points: Vec<(u128, bool)> =
        plan.parts[0].kept.iter().map(|point| (crate::support::number(point.backup), point.partial)).collect();
    assert_eq!(points, [(1, false), (4, true), (5, true)]);
    assert_eq!((needed(&plan), going(&plan)), (vec![(3, 4)], vec![2]));
    // A whole one is newer: they are of no use any more.
    let plan = round(&draw("1:-10 2:-20!partial 3:-30"), last(2), 1_000_000);
    assert_eq!(going(&plan), [2]);
}

#[test]
fn what_is_condemned_is_none_of_it() {
    let plan = round(&draw("1:-10 2:-20!deleted 3:-30 4:-40"), last(1), 100);
    assert_eq!((going(&plan), blocked(&plan), plan.totals.going), (vec![3, 1], vec![], 2));
}

#[test]
fn a_kept_increment_keeps_its_base_and_a_rebase_is_proposed() {
    //   1 ── 2 ── 3 ── 4 ── 5      only 4 and later are wanted
    let plan = round(&draw("1:-10*100 2:10-20*20 3:20-30*30 4:30-40*5 5:40-50*5"), last(2), 100);
    assert_eq!((kept(&plan), needed(&plan)), (vec![4, 5], vec![(1, 2), (2, 3), (3, 4)]));
    let rebase = &plan.parts[0].rebase;
    assert_eq!(rebase.len(), 1);
    assert_eq!((rebase[0].at, rebase[0].backups, rebase[0].freed.bytes, rebase[0].freed.objects), (id(4), 3, 150, 9));
    assert_eq!((plan.totals.needed, plan.totals.points, plan.totals.going), (3, 2, 0));
}

#[test]
fn a_rebase_is_proposed_only_where_it_frees_something() {
    let proposals = |picture: &str, keep: u32| {
        let plan = round(&draw(picture), last(keep), 100);
        plan.parts[0]
            .rebase
            .iter()
            .map(|rebase| (crate::support::number(rebase.at), rebase.backups))
            .collect::<Vec<_>>()
    };
    // Two kept chains fork at 2: a base for one of them frees nothing but what it has alone.
    assert_eq!(proposals("1:-10 2:10-20 3:20-30 4:20-40*5000000 5:30-50 6:4@40-60", 2), [(5, 1), (6, 1)]);
    // An exact one that applies to 3 needs 3 itself, and so its chain.
    assert_eq!(proposals("1:-10 2:10-20 3:20-30 4:3@30-40", 2), []);
    assert_eq!(proposals("1:-10 2:10-20 3:2@20-30 4:30-40", 2), [(3, 2)]);
    // 2 is kept by a rule itself.
    assert_eq!(proposals("1:-10 2:-20 3:20-30", 2), []);
    // What a pin keeps is not freed, and neither is what a pinned one needs.
    let pinned = catalogue("1:-10 2:10-20 3:20-30 4:30-40", |all| all[1].pins.push(pin(PinKind::Pin, None)));
    let plan = round(&pinned, last(1), 100);
    assert_eq!(needed(&plan), [(1, 2), (3, 4)]);
    assert_eq!(plan.parts[0].rebase.iter().map(|rebase| rebase.backups).collect::<Vec<_>>(), [1]);
}

#[test]
fn what_several_need_becomes_free_when_the_last_lets_go() {
    let shared = catalogue("1:-10*1 2:10-20*2 3:10-30*4 4:-40", |all| {
        all[1].pins.push(pin(PinKind::Pin, Some(200)));
        all[2].pins.push(pin(PinKind::Pin, Some(300)));
    });
    let plan = round(&shared, last(1), 100);
    let later: Vec<(Timestamp, u64)> = plan.later.iter().map(|later| (later.at, later.freed.bytes)).collect();
    assert_eq!(later, [(at(200), 2), (at(300), 5)]);
}

#[test]
fn both_ways_to_a_point_outlive_a_round() {
    // The cheap chain of 4 begins with 3, which is settled late; until then a restore to 41 takes the old chain.
    let picture = "6:-5 1:-10 2:10-20*5000000 3:-22~60 4:20-40 5:-70";
    let plan = round(&draw(picture), RetentionPolicy { keep_within: Some(Span::secs(61)), ..bare() }, 100);
    assert_eq!(kept(&plan), [4, 5]);
    assert_eq!(needed(&plan), [(1, 2), (2, 4), (3, 4)]);
    let gone: Vec<BackupId> = plan.parts[0].going.iter().map(|going| going.backup).collect();
    let left: Vec<Entry> = entries(picture).into_iter().filter(|entry| !gone.contains(&entry.id)).collect();
    let left = Catalogue::from_entries(left, [], 1, true);
    let by = |catalogue: &Catalogue| catalogue.plan(&crate::drawn::by(45)).unwrap().reached.until;
    assert_eq!((by(&draw(picture)), by(&left)), (at(40), at(40)));
}
