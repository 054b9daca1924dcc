//! Where one comparison decides: each of these was once found by a mutant that no other test noticed.

use strongroom_core::planner::{
    Block, Catalogue, DeleteRequest, KeepReason, Pin, PinKind, RetentionPlan, RetentionPolicy,
};
use strongroom_core::units::{ByteSize, Span};
use strongroom_core::{Error, ErrorKind};

use crate::drawn::{at, draw, draw_with, entries, id};
use crate::picture::world;
use crate::support::{
    bare, blocked, going, kept, kept_for, last, leased, needed, number, request, round, segments_going,
};

fn window(span: u64) -> RetentionPolicy {
    RetentionPolicy { point_in_time: Some(Span::secs(span)), ..bare() }
}

#[test]
fn a_plan_that_was_overtaken_is_noticed_before_anything_goes() {
    let plan = round(&draw("1:-10 2:10-20 3:-30 4:30-40"), last(1), 1000);
    assert_eq!((kept(&plan), needed(&plan)), (vec![4], vec![(3, 4)]));
    plan.check(&draw("3:-30 4:30-40")).unwrap();
    // Since then the base was lost, the point itself was, or it is reached otherwise.
    for picture in ["1:-10 2:10-20 4:30-40", "1:-10 2:10-20 3:-30", "3:-30~60 4:30-40"] {
        let error = plan.check(&draw(picture)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenChain, "{picture}");
        assert!(error.to_string().contains(&id(4).to_string()), "{error}");
    }
}

#[test]
fn a_refusal_counts_what_depends_where_it_is_more_than_one() {
    let refused = |picture: &str| {
        let request = DeleteRequest { backups: [id(1)].into(), now: at(1000), ..DeleteRequest::default() };
        draw(picture).delete(&request).unwrap_err().to_string()
    };
    assert!(refused("1:-10 2:10-20 3:20-30 9:-90").ends_with("(2 in all)"));
    assert!(!refused("1:-10 2:10-20 9:-90").contains("in all"));
}

#[test]
fn a_point_is_not_kept_as_what_is_damaged_is() {
    let policy = RetentionPolicy { keep_unusable: Span::days(1), ..last(1) };
    let plan = round(&draw("1:-10 2:-20 3:-25!corrupt 4:-30"), policy, 100);
    assert_eq!((kept(&plan), going(&plan)), (vec![4], vec![2, 1]));
    assert_eq!(blocked(&plan), [(3, vec![Block::Unusable { until: at(25 + 86_400) }])]);
}

#[test]
fn two_entries_of_one_id_are_told_of_once() {
    let plan = round(&draw("1:-10 2:-21~20 2:-20 4:-40"), last(1), 1000);
    assert_eq!((kept(&plan), going(&plan)), (vec![4], vec![2, 1]));
}

#[test]
fn segments_that_may_hold_later_changes_stay() {
    let gone = |picture: &str| segments_going(&round(&draw(picture), last(1), 100_000));
    // A clock that went back: 12 begins early enough, but 11 still holds changes since the base.
    assert_eq!(gone("1:-72000&a 11:a.1.1@30000-90000 12:a.1.2<1.1@40000-60000"), []);
    // One that ends where the state does holds none.
    assert_eq!(gone("1:-72000&a 10:a.1.1@30000-72000 11:a.1.2<1.1@40000-72000 12:a.1.3<1.2@60000-80000"), [11, 10]);
}

#[test]
fn who_tells_the_nodes_stays_with_the_logs() {
    // The newest base does not say of which nodes it was taken.
    let plan = round(&draw("1:-20000&a 2:-50000 11:a.1.1@10000-40000 12:a.1.2<1.1@40000-90000"), last(1), 100_000);
    assert_eq!((kept(&plan), blocked(&plan)), (vec![2], vec![(1, vec![Block::LogWitness])]));
}

#[test]
fn the_bound_on_size_counts_the_logs_of_the_part_alone() {
    let picture = "1:-20000&a*100 11:a.1.1@10000-90000#p*1000 2:-20000#q&a*100 12:a.1.1@10000-90000#q*5000 \
                   3:-20000%2&a*100 13:a.1.1@10000-90000#p%2*70000 14:b.1.1@10000-90000#p/2*900000";
    let policy = RetentionPolicy { max_size: Some(ByteSize(150)), ..last(1) };
    let plan = world(picture).catalogue().retain(&request(policy, 100_000)).unwrap();
    let over: Vec<_> = plan.parts.iter().map(|part| (part.part.as_str(), part.over_size)).collect();
    assert_eq!(over, [("p", 100 + 1000 - 150), ("q", 100 + 5000 - 150), ("p", 100 + 70_000 - 150)]);
}

#[test]
fn what_goes_is_told_newest_first_over_all_timelines() {
    let timelines = [(9, "p", None), (2, "p", Some(25))];
    let plan = round(&draw_with("1:-10/9 2:-20/9 3:-30/2 4:-40/2", &timelines), last(1), 1000);
    assert_eq!((kept(&plan), going(&plan)), (vec![4], vec![3, 2, 1]));
}

#[test]
fn a_round_of_one_cluster_leaves_the_logs_of_others() {
    let picture = "1:-20000&a 2:-80000&a 11:a.1.1@10000-30000 12:a.1.2<1.1@60000-90000 \
                   3:-20000%2&a 4:-80000%2&a 21:a.1.1@10000-30000%2 22:a.1.2<1.1@60000-90000%2";
    let mut asked = request(last(1), 100_000);
    asked.cluster = Some(strongroom_core::id::ClusterId::from_u128(1));
    let plan = world(picture).catalogue().retain(&asked).unwrap();
    assert_eq!((going(&plan), segments_going(&plan)), (vec![1], vec![11]));
}

#[test]
fn a_log_without_any_base_waits_as_long_as_what_is_damaged() {
    let at_second = |now: i64| {
        let policy = RetentionPolicy { keep_unusable: Span::secs(30), ..last(1) };
        segments_going(&round(&draw("11:a.1.1@10-20"), policy, now))
    };
    assert_eq!((at_second(49), at_second(50)), (vec![], vec![11]));
}

#[test]
fn what_is_left_of_a_log_is_counted() {
    let segments = "1:-20000&a 11:a.1.1@1000-2000 12:a.1.2<1.1@2000-3000 13:a.1.3<1.2@3000-4000 14:a.1.4<1.3@4000-5000";
    let asked = DeleteRequest { backups: [id(11), id(12)].into(), now: at(100_000), ..DeleteRequest::default() };
    let plan = draw(segments).delete(&asked).unwrap();
    assert_eq!((plan.logs[0].kept, segments_going(&plan)), (2, vec![12, 11]));
}

#[test]
fn what_nobody_knows_the_end_of_becomes_free_at_no_time() {
    let mut asked = request(last(1), 100_000);
    asked.activity = leased(&[11], "restore-1");
    let plan = draw("1:-80000&a 11:a.1.1@1000-2000 12:a.1.2<1.1@2000-90000").retain(&asked).unwrap();
    assert_eq!((blocked(&plan).len(), plan.later.len()), (1, 0));
}

#[test]
fn what_a_kept_point_needs_becomes_free_with_no_pin() {
    let later = |pinned: usize, policy: RetentionPolicy| {
        let mut all = entries("1:-10 2:10-20 3:-30");
        all[pinned].pins = vec![Pin { until: Some(at(5000)), ..Pin::new(PinKind::Pin, "audit") }];
        let plan = Catalogue::from_entries(all, [], 1, true).retain(&request(policy, 1000)).unwrap();
        (kept(&plan), plan.later.iter().map(|later| (later.at, later.backups)).collect::<Vec<_>>())
    };
    // 2 is pinned and nothing else keeps it: with its pin, both go.
    assert_eq!(later(1, last(1)), (vec![3], vec![(at(5000), 2)]));
    // A rule keeps it, too.
    assert_eq!(later(1, last(2)), (vec![2, 3], vec![]));
}

#[test]
fn a_window_begins_with_the_newest_point_that_is_ready() {
    // 1 ends before 2 and settles at the very moment at which the window begins.
    let plan = round(&draw("1:-10~50 2:-20~30 3:-90"), window(100), 150);
    assert_eq!(kept_for(&plan, KeepReason::PointInTime), [2, 3]);
}

#[test]
fn where_logs_end_before_a_state_settles_the_one_before_stays() {
    // A restore to 95000: 2 has changes up to 80000, and its log ends at 60000; so 1 is carried there.
    let picture = "1:-20000&a 2:-50000~80000&a 11:a.1.1@10000-60000";
    let plan = round(&draw(picture), window(10_000), 100_000);
    assert_eq!(kept_for(&plan, KeepReason::PointInTime), [1, 2]);
    // Where the log ends after it, not.
    let plan = round(&draw("1:-20000&a 2:-50000~80000&a 11:a.1.1@10000-85000"), window(10_000), 100_000);
    assert_eq!(kept_for(&plan, KeepReason::PointInTime), [2]);
}

#[test]
fn a_backup_with_missing_ranges_is_a_point_of_its_own_kind() {
    let plan = world("1:-10!missing").catalogue().retain(&request(last(1), 1000)).unwrap();
    assert_eq!(kept(&plan), [1]);
    assert!(plan.parts[0].kept[0].partial);
}

#[test]
fn a_partial_point_beside_a_whole_one_is_none() {
    let plan = round(&draw("1:-10 2:-20 3:-20!partial"), last(9), 1000);
    assert_eq!((kept(&plan), blocked(&plan)), (vec![1, 2], vec![(3, vec![Block::NothingNewer])]));
}

#[test]
fn a_point_is_told_as_a_restore_of_its_own_filter_reaches_it() {
    // Of table t alone, 2 is cheaper than 3, and settled later.
    let picture = "1:-10(t,u 2:10-20~60*1x1(t 3:10-20*9000000x9(t,u 4:20-30(t,u";
    let plan = world(picture).catalogue().retain(&request(last(1), 1000)).unwrap();
    let point = plan.parts[0].kept.iter().find(|point| number(point.backup) == 4).unwrap();
    assert_eq!((point.reached.until, point.reached.settled), (at(30), at(30)));
}

#[test]
fn a_point_without_claim_to_logs_costs_none() {
    let picture = "1:-20000&a*100 2:-80000&a*100 11:a.1.1@10000-70000*5000 12:a.1.2<1.1@70000-90000*10";
    let policy = RetentionPolicy { keep_last: Some(2), max_size: Some(ByteSize(1000)), ..window(10_000) };
    assert_eq!(kept(&round(&draw(picture), policy, 100_000)), [1, 2]);
}

#[test]
fn a_chain_by_a_detour_is_verified_only_if_all_of_it_is() {
    // 4 applies to the very state that 3 was taken of: by 5, since 2 may hold changes of after it.
    let picture = "1:-10 2:10-20~35 5:10-20?*9000 3:20-30 4:3@30-40";
    let plan = round(&draw(picture), last(0), 1000);
    assert_eq!(kept_for(&plan, KeepReason::NewestVerified), [3]);
    assert_eq!(kept_for(&round(&draw(&picture.replace('?', "")), last(0), 1000), KeepReason::NewestVerified), [4]);
}

/// Something stays, and it is not told twice.
fn told(plan: &RetentionPlan) -> Vec<u128> {
    let parts = plan.parts.iter();
    let mut all: Vec<u128> = parts
        .flat_map(|part| {
            let kept = part.kept.iter().map(|one| one.backup).chain(part.needed.iter().map(|one| one.backup));
            kept.chain(part.blocked.iter().map(|one| one.backup)).chain(part.going.iter().map(|one| one.backup))
        })
        .map(number)
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn a_deletion_without_the_last_point_is_allowed_on_request_only() {
    let request =
        |allow_last| DeleteRequest { backups: [id(1)].into(), allow_last, now: at(1000), ..DeleteRequest::default() };
    let refused = Error::from(draw("1:-10").delete(&request(false)).unwrap_err());
    assert_eq!(refused.kind(), ErrorKind::BrokenChain);
    assert_eq!(told(&draw("1:-10").delete(&request(true)).unwrap()), [1]);
    // Others of it were never verified.
    assert!(draw("1:-10 2:-20?").delete(&request(false)).unwrap_err().last.len() == 1);
}
