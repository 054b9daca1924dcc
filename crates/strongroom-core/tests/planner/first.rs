//! The planner's first promises: a chain up to a moment, no gap accepted, nearest points named.

use strongroom_core::id::{BackupId, ClusterId, RunId, TimelineId};
use strongroom_core::model::{Applies, BackupKind, Deletes, Filter, Status, Window};
use strongroom_core::planner::{Catalogue, Entry, PlanError, Reason, Request, Size, Strictness, Target};
use strongroom_core::{ErrorKind, Key, Timestamp};

fn entry(id: u128, from: Option<i64>, until: i64) -> Entry {
    let at = Timestamp::from_secs;
    Entry {
        id: BackupId::from_u128(id),
        run: RunId::from_u128(id),
        kind: if from.is_some() { BackupKind::Incremental } else { BackupKind::Base },
        parent: None,
        cluster: ClusterId::from_u128(1),
        part: "p".into(),
        timeline: TimelineId::from_u128(1),
        window: Window { from: from.map(at), until: at(until), settled: at(until) },
        applies: Applies::Cover,
        deletes: Deletes::Seen,
        filter: Filter::default(),
        missing: 0,
        status: Status::Complete,
        verified: None,
        size: Size { objects: 2, stored_bytes: 10, ..Size::default() },
        codecs: Vec::new(),
        keys: Vec::new(),
        nodes: Vec::new(),
        manifest: Key::new(format!("backups/{id}/manifest.json")).unwrap(),
        copies: Vec::new(),
        pins: Vec::new(),
        created: at(until),
        log: None,
    }
}

#[test]
fn a_chain_reaches_the_newest_point_at_or_before_the_target() {
    let catalogue =
        Catalogue::from_entries([entry(3, Some(20), 30), entry(1, None, 10), entry(2, Some(10), 20)], [], 7, true);
    let plan = catalogue.plan(&Request::at(Target::AtOrBefore(Timestamp::from_secs(25)))).unwrap();
    let steps: Vec<BackupId> = plan.steps().map(|(_, step)| step.backup).collect();
    assert_eq!(steps, [BackupId::from_u128(1), BackupId::from_u128(2)]);
    assert_eq!(plan.reached.until, Timestamp::from_secs(20));
    assert_eq!(plan.generation, 7);
}

#[test]
fn a_gap_is_refused_and_the_nearest_points_are_named() {
    let entries = [entry(1, None, 10), entry(3, Some(20), 30), entry(4, None, 40)];
    let catalogue = Catalogue::from_entries(entries, [], 1, true);
    let mut request = Request::at(Target::AtOrBefore(Timestamp::from_secs(30)));
    let error = catalogue.plan(&request).unwrap_err();
    assert_eq!(error.reason, Reason::Gap);
    assert_eq!(error.before.unwrap().until, Timestamp::from_secs(10));
    assert_eq!(error.after.unwrap().until, Timestamp::from_secs(40));
    assert_eq!(error.asked, Some(Timestamp::from_secs(30)));
    let in_the_way: Vec<_> = error.refused.iter().map(|one| (one.backup, one.reason)).collect();
    assert!(in_the_way.contains(&(BackupId::from_u128(3), Reason::Gap)), "{in_the_way:?}");
    assert_eq!(strongroom_core::Error::from(error).kind(), ErrorKind::BrokenChain);
    request.strictness = Strictness::NearestEarlier;
    assert_eq!(catalogue.plan(&request).unwrap().reached.until, Timestamp::from_secs(10));
}

#[test]
fn a_refusal_is_an_error_of_its_kind_and_says_what_to_do() {
    for (reason, kind, advice) in [
        (Reason::PartMissing, ErrorKind::NotFound, "see the list of backups"),
        (Reason::Unknown, ErrorKind::NotFound, "see the list of backups"),
        (Reason::Invalid, ErrorKind::Invalid, "see the list of backups"),
        (Reason::TooLarge, ErrorKind::Invalid, "ask for fewer parts, or allow a larger plan"),
        (Reason::KeyMissing, ErrorKind::Denied, "give a key that opens it"),
        (Reason::CodecMissing, ErrorKind::Unsupported, "use a program that knows the codec"),
        (Reason::Gap, ErrorKind::BrokenChain, "no point can be reached: take a base"),
    ] {
        let refused = PlanError::new(reason, "as an example");
        assert_eq!(refused.advice(), advice, "{reason}");
        assert_eq!(strongroom_core::Error::from(refused).kind(), kind, "{reason}");
    }
}

#[test]
fn a_request_for_the_newest_names_no_moment() {
    let catalogue = Catalogue::from_entries([entry(1, None, 10), entry(3, Some(20), 30)], [], 1, true);
    assert_eq!(catalogue.plan(&Request::at(Target::Latest)).unwrap_err().asked, None);
}
