//! Explanations: what they say, in which words, and that they stay readable.

use std::path::Path;

use strongroom_core::planner::{
    Catalogue, Cut, EXPLANATION_FORMAT, Explanation, Plan, Reason, Request, StepReason, Strictness, Target, WarningCode,
};

use crate::support::{at, by, draw, draw_with, entries, id, latest, point};

/// The text of an explanation is that of the file, and its JSON reads back as the same.
fn golden(name: &str, explanation: &Explanation) {
    let json = serde_json::to_string(explanation).expect("JSON");
    assert_eq!(&serde_json::from_str::<Explanation>(&json).expect("an explanation"), explanation, "{name}");
    assert_eq!(explanation.format, EXPLANATION_FORMAT);
    let text = format!("{explanation}\n");
    readable(&text);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/planner_answers/golden/{name}.txt"));
    if std::env::var_os("STRONGROOM_WRITE_DOCS").is_some() {
        std::fs::write(path, text).expect("a golden text");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, text, "{name}: run the test with STRONGROOM_WRITE_DOCS=1 and look at the difference");
}

/// No line is wider than 100 columns.
fn readable(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        assert!(!line.ends_with(' '), "spaces at the end of: {line}");
    }
}

fn explain(picture: &str, request: &Request) -> Explanation {
    draw(picture).explain(request)
}

#[test]
fn a_moment_between_two_backups() {
    let explanation = explain("1:-10*4096 2:10-20~22*1536^? 3:20-30*700", &by(26));
    golden("between", &explanation);
    let part = &explanation.parts["p"];
    assert_eq!(part.reached, Some(point(20, 22)));
    assert_eq!((part.nearest.before, part.nearest.after), (Some(point(10, 10)), Some(point(30, 30))));
    let why: Vec<_> = part.steps.iter().map(|step| step.why).collect();
    assert_eq!(why, [StepReason::Begins, StepReason::Carries]);
    assert_eq!(part.losses.steps[0].points, 3, "without the base nothing is left");
    assert_eq!(part.losses.steps[0].refused, Some(Reason::Deleted), "a later one needs what is lost");
    let codes: Vec<_> = explanation.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, [WarningCode::DeletesUnseen, WarningCode::Unverified, WarningCode::Fuzzy]);
}

#[test]
fn a_gap_is_refused_with_what_would_reach_the_nearest_point_before() {
    let explanation = explain("1:-10 2:10-20 4:25-40 5:-60", &by(45));
    golden("gap", &explanation);
    assert!(explanation.plan.is_none());
    let refusal = explanation.refusal.as_ref().expect("a refusal");
    assert_eq!((refusal.reason, refusal.part.as_deref()), (Reason::Gap, Some("p")));
    let part = &explanation.parts["p"];
    assert_eq!(part.steps.len(), 2, "the chain to the nearest point");
    assert_eq!((part.nearest.before, part.nearest.after), (Some(point(20, 20)), Some(point(60, 60))));
    let drawing = part.drawing.as_ref().expect("a drawing");
    assert_eq!(drawing.gaps[0].span.from, at(40));
}

#[test]
fn logs_are_replayed_to_the_very_moment() {
    let picture = "1:-10&a,b 2:a.1.1@5-15 3:a.1.2<1.1@15-60 4:b.1.1@5-70 5:-50&a,b";
    let explanation = explain(picture, &Request::at(Target::Exactly(at(33))));
    golden("logs", &explanation);
    let part = &explanation.parts["p"];
    assert_eq!(part.steps.iter().filter(|step| step.why == StepReason::Replays).count(), 3);
    assert!(part.nearest.every_moment.is_some_and(|span| span.contains(at(33))));
}

#[test]
fn a_restore_that_began_a_new_timeline_is_drawn() {
    let catalogue = draw_with("1:-10 2:10-33 3:-40/2 4:40-50/2", &[(1, "p", None), (2, "p", Some(35))]);
    let explanation = catalogue.explain(&by(37));
    golden("timelines", &explanation);
    let drawing = explanation.parts["p"].drawing.as_ref().expect("a drawing");
    assert_eq!(drawing.restores, [at(35)]);
    let drawing = catalogue.explain(&by(45)).parts["p"].drawing.clone().expect("a drawing");
    assert!(drawing.restores.is_empty(), "it lies before what is drawn: {:?}", drawing.axis);
}

#[test]
fn what_is_lost_without_harm_is_told_as_such_and_copies_are_counted() {
    let explanation = explain("1:-10=home,s3 2:10-20 3:-18 4:15-30", &latest());
    golden("spare", &explanation);
    for loss in &explanation.parts["p"].losses.steps {
        let direct = draw("1:-10=home,s3 2:10-20 3:-18 4:15-30")
            .what_if(&latest(), &[strongroom_core::planner::Loss::Backup(loss.backup)])
            .expect("a loss");
        assert_eq!(direct.is_harmless(), loss.moments.is_none(), "{loss:?}");
    }
}

#[test]
fn a_plan_of_a_thousand_steps_is_short() {
    let chain: Vec<String> = (1..1000).map(|at| format!("{}:{}-{}", at + 1, at * 10, at * 10 + 10)).collect();
    let explanation = explain(&format!("1:-10 {}", chain.join(" ")), &latest());
    assert_eq!(explanation.parts["p"].steps.len(), 1000);
    assert_eq!((explanation.parts["p"].losses.steps.len(), explanation.parts["p"].losses.others), (8, 992));
    golden("thousand", &explanation);
    assert!(explanation.to_string().lines().count() < 60, "{explanation}");
}

#[test]
fn groups_that_alternate_are_elided_too() {
    let deletes = |at: usize| if at.is_multiple_of(2) { "^" } else { "" };
    let chain: Vec<String> =
        (1..100).map(|at| format!("{}:{}-{}{}", at + 1, at * 10, at * 10 + 10, deletes(at))).collect();
    let text = explain(&format!("1:-10 {}", chain.join(" ")), &latest()).to_string();
    readable(&text);
    assert!(text.contains("more steps"), "{text}");
    assert!(text.lines().count() < 120, "{text}");
}

#[test]
fn a_plan_of_two_hundred_parts_is_short_and_tells_of_those_that_hold_back() {
    let parts: Vec<String> = (0..200).map(|part| format!("{}:-{}#part{part:03}", part + 1, 1000 - part)).collect();
    let request = Request { cut: Cut::PerPart, ..latest() };
    let explanation = explain(&parts.join(" "), &request);
    assert_eq!(explanation.parts.len(), 200);
    golden("parts", &explanation);
    let text = explanation.to_string();
    assert!(text.lines().count() < 120, "{text}");
    assert!(text.contains("part 'part199' reaches"), "the one that reaches least is told in full");
    assert!(!explanation.parts["part199"].losses.steps.is_empty());
    assert!(explanation.parts["part000"].losses.steps.is_empty(), "not all of them are looked at");
    assert_eq!(explanation.parts["part000"].losses.others, 1);
}

#[test]
fn of_several_parts_the_refused_one_comes_first_and_the_others_are_still_explained() {
    let explanation = explain("1:-10#a 2:10-20#a 3:-10#b 4:15-20#b", &by(20));
    let text = explanation.to_string();
    readable(&text);
    assert_eq!(explanation.refusal.as_ref().and_then(|refusal| refusal.part.as_deref()), Some("b"));
    assert_eq!(explanation.parts["a"].reached, Some(point(20, 20)));
    assert!(text.find("part 'b' is REFUSED") < text.find("part 'a' reaches"), "{text}");
}

#[test]
fn what_is_refused_before_any_part_is_looked_at_is_told() {
    let nothing = Catalogue::from_entries([], [], 0, true).explain(&latest());
    assert_eq!(nothing.refusal.as_ref().map(|refusal| refusal.reason), Some(Reason::PartMissing));
    assert!(nothing.parts.is_empty() && nothing.to_string().contains("the repository holds no backup"));
    let unknown = explain("1:-10", &Request::at(Target::Backup(id(9))));
    assert_eq!(unknown.refusal.as_ref().map(|refusal| refusal.reason), Some(Reason::Unknown));
    let large = Request { at_most: strongroom_core::planner::AtMost { steps: Some(1), bytes: None }, ..latest() };
    let large = explain("1:-10 2:10-20", &large);
    assert_eq!(large.refusal.as_ref().map(|refusal| refusal.reason), Some(Reason::TooLarge));
    assert_eq!(large.parts["p"].steps.len(), 2, "what would be too large is shown");
}

#[test]
fn an_explanation_is_of_the_plan_and_depends_on_no_order() {
    let picture = "1:-10=home,s3 2:10-20 3:20-30~33 4:-25 5:25-35#p 6:-12#q";
    let turned: Vec<_> = entries(picture).into_iter().rev().collect();
    let turned = Catalogue::from_entries(turned, [], 7, true);
    for request in [latest(), by(25), by(31), Request { strictness: Strictness::NearestEarlier, ..by(32) }] {
        let (plan, explanation): (Plan, _) =
            (draw(picture).plan(&request).expect("a plan"), draw(picture).explain(&request));
        assert_eq!(explanation.plan.map(|summary| summary.hash), Some(plan.hash));
        let told: Vec<_> =
            explanation.parts.values().flat_map(|part| part.steps.iter().map(|step| step.backup)).collect();
        assert_eq!(told, plan.steps().map(|(_, step)| step.backup).collect::<Vec<_>>());
        assert_eq!(turned.explain(&request).to_string(), explanation.to_string());
    }
}
