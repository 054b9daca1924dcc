//! To a moment: a backup, carried on by the commit logs that a node archived, in a scratch node.

use std::path::Path;
use std::time::SystemTime;

use strongroom_cassandra::{CassandraCluster, CassandraConfig, Load, ReplayConfig, RestoreConfig};
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::model::{Filter, Scope};
use strongroom_core::repository::Repository;
use strongroom_core::{ErrorKind, Timestamp};
use strongroom_testkit::MemoryStorage;

use crate::database::{Database, Rows, config, open};
use crate::engine::{bring_back, repository, store};
use crate::server::{Server, script};

const KEYSPACE: &str = "to_a_moment";

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

/// A moment after all that was written, and before all that is: write times are of milliseconds.
fn between() -> Timestamp {
    let start = now();
    let until = |moment: Timestamp| while now() < moment {};
    until(start.plus_micros(3000));
    let moment = now();
    until(moment.plus_micros(3000));
    moment
}

/// The same node, carried on by logs.
fn carried_on(server: &Server, archive: &Path, until: Option<Timestamp>) -> CassandraCluster {
    let command = vec![script().into_os_string().into_string().unwrap(), "scratch".to_owned()];
    let replay = ReplayConfig { segments: vec![archive.to_owned()], until, command, conf: server.conf() };
    let restore = RestoreConfig { replay: Some(replay), ..RestoreConfig::default() };
    open(CassandraConfig { restore, ..config(server) })
}

/// Writes, changes and deletes of every kind, by chance.
async fn change(database: &Database, random: &mut fastrand::Rng, step: u64) {
    for _ in 0..6 {
        let id = random.i64(0..20);
        let statement = match random.u8(0..10) {
            0 => format!("INSERT INTO ks.users (id, name) VALUES ({}, 'step {step}')", 100 + id),
            1 => format!("UPDATE ks.users SET tags = tags + {{'{step}'}}, name = 'changed {step}' WHERE id = {id}"),
            2 => format!("DELETE FROM ks.users WHERE id = {id}"),
            3 => format!("DELETE pairs FROM ks.users WHERE id = {id}"),
            4 | 5 => format!("UPDATE ks.hits SET n = n + {step} WHERE id = {}", id % 5),
            6 => format!("UPDATE ks.wide SET s = {step} WHERE k = {}", id % 3),
            7 => format!("DELETE FROM ks.wide WHERE k = {} AND t > {}", id % 3, 1_700_000_000_020_i64 + id),
            8 => format!("INSERT INTO ks.docs (id, title) VALUES ({id}, 'step {step}') USING TTL 86400"),
            _ => format!("INSERT INTO ks.nothing (id) VALUES ({id})"),
        };
        database.run(&statement).await;
    }
}

/// Fails with the rows that differ, which are few among many.
fn same(found: &Rows, wanted: &Rows, moment: Timestamp) {
    assert!(found.keys().eq(wanted.keys()), "at {moment}: {:?} and not {:?}", found.keys(), wanted.keys());
    for (table, rows) in wanted {
        let less: Vec<_> = rows.iter().filter(|row| !found[table].contains(row)).collect();
        let more: Vec<_> = found[table].iter().filter(|row| !rows.contains(row)).collect();
        assert!(less.is_empty() && more.is_empty(), "at {moment}, table {table}: missing {less:?}, too many {more:?}");
    }
}

/// A node that archives, with a backup in the middle of its history, and its state at the moments after that.
struct History {
    server: Server,
    archive: tempfile::TempDir,
    database: Database,
    moments: Vec<(Timestamp, Rows)>,
}

impl History {
    /// Lets the node archive what it has written so far: it closes its segments when a table goes.
    async fn archived(&self) {
        self.database.run("CREATE TABLE ks.closing (id int PRIMARY KEY)").await;
        self.database.run("DROP TABLE ks.closing").await;
        let last = self.moments.last().unwrap().0;
        let written = || {
            std::fs::read_dir(self.archive.path()).unwrap().any(|entry| {
                let written = entry.unwrap().metadata().unwrap().modified().unwrap();
                written.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros()
                    > u128::try_from(last.micros()).unwrap()
            })
        };
        let end = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while !written() {
            assert!(std::time::Instant::now() < end, "the node archives nothing");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_carried_on_by_logs_to_a_moment_between_two_writes() {
    let seed = std::env::var("STRONGROOM_SEED").map_or(11, |seed| seed.parse().unwrap());
    let count = std::env::var("STRONGROOM_CASES").map_or(1, |cases| cases.parse().unwrap());
    println!("STRONGROOM_SEED={seed} STRONGROOM_CASES={count}");
    let mut random = fastrand::Rng::with_seed(seed);
    let archive = tempfile::tempdir().unwrap();
    let command = format!("/bin/cp -p %path {}/%name", archive.path().display());
    let server = tokio::task::spawn_blocking(move || Server::archiving(&command, None)).await.unwrap();
    let database = Database::new(&server, KEYSPACE).await;
    database.fill().await;
    change(&database, &mut random, 1).await;
    let repository = repository(std::sync::Arc::new(MemoryStorage::new())).await;
    let committed = store(&repository, &open(config(&server)), KEYSPACE).await.unwrap();
    let mut history = History { server, archive, database, moments: Vec::new() };
    for step in 2..10 {
        change(&history.database, &mut random, step).await;
        history.moments.push((between(), history.database.rows().await));
    }
    history.archived().await;
    history.database.run("TRUNCATE ks.users").await;
    let chosen: Vec<(Timestamp, Rows)> = (0..count).map(|_| random.choice(&history.moments).unwrap().clone()).collect();
    for (moment, rows) in chosen {
        history.database.drop_all().await;
        let cluster = carried_on(&history.server, history.archive.path(), Some(moment));
        let options = RestoreOptions::default();
        bring_back(&repository, &cluster, Scope::of_parts([KEYSPACE]), options).await.unwrap();
        history.database.view_is_built("users_by_name").await;
        same(&history.database.rows().await, &rows, moment);
    }
    refusals(&history, &repository, committed.window.until).await;
    renamed(&history, &repository).await;
}

/// What can't be reached is refused before anything is touched.
async fn refusals(history: &History, repository: &Repository, backup: Timestamp) {
    let before = history.database.rows().await;
    let refused = async |until: Timestamp, archive: &Path| {
        let cluster = carried_on(&history.server, archive, Some(until));
        let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
        bring_back(repository, &cluster, Scope::of_parts([KEYSPACE]), options).await.unwrap_err()
    };
    let early = refused(backup.plus_micros(-1_000_000), history.archive.path()).await;
    assert!(early.to_string().contains("not back"), "{early}");
    let late = refused(now().plus_micros(3_600_000_000), history.archive.path()).await;
    assert!(late.to_string().contains("ends with segment"), "{late}");
    let empty = tempfile::tempdir().unwrap();
    let none = refused(history.moments[0].0, empty.path()).await;
    assert!(none.to_string().contains("holds no segments"), "{none}");

    // A segment that is damaged, and a command that starts nothing.
    let damaged = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(history.archive.path()).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), damaged.path().join(entry.file_name())).unwrap();
    }
    let mut files: Vec<_> = std::fs::read_dir(damaged.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut bytes = std::fs::read(files.last().unwrap()).unwrap();
    bytes[..64].fill(0x5a);
    std::fs::write(files.last().unwrap(), bytes).unwrap();
    let broken = refused(history.moments[0].0, damaged.path()).await;
    assert!(broken.to_string().contains("CommitLog-") && broken.to_string().contains("scratch node"), "{broken}");
    let mut replay = carried_on(&history.server, history.archive.path(), None).config().restore.replay.clone().unwrap();
    replay.command = vec!["false".to_owned()];
    let restore = RestoreConfig { replay: Some(replay), ..RestoreConfig::default() };
    let cluster = open(CassandraConfig { restore, ..config(&history.server) });
    let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
    let dead = bring_back(repository, &cluster, Scope::of_parts([KEYSPACE]), options).await.unwrap_err();
    assert!(dead.kind() == ErrorKind::Unavailable && dead.to_string().contains("ended at once"), "{dead}");
    assert_eq!(history.database.rows().await, before, "nothing was emptied");
}

/// Beside what is there, under another name, only some tables, to the end of the logs.
async fn renamed(history: &History, repository: &Repository) {
    let mut config = carried_on(&history.server, history.archive.path(), None).config().clone();
    config.restore.load = Some(Load::Stream);
    let cluster = open(config);
    let filter = Filter { tables: Some(["hits".to_owned()].into()), ..Filter::default() };
    let scope = Scope { parts: Some([(KEYSPACE.to_owned(), filter)].into()) };
    let copy = Database::new(&history.server, "to_a_moment_copy").await;
    copy.drop_all().await;
    let rename = [(KEYSPACE.to_owned(), "to_a_moment_copy".to_owned())].into();
    bring_back(repository, &cluster, scope, RestoreOptions { rename, ..RestoreOptions::default() }).await.unwrap();
    let rows = copy.rows().await;
    assert_eq!(rows, [("hits".to_owned(), history.moments.last().unwrap().1["hits"].clone())].into());
}
