//! `prune`, `delete`, pins and holds, `mend`.

use serde_json::Value;

use crate::world::{World, data, files};

const PROFILES: &str = "[clusters.app]\nurl = 'embedded:app.redb'\n[repositories.main]\nurl = 'file:backups'\n\
    grace = '0s'\n[repositories.main.retention]\nkeep_last = 1\n[repositories.kept]\nurl = 'file:backups'\n";

/// `main` with a base, an incremental, and another base of `app`; the ids.
fn world() -> (World, Vec<String>) {
    let world = World::with_base();
    world.write("strongroom.toml", PROFILES);
    world.ends(0, "init main");
    let mut ids = Vec::new();
    for line in ["backup app main", "backup app main", "backup app main --kind base"] {
        let report = world.json(line);
        ids.push(id(&report["parts"][0]["outcome"]["committed"]["backup"]));
        world.ends(0, &format!("import {} --into embedded:app.redb", data("t1-incremental").display()));
    }
    (world, ids)
}

/// As text has it: JSON has hyphens.
fn id(value: &Value) -> String {
    value.as_str().unwrap().replace('-', "")
}

fn listed(world: &World) -> Vec<String> {
    let list = world.json("list main");
    list["backups"].as_array().unwrap().iter().map(|entry| id(&entry["id"])).collect()
}

#[test]
fn a_prune_by_the_profile_keeps_what_it_says_and_a_dry_run_changes_nothing() {
    let (world, ids) = world();
    let before = files(&world.path().join("backups"));
    let told = world.ends(0, "prune main --dry-run");
    assert!(told.contains("part 'test': 1 kept") && told.contains("2 to go"), "{told}");
    assert!(told.contains("would be condemned: 2 backups"), "{told}");
    assert_eq!(files(&world.path().join("backups")), before);
    let report = world.json("prune main --dry-run");
    assert_eq!(report["retention"]["parts"][0]["going"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!(id(&report["retention"]["parts"][0]["kept"][0]["backup"]), ids[2]);
    let bytes = report["condemned"]["bytes"].as_u64().unwrap();
    assert!(bytes > 1000);

    let report = world.json("prune main");
    assert_eq!(report["deleted"]["bytes"].as_u64(), Some(bytes), "{report}");
    assert_eq!(listed(&world), ids[2..]);
    world.ends(0, "restore main --into embedded:drill.redb");
    assert_eq!(world.json("export embedded:drill.redb out --part test")["records"], 5206);
}

#[test]
fn options_take_the_place_of_the_profile_and_without_a_policy_all_stays() {
    let (world, ids) = world();
    assert!(world.ends(0, "prune kept").contains("no policy was given"));
    assert!(world.ends(0, "prune main --keep-within 1d --dry-run").contains("0 to go"));
    let told = world.ends(0, "prune main --keep-last 1 --min-redundancy 2 --dry-run");
    assert!(told.contains("min redundancy") && told.contains("1 to go"), "{told}");
    assert!(world.ends(2, "prune main --keep-daily many").contains("invalid"));
    assert!(world.ends(2, "prune main --zone Mars").contains("Europe/Berlin"));
    world.write("strongroom.toml", &PROFILES.replace("keep_last = 1", "keep_lsat = 1"));
    assert!(world.ends(4, "prune main").contains("strongroom.toml, line 7: "));
    world.write("strongroom.toml", PROFILES);
    assert_eq!(listed(&world), ids);
}

#[test]
fn a_deletion_is_refused_or_cascades_and_waits_for_the_grace_time() {
    let (world, ids) = world();
    let error = world.ends(11, &format!("delete main {}", ids[0]));
    assert!(error.contains(&ids[1]) && error.contains("next: delete these as well with --cascade"), "{error}");
    let told = world.run(&format!("delete main {} --dry-run", ids[0]));
    assert_eq!(told.status.code(), Some(11), "as the deletion itself");
    assert!(String::from_utf8(told.stdout).unwrap().contains("it would be refused:"));
    assert_eq!(world.run(&format!("delete main {} --last --cascade --dry-run", ids.join(" "))).status.code(), Some(0));
    assert_eq!(world.run(&format!("delete main {} --cascade", ids.join(" "))).status.code(), Some(11));
    assert!(world.ends(5, "delete main 00000000000000000000000000000001").contains("next: "));
    assert!(world.ends(4, "delete main nonsense").contains("next: "));

    let told = world.ends(0, &format!("delete main {} --cascade --grace 1d", ids[0]));
    assert!(told.contains("condemned: 2 backups") && told.contains("to be deleted by a prune after"), "{told}");
    assert!(world.ends(0, "list main").contains("condemned"));
    assert_eq!(world.json("list main")["condemned"].as_array().unwrap().len(), 2);
    assert!(world.ends(0, "prune main").contains("what was condemned before is due at"));
    assert_eq!(listed(&world).len(), 3, "the grace time is not over");
    world.ends(11, &format!("restore main --backup {} --into embedded:drill.redb", ids[0]));
    world.ends(0, &format!("delete main {} --last", ids[2]));
    assert_eq!(listed(&world).len(), 2);
}

#[test]
fn pins_and_holds_say_who_and_why_and_keep_what_the_policy_would_not() {
    let (world, ids) = world();
    world.ends(0, &format!("pin main {} --by ann --reason release-7", ids[1]));
    world.ends(0, &format!("pin main {} --by ann --reason release-7", ids[1]));
    world.ends(0, &format!("hold main {} --by bob --reason case-12 --until 2100-01-01T00:00:00Z", ids[1]));
    assert!(world.ends(2, &format!("hold main {} --by bob", ids[1])).contains("--reason"));
    assert!(world.ends(4, &format!("pin main {} --by ann --until 2001-01-01T00:00:00Z", ids[1])).contains("next: "));
    let told = world.ends(0, "list main");
    assert!(told.contains(&format!("pinned: {} by ann at 2", ids[1])) && told.contains(": release-7"), "{told}");
    assert!(told.contains("on hold") && told.contains("until 2100-01-01T00:00:00Z: case-12"), "{told}");
    let list = world.json("list main");
    let entry = list["backups"].as_array().unwrap().iter().find(|entry| id(&entry["id"]) == ids[1]).unwrap();
    assert_eq!(entry["pins"].as_array().unwrap().len(), 2, "the same pin twice is one: {entry}");
    assert!(entry["pins"][0]["set"].as_i64().unwrap() > 0);

    let told = world.ends(0, "prune main");
    assert!(told.contains("kept by a pin of ann (release-7); and by a legal hold of bob until 2100"), "{told}");
    assert_eq!(listed(&world).len(), 3, "what is pinned, and the base that it needs");
    let error = world.ends(7, &format!("release main {} --by ann", ids[1]));
    assert!(error.contains("was set by bob (case-12)"), "{error}");
    world.ends(0, &format!("unpin main {}", ids[1]));
    world.ends(0, "prune main");
    assert_eq!(listed(&world).len(), 3);
    assert!(world.ends(0, &format!("release main {} --by bob", ids[1])).contains("1 hold taken off"));
    world.ends(0, "prune main");
    assert_eq!(listed(&world), ids[2..]);
}

#[test]
fn a_pin_within_the_grace_time_brings_back_what_was_condemned_and_what_it_needs() {
    let (world, ids) = world();
    world.ends(0, &format!("delete main {} --cascade --grace 1s", ids[0]));
    world.ends(0, &format!("pin main {} --by ann", ids[1]));
    while world.json("prune kept")["deleted"]["lists"] == Value::Array(vec![]) {}
    assert_eq!(world.json("list main")["condemned"], Value::Array(vec![]));
    world.ends(0, &format!("restore main --backup {} --into embedded:drill.redb", ids[1]));
}

#[test]
fn a_damaged_catalogue_is_mended_and_prunes_wait_for_it() {
    let (world, ids) = world();
    assert!(world.ends(0, "mend main").contains("the catalogue is whole"));
    std::fs::write(world.path().join("backups/catalogue/000000000002"), "rubbish").unwrap();
    let error = world.ends(10, "prune main");
    assert!(error.contains("next: mend it first"), "{error}");
    assert!(world.ends(3, "mend main --dry-run").contains("damaged: "));
    world.ends(10, "prune main");
    let told = world.ends(0, "mend main");
    assert!(told.contains("whole again") && told.contains("pins, holds and checks"), "{told}");
    assert!(world.ends(0, "prune main").contains("warning: the catalogue was mended"));
    assert_eq!(listed(&world), ids[2..]);
    assert_eq!(world.json("mend main")["mended"], false);
}
