//! Backups of a real node: everything comes back exactly, and what was stored is not stored again.

use std::sync::Arc;

use strongroom_cassandra::{CassandraConfig, Load};
use strongroom_core::ErrorKind;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::model::{Filter, Scope};
use strongroom_testkit::{MemoryStorage, Recording};

use crate::database::{Database, config, open};
use crate::engine::{bring_back, repository, store};
use crate::server::NODE;

fn truncating() -> RestoreOptions {
    RestoreOptions { truncate: true, ..RestoreOptions::default() }
}

/// The snapshots of ours that a node holds for a keyspace.
async fn left_behind(keyspace: &str) -> usize {
    let all = strongroom_cassandra::NodeControl::snapshots(&NODE.jmx()).await.unwrap();
    all.iter().filter(|snapshot| snapshot.keyspace == keyspace && snapshot.tag.starts_with("strongroom-")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_keyspace_of_every_kind_of_table_comes_back_exactly() {
    let database = Database::new(&NODE, "every_kind").await;
    database.fill().await;
    let wanted = database.rows().await;
    let times = "SELECT JSON id, writetime(title), ttl(title) FROM ks.docs WHERE id = 1";
    let written = database.column(times).await;
    assert_eq!(wanted["users"].len(), 59);
    assert_eq!(wanted["users_by_name"].len(), 59);

    let staging = NODE.data().with_file_name("staging");
    let cluster = open(CassandraConfig { staging: Some(staging.clone()), ..config(&NODE) });
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    let committed = store(&repository, &cluster, "every_kind").await.unwrap();
    assert!(committed.totals.definitions > 0, "{committed:?}");
    assert_eq!(left_behind("every_kind").await, 0);

    database.drop_all().await;
    bring_back(&repository, &cluster, Scope::of_parts(["every_kind"]), RestoreOptions::default()).await.unwrap();
    assert_eq!(database.rows().await, wanted);
    assert_eq!(database.column(times).await, written);
    // Indexes and functions work, not only rows.
    assert_eq!(database.column("SELECT JSON id FROM ks.users WHERE name = 'name3'").await.len(), 9);
    assert_eq!(database.column("SELECT JSON id FROM ks.docs WHERE title = 'two'").await, [r#"{"id": 2}"#]);
    assert_eq!(database.column("SELECT JSON ks.twice(id) AS n FROM ks.docs WHERE id = 2").await, [r#"{"n": 4}"#]);
    assert!(!staging.exists(), "nothing is left of the restore");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_backup_of_unchanged_data_sends_no_files() {
    let database = Database::new(&NODE, "unchanged").await;
    database.fill().await;
    let cluster = open(config(&NODE));
    let storage = Recording::new(MemoryStorage::new());
    let repository = repository(Arc::new(storage.clone())).await;
    store(&repository, &cluster, "unchanged").await.unwrap();
    assert!(storage.take().sent_below("content/") > 200_000, "the first one sends them");

    // Another process knows nothing of what was hashed before, or what was written down.
    let memory = NODE.data().with_file_name("hashes");
    let remembering = || open(CassandraConfig { memory: Some(memory.clone()), ..config(&NODE) });
    for cluster in [cluster, open(config(&NODE)), remembering(), remembering()] {
        let second = store(&repository, &cluster, "unchanged").await.unwrap();
        let traffic = storage.take();
        assert_eq!(traffic.sent_below("content/"), 0, "{:?}", traffic.sent);
        assert!(second.totals.reused_bytes > 200_000, "{second:?}");
    }
    assert!(std::fs::read_to_string(&memory).unwrap().lines().count() > 20);
    database.run("INSERT INTO ks.users (id, name) VALUES (100, 'new')").await;
    store(&repository, &remembering(), "unchanged").await.unwrap();
    let sent = storage.take().sent_below("content/");
    assert!(sent > 0 && sent < 50_000, "only what is new: {sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn truncate_brings_back_exactly_what_was_and_a_merge_keeps_what_is_newer() {
    let database = Database::new(&NODE, "back").await;
    database.fill().await;
    let wanted = database.rows().await;
    let cluster = open(config(&NODE));
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    store(&repository, &cluster, "back").await.unwrap();
    for statement in [
        "DELETE FROM ks.users WHERE id = 1",
        "UPDATE ks.users SET name = 'later' WHERE id = 2",
        "INSERT INTO ks.users (id, name) VALUES (1000, 'later')",
        "UPDATE ks.hits SET n = n + 1000 WHERE id = 1",
        "DELETE FROM ks.wide WHERE k = 0",
        "INSERT INTO ks.nothing (id) VALUES (1)",
    ] {
        database.run(statement).await;
    }
    let changed = database.rows().await;
    assert_ne!(changed, wanted);

    let merged = bring_back(&repository, &cluster, Scope::of_parts(["back"]), RestoreOptions::default()).await.unwrap();
    assert!(merged.warnings.iter().any(|warning| warning.contains("merges by write time")), "{:?}", merged.warnings);
    assert_eq!(database.rows().await, changed, "what was written later is newer");

    bring_back(&repository, &cluster, Scope::of_parts(["back"]), truncating()).await.unwrap();
    assert_eq!(database.rows().await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_alone_is_restored() {
    let database = Database::new(&NODE, "one_table").await;
    database.fill().await;
    let wanted = database.rows().await;
    let cluster = open(config(&NODE));
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    store(&repository, &cluster, "one_table").await.unwrap();
    database.run("INSERT INTO ks.wide (k, t) VALUES (9, 9)").await;
    database.run("TRUNCATE ks.users").await;
    database.run("DROP TABLE ks.hits").await;
    let of = |tables: &[&str]| {
        let tables = tables.iter().map(|table| (*table).to_owned()).collect();
        let filter = Filter { tables: Some(tables), ..Filter::default() };
        Scope { parts: Some([("one_table".to_owned(), filter)].into()) }
    };
    bring_back(&repository, &cluster, of(&["hits"]), truncating()).await.unwrap();
    let found = database.rows().await;
    assert_eq!(found["hits"], wanted["hits"]);
    assert_eq!(found["users"].len(), 0, "another table is left alone");
    assert_eq!(found["wide"].len(), wanted["wide"].len() + 1);
    bring_back(&repository, &cluster, of(&["wide"]), truncating()).await.unwrap();
    assert_eq!(database.rows().await["wide"], wanted["wide"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_schema_is_refused_before_anything_is_emptied() {
    let database = Database::new(&NODE, "other_schema").await;
    database.fill().await;
    let cluster = open(config(&NODE));
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    store(&repository, &cluster, "other_schema").await.unwrap();
    database.run("DROP MATERIALIZED VIEW ks.users_by_name").await;
    database.run("DROP TABLE ks.hits").await;
    database.run("ALTER TABLE ks.wide DROP \"Mixed Case\"").await;
    let before = database.rows().await;
    let scope = || Scope::of_parts(["other_schema"]);
    let error = bring_back(&repository, &cluster, scope(), truncating()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    assert!(error.message().contains("Mixed Case"), "{error}");
    assert_eq!(database.rows().await, before, "nothing was made and nothing emptied");

    let mut forced = config(&NODE);
    forced.restore.force = true;
    let summary = bring_back(&repository, &open(forced), scope(), truncating()).await.unwrap();
    assert!(summary.warnings.iter().any(|warning| warning.contains("forced")), "{:?}", summary.warnings);
    let after = database.rows().await;
    assert_eq!(after["users"], before["users"]);
    assert_eq!(after["users_by_name"].len(), 59);
    assert!(after["hits"].len() == 5 && after["wide"].len() == before["wide"].len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyspace_is_restored_under_another_name_beside_itself() {
    let database = Database::new(&NODE, "old_name").await;
    database.fill().await;
    let wanted = database.rows().await;
    let cluster = open(config(&NODE));
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    store(&repository, &cluster, "old_name").await.unwrap();
    let moved = Database::new(&NODE, "new_name").await;
    moved.drop_all().await;
    let rename = |to: &str| RestoreOptions {
        rename: [("old_name".to_owned(), to.to_owned())].into(),
        ..RestoreOptions::default()
    };
    for bad in ["system_auth", "a-b", ""] {
        let error = bring_back(&repository, &cluster, Scope::of_parts(["old_name"]), rename(bad)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{bad}: {error:?}");
    }
    bring_back(&repository, &cluster, Scope::of_parts(["old_name"]), rename("new_name")).await.unwrap();
    assert_eq!(moved.rows().await, wanted);
    assert_eq!(moved.column("SELECT JSON id FROM ks.users WHERE name = 'name3'").await.len(), 9);
    assert_eq!(moved.column("SELECT JSON id FROM ks.docs WHERE title = 'two'").await, [r#"{"id": 2}"#]);
    assert_eq!(moved.column("SELECT JSON ks.twice(id) AS n FROM ks.docs WHERE id = 2").await, [r#"{"n": 4}"#]);
    // What is written to one is not in the other, and the new one is backed up like any.
    moved.run("INSERT INTO ks.users (id, name) VALUES (500, 'new')").await;
    assert_eq!(database.rows().await, wanted);
    store(&repository, &cluster, "new_name").await.unwrap();
    moved.run("TRUNCATE ks.users").await;
    bring_back(&repository, &cluster, Scope::of_parts(["new_name"]), truncating()).await.unwrap();
    assert_eq!(moved.rows().await["users"].len(), wanted["users"].len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_streamed_to_those_that_own_what_is_in_them() {
    let database = Database::new(&NODE, "streamed").await;
    database.fill().await;
    let wanted = database.rows().await;
    let times = "SELECT JSON id, writetime(title), ttl(title) FROM ks.docs WHERE id = 1";
    let written = database.column(times).await;
    let mut streaming = config(&NODE);
    streaming.restore.load = Some(Load::Stream);
    streaming.alone = true;
    let cluster = open(streaming);
    let name = strongroom_core::Cluster::describe(&cluster).await.unwrap().identity.name;
    assert!(name.starts_with("Test/") && name.len() > 40, "a node of several has a name of its own: {name}");
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    store(&repository, &cluster, "streamed").await.unwrap();
    database.drop_all().await;
    let scope = || Scope::of_parts(["streamed"]);
    bring_back(&repository, &cluster, scope(), RestoreOptions::default()).await.unwrap();
    assert_eq!(database.rows().await, wanted);
    assert_eq!(database.column(times).await, written);
    assert_eq!(database.column("SELECT JSON id FROM ks.users WHERE name = 'name3'").await.len(), 9);
    database.index_is_built("by_title").await;
    assert_eq!(database.column("SELECT JSON id FROM ks.docs WHERE title = 'two'").await, [r#"{"id": 2}"#]);

    database.run("UPDATE ks.hits SET n = n + 1000 WHERE id = 1").await;
    database.run("INSERT INTO ks.users (id, name) VALUES (1000, 'later')").await;
    let changed = database.rows().await;
    if !database.is_old().await {
        let error = bring_back(&repository, &cluster, scope(), truncating()).await.unwrap_err();
        assert!(error.message().contains("by_title") && error.kind() == ErrorKind::Invalid, "{error}");
        assert_eq!(database.rows().await, changed, "nothing was emptied");
    }
    database.run("DROP INDEX ks.by_title").await;
    bring_back(&repository, &cluster, scope(), truncating()).await.unwrap();
    database.index_is_built("by_title").await;
    assert_eq!(database.column("SELECT JSON id FROM ks.docs WHERE title = 'two'").await, [r#"{"id": 2}"#]);
    assert_eq!(database.rows().await, wanted, "counters included, though they are added to");
    database.run("DROP INDEX ks.by_title").await;
    bring_back(&repository, &cluster, scope(), RestoreOptions::default()).await.unwrap();
    assert_eq!(database.rows().await, wanted, "twice is once");
}
