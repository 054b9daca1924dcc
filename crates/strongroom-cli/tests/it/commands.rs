//! The commands in their order of use, and every refusal.

use std::path::PathBuf;

use serde_json::Value;

use crate::world::{World, data};

#[test]
fn the_commands_that_the_demo_ends_with_work() {
    let world = World::with_base();
    world.ends(0, "init file:backups --codecs zstd:1");
    let dry = world.json("backup embedded:app.redb file:backups --dry-run");
    assert!(dry["parts"][0]["outcome"]["estimated"]["pieces"].as_u64().unwrap() > 0, "{dry}");
    assert_eq!(world.json("list file:backups")["backups"], Value::Array(vec![]));
    let first = world.json("backup embedded:app.redb file:backups");
    let until = first["parts"][0]["outcome"]["committed"]["window"]["until"].as_i64().unwrap();
    let until = strongroom::Timestamp::from_micros(until);
    world.ends(0, &format!("import {} --into embedded:app.redb", data("t1-incremental").display()));
    let second = world.json("backup embedded:app.redb file:backups");
    assert_eq!(second["parts"][0]["outcome"]["committed"]["kind"], "incremental", "{second}");
    assert_eq!(world.json("list file:backups")["backups"].as_array().unwrap().len(), 2);
    assert!(world.ends(0, &format!("plan file:backups --at {until}")).contains("[AFTER_TARGET]"));

    let summary = world.json(&format!("restore file:backups --at {until} --into embedded:drill.redb"));
    assert_eq!(summary["applied"]["written"], 5006, "{summary}");
    assert_eq!(world.json("export embedded:drill.redb out --part test")["records"], 5006);
    let newest = world.json("restore file:backups --into embedded:newest.redb");
    assert_eq!(newest["applied"]["written"], 5206, "{newest}");

    let moved = world.json("copy file:backups file:second");
    assert_eq!((moved["backups"].as_array().unwrap().len(), &moved["copied"]), (2, &Value::from(2)));
    assert!(
        world
            .ends(0, "copy file:backups file:second")
            .starts_with("2 backups there now, 0 of them new; 0 objects copied")
    );
    for repository in ["file:backups", "file:second"] {
        assert!(world.ends(0, &format!("verify {repository} --depth decode")).contains("whole"));
    }
}

#[test]
fn a_service_folder_is_imported_at_the_moment_asked_for() {
    let world = World::new();
    let line =
        format!("import {} --into embedded:app.redb --at 2026-11-22T23:01:58.506Z", data("abs-storage").display());
    assert!(String::from_utf8(world.run(&line).stderr).unwrap().contains("deleted things come back"));
    assert_eq!(world.json("export embedded:app.redb out --part test")["records"], 5206);
}

#[test]
fn damage_is_found_and_told_by_the_exit_code() {
    let world = World::with_base();
    world.ends(0, "init file:backups");
    world.ends(0, "backup embedded:app.redb file:backups");
    let mut objects = vec![world.path().join("backups")];
    let mut largest = (0, PathBuf::new());
    while let Some(path) = objects.pop() {
        if path.is_dir() {
            objects.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            largest = largest.max((path.metadata().unwrap().len(), path));
        }
    }
    let mut bytes = std::fs::read(&largest.1).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&largest.1, bytes).unwrap();
    let copied = world.ends(3, "copy file:backups file:second");
    assert!(copied.starts_with("0 backups there now") && copied.contains("NOT COPIED "), "{copied}");
    assert!(copied.contains("its bytes are not") || copied.contains("is not what was stored"), "{copied}");
    assert!(world.ends(3, "verify file:backups").contains("DAMAGED"));
    assert!(world.ends(3, "copy file:backups file:second").contains("a check has found it damaged"));
    let error = world.ends(11, "restore file:backups --into embedded:drill.redb");
    assert!(error.contains("next: "), "{error}");
    assert!(!world.path().join("drill.redb").exists(), "a refused plan makes no target");
}

#[test]
fn every_refusal_has_its_exit_code_and_says_what_next() {
    let world = World::with_base();
    world.ends(0, "init file:backups");
    for (code, line) in [
        (2, "backup"),
        (2, "plan file:backups --at yesterday"),
        (4, "backup postgres://x file:backups"),
        (4, "plan file:backups --backup nonsense"),
        (5, "list file:nowhere"),
        (5, "backup embedded:ap.redb file:backups"),
        (5, "--config no.toml list file:backups"),
        (6, "init file:backups"),
        (7, "init file:sealed --codecs zstd:1,seal"),
    ] {
        let error = world.ends(code, line);
        assert!(code == 2 || error.contains("next: ") || line.starts_with("--config"), "{line}: {error}");
    }
    assert!(!world.path().join("ap.redb").exists(), "a mistyped cluster is not made");
    let json: Value = serde_json::from_str(&world.ends(6, "init file:backups --json")).unwrap();
    assert_eq!(json["error"]["code"], "ALREADY_EXISTS", "{json}");
}

#[test]
fn a_sealed_repository_needs_its_key_and_shows_none() {
    let world = World::with_base();
    world.ends(0, "key new ops.key");
    world.ends(0, "key new other.key");
    world.ends(6, "key new ops.key");
    let key = std::fs::read_to_string(world.path().join("ops.key")).unwrap();
    let config = |name: &str| {
        format!(
            "[repositories.main]\nurl = 'file:backups'\ncodecs = 'zstd:1,seal'\nkeys = ['{name}']\n\
             [keys.ops]\nfile = 'ops.key'\n[keys.other]\nfile = 'other.key'\n"
        )
    };
    world.write("strongroom.toml", &config("ops"));
    let mut told = world.ends(0, "init main");
    told += &world.ends(0, "backup embedded:app.redb main");
    told += &world.ends(0, "restore main --into embedded:drill.redb");
    told += &world.ends(7, "list file:backups");
    world.write("strongroom.toml", &config("other"));
    told += &world.ends(7, "restore main --into embedded:again.redb");
    assert!(!told.contains(key.trim()), "a key was shown");
    assert!(!world.path().join("again.redb").exists());
}
