//! The program as a node's `archive_command`, and a restore to a moment by what it archived.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::cassandra::Application;
use crate::cassandra_node::{Server, script};
use crate::world::{World, files};

const QUERY: &str = "SELECT id FROM app.numbers";

fn micros(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).unwrap().as_micros()
}

fn put(application: &Application, numbers: std::ops::Range<i32>) {
    for id in numbers {
        application.run(&format!("INSERT INTO app.numbers (id) VALUES ({id})"));
    }
}

/// A moment after all that was written, and before all that is: write times are of milliseconds.
fn between() -> u128 {
    let until = |moment: u128| while micros(SystemTime::now()) < moment {};
    let moment = micros(SystemTime::now()) + 3000;
    until(moment + 3000);
    moment
}

/// Waits until a segment is archived that was written to after a moment.
fn archived(archive: &Path, moment: u128) {
    let end = Instant::now() + Duration::from_mins(1);
    let late = |file: &Path| micros(std::fs::metadata(file).unwrap().modified().unwrap()) > moment;
    while !files(archive).iter().any(|file| file.extension().is_some_and(|kind| kind == "log") && late(file)) {
        assert!(Instant::now() < end, "the node archives nothing");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn profile(world: &World, node: &Server, archive: &Path, until: u128) {
    let until = strongroom::Timestamp::from_micros(i64::try_from(until).unwrap());
    world.write(
        "strongroom.toml",
        &format!(
            "[clusters.node.cassandra]\nhost = '127.0.0.1:{}'\nlogin = {{ user = 'cassandra', password = {{ file = 'cql' }} }}\n\
             jmx = {{ port = {}, login = {{ user = 'backup', password = {{ file = 'jmx' }} }} }}\n\
             [clusters.node.cassandra.restore.replay]\nsegments = ['{}']\nuntil = '{until}'\ncommand = ['{}', 'scratch']\nconf = '{}'\n",
            node.cql,
            node.jmx,
            archive.display(),
            script().display(),
            node.conf().display()
        ),
    );
}

#[test]
fn what_a_node_archived_over_a_restart_is_proven_whole_and_restored_to_a_moment() {
    let world = World::new();
    world.write("cql", "cassandra");
    world.write("jmx", "testsecret123");
    let (archive, folder) = (world.path().join("archive"), world.path().join("node"));
    std::fs::create_dir(&archive).unwrap();
    let command = format!("{} archive-segment %path --into {}", env!("CARGO_BIN_EXE_strongroom"), archive.display());
    let node = Server::archiving(&command, folder.to_str());
    let application = Application::connect(node.cql);
    application.run("CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    application.run("CREATE TABLE app.numbers (id int PRIMARY KEY)");
    put(&application, 0..10);
    profile(&world, &node, &archive, 0);
    world.ends(0, "init file:backups");
    world.ends(0, "backup node file:backups --part app");
    put(&application, 10..20);
    // What a node was told within its last `commitlog_sync_period`, 200 ms here, does not outlive it.
    std::thread::sleep(Duration::from_millis(600));
    drop((application, node));

    // Killed, it leaves segments, which it archives when it is started again.
    let node = Server::archiving(&command, folder.to_str());
    let application = Application::connect(node.cql);
    assert_eq!(application.numbers(QUERY), (0..20).collect::<Vec<_>>());
    put(&application, 20..30);
    let moment = between();
    put(&application, 30..40);
    application.run("DELETE FROM app.numbers WHERE id = 5");
    application.run("CREATE TABLE app.closing (id int PRIMARY KEY)");
    application.run("DROP TABLE app.closing");
    archived(&archive, moment);
    profile(&world, &node, &archive, moment);
    let told = world.run("restore file:backups --into node --truncate");
    let said = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(0), "{said}");
    assert!(!said.contains("segment"), "all of it is proven: {said}");
    assert_eq!(application.numbers(QUERY), (0..30).collect::<Vec<_>>());

    // Without what the killed process left, nothing is proven, and nothing is touched.
    let mut segments: Vec<_> =
        files(&archive).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "log")).collect();
    segments.sort();
    std::fs::remove_file(&segments[1]).unwrap();
    let refused = world.ends(4, "restore file:backups --into node --truncate");
    assert!(refused.contains("is in the ledger and not in the archive"), "{refused}");
    assert_eq!(application.numbers(QUERY), (0..30).collect::<Vec<_>>());
}
