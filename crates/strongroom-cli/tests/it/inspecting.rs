//! `inspect`, and what `import` and `export` make of the reference tools' forms.

use serde_json::Value;

use crate::world::{World, data, files};

#[test]
fn a_backup_is_looked_into_without_a_server() {
    let world = World::with_base();
    world.ends(0, "init file:backups");
    world.ends(0, "backup embedded:app.redb file:backups");
    let told = world.ends(0, "inspect file:backups");
    assert!(told.contains("namespace 'test': 5006 records, 6 indexes"), "{told}");
    assert_eq!(told, world.ends(0, "inspect embedded:app.redb"), "a backup shows what its cluster shows");
    let seen = world.json("inspect file:backups");
    let sets = seen["namespaces"]["test"]["sets"].as_object().unwrap();
    assert_eq!(sets.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), 5006);
    assert_eq!(seen["functions"].as_array().unwrap().len(), 1);

    let records = world.json("inspect file:backups --records --limit 3");
    assert_eq!((records["records"].as_array().unwrap().len(), &records["more"]), (3, &Value::Bool(true)));
    let all = world.json("inspect file:backups --records --limit 10000");
    assert_eq!((all["records"].as_array().unwrap().len(), &all["more"]), (5006, &Value::Bool(false)));
    let one = &all["records"][17];
    let digest = one["digest"].as_str().unwrap();
    assert_eq!(&world.json(&format!("inspect file:backups --digest {digest}"))["records"][0], one);
    assert!(world.ends(0, &format!("inspect embedded:app.redb --digest {digest}")).contains(digest));

    // By key: a text and a number, each with its set.
    for kind in [Value::is_string as fn(&Value) -> bool, Value::is_number] {
        let plain = |key: &Value| kind(key) && !key.to_string().contains([' ', '\\', '.']);
        let keyed = |record: &&Value| plain(&record["key"]) && record["set"].is_string();
        let one = all["records"].as_array().unwrap().iter().find(keyed).expect("a record of that kind");
        let key = one["key"].as_str().map_or_else(|| one["key"].to_string(), str::to_owned);
        let line = format!("inspect embedded:app.redb --set {} --key={key}", one["set"].as_str().unwrap());
        assert_eq!(&world.json(&line)["records"][0], one, "{line}");
    }
}

#[test]
fn looking_says_what_is_not_there_and_leaves_no_file_behind() {
    let world = World::with_base();
    world.ends(0, "init file:backups");
    world.ends(0, "backup embedded:app.redb file:backups");
    let temporary = world.path().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let looked = world.command("inspect file:backups").env("TMPDIR", &temporary).output().unwrap();
    assert!(looked.status.success());
    assert_eq!(files(&temporary), Vec::<std::path::PathBuf>::new());

    let missing = world.ends(5, "inspect embedded:app.redb --key nobody");
    assert!(missing.contains("no record with key 'nobody'") && missing.contains("--set"), "{missing}");
    assert!(world.ends(4, "inspect embedded:app.redb --digest 12").contains("40 hexadecimal digits"));
    let later = world.ends(4, "inspect embedded:app.redb --at 2026-11-22T23:01:58Z");
    assert!(later.contains("only the state of now"), "{later}");
    world.ends(5, "inspect file:nowhere");
}

#[test]
fn every_form_of_the_tools_comes_in_and_goes_out() {
    let world = World::new();
    let key = data("keys/key-pkcs1.pem");
    let key = format!("--key-file {}", key.display());
    for form in ["plain", "compact", "aes128", "zstd-aes256"] {
        let folder = data("forms").join(form);
        let line = format!("import {} --into embedded:{form}.redb", folder.display());
        if form.contains("aes") {
            let denied = world.run(&line);
            assert_ne!(denied.status.code(), Some(0), "{form}: nothing of it without the key");
            assert_eq!(world.json(&format!("{line} {key}"))["written"], 95, "{form}");
        } else {
            assert_eq!(world.json(&line)["written"], 95, "{form}");
        }
    }
    let whole = world.json("inspect embedded:plain.redb --records --limit 1000");
    for (number, wrapping) in
        ["", "--compact", "--compress", "--compress=19 --encrypt aes256", "--encrypt aes128"].iter().enumerate()
    {
        let key = if wrapping.contains("encrypt") { key.as_str() } else { "" };
        world.ends(0, &format!("export embedded:plain.redb out{number} {wrapping} {key}"));
        world.ends(0, &format!("import out{number} --into embedded:back{number}.redb {key}"));
        let back = world.json(&format!("inspect embedded:back{number}.redb --records --limit 1000"));
        assert_eq!(back, whole, "{wrapping}");
    }
    assert!(world.ends(4, "export embedded:plain.redb more --encrypt aes128").contains("--key-file"));
    assert!(world.ends(4, &format!("export embedded:plain.redb more {key}")).contains("--encrypt"));
    assert!(!world.path().join("more").exists(), "a refused export makes no folder");
}

#[test]
fn a_state_of_a_repository_is_exported() {
    let world = World::with_base();
    world.ends(0, "init file:backups");
    world.ends(0, "backup embedded:app.redb file:backups");
    world.ends(0, &format!("import {} --into embedded:app.redb", data("t1-incremental").display()));
    world.ends(0, "backup embedded:app.redb file:backups");
    let listed = world.json("list file:backups");
    let base = listed["backups"][0]["id"].as_str().unwrap();
    assert_eq!(world.json(&format!("export file:backups old --backup {base}"))["records"], 5006);
    let newest = world.json("export file:backups new --compress")["records"].as_u64().unwrap();
    assert_eq!(world.json("inspect embedded:app.redb")["namespaces"]["test"]["records"], newest);
    assert!(newest > 5006);
}

#[test]
fn an_import_takes_what_is_asked_for() {
    let world = World::new();
    let folder = data("forms/plain");
    let into = |name: &str| format!("import {} --into embedded:{name}.redb", folder.display());
    let all = world.json(&into("all"));
    let sets = world.json("inspect embedded:all.redb")["namespaces"]["test"]["sets"].clone();
    let (set, held) = sets.as_object().unwrap().iter().find(|(set, _)| !set.is_empty()).unwrap();
    let some = world.json(&format!("{} --set {set} --rename test=other --no-definitions", into("some")));
    assert_eq!((&some["written"], &some["indexes"]), (held, &Value::from(0)));
    assert_eq!(some["namespaces"], serde_json::json!(["other"]));
    assert_eq!(world.json(&format!("{} --no-data", into("none")))["written"], 0);
    assert_eq!(world.json(&format!("{} --part other", into("nothing")))["written"], 0);
    let kept = world.json(&format!("{} --conflict keep", into("all")));
    assert_eq!((&kept["written"], &kept["kept"]), (&Value::from(0), &all["written"]));
}
