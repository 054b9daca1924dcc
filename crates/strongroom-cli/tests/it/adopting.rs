//! A backup service's storage becomes one of a repository's chains, and is restored from there.

use std::path::Path;

use strongroom::Timestamp;

use crate::world::{World, data};

/// A copy of the real service's storage in the folder of the test.
fn service(world: &World) {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &to);
            } else {
                assert!(std::fs::copy(entry.path(), to).is_ok());
            }
        }
    }
    copy(&data("abs-storage"), &world.path().join("service"));
}

const BEGUN: [&str; 3] = ["2026-11-22T23:01:52.693Z", "2026-11-22T23:01:58.506Z", "2026-11-22T23:02:05.276Z"];

/// What a file of an embedded cluster holds, as text.
fn exported(world: &World, file: &str, folder: &str) -> Vec<String> {
    world.ends(0, &format!("export embedded:{file} {folder} --part test"));
    let mut lines = Vec::new();
    for file in crate::world::files(&world.path().join(folder)) {
        let text = std::fs::read(file).unwrap();
        lines.extend(text.split(|byte| *byte == b'\n').map(|line| format!("{:?}", String::from_utf8_lossy(line))));
    }
    lines.sort();
    lines
}

#[test]
fn a_service_storage_is_adopted_with_its_chain_and_every_moment_restores_the_same() {
    let world = World::new();
    service(&world);
    world.ends(0, "init file:backups");
    let report = world.json("adopt service file:backups");
    let adopted = report["adopted"].as_array().unwrap();
    assert_eq!((adopted.len(), &report["already"]), (3, &0.into()), "{report}");
    assert_eq!(
        adopted.iter().map(|one| one["kind"].as_str().unwrap()).collect::<Vec<_>>(),
        ["base", "incremental", "incremental"]
    );
    for (one, begun) in adopted.iter().zip(BEGUN) {
        let until = Timestamp::from_micros(one["window"]["until"].as_i64().unwrap());
        assert_eq!(until, begun.parse().unwrap());
    }
    // Again: nothing is taken twice.
    let again = world.json("adopt service file:backups");
    assert_eq!((again["adopted"].as_array().unwrap().len(), &again["already"]), (0, &3.into()), "{again}");
    world.ends(0, "verify file:backups");
    for (number, begun) in BEGUN.iter().enumerate() {
        world.ends(
            0,
            &format!(
                "restore file:backups --backup {} --into embedded:ours{number}.redb",
                adopted[number]["backup"].as_str().unwrap()
            ),
        );
        world.ends(0, &format!("import service --at {begun} --into embedded:theirs{number}.redb"));
        let ours = exported(&world, &format!("ours{number}.redb"), &format!("ours{number}"));
        let theirs = exported(&world, &format!("theirs{number}.redb"), &format!("theirs{number}"));
        assert!(ours.len() > 20_000, "{}", ours.len());
        assert_eq!(ours, theirs, "{begun}");
    }
    // Deletes are unseen there, and the plan says so.
    assert!(world.json("plan file:backups")["warnings"].to_string().contains("DELETES_UNSEEN"));
    // From here on a retention, a merge and the rest of the program work on it.
    world.ends(0, "synthesize file:backups");
}

#[test]
fn a_gap_and_a_broken_backup_are_left_out_with_the_reason_and_harm_no_other() {
    let world = World::new();
    service(&world);
    world.ends(0, "init file:backups");
    let incremental = world.path().join("service/daily/incremental");
    let mark = incremental.join("1795388518506/data/test/metadata.yaml");
    let kept = std::fs::read(&mark).unwrap();
    std::fs::remove_file(&mark).unwrap();
    let output = world.ends(3, "adopt service file:backups");
    assert!(output.contains("1 backup adopted"), "{output}");
    assert!(output.contains("no metadata.yaml") && output.contains("what changed between is in none"), "{output}");
    // Whole again, the chain goes on where it stopped.
    std::fs::write(&mark, kept).unwrap();
    let report = world.json("adopt service file:backups");
    assert_eq!((report["adopted"].as_array().unwrap().len(), &report["already"]), (2, &1.into()), "{report}");
    // Another count than the metadata says is damage.
    let other = World::new();
    service(&other);
    other.ends(0, "init file:backups");
    let mark = other.path().join("service/daily/backup/1795388512693/data/test/metadata.yaml");
    let text = std::fs::read_to_string(&mark).unwrap();
    let lied = text.replace("record-count: 5006", "record-count: 5007");
    assert_ne!(lied, text);
    std::fs::write(&mark, lied).unwrap();
    let output = other.ends(3, "adopt service file:backups");
    assert!(output.contains("it holds 5006 records, and its metadata says 5007"), "{output}");
    assert!(output.contains("0 backups adopted"), "{output}");
}
