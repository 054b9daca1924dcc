//! Which moment is restored, and what happens in the target.

use serde_json::Value;
use strongroom::Timestamp;

use crate::world::{World, data};

/// Base and one incremental, and the moments that they reach.
fn with_chain() -> (World, [Timestamp; 2]) {
    let world = World::with_base();
    world.ends(0, "init file:backups");
    let until = || {
        let report = world.json("backup embedded:app.redb file:backups");
        let until = report["parts"][0]["outcome"]["committed"]["window"]["until"].as_i64().unwrap();
        Timestamp::from_micros(until)
    };
    let first = until();
    world.ends(0, &format!("import {} --into embedded:app.redb", data("t1-incremental").display()));
    let second = until();
    (world, [first, second])
}

fn written(world: &World, line: &str) -> u64 {
    let summary = world.json(line);
    summary["applied"]["written"].as_u64().unwrap_or_else(|| panic!("{summary}"))
}

#[test]
fn a_moment_is_exact_or_refused_with_the_nearest_ones_or_moved_when_that_is_wished_for() {
    let (world, [first, second]) = with_chain();
    let between = first.plus_micros(1);
    let restore = "restore file:backups --into embedded:";
    assert_eq!(written(&world, &format!("{restore}first.redb --exactly {first}")), 5006);
    assert_eq!(written(&world, &format!("{restore}second.redb --exactly {second}")), 5206);
    let error = world.ends(11, &format!("{restore}none.redb --exactly {between}"));
    assert!(error.contains(&first.to_string()) && error.contains(&second.to_string()), "{error}");
    assert!(!world.path().join("none.redb").exists());
    let moved = world.json(&format!("plan file:backups --exactly {between} --nearest-earlier"));
    assert_eq!(moved["reached"]["until"], first.micros(), "{moved}");
    let before = first.plus_micros(-1);
    let error = world.ends(11, &format!("plan file:backups --at {before}"));
    assert!(error.contains("next: ") && error.contains(&first.to_string()), "{error}");
}

#[test]
fn a_backup_is_chosen_by_its_id_as_the_list_shows_it() {
    let (world, _) = with_chain();
    let listed = world.ends(0, "list file:backups --kind base");
    let [heading, row] = listed.lines().collect::<Vec<_>>()[..] else { panic!("{listed}") };
    assert!(heading.starts_with("UNTIL") && row.contains(" base "), "{listed}");
    let id = row.split_whitespace().last().unwrap();
    assert_eq!(written(&world, &format!("restore file:backups --into embedded:one.redb --backup {id}")), 5006);
    assert!(world.ends(2, &format!("plan file:backups --backup {id} --at 2026-11-22T23:01:58Z")).contains("cannot be"));
}

#[test]
fn a_list_is_filtered() {
    let (world, [first, second]) = with_chain();
    let count = |filter: &str| {
        let listed = world.json(&format!("list file:backups {filter}"));
        listed["backups"].as_array().unwrap().len()
    };
    assert_eq!(count(""), 2);
    assert_eq!(count("--kind incremental"), 1);
    assert_eq!(count("--kind incremental --kind base"), 2);
    assert_eq!(count(&format!("--since {second}")), 1);
    assert_eq!(count(&format!("--until {first}")), 1);
    assert_eq!(count("--part test"), 2);
    assert_eq!(count("--part other"), 0);
    assert_eq!(count("--last 1"), 1);
    assert_eq!(count("--doubtful"), 2);
    world.ends(0, "verify file:backups");
    assert_eq!(count("--doubtful"), 0);
    let cluster = world.json("list file:backups --last 1")["backups"][0]["cluster"].as_str().unwrap().to_owned();
    assert_eq!(count(&format!("--cluster {cluster}")), 2);
    let hyphens: Vec<String> = [0..8, 8..12, 12..16, 16..20, 20..32].map(|digits| cluster[digits].to_owned()).into();
    assert_eq!(count(&format!("--cluster {}", hyphens.join("-"))), 2, "ids are read with hyphens, too");
    assert!(world.ends(5, "list file:backups --cluster nobody").contains("it has those of: "));
}

#[test]
fn truncating_empties_the_target_and_conflicts_are_decided_otherwise() {
    let (world, [first, _]) = with_chain();
    let restore = |rest: &str| world.json(&format!("restore file:backups --into embedded:drill.redb {rest}"));
    let held = |name: &str| world.json(&format!("export embedded:drill.redb {name} --part test"))["records"].clone();
    restore("");
    assert_eq!(held("newest"), 5206);
    let kept = restore(&format!("--at {first} --conflict keep"));
    assert_eq!(kept["applied"]["kept"], 5006 + 7, "records and definitions: {kept}");
    let newer = restore(&format!("--at {first} --conflict newer"));
    assert_eq!(newer["applied"]["written"], 0, "{newer}");
    restore(&format!("--at {first}"));
    assert_eq!(held("merged"), 5206, "without truncating, what is not in the backup stays");
    let dry = restore(&format!("--at {first} --truncate --dry-run"));
    assert_eq!((&dry["dry_run"], &dry["proof"]), (&true.into(), &"hash".into()), "{dry}");
    assert_eq!(held("still"), 5206, "a dry run changes nothing");
    let truncated = restore(&format!("--at {first} --truncate"));
    assert_eq!(truncated["proof"], "hash", "{truncated}");
    assert_eq!(held("truncated"), 5006);
}

#[test]
fn what_has_expired_is_left_out_by_a_moment_that_is_given() {
    let (world, _) = with_chain();
    let restore = |now: &str| {
        let summary = world.json(&format!("restore file:backups --into embedded:drill.redb --truncate {now}"));
        (summary["applied"]["written"].as_u64().unwrap(), summary["applied"]["expired"].as_u64().unwrap())
    };
    assert_eq!(restore(""), (5206, 0));
    // Half of the records expire within ten months after the base.
    let (alive, expired) = restore("--now 2027-12-01T00:00:00Z");
    assert_eq!(alive + expired, 5206);
    assert!((2000..3206).contains(&alive), "{alive}");
    let (alive_early, _) = restore("--now 2026-11-22T23:30:00Z");
    assert_eq!(alive_early, 5206, "none expires within an hour");
}

#[test]
fn parts_get_another_name_and_sets_are_chosen() {
    let (world, [first, _]) = with_chain();
    let at = format!("--at {first}");
    world.ends(0, &format!("restore file:backups --into embedded:renamed.redb --rename test=drill {at}"));
    assert_eq!(world.json("export embedded:renamed.redb out --part drill")["records"], 5006);
    assert!(world.ends(2, "restore file:backups --into embedded:x.redb --rename test").contains("OLD=NEW"));
    for (line, records) in
        [("--set users", 1000), ("--part test --table users --table carts", 2000), ("--part test --set nothing", 0)]
    {
        let summary = world.json(&format!("restore file:backups --into embedded:some.redb --truncate {at} {line}"));
        assert_eq!(summary["applied"]["written"], records, "{line}: {summary}");
    }
    // A backup of some sets is no backup of all.
    world.ends(0, "init file:some");
    let report = world.json("backup embedded:app.redb file:some --set users");
    assert_eq!(report["parts"][0]["outcome"]["committed"]["totals"]["records"], 1000, "{report}");
    let error = world.ends(11, "plan file:some");
    assert!(error.contains("next: "), "{error}");
    world.ends(0, "plan file:some --set users");
}

#[test]
fn definitions_or_data_are_left_out() {
    let (world, _) = with_chain();
    let bare = world.json("restore file:backups --into embedded:bare.redb --no-definitions");
    assert_eq!((&bare["applied"]["definitions"], &bare["applied"]["written"]), (&0.into(), &5206.into()), "{bare}");
    let schema = world.json("restore file:backups --into embedded:schema.redb --no-data");
    assert_eq!((&schema["applied"]["definitions"], &schema["applied"]["written"]), (&7.into(), &0.into()), "{schema}");
}

#[test]
fn a_staged_source_is_proven_apart_and_cleared_away() {
    let (world, _) = with_chain();
    let staged = world.json("restore file:backups --into embedded:drill.redb --proof stage --staging staging");
    assert_eq!(staged["proof"], "stage", "{staged}");
    assert_eq!(staged["applied"]["written"], 5206);
    assert_eq!(crate::world::files(&world.path().join("staging")).len(), 0, "the staging folder is cleared");
    assert!(world.ends(2, "restore file:backups --into embedded:x.redb --proof stage").contains("--staging"));
}

#[test]
fn a_chain_becomes_a_base_that_restores_the_same() {
    let (world, [first, second]) = with_chain();
    assert!(world.ends(4, &format!("synthesize file:backups --at {first}")).contains("nothing to merge"));
    let made = world.json("synthesize file:backups");
    let (backup, records) = (made["made"][0]["backup"].as_str().unwrap(), made["made"][0]["totals"]["records"].clone());
    assert_eq!((&made["made"][0]["window"]["until"], records), (&second.micros().into(), 5206.into()), "{made}");
    assert_eq!(made["made"][0]["made_from"].as_array().unwrap().len(), 2, "{made}");
    let plan = world.json(&format!("plan file:backups --backup {backup}"));
    assert_eq!(plan["totals"]["steps"], 1, "{plan}");
    let held = |name: &str, which: &str| {
        world.ends(0, &format!("restore file:backups --into embedded:{name}.redb {which}"));
        world.ends(0, &format!("export embedded:{name}.redb {name}-out --part test"));
        let mut lines: Vec<String> = Vec::new();
        for file in crate::world::files(&world.path().join(format!("{name}-out"))) {
            lines.extend(String::from_utf8_lossy(&std::fs::read(file).unwrap()).lines().map(str::to_owned));
        }
        lines.sort();
        lines
    };
    let chain = world.json("list file:backups --kind incremental")["backups"][0]["id"].as_str().unwrap().to_owned();
    let (merged, one_by_one) =
        (held("merged", &format!("--backup {backup}")), held("chain", &format!("--backup {chain}")));
    assert!(merged.len() > 5206, "{}", merged.len());
    assert_eq!(merged, one_by_one);
    assert_eq!(world.json("list file:backups --kind synthetic")["backups"].as_array().unwrap().len(), 1);
    world.ends(0, "verify file:backups --depth decode");
    let error = world.ends(5, "synthesize file:backups --run 00000000000000000000000000000001");
    assert!(error.contains("nothing is left of run"), "{error}");
}

#[test]
fn an_incremental_bridges_the_base_before_it_unless_told_not_to() {
    let (world, [_, second]) = with_chain();
    let committed = |options: &str| {
        let report = world.json(&format!("backup embedded:app.redb file:backups {options}"));
        report["parts"][0]["outcome"]["committed"].clone()
    };
    let base = committed("--kind base");
    let plain = committed("--no-bridging");
    assert_eq!((&plain["window"]["from"], &plain["bridges"]), (&base["window"]["until"], &Value::Null), "{plain}");
    let base = committed("--kind base");
    let bridging = committed("");
    assert_eq!(bridging["bridges"], base["backup"], "{bridging}");
    let from = bridging["window"]["from"].as_i64().unwrap();
    assert!(from >= second.micros() && from < base["window"]["until"].as_i64().unwrap(), "{bridging}");
}
