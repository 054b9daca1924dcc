//! What is damaged: on the node's disk, or where backups rest. Nothing good is lost for it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use strongroom_core::cluster::{FreezeRequest, RestoreOptions};
use strongroom_core::engine::{Journal, Proof, RestoreRequest, restore};
use strongroom_core::model::Scope;
use strongroom_core::planner::{Request, Target};
use strongroom_core::{Cluster as _, ErrorKind};
use strongroom_testkit::MemoryStorage;

use crate::database::{Database, config, open};
use crate::engine::{NoCodecs, bring_back_backup, plan, repository, store};
use crate::server::NODE;

/// The data files of a table.
fn data_files(keyspace: &str, table: &str) -> Vec<PathBuf> {
    let tables = fs::read_dir(NODE.data().join(keyspace)).unwrap().map(|entry| entry.unwrap().path());
    let folders = tables.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{table}-")));
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    files.filter(|path| path.to_str().unwrap().ends_with("-Data.db")).collect()
}

/// Changes one byte in the middle.
fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_damaged_on_the_node_fails_alone_and_is_not_taken_for_good() {
    let database = Database::new(&NODE, "bit_rot").await;
    database.fill().await;
    let wanted = database.rows().await;
    let cluster = open(config(&NODE));
    let storage = MemoryStorage::new();
    let repository = repository(Arc::new(storage.clone())).await;
    let first = store(&repository, &cluster, "bit_rot").await.unwrap();
    let files = data_files("bit_rot", "wide");
    let damaged = files.first().unwrap();
    let mut bytes = fs::read(damaged).unwrap();
    flip(&mut bytes);
    fs::write(damaged, &bytes).unwrap();

    let request = FreezeRequest { scope: Scope::of_parts(["bit_rot"]), ..FreezeRequest::default() };
    let frozen = cluster.freeze(&request).await.unwrap();
    cluster.release(&frozen).await.unwrap();
    let part = &frozen.parts[0];
    let [missing] = &part.missing[..] else { panic!("{:?}", part.missing) };
    assert!(missing.contains("table 'wide'") && missing.contains("checksum"), "{missing}");
    let has = |table: &str| part.pieces.iter().any(|piece| piece.name.contains(&format!("/{table}-")));
    assert!(!has("wide") && has("users") && has("hits"), "the others are whole");
    // It is not taken for the whole: the newest state is refused, and the backup before it has every table.
    store(&repository, &cluster, "bit_rot").await.unwrap();
    let newest = repository.load().await.unwrap().into_catalogue().plan(&Request::at(Target::Latest)).unwrap_err();
    assert_eq!(newest.before.map(|before| before.until), Some(first.window.until), "{newest:?}");
    database.drop_all().await;
    bring_back_backup(&repository, &cluster, first.backup, RestoreOptions::default()).await.unwrap();
    assert_eq!(database.rows().await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_empties_no_table() {
    let database = Database::new(&NODE, "damaged_backup").await;
    database.fill().await;
    let cluster = open(config(&NODE));
    let storage = MemoryStorage::new();
    let repository = repository(Arc::new(storage.clone())).await;
    store(&repository, &cluster, "damaged_backup").await.unwrap();
    database.run("INSERT INTO ks.users (id, name) VALUES (1000, 'later')").await;
    let later = database.rows().await;
    let whole = storage.contents();
    let content: Vec<_> = storage.keys().into_iter().filter(|key| key.as_str().starts_with("content/")).collect();
    assert!(content.len() > 3, "{content:?}");
    // Each of them, and found out as late as can be: when the node has most of it.
    for key in content {
        let mut bytes = storage.take(&key).unwrap().to_vec();
        flip(&mut bytes);
        storage.put(key.clone(), Bytes::from(bytes));
        let plan = plan(&repository, Scope::of_parts(["damaged_backup"])).await;
        let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
        let request = RestoreRequest { options, proof: Some(Proof::Check), ..RestoreRequest::default() };
        let target = Arc::new(cluster.clone());
        let error = restore(repository.clone(), Arc::new(NoCodecs), plan, target, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{key}: {error:?}");
        assert_eq!(database.rows().await, later, "{key}");
        storage.replace(whole.clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_refused_goes_on_in_another_process_once_the_cause_is_gone() {
    let database = Database::new(&NODE, "goes_on").await;
    database.fill().await;
    let wanted = database.rows().await;
    let repository = repository(Arc::new(MemoryStorage::new())).await;
    store(&repository, &open(config(&NODE)), "goes_on").await.unwrap();
    database.run("DROP TABLE ks.plain").await;
    database.run("CREATE TABLE ks.plain (id int PRIMARY KEY, b text)").await;
    database.run("INSERT INTO ks.users (id, name) VALUES (1000, 'later')").await;
    let later = database.rows().await;
    let journal = Journal::new(Arc::new(MemoryStorage::new()));
    let run = async |plan, session| {
        let options = RestoreOptions { truncate: true, ..RestoreOptions::default() };
        let journal = Some(journal.clone());
        let request = RestoreRequest { options, journal, session, take_over: true, ..RestoreRequest::default() };
        let target = Arc::new(open(config(&NODE)));
        restore(repository.clone(), Arc::new(NoCodecs), plan, target, request).await
    };
    let error = run(plan(&repository, Scope::of_parts(["goes_on"])).await, None).await.unwrap_err();
    assert!(error.message().contains("'plain'") && error.kind() == ErrorKind::Invalid, "{error:?}");
    assert_eq!(database.rows().await, later, "nothing was emptied");
    let (session, intended) = journal.to_resume(None).await.unwrap();
    database.run("DROP TABLE ks.plain").await;
    run(intended.plan, Some(session)).await.unwrap();
    assert_eq!(database.rows().await, wanted);
    assert!(journal.unfinished().await.unwrap().is_empty());
}
