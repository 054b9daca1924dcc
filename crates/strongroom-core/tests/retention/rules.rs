//! Each rule by itself.

use strongroom_core::planner::{Catalogue, KeepReason, RetentionPolicy};
use strongroom_core::units::{ByteSize, Span};

use crate::drawn::{draw, draw_with, entries};
use crate::support::{bare, going, kept, kept_for, last, moment, needed, round, why};

/// A base at each of these moments, numbered from 1.
fn bases(moments: &[&str]) -> Catalogue {
    let each = moments.iter().zip(1_u128..).map(|(text, number)| {
        let mut entry = entries(&format!("{number}:-1")).remove(0);
        let moment = moment(text);
        (entry.window.until, entry.window.settled, entry.created) = (moment, moment, moment);
        entry
    });
    Catalogue::from_entries(each, [], 1, true)
}

#[test]
fn a_policy_without_rules_keeps_every_point() {
    let plan = round(&draw("1:-10 2:10-20 3:-30"), bare(), 1000);
    assert_eq!((kept(&plan), going(&plan)), (vec![1, 2, 3], vec![]));
    assert_eq!(why(&plan, 1), [KeepReason::NoRule]);
    assert!(!bare().has_rules());
    let zero = RetentionPolicy { keep_daily: Some(0), ..bare() };
    assert!(zero.has_rules());
    let plan = round(&draw("1:-10 2:-20"), zero, 1000);
    assert_eq!((kept(&plan), going(&plan)), (vec![2], vec![1]));
}

#[test]
fn the_newest_point_and_the_newest_verified_chain_stay_in_any_case() {
    let plan = round(&draw("1:-10 2:10-20 3:20-30? 4:-40? 5:40-50?"), last(0), 1000);
    assert_eq!(kept(&plan), [2, 5]);
    assert_eq!(why(&plan, 2), [KeepReason::NewestVerified]);
    assert_eq!(why(&plan, 5), [KeepReason::Latest]);
    assert_eq!(needed(&plan), [(1, 2), (4, 5)]);
    assert_eq!(going(&plan), [3]);
    // A verified increment on an unverified base is no verified chain.
    let plan = round(&draw("1:-10 2:-20? 3:20-30"), last(0), 1000);
    assert_eq!(kept_for(&plan, KeepReason::NewestVerified), [1]);
}

#[test]
fn the_newest_bases_stay_the_verified_ones_first() {
    let picture = "1:-10 2:-20 3:20-25 4:-30? 5:-40? 6:-50";
    for (count, expected) in [(0, vec![]), (1, vec![6]), (2, vec![2, 6]), (3, vec![1, 2, 6]), (4, vec![1, 2, 5, 6])] {
        let plan = round(&draw(picture), RetentionPolicy { min_redundancy: count, ..last(0) }, 1000);
        assert_eq!(kept_for(&plan, KeepReason::MinRedundancy), expected, "{count}");
    }
    assert_eq!(RetentionPolicy::default().min_redundancy, 1);
}

#[test]
fn the_last_points_are_counted_by_moment() {
    // 2 and 3 end at the same moment: one point, restorable in two ways.
    let picture = "1:-10 2:10-20 3:-20 4:20-30 5:30-40";
    assert_eq!(kept_for(&round(&draw(picture), last(1), 99), KeepReason::Last), [5]);
    assert_eq!(kept_for(&round(&draw(picture), last(3), 99), KeepReason::Last), [2, 3, 4, 5]);
    assert_eq!(kept_for(&round(&draw(picture), last(4), 99), KeepReason::Last), [1, 2, 3, 4, 5]);
}

#[test]
fn a_point_is_within_as_long_as_it_is_younger() {
    let policy = || RetentionPolicy { keep_within: Some(Span::secs(70)), ..bare() };
    assert_eq!(kept_for(&round(&draw("1:-30 2:-40 3:-50"), policy(), 110), KeepReason::Within), [3]);
    assert_eq!(kept_for(&round(&draw("1:-30 2:-40 3:-50"), policy(), 109), KeepReason::Within), [2, 3]);
    // A clock that went back makes everything young, not old.
    assert_eq!(kept_for(&round(&draw("1:-30 2:-40 3:-50"), policy(), -9), KeepReason::Within), [1, 2, 3]);
}

#[test]
fn the_last_point_of_each_period_is_kept() {
    let catalogue = bases(&[
        "2024-12-31T23:00:00Z", // 1: the last of 2024
        "2025-06-15T12:00:00Z", // 2
        "2026-09-30T10:00:00Z", // 3: of September
        "2026-10-31T10:00:00Z", // 4: of October, a Saturday
        "2026-11-08T09:00:00Z", // 5: a Sunday
        "2026-11-15T09:00:00Z", // 6: a Sunday
        "2026-11-16T09:00:00Z", // 7: the Monday after
        "2026-11-17T09:00:00Z", // 8
        "2026-11-17T09:30:00Z", // 9: the same hour
        "2026-11-17T10:00:00Z", // 10
    ]);
    let by = |policy: RetentionPolicy, reason| kept_for(&round(&catalogue, policy, 1_800_000_000), reason);
    assert_eq!(by(RetentionPolicy { keep_hourly: Some(2), ..bare() }, KeepReason::Hourly), [9, 10]);
    assert_eq!(by(RetentionPolicy { keep_daily: Some(3), ..bare() }, KeepReason::Daily), [6, 7, 10]);
    assert_eq!(by(RetentionPolicy { keep_weekly: Some(3), ..bare() }, KeepReason::Weekly), [5, 6, 10]);
    assert_eq!(by(RetentionPolicy { keep_monthly: Some(3), ..bare() }, KeepReason::Monthly), [3, 4, 10]);
    assert_eq!(by(RetentionPolicy { keep_yearly: Some(2), ..bare() }, KeepReason::Yearly), [2, 10]);
    assert_eq!(by(RetentionPolicy { keep_yearly: Some(u32::MAX), ..bare() }, KeepReason::Yearly), [1, 2, 10]);
    // In Berlin it is 2025 already.
    let berlin = "Europe/Berlin".parse().unwrap();
    assert_eq!(by(RetentionPolicy { keep_yearly: Some(9), zone: berlin, ..bare() }, KeepReason::Yearly), [2, 10]);
}

#[test]
fn periods_without_a_point_do_not_count() {
    let catalogue = bases(&["2026-01-01T00:00:00Z", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z"]);
    let policy = RetentionPolicy { keep_daily: Some(3), ..bare() };
    assert_eq!(kept_for(&round(&catalogue, policy, 1_800_000_000), KeepReason::Daily), [1, 2, 3]);
}

#[test]
fn every_moment_of_the_window_needs_the_point_before_it() {
    let picture = "1:-10 2:10-20 3:-30 4:30-40 5:40-50 6:-60";
    let policy = |span| RetentionPolicy { point_in_time: Some(Span::secs(span)), ..bare() };
    let plan = round(&draw(picture), policy(55), 100);
    // The window begins at 45: 4 is what a restore to that moment reaches.
    assert_eq!(kept_for(&plan, KeepReason::PointInTime), [4, 5, 6]);
    assert_eq!((needed(&plan), going(&plan)), (vec![(3, 4)], vec![2, 1]));
    assert_eq!(kept_for(&round(&draw(picture), policy(50), 100), KeepReason::PointInTime), [5, 6]);
    assert_eq!(kept_for(&round(&draw(picture), policy(0), 100), KeepReason::PointInTime), [6]);
}

#[test]
fn a_window_is_about_when_points_are_settled() {
    // 2 ends before the window begins, but until 47 a restore can't reach it: 1 serves the moments before.
    let plan =
        round(&draw("1:-10 2:-30~47 3:-60"), RetentionPolicy { point_in_time: Some(Span::secs(55)), ..bare() }, 100);
    assert_eq!(kept_for(&plan, KeepReason::PointInTime), [1, 2, 3]);
    let plan =
        round(&draw("1:-10 2:-30~45 3:-60"), RetentionPolicy { point_in_time: Some(Span::secs(55)), ..bare() }, 100);
    assert_eq!(kept_for(&plan, KeepReason::PointInTime), [2, 3]);
}

#[test]
fn a_window_goes_back_over_restores() {
    let window = |span| RetentionPolicy { point_in_time: Some(Span::secs(span)), ..bare() };
    let timelines = [(1, "p", None), (2, "p", Some(25)), (3, "p", Some(55))];
    let catalogue = draw_with("1:-10 2:10-20 3:-30/2 4:30-40/2 5:40-50/2 6:-60/3 7:60-70/3", &timelines);
    let kept = |span, now| kept_for(&round(&catalogue, window(span), now), KeepReason::PointInTime);
    assert_eq!(kept(20, 100), [7], "all before is over");
    assert_eq!(kept(35, 100), [6, 7]);
    assert_eq!(kept(42, 100), [5, 6, 7], "until 60 the third timeline reaches nothing, so the second serves");
    assert_eq!(kept(55, 100), [4, 5, 6, 7]);
    assert_eq!(kept(72, 100), [2, 3, 4, 5, 6, 7], "28 lies in the second timeline, before its first point");
    assert_eq!(kept(82, 100), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn the_latest_point_is_that_of_the_live_timeline() {
    // The clock of the second timeline is behind: its points end before those of the first.
    let timelines = [(1, "p", None), (2, "p", Some(15))];
    let plan = round(&draw_with("1:-10 2:-50 3:-20/2 4:20-30/2", &timelines), last(0), 100);
    assert_eq!(kept_for(&plan, KeepReason::Latest), [4, 2]);
    assert_eq!(going(&plan), [1]);
}

#[test]
fn the_oldest_wanted_points_go_until_the_rest_fits() {
    let picture = "1:-10*100 2:10-20*7 3:-30*100 4:30-40*5 5:40-50*5";
    let policy = |size| RetentionPolicy { max_size: Some(ByteSize(size)), ..last(9) };
    let outcome = |size| {
        let plan = round(&draw(picture), policy(size), 100);
        (kept(&plan), going(&plan), plan.parts[0].over_size)
    };
    assert_eq!(outcome(217), (vec![1, 2, 3, 4, 5], vec![], 0));
    assert_eq!(outcome(216), (vec![3, 4, 5], vec![2, 1], 0));
    // What the newest point needs stays, and is more than there is room for. 3 and 4 are no points of their own then.
    assert_eq!(outcome(109), (vec![5], vec![2, 1], 1));
    assert_eq!(outcome(110), (vec![3, 4, 5], vec![2, 1], 0));
    // Without rules: as much as fits.
    let plan = round(&draw(picture), RetentionPolicy { max_size: Some(ByteSize(216)), ..bare() }, 100);
    assert_eq!((kept(&plan), going(&plan)), (vec![3, 4, 5], vec![2, 1]));
}

#[test]
fn what_is_blocked_takes_room_too() {
    let mut pinned = entries("1:-10*100 2:-20*10 3:-30*10 4:-40*10");
    let pin = strongroom_core::planner::Pin::new(strongroom_core::planner::PinKind::Pin, "audit");
    pinned[0].pins.push(pin);
    let catalogue = Catalogue::from_entries(pinned, [], 1, true);
    let plan = round(&catalogue, RetentionPolicy { max_size: Some(ByteSize(120)), ..last(9) }, 100);
    assert_eq!((kept(&plan), going(&plan)), (vec![3, 4], vec![2]));
}

#[test]
fn narrow_backups_are_no_points_of_the_whole_part() {
    let mut all = entries("1:-10 2:-20 3:-30 4:-40 5:-50");
    for narrow in [1, 3] {
        all[narrow].filter.tables = Some(["t".to_owned()].into());
    }
    let catalogue = Catalogue::from_entries(all, [], 1, true);
    let plan = round(&catalogue, last(2), 100);
    // Of the whole part 3 and 5; of the table what a restore of it can reach: 4 and 5.
    assert_eq!(kept_for(&plan, KeepReason::Last), [3, 4, 5]);
    assert_eq!(going(&plan), [2, 1]);
}

#[test]
fn parts_have_policies_of_their_own() {
    let mut request = crate::support::request(last(1), 100);
    request.parts.insert("q".to_owned(), last(2));
    let plan = draw("1:-10 2:-20 3:-30 4:-10#q 5:-20#q 6:-30#q").retain(&request).unwrap();
    assert_eq!(going(&plan), [2, 1, 4]);
}

#[test]
fn another_cluster_is_left_alone() {
    let mut all = entries("1:-10 2:-20 3:-30 4:-40");
    for other in [0, 1] {
        all[other].cluster = strongroom_core::id::ClusterId::from_u128(2);
    }
    let catalogue = Catalogue::from_entries(all, [], 1, true);
    let mut request = crate::support::request(last(1), 100);
    request.cluster = Some(strongroom_core::id::ClusterId::from_u128(1));
    assert_eq!(going(&catalogue.retain(&request).unwrap()), [3]);
    request.cluster = None;
    assert_eq!(going(&catalogue.retain(&request).unwrap()), [3, 1]);
}

#[test]
fn a_policy_is_read_as_people_write_it() {
    let policy: RetentionPolicy = serde_json::from_str(
        r#"{"keep_last": 3, "keep_within": "2d", "point_in_time": "36h", "max_size": "2TiB", "zone": "Europe/Berlin",
            "min_redundancy": 2, "keep_unusable": "1w"}"#,
    )
    .unwrap();
    assert_eq!((policy.keep_last, policy.min_redundancy), (Some(3), 2));
    assert_eq!((policy.keep_within, policy.point_in_time), (Some(Span::days(2)), Some(Span::secs(36 * 3600))));
    assert_eq!((policy.max_size, policy.keep_unusable), (Some(ByteSize(2 << 40)), Span::days(7)));
    assert_eq!(serde_json::from_str::<RetentionPolicy>(&serde_json::to_string(&policy).unwrap()).unwrap(), policy);
    assert_eq!(serde_json::from_str::<RetentionPolicy>("{}").unwrap(), RetentionPolicy::default());
    assert!(serde_json::from_str::<RetentionPolicy>(r#"{"keep_lats": 3}"#).is_err(), "a misspelt rule keeps nothing");
}
