//! Whether a moment can be restored, and what the `pit_check` of `OpsCenter` would answer: its fields all come from a [`Check`].

use proptest::prelude::*;
use serde_json::{Value, json};
use strongroom_core::planner::{Check, Cut, Reason, Request, Strictness, Target, Verdict};
use strongroom_core::{ErrorKind, Timestamp};

use crate::support::{at, by, draw, id, point};

fn check(picture: &str, request: &Request) -> Check {
    let check = draw(picture).check(request);
    let json = serde_json::to_string(&check).expect("JSON");
    assert_eq!(serde_json::from_str::<Check>(&json).expect("a check"), check);
    assert!(check.to_string().lines().all(|line| line.chars().count() <= 100), "{check}");
    check
}

/// The request of `POST /{cluster_id}/backups/pit_check` with `{"pit": seconds, "destination": id}`.
fn pit_request(body: &Value) -> Request {
    let pit = body["pit"].as_i64().expect("a time stamp in seconds");
    let destination = body["destination"].as_str().map(str::to_owned);
    Request {
        storages: destination.map(|it| [it].into()),
        ..Request::at(Target::AtOrBefore(Timestamp::from_secs(pit)))
    }
}

/// The answer to it. The documentation of `OpsCenter` shows one failure and no success.
fn pit_answer(check: &Check) -> Value {
    if check.is_possible() {
        return json!({ "message": check.message, "type": "PointInTime", "brief": "ok" });
    }
    let none = matches!(check.reason, Some(Reason::BeforeFirst | Reason::PartMissing | Reason::CopyUnavailable));
    let message = match check.asked.filter(|_| none) {
        Some(asked) => {
            let text = asked.to_string();
            let (date, time) = (&text[..10], &text[11..19]);
            let [year, month, day] = date.split('-').collect::<Vec<_>>()[..] else { panic!("{date}") };
            format!("No snapshots found before date and time: {month}-{day}-{year} {time} UTC")
        }
        None => check.message.clone(),
    };
    json!({ "message": message, "type": "InvalidArguments", "brief": "error" })
}

#[test]
fn the_documented_answer_of_pit_check_comes_out() {
    // The example of OpsCenter's page: nothing was taken before 2015-12-15 01:32:00 UTC.
    let body = json!({ "pit": 1_450_143_120, "destination": "OPSC_ON_SERVER" });
    let documented = json!({
        "message": "No snapshots found before date and time: 12-15-2015 01:32:00 UTC",
        "type": "InvalidArguments",
        "brief": "error",
    });
    let later = check("1:-1450150000=OPSC_ON_SERVER", &pit_request(&body));
    assert_eq!(later.reason, Some(Reason::BeforeFirst));
    assert_eq!(pit_answer(&later), documented);
    // A snapshot in another destination does not help.
    let elsewhere = check("1:-1450140000=s3", &pit_request(&body));
    assert_eq!(elsewhere.reason, Some(Reason::CopyUnavailable));
    assert_eq!(pit_answer(&elsewhere), documented);
    let there = check("1:-1450140000=OPSC_ON_SERVER", &pit_request(&body));
    assert_eq!(pit_answer(&there)["brief"], "ok");
}

#[test]
fn what_pit_check_does_not_look_at_is_told_with_the_same_fields() {
    // A hole in the archived log, which OpsCenter is not known to look for.
    let picture = "1:-10=d&a 2:a.1.1@5-15=d 3:a.1.3<1.2@30-60=d";
    let refused = check(picture, &pit_request(&json!({ "pit": 40, "destination": "d" })));
    let answer = pit_answer(&refused);
    assert_eq!((&answer["type"], &answer["brief"]), (&json!("InvalidArguments"), &json!("error")));
    let message = answer["message"].as_str().expect("a text");
    assert!(message.contains("node a: its log has a hole"), "{message}");
    assert_eq!(refused.parts["p"].logs["a"], at(60), "as GET backups/pit/logs: the newest archived change by node");
}

#[test]
fn a_moment_is_exact_earlier_or_refused() {
    let picture = "1:-10 2:10-20~22 4:25-40 5:-60";
    let exact = check(picture, &by(10));
    assert_eq!((exact.verdict, exact.reached), (Verdict::Exact, Some(point(10, 10))));
    assert_eq!(exact.parts["p"].base.as_ref().map(|base| base.backup), Some(id(1)));
    let earlier = check(picture, &by(30));
    assert_eq!((earlier.verdict, earlier.reached), (Verdict::Earlier, Some(point(20, 22))));
    assert!(earlier.message.contains("all changes up to 1970-01-01T00:00:20Z"), "{}", earlier.message);
    let refused = check(picture, &by(45));
    assert_eq!((refused.verdict, refused.reason), (Verdict::Refused, Some(Reason::Gap)));
    assert_eq!((refused.error_kind(), refused.error.as_deref()), (Some(ErrorKind::BrokenChain), Some("BROKEN_CHAIN")));
    assert_eq!((refused.before, refused.after), (Some(at(40).plus_micros(-1)), Some(at(60))));
    assert_eq!(refused.parts["p"].before, Some(point(20, 22)));
    let text = refused.to_string();
    assert!(text.starts_with("NO   ") && text.contains("[GAP]"), "{text}");
}

#[test]
fn each_part_is_told_and_the_moments_are_those_of_all() {
    let refused = check("1:-10#a 2:-30#b", &by(20));
    assert_eq!((refused.reason, refused.part.as_deref()), (Some(Reason::BeforeFirst), Some("b")));
    assert_eq!(refused.parts["a"].verdict, Verdict::Earlier);
    assert_eq!((refused.before, refused.after), (None, Some(at(30))));
    let named = check("1:-10#a 2:-30#b", &Request::at(Target::Backup(id(9))));
    assert_eq!((named.reason, named.verdict), (Some(Reason::Unknown), Verdict::Refused));
}

#[test]
fn logs_make_a_moment_exact() {
    let exact = check("1:-10&a 2:a.1.1@5-15 3:a.1.2<1.1@15-60", &by(33));
    assert_eq!((exact.verdict, exact.reached), (Verdict::Exact, Some(point(33, 33))));
    assert_eq!(exact.parts["p"].steps, 3);
    let text = exact.to_string();
    assert!(text.contains("logs of 1 node are archived, the least of a, up to 1970-01-01T00:01:00Z"), "{text}");
}

proptest! {
    #[test]
    fn a_check_says_yes_where_there_is_a_plan(seconds in 0..80_i64, exactly: bool, earlier: bool, together: bool) {
        let catalogue = draw("1:-10 2:10-20~22 4:25-40 5:-60 6:-12#q 7:12-45#q 8:50-70^#q");
        let moment = at(seconds);
        let request = Request {
            strictness: if earlier { Strictness::NearestEarlier } else { Strictness::Refuse },
            cut: if together { Cut::Together } else { Cut::PerPart },
            ..Request::at(if exactly { Target::Exactly(moment) } else { Target::AtOrBefore(moment) })
        };
        let (check, plan) = (catalogue.check(&request), catalogue.plan(&request));
        prop_assert_eq!(check.is_possible(), plan.is_ok());
        prop_assert_eq!(check.reached, plan.as_ref().ok().map(|plan| plan.reached));
        for at in [check.before, check.after].into_iter().flatten() {
            prop_assert!(catalogue.plan(&Request::at(Target::AtOrBefore(at))).is_ok(), "{}", at);
        }
    }
}
