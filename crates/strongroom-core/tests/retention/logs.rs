//! Which log segments stay.

use strongroom_core::planner::{Block, Pin, PinKind, RetentionPolicy, Target};
use strongroom_core::units::Span;

use crate::drawn::{at, by, draw, draw_with, entries, id};
use crate::support::{bare, blocked, going, kept, last, round, segments_going};

/// Two bases, and the log of their only node, whole; moments in hours, since logs are compared with a margin.
const PICTURE: &str = "1:-36000&a 2:-72000&a \
    11:a.1.1@30000-34000 12:a.1.2<1.1@34000-44000 13:a.1.3<1.2@44000-60000 14:a.1.4<1.3@60000-70000 \
    15:a.1.5<1.4@70000-80000 16:a.1.6<1.5@80000-90000";

fn window(span: u64) -> RetentionPolicy {
    RetentionPolicy { point_in_time: Some(Span::secs(span)), ..bare() }
}

#[test]
fn segments_go_after_the_base_that_needs_them() {
    let catalogue = draw(PICTURE);
    assert_eq!(segments_going(&round(&catalogue, last(2), 100_000)), [11], "1 needs all changes since 36000");
    let plan = round(&catalogue, last(1), 100_000);
    assert_eq!((kept(&plan), going(&plan), segments_going(&plan)), (vec![2], vec![1], vec![14, 13, 12, 11]));
    let log = &plan.logs[0];
    assert_eq!((log.node.as_str(), log.kept, log.needed_from), ("a", 2, Some(at(72_000))));
    assert_eq!((plan.totals.going, plan.totals.going_size.bytes), (5, 50));
}

#[test]
fn a_window_bounds_the_logs_and_keeps_the_points_before() {
    let catalogue = draw(PICTURE);
    // It begins at 80000: the base before it and the segments since that base.
    let plan = round(&catalogue, window(20_000), 100_000);
    assert_eq!((kept(&plan), segments_going(&plan)), (vec![2], vec![14, 13, 12, 11]));
    // It begins at 50000.
    let plan = round(&catalogue, window(50_000), 100_000);
    assert_eq!((kept(&plan), segments_going(&plan)), (vec![1, 2], vec![11]));
    // Points that are kept for other reasons have no claim to logs then.
    let policy = RetentionPolicy { keep_last: Some(9), ..window(20_000) };
    let plan = round(&catalogue, policy, 100_000);
    assert_eq!((kept(&plan), segments_going(&plan)), (vec![1, 2], vec![14, 13, 12, 11]));
}

#[test]
fn every_moment_of_the_window_is_reached_as_before() {
    let catalogue = draw(PICTURE);
    let plan = round(&catalogue, window(20_000), 100_000);
    let gone: Vec<u128> = [going(&plan), segments_going(&plan)].concat();
    let left: Vec<_> =
        entries(PICTURE).into_iter().filter(|entry| !gone.iter().any(|one| id(*one) == entry.id)).collect();
    let left = strongroom_core::planner::Catalogue::from_entries(left, [], 1, true);
    for moment in [80_000, 85_000, 90_000] {
        let exactly = strongroom_core::planner::Request::at(Target::Exactly(at(moment)));
        assert_eq!(left.plan(&exactly).unwrap().reached, catalogue.plan(&exactly).unwrap().reached);
    }
    assert!(left.plan(&by(50_000)).is_err(), "before the window nothing is promised");
}

#[test]
fn what_proves_a_hole_stays() {
    // Between 44000 and 60000 nothing was archived. 12 proves that the log did not begin with 14.
    let picture = "1:-20000&a 2:-50000&a 12:a.1.2<1.1@34000-44000 14:a.1.4<1.3@60000-70000";
    let plan = round(&draw(picture), last(1), 100_000);
    assert_eq!((going(&plan), segments_going(&plan)), (vec![1], vec![]));
    // A log that begins after the state stays from its beginning: it proves that nothing came before.
    let picture = "1:-20000&a 2:-50000&a 14:a.1.4@60000-70000 15:a.1.5<1.4@70000-80000";
    assert_eq!(segments_going(&round(&draw(picture), last(1), 100_000)), []);
}

#[test]
fn a_segment_that_barely_begins_before_the_point_is_not_enough() {
    // Clocks differ: 13 begins 600 s before the base, 12 more than that.
    let picture = |begins: i64| {
        format!("1:-60000&a 11:a.1.1@40000-50000 12:a.1.2<1.1@50000-{begins} 13:a.1.3<1.2@{begins}-70000")
    };
    assert_eq!(segments_going(&round(&draw(&picture(59_400)), last(1), 100_000)), [12, 11]);
    assert_eq!(segments_going(&round(&draw(&picture(59_401)), last(1), 100_000)), [11]);
}

#[test]
fn what_tells_of_the_nodes_stays_with_the_logs() {
    // 2 is the first to tell of node b, 3 the last to tell of it: without them the log of b would not be asked for.
    let picture = "1:-20000&a 2:20000-30000&a,b 3:30000-40000&a,b 4:40000-50000&a 5:-60000&a \
        11:a.1.1@10000-70000 12:b.1.1@25000-45000";
    let policy = RetentionPolicy { keep_yearly: Some(1), ..bare() };
    let pinned = || {
        let mut all = entries(picture);
        all[0].verified = None;
        strongroom_core::planner::Catalogue::from_entries(all, [], 1, true)
    };
    // Only the newest point is kept: nothing before it matters.
    assert_eq!(going(&round(&pinned(), policy.clone(), 100_000)), [4, 3, 2, 1]);
    // A point before them is kept by a rule, and logs carry it on.
    let mut all = entries(picture);
    all[0].window.until = at(20_000);
    let policy = RetentionPolicy { keep_daily: Some(0), min_redundancy: 2, ..bare() };
    let plan = round(&strongroom_core::planner::Catalogue::from_entries(all, [], 1, true), policy, 100_000);
    assert_eq!(kept(&plan), [1, 5]);
    assert_eq!(
        blocked(&plan),
        [(2, vec![Block::LogWitness]), (3, vec![Block::LogWitness]), (4, vec![Block::LogWitness])]
    );
}

#[test]
fn segments_can_be_pinned_and_locked_too() {
    let mut all = entries(PICTURE);
    all[3].pins.push(Pin { until: Some(at(200_000)), ..Pin::new(PinKind::Hold, "audit") });
    let catalogue = strongroom_core::planner::Catalogue::from_entries(all, [], 1, true);
    let plan = round(&catalogue, last(1), 100_000);
    assert_eq!(segments_going(&plan), [14, 13, 11]);
    assert_eq!(
        blocked(&plan),
        [(12, vec![Block::Hold { reason: "audit".to_owned(), until: Some(at(200_000)), by: String::new() }])]
    );
    assert_eq!((plan.logs[0].kept, plan.later[0].at, plan.later[0].backups), (3, at(200_000), 1));
}

#[test]
fn logs_without_any_point_wait_for_a_base() {
    let policy = || RetentionPolicy { keep_unusable: Span::secs(60_000), ..last(1) };
    let picture = "11:a.1.1@30000-34000 12:a.1.2<1.1@34000-44000";
    let plan = round(&draw(picture), policy(), 95_000);
    assert_eq!(segments_going(&plan), [11]);
    assert_eq!(blocked(&plan), [(12, vec![Block::Unusable { until: at(104_000) }])]);
    assert_eq!(plan.logs[0].needed_from, None);
}

#[test]
fn the_logs_of_one_part_serve_that_part_and_timeline_only() {
    let picture = "1:-20000#p 2:-80000#q/1 11:a.1.1@10000-30000#p 12:a.1.2<1.1@30000-60000#p 13:a.1.3<1.2@60000-90000#p \
        21:a.1.1@10000-30000#q 22:a.1.2<1.1@30000-60000#q 23:a.1.3<1.2@60000-90000#q";
    let plan = round(&draw(picture), last(1), 100_000);
    assert_eq!(segments_going(&plan), [22, 21]);
    // After a restore of q its old log serves nothing that is kept.
    let timelines = [(1, "q", None), (2, "q", Some(95_000))];
    let picture = format!("{picture} 3:-97000#q/2");
    let plan = round(&draw_with(&picture, &timelines), last(1), 100_000);
    assert_eq!((going(&plan), segments_going(&plan)), (vec![2], vec![23, 22, 21]));
}

#[test]
fn logs_count_towards_the_size() {
    let policy = |size| RetentionPolicy { max_size: Some(strongroom_core::units::ByteSize(size)), ..last(9) };
    let catalogue = draw(PICTURE);
    // Two bases of 10 and five segments since the older of them.
    assert_eq!(kept(&round(&catalogue, policy(70), 100_000)), [1, 2]);
    let plan = round(&catalogue, policy(69), 100_000);
    assert_eq!((kept(&plan), segments_going(&plan), plan.parts[0].over_size), (vec![2], vec![14, 13, 12, 11], 0));
    // A base and the two segments since it stay in any case.
    assert_eq!(round(&catalogue, policy(29), 100_000).parts[0].over_size, 1);
}
