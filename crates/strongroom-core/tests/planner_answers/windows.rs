//! Windows, gaps and answers: by picture, and against a plan for every moment.

use proptest::prelude::*;
use strongroom_core::Timestamp;
use strongroom_core::model::Scope;
use strongroom_core::planner::{Reason, Request, Span, Strictness, Target};

use crate::random::{cases, moments, world};
use crate::support::{at, by, draw, id, latest, point};

fn span(from: i64, until: Option<i64>) -> Span {
    Span { from: at(from), until: until.map(at) }
}

#[test]
fn a_whole_chain_is_one_window_without_end() {
    let windows = draw("1:-10 2:10-20 3:20-30").windows(&latest()).expect("windows");
    let part = &windows.parts["p"];
    assert_eq!(part.gaps, []);
    let [window] = part.windows.as_slice() else { panic!("{part:?}") };
    assert_eq!(window.span, span(10, None));
    assert_eq!((window.oldest, window.newest, window.points), (point(10, 10), point(30, 30), 3));
    assert_eq!(window.every_moment, []);
    assert_eq!((windows.together, windows.newest), (vec![span(10, None)], Some(at(30))));
}

#[test]
fn a_point_can_be_had_only_once_it_is_settled() {
    let windows = draw("1:-10~13 2:10-20~21").windows(&latest()).expect("windows");
    let window = &windows.parts["p"].windows[0];
    assert_eq!(window.span, span(13, None));
    assert_eq!((window.oldest, window.newest), (point(10, 13), point(20, 21)));
}

#[test]
fn a_gap_has_two_edges_a_cause_and_a_count() {
    let windows = draw("1:-10 3:20-30 4:30-35 5:-40").windows(&latest()).expect("windows");
    let part = &windows.parts["p"];
    assert_eq!(
        part.windows.iter().map(|window| window.span).collect::<Vec<_>>(),
        [Span { from: at(10), until: Some(at(30).plus_micros(-1)) }, span(40, None)]
    );
    let [gap] = part.gaps.as_slice() else { panic!("{part:?}") };
    assert_eq!(gap.span, Span { from: at(30), until: Some(at(40).plus_micros(-1)) });
    assert_eq!((gap.after, gap.before), (Some(point(10, 10)), Some(point(40, 40))));
    assert_eq!((gap.reason, gap.backup, gap.stranded), (Reason::Gap, Some(id(3)), 2));
    assert_eq!(
        gap.detail,
        "the incremental until 1970-01-01T00:00:30Z is not usable: nothing reaches the state it starts from"
    );
}

#[test]
fn a_damaged_end_leaves_a_gap_without_a_later_edge() {
    let windows = draw("1:-10 2:10-20!corrupt 3:20-30").windows(&latest()).expect("windows");
    let gap = &windows.parts["p"].gaps[0];
    assert_eq!((gap.span, gap.after, gap.before), (span(20, None), Some(point(10, 10)), None));
    assert_eq!((gap.reason, gap.stranded), (Reason::Corrupt, 2));
    assert_eq!(windows.newest, Some(at(10)));
    assert!(windows.restorable(at(19)) && !windows.restorable(at(20)) && !windows.restorable(at(9)));
}

#[test]
fn a_chain_without_its_base_is_a_gap_from_the_start() {
    let windows = draw("2:10-20 3:-30").windows(&latest()).expect("windows");
    let gap = &windows.parts["p"].gaps[0];
    assert_eq!(gap.span, Span { from: at(20), until: Some(at(30).plus_micros(-1)) });
    assert_eq!((gap.after, gap.before), (None, Some(point(30, 30))));
}

#[test]
fn what_only_another_filter_or_a_delete_took_away_is_no_gap() {
    assert_eq!(draw("1:-10 2:10-20!deleted").windows(&latest()).expect("windows").parts["p"].gaps, []);
    let windows = draw("1:-10 2:10-20!deleted 3:20-30").windows(&latest()).expect("windows");
    assert_eq!(windows.parts["p"].gaps[0].span, span(30, None));
}

#[test]
fn logs_reach_every_moment_until_they_end() {
    let windows = draw("1:-10~12&a 7:a.1.1@5-30 8:a.1.2<1.1@30-50 2:-60&a").windows(&latest()).expect("windows");
    let window = &windows.parts["p"].windows[0];
    assert_eq!(window.every_moment, [span(12, Some(50))]);
    assert_eq!((window.oldest, window.newest), (point(12, 12), point(60, 60)));
    assert_eq!(window.points, 1);
}

#[test]
fn a_hole_in_a_log_is_a_gap() {
    let windows = draw("1:-10&a 7:a.1.1@5-30 8:a.1.3<1.2@40-50 2:-60&a").windows(&latest()).expect("windows");
    let part = &windows.parts["p"];
    assert_eq!(part.windows[0].every_moment, [span(10, Some(30))]);
    let gap = &part.gaps[0];
    assert_eq!((gap.span.from, gap.reason, gap.backup), (at(40), Reason::LogGap, None));
    assert_eq!((gap.after, gap.before), (Some(point(30, 30)), Some(point(60, 60))));
}

#[test]
fn parts_are_intersected() {
    let windows = draw("1:-10#a 2:10-20#a 3:-15#b 4:20-30#b 5:-40#b").windows(&latest()).expect("windows");
    let end = |second| Some(at(second).plus_micros(-1));
    assert_eq!(windows.together, [Span { from: at(15), until: end(30) }, span(40, None)]);
    assert_eq!(windows.newest, Some(at(20)));
    let only = Request { scope: Scope::of_parts(["a"]), ..latest() };
    assert_eq!(draw("1:-10#a 3:-15#b").windows(&only).expect("windows").together, [span(10, None)]);
}

#[test]
fn a_part_that_is_not_there_is_told_as_by_a_plan() {
    let request = Request { scope: Scope::of_parts(["x"]), ..latest() };
    let error = draw("1:-10").windows(&request).expect_err("no such part");
    assert_eq!((error.reason, error.part.as_deref()), (Reason::PartMissing, Some("x")));
}

#[test]
fn answers_cover_all_of_time() {
    let answers = draw("1:-10 3:20-30").answers(&latest()).expect("answers");
    let told: Vec<_> =
        answers["p"].iter().map(|answer| (answer.from, answer.until, answer.reached, answer.refused)).collect();
    let before = |second| Some(at(second).plus_micros(-1));
    assert_eq!(
        told,
        [
            (None, before(10), None, Some(Reason::BeforeFirst)),
            (Some(at(10)), before(30), Some(point(10, 10)), None),
            (Some(at(30)), None, Some(point(10, 10)), Some(Reason::Gap)),
        ]
    );
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn a_moment_is_in_a_window_if_and_only_if_it_has_a_plan(world in world()) {
        let catalogue = world.catalogue();
        let windows = catalogue.windows(&world.request);
        let Ok(windows) = windows else {
            prop_assert!(catalogue.plan(&world.request).is_err());
            return Ok(());
        };
        let answers = catalogue.answers(&world.request).expect("answers");
        for moment in moments() {
            let mut every_part = true;
            for (name, part) in &windows.parts {
                let request = Request {
                    target: Target::AtOrBefore(moment),
                    scope: Scope::of_parts([name.as_str()]),
                    ..world.request.clone()
                };
                let plan = catalogue.plan(&request);
                every_part &= plan.is_ok();
                let inside = part.windows.iter().any(|window| window.span.contains(moment));
                prop_assert_eq!(inside, plan.is_ok(), "'{}' at {}: {:?}", name, moment, plan.err());
                let nearest = catalogue.plan(&Request { strictness: Strictness::NearestEarlier, ..request });
                let answer = answers[name]
                    .iter()
                    .find(|answer| answer.until.is_none_or(|until| moment <= until))
                    .expect("an answer for every moment");
                let told = if answer.every_moment { Some(moment) } else { answer.reached.map(|reached| reached.until) };
                prop_assert_eq!(told, nearest.ok().map(|plan| plan.reached.until), "'{}' at {}", name, moment);
                prop_assert_eq!(answer.refused.is_none(), inside);
                let first = answer.from == Some(moment) && !answer.every_moment;
                if let Some(reached) = answer.reached.filter(|_| first && inside) {
                    // At the first moment nothing that is settled later can be chosen.
                    let plan = catalogue.plan(&by_moment(&world.request, name, moment)).expect("a plan");
                    prop_assert!(plan.reached.settled <= moment && reached.settled <= moment);
                }
            }
            prop_assert_eq!(windows.restorable(moment), every_part, "together at {}", moment);
        }
    }

    #[test]
    fn windows_and_gaps_grow_and_do_not_touch(world in world()) {
        let Ok(windows) = world.catalogue().windows(&world.request) else { return Ok(()) };
        for part in windows.parts.values() {
            let mut spans: Vec<Span> = part.windows.iter().map(|window| window.span).collect();
            spans.extend(part.gaps.iter().map(|gap| gap.span));
            spans.sort_by_key(|span| span.from);
            for pair in spans.windows(2) {
                prop_assert!(pair[0].until.is_some_and(|until| until < pair[1].from), "{:?}", pair);
            }
            for gap in &part.gaps {
                let edge = part.windows.iter().rfind(|window| window.span.from < gap.span.from);
                prop_assert_eq!(gap.after, edge.map(|window| window.newest));
                let edge = part.windows.iter().find(|window| window.span.from > gap.span.from);
                prop_assert_eq!(gap.before, edge.map(|window| window.oldest));
            }
        }
    }
}

fn by_moment(request: &Request, part: &str, moment: Timestamp) -> Request {
    Request { scope: Scope::of_parts([part]), target: Target::AtOrBefore(moment), ..request.clone() }
}

#[test]
fn a_later_request_for_the_same_moment_is_the_same() {
    let catalogue = draw("1:-10 2:10-20");
    assert_eq!(catalogue.windows(&by(15)).expect("windows"), catalogue.windows(&latest()).expect("windows"));
}
