//! Snapshots that stay on a node, to be backed up later or never.

use std::sync::Arc;

use strongroom_cassandra::NodeControl as _;
use strongroom_core::cluster::{FreezeRequest, RestoreOptions};
use strongroom_core::model::{Filter, Scope};
use strongroom_core::{Cluster, ErrorKind};
use strongroom_testkit::MemoryStorage;

use crate::database::{Database, config, open};
use crate::engine::{bring_back, repository, store, store_of};
use crate::server::NODE;

#[tokio::test(flavor = "multi_thread")]
async fn a_held_snapshot_is_listed_backed_up_after_all_was_dropped_and_deleted() {
    let database = Database::new(&NODE, "holding").await;
    database.fill().await;
    let wanted = database.rows().await;
    let cluster = open(config(&NODE));
    let scope = || Scope::of_parts(["holding"]);
    let held = cluster.held().unwrap().take(&scope()).await.unwrap();
    assert!(held.bytes > 200_000 && held.parts.contains("holding"), "{held:?}");
    let all = || async { open(config(&NODE)).held().unwrap().list().await.unwrap() };
    assert!(all().await.contains(&held), "another process knows it");

    // What comes after it is not in it, and backups go on beside it.
    database.run("INSERT INTO ks.users (id, name) VALUES (1000, 'later')").await;
    let later = database.rows().await;
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    store(&repository, &cluster, "holding").await.unwrap();
    database.drop_all().await;
    assert!(all().await.contains(&held), "it outlives what it was taken of");

    let then = cluster.held().unwrap().open(&held.id).unwrap();
    let committed = store_of(&repository, Arc::clone(&then), "holding").await.unwrap();
    assert_eq!(committed.window, held.window);
    assert!(all().await.contains(&held), "a backup keeps it");
    bring_back(&repository, &cluster, scope(), RestoreOptions::default()).await.unwrap();
    assert_eq!(
        database.rows().await,
        later,
        "the newest state is that of the later snapshot, though it was stored before"
    );

    let id = held.id.clone();
    cluster.held().unwrap().delete(&id).await.unwrap();
    cluster.held().unwrap().delete(&id).await.unwrap();
    assert!(!all().await.iter().any(|snapshot| snapshot.id == id));
    let error = then.freeze(&FreezeRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(error.message().contains(&id), "{error}");
    // It is in the repository.
    let truncate = RestoreOptions { truncate: true, ..RestoreOptions::default() };
    crate::engine::bring_back_backup(&repository, &cluster, committed.backup, truncate).await.unwrap();
    assert_eq!(database.rows().await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_held_is_refused() {
    let cluster = open(config(&NODE));
    let held = cluster.held().unwrap();
    assert!(cluster.capabilities().held_snapshots);
    let error = held.take(&Scope::of_parts(["no_such"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    let _database = Database::new(&NODE, "empty_to_hold").await;
    let error = held.take(&Scope::of_parts(["empty_to_hold"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    let tables = Filter { tables: Some(["t".to_owned()].into()), ..Filter::default() };
    let some = Scope { parts: Some([("empty_to_hold".to_owned(), tables)].into()) };
    assert_eq!(held.take(&some).await.unwrap_err().kind(), ErrorKind::Unsupported);
    for id in ["", "x", "strongroom-0123456789abcdef", "strongroom-held-../x"] {
        assert_eq!(held.delete(id).await.unwrap_err().kind(), ErrorKind::Invalid, "{id}");
        assert_eq!(held.open(id).unwrap_err().kind(), ErrorKind::Invalid, "{id}");
    }
    let gone = held.open("strongroom-held-0123456789abcdef").unwrap();
    assert_eq!(gone.freeze(&FreezeRequest::default()).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_a_killed_backup_left_is_told() {
    let database = Database::new(&NODE, "left_behind").await;
    database.run("CREATE TABLE ks.t (id int PRIMARY KEY)").await;
    let (node, tag, keyspaces) = (NODE.jmx(), "strongroom-00000000deadbeef", ["left_behind".to_owned()]);
    node.take_snapshot(tag, &keyspaces).await.unwrap();
    let cluster = open(config(&NODE));
    let request = FreezeRequest { scope: Scope::of_parts(["left_behind"]), ..FreezeRequest::default() };
    let told = async || {
        let frozen = cluster.freeze(&request).await.unwrap();
        cluster.release(&frozen).await.unwrap();
        frozen.parts[0].notes.iter().any(|note| note.contains(tag) && note.contains("clearsnapshot"))
    };
    assert!(told().await);
    node.clear_snapshot(tag, &keyspaces).await.unwrap();
    assert!(!told().await);
}
