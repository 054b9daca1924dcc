//! Plans that explain themselves, what can be restored, and what would be lost.

use std::path::Path;
use std::sync::Arc;

use strongroom::core::environment::Environment;
use strongroom::embedded::{EmbeddedCluster, PutOptions};
use strongroom::record::{Bin, BinName, Digest, Name, Particle, Record};
use strongroom::{BackupRequest, Strongroom, Timestamp};
use strongroom_testkit::{TestClock, TestEnvironment};

use crate::world::World;

/// A repository with a base and three incrementals, an hour apart: at a clock that stands still, so that nothing but ids
/// differs from run to run.
fn with_history() -> (World, Vec<Timestamp>) {
    let world = World::new();
    let mut moments = Vec::new();
    let clock = TestClock::at(TestEnvironment::START);
    let entropy = strongroom::system_environment().entropy;
    let environment = Environment { clock: Arc::new(clock.clone()), entropy };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let strongroom = Strongroom::new().with_environment(environment.clone());
        let url = format!("file:{}", world.path().join("backups").display());
        let repository = strongroom.init(&url, None, &[]).await.unwrap();
        let cluster = EmbeddedCluster::create(world.path().join("app.redb"), environment).unwrap();
        for number in 0..4_u8 {
            let record = Record {
                namespace: Name::namespace("test").unwrap(),
                set: None,
                digest: Digest([number; 20]),
                key: None,
                generation: 1,
                void_time: 0,
                bins: vec![Bin { name: BinName::new("b").unwrap(), value: Particle::Integer(i64::from(number)) }],
            };
            cluster.write_batch(|batch| batch.put(record, PutOptions::AS_GIVEN).map(drop)).unwrap();
            clock.advance(std::time::Duration::from_hours(1));
            let job = repository.backup(Arc::new(cluster.clone()), BackupRequest::default()).unwrap();
            let report = job.await.unwrap().into_result().unwrap();
            let strongroom::PartOutcome::Committed(done) = &report.parts[0].outcome else { panic!("{report:?}") };
            moments.push(done.window.until);
        }
    });
    (world, moments)
}

/// The text is that of the file, ids aside.
fn golden(name: &str, text: &str) {
    let mut steady = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        // Ids, and the beginnings of hashes, which depend on them.
        let id = [12, 32].contains(&bare.len()) && bare.chars().all(|c| c.is_ascii_hexdigit());
        steady.push_str(&if id { word.replace(bare, &"#".repeat(bare.len())) } else { word.to_owned() });
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/golden/{name}.txt"));
    if std::env::var_os("STRONGROOM_WRITE_DOCS").is_some() {
        std::fs::write(path, steady).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, steady, "{name}: run the test with STRONGROOM_WRITE_DOCS=1 and look at the difference");
}

#[test]
fn a_plan_explains_itself_as_text_and_as_json() {
    let (world, moments) = with_history();
    let between = moments[2].plus_micros(1);
    let text = world.ends(0, &format!("plan file:backups --at {between} --explain"));
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    golden("explain", &text);
    let json = world.json(&format!("plan file:backups --at {between} --explain"));
    let plan = world.json(&format!("plan file:backups --at {between}"));
    assert_eq!(json["plan"]["hash"], plan["hash"], "{json}");
    assert_eq!(json["parts"]["test"]["steps"].as_array().unwrap().len(), 3, "{json}");
    assert_eq!(json["parts"]["test"]["drawing"]["target"], between.micros(), "{json}");
}

#[test]
fn a_refusal_explains_itself_and_ends_with_its_code() {
    let (world, moments) = with_history();
    let early = moments[0].plus_micros(-1);
    let output = world.run(&format!("plan file:backups --at {early} --explain"));
    assert_eq!(output.status.code(), Some(11));
    let text = crate::world::text(output.stdout);
    assert!(text.contains("REFUSED") && text.contains("[BEFORE_FIRST]"), "{text}");
    assert!(text.contains(&format!("after   {}", moments[0])), "{text}");
}

#[test]
fn windows_and_losses_are_told_as_text_and_as_json() {
    let (world, moments) = with_history();
    golden("windows", &world.ends(0, "windows file:backups"));
    let json = world.json("windows file:backups --part test");
    assert_eq!(json["newest"], moments[3].micros(), "{json}");
    assert_eq!(json["parts"]["test"]["windows"][0]["points"], 4, "{json}");
    assert!(world.ends(5, "windows file:backups --part other").contains("PART_MISSING"));
    let listed = world.json("list file:backups");
    let second = listed["backups"][1]["id"].as_str().unwrap().to_owned();
    golden("what-if", &world.ends(0, &format!("what-if file:backups --lose-backup {second}")));
    let lost = world.json(&format!("what-if file:backups --lose-backup {second}"));
    assert_eq!((&lost["lost"]["count"], &lost["stranded"]["count"]), (&1.into(), &2.into()), "{lost}");
    let manifest = listed["backups"][3]["manifest"].as_str().unwrap();
    let object = world.json(&format!("what-if file:backups --lose-object {manifest}"));
    assert_eq!(object["after"]["newest"], moments[2].micros(), "{object}");
    assert!(world.ends(0, "what-if file:backups --lose-storage home").contains("4 backups"));
    assert!(world.ends(5, "what-if file:backups --lose-storage offsite").contains("there are: home"));
    assert!(world.ends(2, "what-if file:backups").contains("--lose-backup"));
}

#[test]
fn a_check_says_yes_or_no_with_its_own_code() {
    let (world, moments) = with_history();
    golden("check-yes", &world.ends(0, &format!("check file:backups --at {}", moments[1].plus_micros(1))));
    golden("check-no", &world.ends(3, &format!("check file:backups --at {}", moments[0].plus_micros(-1))));
    let exact = world.json(&format!("check file:backups --exactly {}", moments[2]));
    assert_eq!((&exact["verdict"], &exact["parts"]["test"]["steps"]), (&"exact".into(), &3.into()), "{exact}");
    assert!(world.ends(3, "check file:backups --part other").contains("[PART_MISSING]"));
}

#[test]
fn two_plans_are_compared_by_a_moment_or_by_a_file() {
    let (world, moments) = with_history();
    golden("compare", &world.ends(0, &format!("plan file:backups --compare-with {}", moments[1])));
    let kept = world.ends(0, &format!("plan file:backups --at {} --json", moments[1]));
    world.write("kept.json", &kept);
    let difference = world.json("plan file:backups --compare-with kept.json");
    assert_eq!(difference["parts"]["test"]["added"].as_array().unwrap().len(), 2, "{difference}");
    let same = world.ends(0, &format!("plan file:backups --at {} --compare-with kept.json", moments[1]));
    assert!(same.starts_with("Both plans do the same."), "{same}");
    world.write("nothing.json", "{}");
    assert!(world.ends(4, "plan file:backups --compare-with nothing.json").contains("holds no plan"));
    assert!(world.ends(5, "plan file:backups --compare-with nowhere.json").contains("plan --json"));
    assert!(world.ends(2, "plan file:backups --explain --compare-with kept.json").contains("cannot be used with"));
}
