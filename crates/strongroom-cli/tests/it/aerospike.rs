//! The program on `aerospike://`: three nodes in this process, over real TCP, and all that one does with them.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use strongroom::record::{Digest, UserKey};
use strongroom_aerospike_fake::{Bin, Fake, Index, Login, NamespaceSettings, Record};
use tokio::runtime::Runtime;

use crate::world::World;

/// A cluster that other processes reach while the test waits for them.
struct Nodes {
    name: &'static str,
    fake: Fake,
    /// The nodes' threads; after `fake`, which they serve.
    _runtime: Runtime,
}

type Key = [u8; 20];

impl Nodes {
    fn start(name: &'static str, namespaces: &[&str]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let fake = runtime.block_on(Fake::start(3)).unwrap();
        {
            let mut store = fake.store();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
            store.set_now(i64::try_from(now).unwrap());
            // It goes on whenever somebody asks for it, so that nobody has to wait for it.
            store.tick_by(500);
            for name in namespaces {
                store.create_namespace(name, NamespaceSettings::default());
            }
        }
        Self { name, fake, _runtime: runtime }
    }

    /// As the program is told of them.
    fn url(&self) -> String {
        let places: Vec<_> = self.fake.addresses().into_iter().map(|(host, port)| format!("{host}:{port}")).collect();
        // By a name of its own: what is restored into the cluster that was backed up begins another timeline of it.
        format!("aerospike://{}/?backoff=1ms&name={}", places.join(","), self.name)
    }

    fn put(&self, set: &str, key: i64, value: &[u8]) {
        let digest = key_of(set, key);
        let mut store = self.fake.store();
        let last_update_millis = store.now();
        let bins = vec![Bin { name: b"v".to_vec(), particle: 3, value: value.to_vec() }];
        let set = set.as_bytes().to_vec();
        store.put("test", digest, Record { set, generation: 1, last_update_millis, bins, ..Record::default() });
    }

    fn records(&self, namespace: &str) -> BTreeMap<Key, (Vec<u8>, Vec<Bin>)> {
        let store = self.fake.store();
        let records = store.records(namespace);
        records.map(|(digest, record)| (digest, (record.set.clone(), record.bins.clone()))).collect()
    }

    fn definitions(&self, namespace: &str) -> (Vec<String>, Vec<String>) {
        let store = self.fake.store();
        let indexes = store.indexes(namespace).unwrap().keys().cloned().collect();
        (indexes, store.functions().keys().cloned().collect())
    }
}

fn key_of(set: &str, key: i64) -> Key {
    Digest::of_key(Some(set.as_bytes()), &UserKey::Integer(key)).0
}

/// Records in two sets, an index and a function.
fn filled() -> Nodes {
    let nodes = Nodes::start("live", &["test"]);
    for key in 0..200 {
        nodes.put(["a", "b"][usize::try_from(key % 2).unwrap()], key, b"first \xff");
    }
    let words = |set: &str, bin: &str, data_type: &str| Index {
        set: set.to_owned(),
        bin: bin.to_owned(),
        data_type: data_type.to_owned(),
        index_type: "default".to_owned(),
        ..Index::default()
    };
    nodes.fake.store().define_index("test", "by-v", words("a", "v", "string"));
    nodes.fake.store().define_function("sum.lua", b"function sum() end".to_vec());
    nodes
}

#[test]
fn a_live_cluster_is_backed_up_planned_verified_and_restored() {
    let (world, nodes) = (World::new(), filled());
    let url = nodes.url();
    world.ends(0, "init file:backups");
    let dry = world.json(&format!("backup {url} file:backups --dry-run"));
    assert_eq!(dry["parts"][0]["outcome"]["estimated"]["kind"], "base", "{dry}");
    let base = world.json(&format!("backup {url} file:backups"));
    let committed = &base["parts"][0]["outcome"]["committed"];
    assert_eq!((&committed["kind"], &committed["totals"]["records"]), (&"base".into(), &200.into()), "{base}");
    let first = nodes.records("test");

    for key in 0..50 {
        nodes.put("a", key * 2, b"second");
    }
    nodes.put("c", 1, b"new");
    let incremental = world.json(&format!("backup {url} file:backups --kind incremental"));
    let changed = &incremental["parts"][0]["outcome"]["committed"];
    assert_eq!(changed["kind"], "incremental", "{incremental}");
    // The window's overlap may bring some of the base again, but never all of it.
    let records = changed["totals"]["records"].as_u64().unwrap();
    assert!((51..200).contains(&records), "{records}");
    let second = nodes.records("test");

    assert_eq!(world.json("list file:backups")["backups"].as_array().unwrap().len(), 2);
    let plan = world.json("plan file:backups");
    assert_eq!(plan["parts"]["test"]["steps"].as_array().unwrap().len(), 2, "{plan}");
    assert!(plan["warnings"].to_string().contains("DELETES_UNSEEN"), "{plan}");
    world.ends(0, "verify file:backups");

    let base_id = committed["backup"].as_str().unwrap();
    for (choice, truth) in [(format!("--backup {base_id}"), &first), (String::new(), &second)] {
        let target = Nodes::start("target", &["test"]);
        let restore = format!("restore file:backups {choice} --into {}", target.url());
        let checked = world.json(&format!("{restore} --dry-run"));
        assert_eq!(checked["applied"]["written"], 0, "{checked}");
        assert!(target.records("test").is_empty());
        let summary = world.json(&restore);
        assert_eq!(summary["applied"]["written"], truth.len(), "{summary}");
        assert_eq!(summary["applied"]["definitions"], 2, "{summary}");
        assert_eq!(target.records("test"), *truth);
        assert_eq!(target.definitions("test"), (vec!["by-v".to_owned()], vec!["sum.lua".to_owned()]));
    }
    // One set, under another name, over what is there.
    let target = Nodes::start("target", &["other"]);
    target.fake.store().put("other", [7; 20], Record { set: b"a".to_vec(), generation: 1, ..Record::default() });
    let to = target.url();
    let restore = format!("restore file:backups --set a --rename test=other --truncate --no-definitions --into {to}");
    assert_eq!(world.json(&restore)["applied"]["written"], 100);
    let kept: BTreeMap<_, _> =
        second.iter().filter(|(_, (set, _))| set == b"a").map(|(k, v)| (*k, v.clone())).collect();
    assert_eq!(target.records("other"), kept);
}

#[test]
fn a_profile_names_the_cluster_and_where_its_password_is() {
    let (world, nodes) = (World::new(), filled());
    let hash = strongroom_aerospike_wire::admin::credential("right").unwrap();
    nodes.fake.faults().login = Some(Login::Internal("ops".to_owned(), hash));
    let seed = format!("127.0.0.1:{}", nodes.fake.addresses()[0].1);
    let profile = format!(
        "[clusters.live.aerospike]\nseeds = [\"{seed}\"]\nlogin = {{ user = \"ops\", password = {{ file = \"password\" }} }}\n\
         [clusters.live.aerospike.backup]\ndigest-census = true\n[repositories.here]\nurl = \"file:backups\"\n"
    );
    world.write("strongroom.toml", &profile);
    world.write("password", "hunter2");
    world.ends(0, "init here");
    let error = world.ends(7, "backup live here");
    assert!(error.contains("wrong credentials") && !error.contains("hunter2"), "{error}");
    world.write("password", "right");
    world.ends(0, "backup live here");
    nodes.fake.store().remove("test", &key_of("a", 0)).unwrap();
    world.ends(0, "backup live here");
    let plan = world.json("plan here");
    assert!(!plan["warnings"].to_string().contains("DELETES_UNSEEN"), "a census tells what is gone: {plan}");
    let target = Nodes::start("target", &["test"]);
    world.ends(0, &format!("restore here --into {}", target.url()));
    assert_eq!(target.records("test"), nodes.records("test"));
}

#[test]
fn what_can_not_be_reached_or_is_not_there_is_told_with_advice() {
    let (world, nodes) = (World::new(), filled());
    let url = nodes.url();
    world.ends(0, "init file:backups");
    for (code, command, told) in [
        (5, format!("backup {url} file:backups --part nope"), "no namespace 'nope'"),
        (4, format!("backup {url}&no-such-option=1 file:backups"), "no-such-option"),
        (4, "backup aerospike://ops:hunter2@127.0.0.1 file:backups".to_owned(), "password in a URL"),
        (8, "backup aerospike://127.0.0.1:1/?retries=0 file:backups".to_owned(), "127.0.0.1:1 can't be reached"),
    ] {
        let error = world.ends(code, &command);
        assert!(error.contains(told) && !error.contains("hunter2"), "{error}");
    }
    world.ends(0, &format!("backup {url} file:backups"));
    let target = Nodes::start("target", &["elsewhere"]);
    let error = world.ends(4, &format!("restore file:backups --into {}", target.url()));
    assert!(error.contains("no namespace 'test'"), "{error}");
    // A node that is gone is no trouble while another one of the seeds is there.
    let mut nodes = nodes;
    nodes.fake.kill("A1");
    world.ends(0, &format!("backup {url} file:backups --kind base"));
    assert_eq!(world.json("list file:backups --last 1")["backups"][0]["size"]["records"], 200);
}

#[test]
fn bins_partitions_and_an_expression_are_chosen_on_the_command_line() {
    let (world, nodes) = (World::new(), filled());
    let url = nodes.url();
    world.ends(0, "init file:backups");
    let partition = |key: &Key| (u16::from(key[1]) << 8 | u16::from(key[0])) % 4096;
    let all = nodes.records("test");
    let low = all.keys().filter(|key| partition(key) < 2048).count() as u64;
    // "The set's name is `a`", packed.
    let expression = "kwGRRqIDYQ==";
    for (choice, records) in [
        ("--partitions 0-2048", low),
        ("--partitions 0-2048 --partitions 2048-2048", 200),
        ("--bin v", 200),
        ("--bin w", 0),
        (&format!("--filter-expression {expression}"), 100),
    ] {
        let report = world.json(&format!("backup {url} file:backups --kind base --part test {choice}"));
        assert_eq!(report["parts"][0]["outcome"]["committed"]["totals"]["records"], records, "{choice}: {report}");
    }
    let target = Nodes::start("target", &["test"]);
    let restore = format!("restore file:backups --part test --filter-expression {expression} --into {}", target.url());
    assert_eq!(world.json(&restore)["applied"]["written"], 100);
    assert!(target.records("test").values().all(|(set, _)| set == b"a"));
    for wrong in ["4096-", "0-0", "-5", "65535-2", "x"] {
        assert!(world.ends(2, &format!("plan file:backups --partitions={wrong}")).contains("START-COUNT"), "{wrong}");
    }
    let error = world.ends(4, &format!("backup {url} file:backups --part test --partitions 4000-97"));
    assert!(error.contains("no partition 4096"), "{error}");
}

#[test]
fn folders_of_the_reference_tools_are_restored_straight_into_a_live_cluster() {
    let world = World::new();
    let folder = |name: &str| crate::world::data(name).display().to_string();
    // When these backups were taken: nothing of them has expired yet, whatever the date is now.
    let then = |nodes: &Nodes| nodes.fake.store().set_now(1_795_388_512_693);
    // A whole service with its chain, a compressed and encrypted folder, and one under another name.
    let target = Nodes::start("target", &["test"]);
    then(&target);
    let summary = world.json(&format!("import {} --into {}", folder("abs-storage"), target.url()));
    assert_eq!(
        (&summary["applied"]["definitions"], &summary["applied"]["expired"]),
        (&7.into(), &0.into()),
        "{summary}"
    );
    let written = summary["applied"]["written"].as_u64().unwrap();
    // The same as through a file of one's own: each record once, in its newest state.
    let through = world.json(&format!("import {} --into embedded:all.redb", folder("abs-storage")));
    assert!(through["written"].as_u64().unwrap() > written && written > 5006, "{through}");
    let looked = world.json("inspect embedded:all.redb");
    assert_eq!(looked["namespaces"]["test"]["records"], written, "{looked}");
    assert_eq!(target.records("test").len() as u64, written);
    assert_eq!(target.definitions("test").0.len(), 6);

    let target = Nodes::start("target", &["other"]);
    then(&target);
    let (forms, key) = (folder("forms/zstd-aes256"), folder("keys/key-pkcs1.pem"));
    let line = format!("import {forms} --rename test=other --into {}", target.url());
    let error = world.ends(7, &line);
    assert!(error.contains("key") && target.records("other").is_empty(), "{error}");
    let summary = world.json(&format!("{line} --key-file {key}"));
    assert_eq!(summary["applied"]["written"], 95, "{summary}");
    let missing = world.ends(4, &format!("import {forms} --key-file {key} --into {}", target.url()));
    assert!(missing.contains("no namespace 'test'"), "{missing}");
}
