//! The program on `cassandra://`: a real node, and all that one does with it.

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use tokio::runtime::Runtime;

use crate::cassandra_node::NODE;
use crate::world::World;

/// The node's CQL, as an application speaks it.
pub(crate) struct Application {
    session: Session,
    runtime: Runtime,
}

impl Application {
    pub(crate) fn connect(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let address = format!("127.0.0.1:{port}");
        let builder = SessionBuilder::new().known_node(address).user("cassandra", "cassandra");
        let session = runtime.block_on(builder.build()).unwrap();
        Self { session, runtime }
    }

    pub(crate) fn run(&self, statement: &str) {
        self.runtime.block_on(self.session.query_unpaged(statement, ())).unwrap();
    }

    pub(crate) fn numbers(&self, query: &str) -> Vec<i32> {
        let rows = self.runtime.block_on(self.session.query_unpaged(query, ())).unwrap().into_rows_result().unwrap();
        let mut found: Vec<i32> = rows.rows::<(i32,)>().unwrap().map(|row| row.unwrap().0).collect();
        found.sort_unstable();
        found
    }
}

/// A profile of the node, and a keyspace with the numbers to ten.
fn filled(keyspace: &str) -> (World, Application) {
    let world = World::new();
    world.write(
        "strongroom.toml",
        &format!(
            "[clusters.node.cassandra]\nhost = \"127.0.0.1:{}\"\n\
             login = {{ user = \"cassandra\", password = {{ file = \"cql\" }} }}\n\
             jmx = {{ port = {}, login = {{ user = \"backup\", password = {{ file = \"jmx\" }} }} }}\n",
            NODE.cql, NODE.jmx
        ),
    );
    world.write("cql", "cassandra");
    world.write("jmx", "testsecret123");
    let application = Application::connect(NODE.cql);
    application.run(&format!(
        "CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    ));
    application.run(&format!("CREATE TABLE {keyspace}.numbers (id int PRIMARY KEY)"));
    for id in 0..10 {
        application.run(&format!("INSERT INTO {keyspace}.numbers (id) VALUES ({id})"));
    }
    (world, application)
}

#[test]
fn a_node_is_backed_up_planned_verified_and_restored() {
    let (world, application) = filled("by_program");
    let numbers = || application.numbers("SELECT id FROM by_program.numbers");
    let all: Vec<i32> = (0..10).collect();
    world.ends(0, "init file:backups");
    let backup = "backup node file:backups --part by_program";
    let dry = world.json(&format!("{backup} --dry-run"));
    assert_eq!(dry["parts"][0]["outcome"]["estimated"]["kind"], "base", "{dry}");
    let base = world.json(backup);
    assert_eq!(base["parts"][0]["outcome"]["committed"]["kind"], "base", "{base}");
    let again = world.json(backup);
    assert!(again["parts"][0]["outcome"]["committed"]["totals"]["reused_bytes"].as_u64() > Some(0), "{again}");
    world.ends(0, "verify file:backups");
    let plan = world.json("plan file:backups");
    assert_eq!(plan["parts"]["by_program"]["steps"].as_array().unwrap().len(), 1, "{plan}");

    application.run("DELETE FROM by_program.numbers WHERE id = 3");
    application.run("INSERT INTO by_program.numbers (id) VALUES (99)");
    let restore = "restore file:backups --into node --truncate";
    world.json(&format!("{restore} --dry-run"));
    assert!(numbers().contains(&99), "a rehearsal changes nothing");
    world.json(restore);
    assert_eq!(numbers(), all);
    application.run("DROP KEYSPACE by_program");
    world.ends(0, "restore file:backups --into node");
    assert_eq!(numbers(), all);
    let doctor = world.ends(0, "doctor --cluster node");
    assert!(doctor.contains("by_program"), "{doctor}");
}

#[test]
fn a_snapshot_is_kept_on_the_node_and_backed_up_later() {
    let (world, application) = filled("kept");
    world.ends(0, "init file:backups");
    let snapshot = world.json("snapshot take node --part kept");
    let id = snapshot["id"].as_str().unwrap();
    application.run("INSERT INTO kept.numbers (id) VALUES (99)");
    let listed = world.json("snapshot list node");
    assert!(listed["snapshots"].as_array().unwrap().contains(&snapshot), "{listed}");
    assert!(world.ends(0, "snapshot list node").contains(id));
    world.ends(0, &format!("backup node file:backups --part kept --snapshot {id}"));
    world.ends(0, &format!("snapshot delete node {id}"));
    assert!(!world.json("snapshot list node")["snapshots"].as_array().unwrap().contains(&snapshot));
    world.ends(0, "restore file:backups --into node --truncate");
    assert_eq!(application.numbers("SELECT id FROM kept.numbers"), (0..10).collect::<Vec<i32>>());
    for (code, command, told) in [
        (5, format!("backup node file:backups --part kept --snapshot {id}"), "holds no snapshot"),
        (4, "snapshot delete node mine".to_owned(), "no name of a held snapshot"),
    ] {
        let error = world.ends(code, &command);
        assert!(error.contains(told), "{error}");
    }
    let error = World::with_base().ends(4, "snapshot list embedded:app.redb");
    assert!(error.contains("keeps no snapshots"), "{error}");
}

#[test]
fn what_a_node_refuses_and_what_is_not_there_is_told_with_advice() {
    let (world, _) = filled("refused");
    world.ends(0, "init file:backups");
    for (code, command, told) in [
        (5, "backup node file:backups --part nope", "no keyspace 'nope'"),
        (4, "backup cassandra://ops:hunter2@127.0.0.1 file:backups", "password in a URL"),
        (8, "backup cassandra://127.0.0.1:1/?jmx-port=1 file:backups", "127.0.0.1:1"),
    ] {
        let error = world.ends(code, command);
        assert!(error.contains(told) && !error.contains("hunter2"), "{error}");
    }
    world.write("jmx", "hunter2");
    let error = world.ends(7, "backup node file:backups --part refused");
    assert!(error.contains("Authentication failed") && !error.contains("hunter2"), "{error}");
}
