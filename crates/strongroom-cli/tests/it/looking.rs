//! `status`, `doctor`, `key`, `completions`, and what a broken profile file says.

use serde_json::Value;

use crate::world::World;

const PROFILES: &str = "[clusters.app]\nurl = 'embedded:app.redb'\n\
    [repositories.main]\nurl = 'file:backups'\ncodecs = 'zstd:1,seal'\nkeys = ['ops']\n\
    [repositories.two]\nurl = 'file:backups'\ncodecs = 'zstd:1,seal'\nkeys = ['second']\n\
    [keys.ops]\nfile = 'ops.key'\n[keys.second]\nfile = 'second.key'\n";

/// A sealed repository `main` with one backup of `app`.
fn sealed() -> World {
    let world = World::with_base();
    world.ends(0, "key new ops.key");
    world.ends(0, "key new second.key");
    world.write("strongroom.toml", PROFILES);
    world.ends(0, "init main");
    world.ends(0, "backup app main");
    world
}

fn states(diagnosis: &Value, check: &str) -> Vec<String> {
    let checks = diagnosis["checks"].as_array().unwrap().iter().filter(|found| found["check"] == check);
    checks.map(|found| found["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_status_ends_with_its_own_code_when_a_part_is_too_old_or_not_there() {
    let world = World::with_base();
    world.ends(0, "init file:backups");
    assert!(world.ends(0, "status file:backups").contains("no backups"));
    assert_eq!(world.run("status file:backups --max-age 26h").status.code(), Some(12), "nothing is not recent");
    world.ends(0, "backup embedded:app.redb file:backups");
    let told = world.ends(0, "status file:backups --max-age 26h");
    assert!(told.contains("test") && told.contains("ok"), "{told}");
    let status = world.json("status file:backups --part test");
    assert_eq!(status["parts"][0]["backups"].as_array().unwrap().len(), 1, "{status}");
    for line in ["status file:backups --max-age 0s", "status file:backups --part other"] {
        let output = world.run(line);
        assert_eq!(output.status.code(), Some(12), "{line}: {output:?}");
    }
    assert!(world.ends(2, "status file:backups --max-age soon").contains("12h"));
}

#[test]
fn a_doctor_looks_at_everything_in_the_profiles_and_leaves_nothing_behind() {
    let world = sealed();
    let before = crate::world::files(&world.path().join("backups"));
    let diagnosis: Value = serde_json::from_str(&world.ends(3, "doctor --json")).unwrap();
    for check in ["source", "permissions", "access", "no replacing", "deleting", "clock", "identity"] {
        let found = states(&diagnosis, check);
        assert!(!found.is_empty() && found.iter().all(|state| state == "ok"), "{check}: {diagnosis:#}");
    }
    // How much room there is depends on the machine.
    assert!(!states(&diagnosis, "room").contains(&"fail".to_owned()), "{diagnosis:#}");
    assert!(states(&diagnosis, "readers").contains(&"warn".to_owned()), "one reader only: {diagnosis:#}");
    assert!(states(&diagnosis, "keys").contains(&"fail".to_owned()), "'two' has no key that opens: {diagnosis:#}");
    assert_eq!(crate::world::files(&world.path().join("backups")), before);
}

#[test]
fn a_doctor_fails_where_nothing_works_and_says_what_next() {
    let world = sealed();
    world.ends(0, "doctor main --read-only");
    assert!(world.ends(3, "doctor file:nowhere --read-only").contains("next: make one: strongroom init file:nowhere"));
    assert!(world.ends(3, "doctor --cluster embedded:nothing.redb").contains("FAIL  cluster embedded:nothing.redb"));
    std::fs::remove_file(world.path().join("ops.key")).unwrap();
    assert!(world.ends(3, "doctor main").contains("FAIL"));
}

#[test]
fn readers_are_added_rotated_and_removed() {
    let world = sealed();
    let names = || {
        let listed = world.json("key list main");
        let readers = listed["readers"].as_array().unwrap().iter();
        readers.map(|reader| reader["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["ops"]);
    world.ends(7, "list two");
    world.ends(0, "key add main second");
    assert_eq!(names(), ["ops", "second"]);
    world.ends(0, "list two");
    world.ends(0, "key new new.key");
    world.ends(0, "key rotate main ops --to file:new.key");
    world.ends(7, "list main");
    world.write("strongroom.toml", &PROFILES.replace("'ops.key'", "'new.key'"));
    world.ends(0, "list main");
    assert!(world.ends(0, "key remove two ops").contains("rotate-data-key"));
    world.ends(7, "list main");
    world.ends(0, "key rotate-data-key two");
    world.ends(0, "backup app two");
    world.ends(0, "restore two --into embedded:drill.redb");
    assert!(world.ends(4, "key remove two second").contains("last reader"));
}

#[test]
fn keys_come_from_the_environment_and_from_passphrases_and_a_wrong_one_is_told() {
    let world = World::with_base();
    world.ends(0, "key new ops.key");
    let key = std::fs::read_to_string(world.path().join("ops.key")).unwrap();
    for (source, value, wrong) in [
        ("env", key.trim(), "a".repeat(64)),
        ("passphrase_env", "correct horse battery staple", "incorrect".to_owned()),
    ] {
        let name = format!("repository_{source}");
        let profile = format!(
            "[repositories.main]\nurl = 'file:{name}'\ncodecs = 'seal'\nkeys = ['ops']\n[keys.ops]\n{source} = 'THE_KEY'\n"
        );
        world.write("strongroom.toml", &profile);
        let run = |line: &str, value: Option<&str>| {
            let mut command = world.command(line);
            command.envs(value.map(|value| ("THE_KEY", value)));
            let output = command.output().unwrap();
            assert!(!String::from_utf8_lossy(&output.stderr).contains(key.trim()), "a key was shown");
            output.status.code().unwrap()
        };
        assert_eq!(run("init main", Some(value)), 0, "{source}");
        assert_eq!(run("backup embedded:app.redb main", Some(value)), 0, "{source}");
        assert_eq!(run("restore main --into embedded:drill.redb", Some(value)), 0, "{source}");
        assert_eq!(run("restore main --into embedded:other.redb", Some(&wrong)), 7, "{source}");
        assert_eq!(run("list main", None), 5, "{source}");
        assert!(!world.path().join("other.redb").exists());
    }
}

#[test]
fn a_profile_that_makes_no_sense_is_told_with_file_and_line() {
    let world = World::new();
    world.write("strongroom.toml", "[repositories.main]\nurl = 'file:x'\nkeys = ['nobody']\n");
    let error = world.ends(4, "list main");
    assert!(error.contains("strongroom.toml, line 3: ") && error.contains("next: add [keys.nobody]"), "{error}");
    world.ends(0, "completions bash");
}

#[test]
fn every_shell_gets_its_completions() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.ends(0, &format!("completions {shell}"));
        assert!(script.contains("rotate-data-key"), "{shell}");
    }
    assert!(world.json("completions fish").is_string());
}
