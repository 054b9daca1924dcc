//! What went wrong with chains elsewhere, by the public reports, and does not here: a catalogue in, the plan or the refusal
//! in words out. What retention did wrong is in `tests/retention/bugs.rs`.

use strongroom_core::planner::{Cut, Request, Strictness, Target, WarningCode};

use crate::picture::{at, id, world};

/// What comes of a request: `part: steps → second reached`, `~second` where it is settled later, the warnings; or the
/// refusal as people read it.
fn told(picture: &str, request: &Request) -> String {
    let plan = match world(picture).catalogue().plan(request) {
        Ok(plan) => plan,
        Err(refused) => return refused.to_string().replace("1970-01-01T00:00:", ""),
    };
    let seconds = |moment: strongroom_core::Timestamp| moment.micros() / 1_000_000;
    let mut words: Vec<String> = Vec::new();
    for (name, part) in &plan.parts {
        let steps: Vec<String> =
            part.steps.iter().map(|it| u128::from_be_bytes(*it.backup.as_bytes()).to_string()).collect();
        let (until, settled) = (seconds(part.reached.until), seconds(part.reached.settled));
        let settled = if settled > until { format!("~{settled}") } else { String::new() };
        words.push(format!("{name}: {} → {until}{settled}", steps.join(" ")));
    }
    words.extend(plan.warnings.iter().map(|warning| format!("{:?}", warning.code)));
    words.join(", ")
}

fn latest() -> Request {
    Request::default()
}

fn by(second: i64) -> Request {
    Request::at(Target::AtOrBefore(at(second)))
}

fn exactly(second: i64) -> Request {
    Request::at(Target::Exactly(at(second)))
}

/// benbjohnson/litestream, seen in its source and by a test: "latest" refuses a gap, a time as target accepts it and ends
/// before it.
#[test]
fn litestream_a_time_as_target_accepts_a_gap() {
    let lost = "1:-5 6:5-6 8:7-8 9:8-9";
    let refusal = "GAP: 'p' can't be restored up to 09Z: the incremental until 09Z needs the incremental until 08Z, which is \
                   not usable: nothing reaches the state it starts from (nearest point: 06Z, before it)";
    assert_eq!(told(lost, &by(9)), refusal);
    assert_eq!(told(lost, &latest()), refusal.replace("up to 09Z", "up to the newest backup"));
}

/// benbjohnson/litestream PR #1155: a compacted file hides a gap among what it was made of. Here what covers a span without
/// a state that it applies to is no way over the gap.
#[test]
fn litestream_1155_a_long_increment_does_not_hide_a_gap() {
    assert_eq!(
        told("1:-10 3:20-30 4:20-40", &by(40)),
        "GAP: 'p' can't be restored up to 40Z: the incremental until 40Z needs the incremental until 30Z, which is not \
         usable: nothing reaches the state it starts from (nearest point: 10Z, before it)"
    );
}

/// pgbackrest/pgbackrest, seen in its source: the first repository that has a backup wins, though another has a newer one.
#[test]
fn pgbackrest_the_first_repository_does_not_win() {
    assert_eq!(told("1:-10=home 2:-20=far", &latest()), "p: 2 → 20");
}

/// pgbackrest/pgbackrest PR #1935: a backup whose reference is missing is taken.
#[test]
fn pgbackrest_1935_a_missing_reference_is_refused() {
    assert_eq!(
        told("1:-10 3:2@20-30", &latest()),
        "PARENT_MISSING: 'p' can't be restored up to the newest backup: the incremental until 30Z is not usable: the backup \
         it needs is not in the catalogue (nearest point: 10Z, before it)"
    );
}

/// pgbackrest/pgbackrest #1616: a backup of another timeline than the target's.
#[test]
fn pgbackrest_1616_the_timeline_that_was_live_counts() {
    let restored = "/1 /2<1@10>30 1:-10 2:10-20 3:-40/2";
    assert_eq!(told(restored, &by(25)), "p: 1 2 → 20");
    assert_eq!(told(restored, &by(45)), "p: 3 → 40");
}

/// wal-g/wal-g #2284: order by timeline, not by time, takes an old backup for the newest.
#[test]
fn wal_g_2284_order_is_by_time() {
    assert_eq!(told("/9 /2<9@20>25 1:-10/9 2:10-20/9 3:-30/2", &latest()), "p: 3 → 30");
}

/// wal-g/wal-g #177, #499, #508: two or more deltas on one base.
#[test]
fn wal_g_177_many_deltas_are_applied_in_order() {
    assert_eq!(told("4:3@30-40 2:1@10-20 3:2@20-30 1:-10", &latest()), "p: 1 2 3 4 → 40");
}

/// `postgrespro/pg_probackup` #143: the parent is of another timeline.
#[test]
fn pg_probackup_143_a_parent_of_another_timeline_is_none() {
    assert_eq!(
        told("/1 /2<1@10>15 1:-10 3:1@10-30/2", &by(30)),
        "PARENT_UNUSABLE: 'p' can't be restored up to 30Z: the incremental until 30Z is not usable: the backup it needs \
         can't be used, or does not end where this one starts (nearest point: 10Z, before it)"
    );
}

/// `PostgreSQL` commit 2041bc4: an increment of another server is noticed at the restore only.
#[test]
fn postgresql_2041bc4_another_servers_increment_is_none() {
    let request = Request { cluster: Some(strongroom_core::id::ClusterId::from_u128(1)), ..latest() };
    assert_eq!(
        told("1:-10 9:-20%2 2:9@20-30", &request),
        "PARENT_UNUSABLE: 'p' can't be restored up to the newest backup: the incremental until 30Z is not usable: the \
         backup it needs can't be used, or does not end where this one starts (nearest point: 10Z, before it)"
    );
}

/// `PostgreSQL`, back-patched to 17: an increment whose parent lies past the point where the histories part starts, and is
/// corrupt.
#[test]
fn postgresql_divergent_history_is_not_continued() {
    // 2 and 3 were taken of the first history after the restore had begun the second.
    assert_eq!(told("/1 /2<1@10>15 1:-10 2:1@10-20 3:2@20-30 4:-40/2", &by(35)), "p: 1 → 10");
    assert_eq!(told("/1 /2<1@10>15 1:-10 2:1@10-20 3:2@20-30 4:-40/2", &by(40)), "p: 4 → 40");
}

/// pingcap/tidb #36246: the restored point lies past what the log holds.
#[test]
fn tidb_36246_no_point_is_past_the_log() {
    let log = "1:-10&a 2:a.1.1@5-30";
    assert_eq!(told(log, &by(50)), "p: 1 2 → 30, ClockMargin");
    assert_eq!(
        told(log, &exactly(50)),
        "NOT_EXACT: no chain of 'p' ends exactly at 50Z; node a: its log has arrived up to 30Z (nearest point: 30Z, before \
         it)"
    );
}

/// cockroachdb/cockroach #79674: an increment that was written out of order ruins the chain.
#[test]
fn cockroach_79674_an_increment_out_of_order_ruins_nothing() {
    assert_eq!(told("5:20-30 1:-10 7:10-20 3:30-40", &latest()), "p: 1 7 5 3 → 40");
}

/// cockroachdb/cockroach PR #143930: what was compacted is always left out.
#[test]
fn cockroach_143930_what_was_compacted_is_used() {
    assert_eq!(told("1:-10*1000 2:10-20*1000 3:20-30*1000 9:10-30*1000", &latest()), "p: 1 9 → 30");
    assert_eq!(told("1:-10*1000 2:10-20*1000 9:s-20*1000 3:20-30*1000", &latest()), "p: 9 3 → 30");
}

/// cockroachdb/cockroach, seen in its source: where a parent is missing, every ancestor is dropped.
#[test]
fn cockroach_a_missing_parent_drops_no_ancestor() {
    let request = Request { strictness: Strictness::NearestEarlier, ..latest() };
    assert_eq!(told("1:-10 2:1@10-20 4:3@30-40", &request), "p: 1 2 → 20, MovedEarlier");
}

/// cockroachdb/cockroach #159073: a chain that can't be restored fails in silence.
#[test]
fn cockroach_159073_a_chain_without_base_is_told() {
    assert_eq!(
        told("2:10-20 3:20-30", &latest()),
        "GAP: no chain of 'p' ends there: the incremental until 30Z needs the incremental until 20Z, which is not usable: \
         nothing reaches the state it starts from (no point can be reached: take a base)"
    );
}

/// percona/percona-backup-mongodb PR #429: the end of the last piece stands for that of all, so one within another looks
/// like a gap.
#[test]
fn pbm_429_a_window_within_another_is_no_gap() {
    assert_eq!(told("1:-10 2:10-30*1000 3:12-20 4:30-40", &latest()), "p: 1 2 4 → 40");
}

/// percona/percona-backup-mongodb PR #579, #421: the target lies past the last piece, or there is too little log.
#[test]
fn pbm_579_a_target_past_the_last_piece_is_refused() {
    assert_eq!(
        told("1:-10&a 2:a.1.1@5-20 4:a.1.3<1.2@30-40", &by(35)),
        "LOG_GAP: 'p' can't be restored up to 35Z: node a: its log has a hole between 20Z and 30Z (nearest point: 20Z, \
         before it)"
    );
}

/// percona/percona-backup-mongodb, by its own test: a shard without any log is left out of the common time.
#[test]
fn pbm_a_node_without_log_is_not_left_out() {
    assert_eq!(told("1:-10&a,b 2:a.1.1@5-30", &by(30)), "p: 1 → 10, LogsBehind");
    assert_eq!(
        told("1:-10&a,b 2:a.1.1@5-30", &exactly(30)),
        "NOT_EXACT: no chain of 'p' ends exactly at 30Z; node b: no segment has arrived since 10Z (nearest point: 10Z, \
         before it)"
    );
}

/// EnterpriseDB/barman #323: the first point is the end of a backup, not its beginning.
#[test]
fn barman_323_the_first_point_is_where_the_backup_has_settled() {
    let base = "1:-10~15&a 2:a.1.1@5-40";
    assert_eq!(
        told(base, &exactly(12)),
        "BEFORE_FIRST: nothing of 'p' can be restored as of 12Z (nearest point: 15Z, after it)"
    );
    assert_eq!(told(base, &exactly(15)), "p: 1 2 → 15, ClockMargin");
}

/// Percona's operator, PR #1381: a failed increment inside a chain.
#[test]
fn percona_1381_a_failed_increment_is_no_link() {
    assert_eq!(
        told("1:-10 2:10-20!corrupt 3:20-30", &latest()),
        "CORRUPT: 'p' can't be restored up to the newest backup: the incremental until 30Z needs the incremental until 20Z, \
         which is not usable: a check found damage (nearest point: 10Z, before it)"
    );
}

/// aerospike/aerospike-backup-service, seen in its source: incrementals are taken by time, whether they meet or not.
#[test]
fn abs_continuity_is_checked() {
    assert_eq!(
        told("1:-10^ 3:20-30^", &latest()),
        "GAP: 'p' can't be restored up to the newest backup: the incremental until 30Z is not usable: nothing reaches the \
         state it starts from (nearest point: 10Z, before it)"
    );
}

/// aerospike/aerospike-backup-service PR #529: a full backup that is not finished drops the other namespaces.
#[test]
fn abs_529_a_run_that_misses_a_part_drops_none() {
    // The second run has not reached `q` yet.
    assert_eq!(told("1:-10#p>1 2:-10#q>1 3:-20#p>2", &latest()), "p: 3 → 20, q: 2 → 10, PartsDiffer");
    let together = Request { cut: Cut::Together, ..latest() };
    assert_eq!(told("1:-10#p>1 2:-10#q>1 3:-20#p>2", &together), "p: 1 → 10, q: 2 → 10");
}

/// aerospike/aerospike-backup-service PR #645: cumulative incrementals, and leaving out what they cover.
#[test]
fn abs_645_what_a_cumulative_increment_covers_is_left_out() {
    assert_eq!(told("1:-10 2:10-20 3:10-30 4:10-40", &latest()), "p: 1 4 → 40");
}

/// aerospike/aerospike-backup-service: incrementals hold no deletes, and nothing says so.
#[test]
fn abs_deletes_that_come_back_are_told() {
    assert_eq!(told("1:-10^ 2:10-20^", &latest()), "p: 1 2 → 20, DeletesUnseen");
}

/// restic/restic #4612: an error in listing is read as "empty".
#[test]
fn restic_4612_a_catalogue_that_is_not_complete_says_so() {
    let plan = world("… 1:-10").catalogue().plan(&latest()).unwrap();
    assert!(plan.warnings.iter().any(|warning| warning.code == WarningCode::CatalogueIncomplete));
}

/// apache/cassandra-medusa #523, scylladb/scylla-manager #3288: a name is used again for other contents. Two backups of one
/// id that differ are both left alone.
#[test]
fn medusa_523_a_name_that_was_used_again_is_not_trusted() {
    assert_eq!(
        told("1:-10 2:10-20 2:10-20*77", &Request::at(Target::Backup(id(2)))),
        "DUPLICATE_ID: two different backups have the id 00000000000000000000000000000002: which is meant can't be \
         told (both are left alone: name another backup, or a moment)"
    );
    assert_eq!(told("1:-10 2:10-20 2:10-20*77 3:-30", &latest()), "p: 3 → 30");
}
