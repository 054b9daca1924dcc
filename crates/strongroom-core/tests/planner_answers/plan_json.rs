//! The JSON of a plan: what `docs/plan.md` says of it is what comes out.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use strongroom_core::codec::CodecId;
use strongroom_core::id::{DataKeyId, TimelineId};
use strongroom_core::planner::{
    AtMost, Catalogue, CheckCode, CheckState, Entry, Plan, Reason, Request, StageKind, Strictness, Target, WarningCode,
};

use crate::support::{at, by, draw, draw_with, entries, latest};

/// The example of the page: a chain with copies, a target in between, and something left out.
fn example() -> Plan {
    let mut chain =
        entries("1:-1795384800*40000 2:1795384800-1795388400~1795388405*4000^? 3:1795388400-1795392000*5000");
    for (entry, copies) in chain.iter_mut().zip(["home,offsite", "home", "home"]) {
        entry.codecs = vec![CodecId::new("zstd").expect("a codec"), CodecId::new("seal:k1").expect("a codec")];
        entry.keys = vec![DataKeyId::from_u128(5)];
        entry.copies = copies.split(',').map(strongroom_core::planner::Held::in_storage).collect();
        if let Some(copy) = entry.copies.get_mut(1) {
            copy.cost = 1 << 20;
        }
    }
    catalogue(chain).plan(&by(1_795_390_200)).expect("a plan")
}

fn catalogue(entries: Vec<Entry>) -> Catalogue {
    Catalogue::from_entries(entries, [], 7, true)
}

/// A plan with everything set that can be.
fn fullest() -> Plan {
    let chain = entries("1:-10=home,s3&a 2:1@10-20^?&a 3:4@20-30 5:a.1.1@5-15 6:a.1.2<1.1@15-60");
    let catalogue = Catalogue::from_entries(chain, [], 7, false);
    let request = Request {
        strictness: Strictness::NearestEarlier,
        cluster: Some(strongroom_core::id::ClusterId::from_u128(1)),
        timelines: [("p".to_owned(), TimelineId::from_u128(1))].into(),
        scope: serde_json::from_str(
            r#"{"parts":{"p":{"tables":["t"],"bins":["b"],"partitions":[1],"expression":"x"}}}"#,
        )
        .expect("a scope"),
        storages: Some(["home".to_owned(), "s3".to_owned()].into()),
        keys: Some(BTreeSet::new()),
        codecs: Some(BTreeSet::new()),
        at_most: AtMost { bytes: Some(1000), steps: Some(10) },
        ..by(50)
    };
    catalogue.plan(&request).expect("a plan")
}

fn page() -> (std::path::PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plan.md");
    let text = std::fs::read_to_string(&path).expect("docs/plan.md");
    (path, text)
}

#[test]
fn the_example_of_the_page_is_what_the_planner_gives() {
    let (path, text) = page();
    let (head, rest) = text.split_once("```json\n").expect("the page has an example");
    let (shown, tail) = rest.split_once("\n```").expect("the example ends");
    let made = serde_json::to_string_pretty(&example()).expect("JSON");
    if std::env::var_os("STRONGROOM_WRITE_DOCS").is_some() {
        std::fs::write(path, format!("{head}```json\n{made}\n```{tail}")).expect("docs/plan.md");
        return;
    }
    assert_eq!(shown, made, "run the test with STRONGROOM_WRITE_DOCS=1 and look at the difference");
    let read: Plan = serde_json::from_str(shown).expect("a plan");
    assert_eq!(read, example());
}

/// The paths of every field: `parts.*.steps[].copy.tier`.
fn paths(value: &Value, here: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            // Maps from names to values are told from structures by their place.
            let map = ["parts", "parts.*.logs", "request.timelines", "request.scope.parts"].contains(&here);
            for (name, value) in fields {
                let name = if map { "*" } else { name };
                let path = if here.is_empty() { name.to_owned() } else { format!("{here}.{name}") };
                paths(value, &path, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                paths(item, &format!("{here}[]"), found);
            }
        }
        _ => {}
    }
    if !here.is_empty() && !here.ends_with("[]") {
        found.insert(here.to_owned());
    }
}

#[test]
fn the_table_of_the_page_names_every_field_and_no_other() {
    let named = table("Fields");
    let mut found = BTreeSet::new();
    for plan in [example(), fullest()] {
        paths(&serde_json::to_value(&plan).expect("JSON"), "", &mut found);
    }
    // One kind of target each.
    found.retain(|path| !path.starts_with("request.target.") && !path.contains(".apply."));
    let missing: Vec<_> = found.difference(&named).collect();
    let extra: Vec<_> = named.difference(&found).collect();
    assert!(missing.is_empty() && extra.is_empty(), "not on the page: {missing:#?}\nonly on the page: {extra:#?}");
}

#[test]
fn a_plan_survives_its_json() {
    for plan in [example(), fullest(), draw("1:-10").plan(&latest()).expect("a plan")] {
        let text = serde_json::to_string(&plan).expect("JSON");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("a plan"), plan);
    }
}

#[test]
fn the_request_of_a_plan_gives_the_same_plan_again() {
    let catalogue = draw("1:-10=home,s3 2:10-20 3:20-30~33");
    for request in [latest(), by(25), Request::at(Target::Exactly(at(20)))] {
        let plan = catalogue.plan(&request).expect("a plan");
        assert_eq!(catalogue.plan(&plan.request).expect("a plan"), plan);
    }
}

#[test]
fn whatever_makes_another_plan_makes_another_hash() {
    let picture = "1:-10#a=home,s3 2:10-20#a=home,s3 3:-15#b=home,s3";
    let hash = |catalogue: &Catalogue, request: &Request| catalogue.plan(request).expect("a plan").hash;
    let catalogue = draw(picture);
    let narrow =
        Request { scope: serde_json::from_str(r#"{"parts":{"a":{"tables":["t"]}}}"#).expect("a scope"), ..latest() };
    let mut hashes = vec![
        hash(&catalogue, &latest()),
        hash(&catalogue, &by(25)),
        hash(&catalogue, &by(16)),
        hash(&catalogue, &Request { allow_missing_parts: true, ..latest() }),
        hash(&catalogue, &Request { storages: Some(["s3".to_owned()].into()), ..latest() }),
        hash(&catalogue, &narrow),
        hash(&Catalogue::from_entries(entries(picture), [], 8, true), &latest()),
        hash(&draw("1:-10#a=home,s3 4:10-20#a=home,s3 3:-15#b=home,s3"), &latest()),
        hash(&draw("1:-10#a=home,s3 2:10-20~21#a=home,s3 3:-15#b=home,s3"), &latest()),
        hash(&draw("1:-10#a=home,s3/2 2:10-20#a=home,s3/2 3:-15#b=home,s3"), &latest()),
    ];
    assert_eq!(hash(&catalogue, &latest()), hash(&draw(picture), &latest()));
    let count = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}

#[test]
fn nothing_of_the_target_changes_before_every_check_and_all_proof() {
    let plan = example();
    let changes = plan.stages.iter().position(|stage| stage.changes_target).expect("a restore changes something");
    let place = |kind| plan.stages.iter().position(|stage| stage.stage == kind).expect("every stage is there");
    assert!(place(StageKind::Check) < changes && place(StageKind::Prove) < changes);
    assert_eq!(place(StageKind::Begin), changes);
    assert!(plan.stages.iter().all(|stage| stage.changes_target || !stage.destructive));
    assert!(place(StageKind::Define) < place(StageKind::Apply) && place(StageKind::Apply) < place(StageKind::Finish));
}

#[test]
fn checks_say_what_is_known_and_what_is_still_to_be_looked_at() {
    let state = |plan: &Plan, code| plan.checks.iter().find(|check| check.code == code).expect("every check").state;
    let plan = example();
    assert_eq!(state(&plan, CheckCode::Keys), CheckState::AtStart);
    assert_eq!(state(&plan, CheckCode::Codecs), CheckState::AtStart);
    assert_eq!(state(&plan, CheckCode::Catalogue), CheckState::Holds);
    let mut chain = entries("1:-10");
    chain[0].keys = vec![DataKeyId::from_u128(5)];
    chain[0].codecs = vec![CodecId::new("zstd").expect("a codec")];
    let known = Request {
        keys: Some([DataKeyId::from_u128(5)].into()),
        codecs: Some([CodecId::new("zstd").expect("a codec")].into()),
        ..latest()
    };
    let plan = Catalogue::from_entries(chain, [], 1, false).plan(&known).expect("a plan");
    assert_eq!(state(&plan, CheckCode::Keys), CheckState::Holds);
    assert_eq!(state(&plan, CheckCode::Codecs), CheckState::Holds);
    assert_eq!(state(&plan, CheckCode::Catalogue), CheckState::Warned);
    assert_eq!(state(&draw("1:-10").plan(&latest()).expect("a plan"), CheckCode::Keys), CheckState::Holds);
}

#[test]
fn the_page_names_every_reason_and_every_warning() {
    let (_, text) = page();
    for code in Reason::ALL.iter().map(|reason| reason.code()) {
        assert!(text.contains(&format!("| {code}")) || text.contains(&format!(", {code}")), "{code}");
    }
    for code in WarningCode::ALL {
        let code = serde_json::to_value(code).expect("JSON");
        let code = code.as_str().expect("a code");
        assert!(text.contains(&format!("`{code}`")), "{code}");
    }
}

/// The codes that reading knows, as serde tells them: that list is the compiler's.
fn known<T: serde::de::DeserializeOwned + std::fmt::Debug>() -> BTreeSet<String> {
    let error = serde_json::from_str::<T>("\"no such code\"").expect_err("no such code").to_string();
    let (_, listed) = error.split_once("expected one of ").expect("a list of codes");
    listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_lists_of_codes_are_whole() {
    let reasons: BTreeSet<String> = Reason::ALL.iter().map(|reason| reason.code().to_owned()).collect();
    assert_eq!((&reasons, reasons.len()), (&known::<Reason>(), Reason::ALL.len()));
    let code = |code: &WarningCode| serde_json::to_value(code).expect("JSON").as_str().expect("a code").to_owned();
    let warnings: BTreeSet<String> = WarningCode::ALL.iter().map(code).collect();
    assert_eq!((&warnings, warnings.len()), (&known::<WarningCode>(), WarningCode::ALL.len()));
}

/// The paths of the table under a heading of the page.
fn table(heading: &str) -> BTreeSet<String> {
    let (_, text) = page();
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let section = section.split("\n## ").next().expect("a section");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(path, _)| path.to_owned()).collect()
}

/// The paths of the fields of `values`; what the page describes of a plan is not looked into.
fn fields(values: &[Value], known: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for value in values {
        paths(value, "", &mut found);
    }
    found.retain(|path| !known.iter().any(|known| path.starts_with(known)));
    found
}

fn named_as_they_are(heading: &str, values: &[Value], known: &[&str]) {
    let (named, found) = (table(heading), fields(values, known));
    let missing: Vec<_> = found.difference(&named).collect();
    let extra: Vec<_> = named.difference(&found).collect();
    assert!(missing.is_empty() && extra.is_empty(), "not on the page: {missing:#?}\nonly on the page: {extra:#?}");
}

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("JSON")
}

#[test]
fn the_page_names_every_field_of_an_explanation_a_difference_and_a_check() {
    let parts = ["reached", "refused[]", "nearest.before", "nearest.after", "nearest.every_moment", "steps[].apply"];
    let more =
        ["steps[].window", "losses.steps[].moments", "losses.steps[].instead", "drawing.axis", "drawing.reached"];
    let known: Vec<String> = parts.iter().chain(&more).map(|path| format!("parts.*.{path}.")).collect();
    let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
    known.extend(["request.", "plan.reached.", "plan.totals.", "parts.*.refused[]"]);
    let refused = draw("1:-10#p 2:10-20#p 4:25-40#p 5:-60#p").explain(&by(45));
    let logs = "1:-10&a,b 2:a.1.1@5-15 3:a.1.2<1.1@15-60^? 4:b.1.1@5-70 5:-50&a,b 6:-9=home,s3&a,b";
    let replayed = draw(logs).explain(&Request::at(Target::Exactly(at(33))));
    let chain = draw_with("1:-10 2:10-33^? 3:-40/2 4:40-50/2", &[(1, "p", None), (2, "p", Some(35))]);
    let values = [json(&refused), json(&replayed), json(&chain.explain(&by(37)))];
    named_as_they_are("Explanation", &values, &known);

    let [one, other] = [("1:-10=home,s3 2:10-20 3:20-30", by(30)), ("1:-10=s3/2 2:1@10-20^?/2 4:20-40/2", latest())]
        .map(|(picture, request)| draw(picture).plan(&request).expect("a plan"));
    let mut filtered = other.clone();
    filtered.parts.get_mut("p").expect("a part").filter.tables = Some(["t".to_owned()].into());
    let mut moved = one.clone();
    moved.parts.get_mut("p").expect("a part").steps.swap(0, 1);
    let known = ["reached.", "bytes.", "timeline.", "filter.", "changed[].storage.", "changed[].apply."];
    let sides =
        ["added[].window.", "removed[].window.", "changed[].window.", "changed[].verified.", "changed[].alternates."];
    let known: Vec<String> = known.iter().chain(&sides).map(|path| format!("parts.*.{path}")).collect();
    let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
    known.extend(["before.reached.", "before.totals.", "after.reached.", "after.totals."]);
    known.extend(["warnings_added[]", "warnings_removed[]"]);
    let values = [json(&one.difference(&filtered)), json(&filtered.difference(&one)), json(&one.difference(&moved))];
    named_as_they_are("Difference", &values, &known);

    let known = ["request.", "reached.", "parts.*.reached.", "parts.*.base.window.", "parts.*.logs.", "warnings[]"];
    let known = [&known[..], &["parts.*.before.", "parts.*.after."]].concat();
    let values = [json(&draw("1:-10 4:25-40 5:-60").check(&by(45))), json(&draw(logs).check(&by(33)))];
    named_as_they_are("Check", &values, &known);
}
