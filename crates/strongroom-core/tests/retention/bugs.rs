//! What went wrong with retention elsewhere, by the public reports, and does not here.

use strongroom_core::planner::{Block, Catalogue, DeleteRequest, KeepReason, RetentionPolicy};
use strongroom_core::units::Span;
use strongroom_core::{Error, ErrorKind};

use crate::drawn::{at, draw, draw_with, entries, id, latest};
use crate::support::{bare, blocked, going, kept, kept_for, last, leased, needed, request, round, segments_going};

/// benbjohnson/litestream #1450, #1307, #1270, #224: retention deletes files that a running restore needs.
#[test]
fn i13_litestream_1450_a_running_restore_is_honoured() {
    let mut asked = request(last(1), 1000);
    asked.activity = leased(&[1, 2], "restore-1");
    let plan = draw("1:-10 2:10-20 3:-30").retain(&asked).unwrap();
    let lease = || vec![Block::Lease { name: "restore-1".to_owned() }];
    assert_eq!((going(&plan), blocked(&plan)), (vec![], vec![(1, lease()), (2, lease())]));
}

/// Altinity/clickhouse-backup #1493: an explicit delete takes a base away from the increments that need it.
#[test]
fn i17_clickhouse_backup_1493_a_manual_delete_has_the_same_guard() {
    let catalogue = draw("1:-10 2:10-20");
    let request = DeleteRequest { backups: [id(1)].into(), now: at(100), ..DeleteRequest::default() };
    let error = Error::from(catalogue.delete(&request).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::BrokenChain);
    assert!(error.to_string().contains(&id(2).to_string()), "it names what depends: {error}");
}

/// Altinity/clickhouse-backup #111, #385, #525: the ancestors of a kept increment are deleted.
#[test]
fn clickhouse_backup_111_ancestors_stay() {
    let plan = round(&draw("1:-10 2:1@10-20 3:2@20-30 4:3@30-40"), last(1), 1000);
    assert_eq!((kept(&plan), needed(&plan), going(&plan)), (vec![4], vec![(1, 2), (2, 3), (3, 4)], vec![]));
}

/// Altinity/clickhouse-backup #871: the full backup is deleted when the increment on it is empty.
#[test]
fn clickhouse_backup_871_an_empty_increment_needs_its_base() {
    let plan = round(&draw("1:-10 2:10-20*0"), last(1), 1000);
    assert_eq!((kept(&plan), needed(&plan)), (vec![2], vec![(1, 2)]));
}

/// wal-g/wal-g #2284: retention orders by timeline, not by time, and deletes the newest.
#[test]
fn wal_g_2284_age_is_by_time() {
    // The newer history has the lower number.
    let timelines = [(9, "p", None), (2, "p", Some(25))];
    let catalogue = draw_with("1:-10/9 2:-20/9 3:-30/2 4:-40/2", &timelines);
    assert_eq!(kept_for(&round(&catalogue, last(2), 1000), KeepReason::Last), [3, 4]);
}

/// wal-g/wal-g #230, pgbackrest/pgbackrest #748: log that a kept backup needs is deleted.
#[test]
fn pgbackrest_748_the_log_after_a_kept_increment_stays() {
    let picture = "1:-20000&a 2:20000-50000&a 11:a.1.1@10000-30000 12:a.1.2<1.1@30000-60000 13:a.1.3<1.2@60000-90000";
    let plan = round(&draw(picture), last(1), 100_000);
    assert_eq!((kept(&plan), needed(&plan), segments_going(&plan)), (vec![2], vec![(1, 2)], vec![11]));
    let left: Vec<_> = entries(picture).into_iter().filter(|entry| entry.id != id(11)).collect();
    let left = Catalogue::from_entries(left, [], 1, true);
    assert_eq!(left.plan(&latest()).unwrap().reached.until, at(90_000));
}

/// pgbackrest/pgbackrest #459, #2383, #2525: log that nothing needs is never expired.
#[test]
fn pgbackrest_459_log_of_expired_backups_goes() {
    let picture = "1:-20000&a 2:-80000&a 11:a.1.1@10000-30000 12:a.1.2<1.1@30000-60000 13:a.1.3<1.2@60000-90000";
    assert_eq!(segments_going(&round(&draw(picture), last(1), 100_000)), [12, 11]);
}

/// pgbackrest/pgbackrest #471: increments are left behind without their base.
#[test]
fn pgbackrest_471_no_orphans_are_left() {
    let plan = round(&draw("1:-10 2:10-20 3:20-30 4:-40"), last(1), 1000);
    assert_eq!(going(&plan), [3, 2, 1], "and the increments go before the base");
}

/// `postgrespro/pg_probackup` #69: a purge empties a timeline.
#[test]
fn pg_probackup_69_the_live_timeline_keeps_its_newest_point() {
    // The clock of the second timeline is far behind the first one's.
    let timelines = [(1, "p", None), (2, "p", Some(45))];
    let catalogue = draw_with("1:-10 2:-40 3:-60 4:-20/2 5:20-30/2", &timelines);
    let plan = round(&catalogue, last(1), 1000);
    assert_eq!((kept(&plan), needed(&plan)), (vec![5, 3], vec![(4, 5)]));
}

/// Percona's operator, PR #1381: a failed increment inside a chain.
#[test]
fn a_damaged_increment_is_no_point() {
    let plan = round(&draw("1:-10 2:10-20 3:20-30!corrupt 4:30-40 5:-25"), last(2), 1000);
    assert_eq!(kept_for(&plan, KeepReason::Last), [2, 5]);
}

/// Redundancy that counts backups of which none was ever checked is none.
#[test]
fn redundancy_prefers_what_was_verified() {
    let policy = RetentionPolicy { min_redundancy: 2, ..last(0) };
    let plan = round(&draw("1:-10 2:-20 3:-30? 4:-40? 5:-50?"), policy, 1000);
    assert_eq!((kept(&plan), going(&plan)), (vec![1, 2, 5], vec![4, 3]));
}

/// restic/restic #4612: an error in listing is read as "empty", and everything is removed. A catalogue that is not
/// complete proves nothing (I12).
#[test]
fn i12_restic_4612_what_is_not_listed_may_be_there() {
    let catalogue = Catalogue::from_entries(entries("1:-10 2:10-20 3:-30"), [], 1, false);
    assert_eq!(going(&round(&catalogue, last(1), 1000)), []);
}

/// osodevops/kafka-backup #169: life-cycle rules of the bucket against sets of increments. What can't be deleted yet keeps
/// what it needs, so that nothing half of a chain is left.
#[test]
fn kafka_backup_169_a_lock_holds_the_whole_chain() {
    let mut all = entries("1:-10 2:10-20 3:-30");
    all[1].copies = vec![strongroom_core::planner::Held {
        locked_until: Some(at(500)),
        ..strongroom_core::planner::Held::in_storage("home")
    }];
    let catalogue = Catalogue::from_entries(all, [], 1, true);
    assert_eq!(
        (going(&round(&catalogue, last(1), 499)), needed(&round(&catalogue, last(1), 499))),
        (vec![], vec![(1, 2)])
    );
    assert_eq!(going(&round(&catalogue, last(1), 500)), [2, 1]);
}

/// A clock that jumps: by count nothing changes, and age never takes the last points.
#[test]
fn a_clock_far_ahead_takes_no_last_point() {
    let policy = RetentionPolicy { keep_within: Some(Span::days(30)), ..bare() };
    let plan = round(&draw("1:-10 2:10-20 3:20-30"), policy, i64::from(i32::MAX) * 10);
    assert_eq!((kept(&plan), needed(&plan), going(&plan)), (vec![3], vec![(1, 2), (2, 3)], vec![]));
}
