//! What goes wrong in a live cluster: the right result, or the error that says what to do.

use std::time::Duration;

use strongroom_aerospike::{AerospikeConfig, LoginConfig, TlsConfig};
use strongroom_aerospike_fake::{Fake, Login};
use strongroom_core::cluster::{FreezeRequest, RestoreOptions};
use strongroom_core::engine::{BackupKindWish, RestoreRequest};
use strongroom_core::model::{Filter, Scope};
use strongroom_core::planner::Target;
use strongroom_core::units::{ByteSize, Span};
use strongroom_core::{Cluster as _, Error, ErrorKind};
use tokio::io::AsyncWriteExt as _;

use crate::common::{World, config, open, record};
use crate::engine::{bring_back, plan, repository, store, store_scope};

async fn filled(count: i64) -> World {
    let world = World::new(&["test"]).await;
    for key in 0..count {
        world.put("test", ["a", "b"][usize::try_from(key % 2).unwrap()], key, key);
    }
    world
}

/// A cluster of ours on the same fake, with another configuration.
fn reopen(world: &mut World, change: impl FnOnce(&mut AerospikeConfig)) {
    let mut other = config(&world.fake);
    change(&mut other);
    world.cluster = open(other);
}

/// A backup of all, restored elsewhere, holds the same.
async fn is_whole(world: &World) {
    let repository = repository().await;
    let committed = store(&repository, &world.cluster, BackupKindWish::Base).await;
    let target = World::new(&["test"]).await;
    let point = plan(&repository, Target::Backup(committed.backup)).await;
    bring_back(&repository, point, &target.cluster, RestoreRequest::default()).await.unwrap();
    assert_eq!(target.contents("test"), world.contents("test"));
}

/// Restores a backup of `source` into `target`.
async fn restored(source: &World, target: &World) -> Result<strongroom_core::engine::RestoreSummary, Error> {
    let repository = repository().await;
    let committed = store(&repository, &source.cluster, BackupKindWish::Base).await;
    let point = plan(&repository, Target::Backup(committed.backup)).await;
    bring_back(&repository, point, &target.cluster, RestoreRequest::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_stream_goes_on_after_the_last_digest() {
    let world = filled(3000).await;
    world.fake.faults().cut_after = Some((20, 25));
    is_whole(&world).await;
    assert!(world.fake.faults().cut_after.is_none(), "all cuts have happened");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_were_thought_smaller_are_read_one_by_one() {
    let mut world = filled(3000).await;
    reopen(&mut world, |config| config.backup.gathered_bytes = ByteSize(20_000));
    is_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_node_is_read_elsewhere() {
    let mut world = filled(500).await;
    let frozen = world.cluster.freeze(&FreezeRequest::default()).await.unwrap();
    world.fake.kill("A2");
    let mut records = 0;
    for piece in &frozen.parts[0].pieces {
        let reader = world.cluster.read(piece).await.unwrap();
        futures::StreamExt::for_each(reader.body, |chunk| {
            chunk.unwrap();
            std::future::ready(())
        })
        .await;
        records += reader.summary.await.unwrap().records;
    }
    assert_eq!(records, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_moves_during_the_scan_is_read_where_it_is() {
    let world = filled(500).await;
    world.cluster.describe().await.unwrap();
    for partition in 0..400 {
        world.fake.move_partition("test", partition, ["A1", "A2", "A3"][usize::from(partition) % 3]);
        // And for a while nobody has it.
        world.fake.faults().unavailable.insert(partition, 2);
    }
    is_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_nobody_serves_is_an_error_that_names_it() {
    let mut world = filled(50).await;
    reopen(&mut world, |config| config.retries = 2);
    world.fake.faults().unavailable.insert(77, 1000);
    let scope = Scope::of_parts(["test"]);
    let error = store_scope(&repository().await, &world.cluster, BackupKindWish::Base, scope).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("partition 77") && told.contains("after 2 more attempts"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_partition_is_waited_for() {
    let world = filled(100).await;
    world.fake.faults().slow.insert(5, Duration::from_millis(300));
    is_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_falls_silent_is_an_error_in_time() {
    let mut world = filled(10).await;
    reopen(&mut world, |config| {
        config.silence_timeout = Span(Duration::from_millis(100));
        config.retries = 1;
    });
    world.fake.faults().silent = ["A1", "A2", "A3"].map(str::to_owned).into();
    let error = world.cluster.describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("did not answer"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_the_server_aborts_is_asked_again() {
    let world = filled(200).await;
    world.fake.faults().end_with = Some((211, 5));
    is_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_device_is_written_to_again() {
    let (source, target) = (filled(300).await, World::new(&["test"]).await);
    target.fake.faults().refuse_writes = vec![18, 18, 14, 9, 11, 18];
    let summary = restored(&source, &target).await.unwrap();
    assert_eq!(summary.applied.written, 300);
    assert_eq!(target.contents("test"), source.contents("test"));
    assert!(
        summary.warnings.iter().any(|warning| warning.starts_with("6 writes were put off")),
        "{:?}",
        summary.warnings
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_are_in_doubt_and_the_writes_are_sent_again() {
    let (source, target) = (filled(300).await, World::new(&["test"]).await);
    target.fake.faults().lose_answers = 2;
    let summary = restored(&source, &target).await.unwrap();
    assert_eq!(target.contents("test"), source.contents("test"));
    assert_eq!(summary.applied.written, 300);
    assert!((2..=300).contains(&summary.applied.in_doubt), "{:?}", summary.applied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_namespace_is_no_space_and_is_not_tried_for_ever() {
    let (source, target) = (filled(300).await, World::new(&["test"]).await);
    target.fake.faults().refuse_writes = vec![8; 300];
    let error = restored(&source, &target).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace);
    assert!(error.to_string().contains("free space"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_writes_are_told_before_anything_is_touched() {
    let (source, target) = (filled(10).await, World::new(&["test"]).await);
    target.put("test", "a", 99, 1);
    target.fake.store().settings("test").unwrap().stop_writes = true;
    let before = target.contents("test");
    let error = restored(&source, &target).await.unwrap_err();
    assert!(error.to_string().contains("has stopped writes on A1, A2, A3"), "{error}");
    assert_eq!(target.contents("test"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_big_is_named_or_left_out_and_listed() {
    let (source, mut target) = (filled(20).await, World::new(&["test"]).await);
    let digest = source.put("test", "a", 777, 1);
    let mut large = source.fake.store().get("test", &digest).unwrap().clone();
    large.bins[0] = strongroom_aerospike_fake::Bin { name: b"blob".to_vec(), particle: 4, value: vec![7; 3 << 20] };
    source.fake.store().put("test", digest, large);
    target.fake.store().settings("test").unwrap().write_block = 1 << 20;
    let error = restored(&source, &target).await.unwrap_err();
    let name = strongroom_record::Digest(digest).to_string();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(&name) && error.to_string().contains("too big"), "{error}");
    reopen(&mut target, |config| config.restore.ignore_record_errors = true);
    let summary = restored(&source, &target).await.unwrap();
    assert_eq!(summary.applied.written, 20);
    let told = summary.warnings.iter().find(|warning| warning.starts_with("1 records were left out")).unwrap();
    assert!(told.contains(&name) && told.contains("set 'a'"), "{told}");
    assert_eq!(summary.applied.ignored, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bin_name_that_the_server_refuses_is_an_error_with_the_record() {
    let (source, target) = (filled(5).await, World::new(&["test"]).await);
    let digest = record("a", 0, 0).0;
    target.fake.faults().refuse_records.insert(digest, 21);
    let error = restored(&source, &target).await.unwrap_err();
    assert!(error.to_string().contains("bin's name is too long"), "{error}");
    assert!(error.to_string().contains(&strongroom_record::Digest(digest).to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_expire_are_refused_where_nothing_ever_expires() {
    let (source, target) = (filled(5).await, World::new(&["test"]).await);
    let (digest, kept) = record("a", 0, 0);
    let void_time = u32::try_from(source.fake.store().now() / 1000 - 1_262_304_000 + 5000).unwrap();
    source.fake.store().put("test", digest, strongroom_aerospike_fake::Record { void_time, ..kept });
    target.fake.store().settings("test").unwrap().expires = false;
    let error = restored(&source, &target).await.unwrap_err();
    assert!(error.to_string().contains("nsup-period"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_namespaces_and_sets() {
    let world = filled(10).await;
    let scope = Scope::of_parts(["nope"]);
    let error = world.cluster.freeze(&FreezeRequest { scope, ..FreezeRequest::default() }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no namespace 'nope'"), "{error}");
    // A set that does not exist has no records.
    let filter = Filter { tables: Some(["nope".to_owned()].into()), ..Filter::default() };
    let scope = Scope { parts: Some([("test".to_owned(), filter)].into()) };
    let committed = store_scope(&repository().await, &world.cluster, BackupKindWish::Base, scope).await.unwrap();
    assert_eq!(committed.totals.records, 0);
    let target = World::new(&["other"]).await;
    let error = restored(&world, &target).await.unwrap_err();
    assert!(error.to_string().contains("no namespace 'test'"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_sets_and_records_without_one_are_chosen_by_one_filter() {
    let world = filled(30).await;
    for key in 0..7 {
        world.put("test", "", key, key);
        world.put("test", "c", key, key);
    }
    let repository = repository().await;
    for (sets, count) in [(vec!["a", "c"], 22), (vec!["", "c"], 14), (vec!["c"], 7), (vec![""], 7), (vec![], 0)] {
        let tables = Some(sets.iter().map(|set| (*set).to_owned()).collect());
        let scope = Scope { parts: Some([("test".to_owned(), Filter { tables, ..Filter::default() })].into()) };
        let committed = store_scope(&repository, &world.cluster, BackupKindWish::Base, scope).await.unwrap();
        assert_eq!(committed.totals.records, count, "{sets:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn monitors_of_transactions_are_no_data() {
    let world = filled(30).await;
    world.put("test", "<ERO~MRT", 1, 1);
    let committed = store(&repository().await, &world.cluster, BackupKindWish::Base).await;
    assert_eq!(committed.totals.records, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_expression_that_the_server_does_not_know_says_so() {
    let world = filled(10).await;
    let scope = |text: &str| {
        let filter = Filter { expression: Some(text.to_owned()), ..Filter::default() };
        Scope { parts: Some([("test".to_owned(), filter)].into()) }
    };
    let repository = repository().await;
    for (text, told) in [("not base64!", "is not base64"), ("kf8=", "fit this server's version")] {
        let error = store_scope(&repository, &world.cluster, BackupKindWish::Base, scope(text)).await.unwrap_err();
        assert!(error.to_string().contains(told), "{text}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn user_keys_of_every_type_come_back() {
    let world = World::new(&["test"]).await;
    let keys: [&[u8]; 7] = [
        &[1, 0x80, 0, 0, 0, 0, 0, 0, 0],
        &[2, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
        &[3],
        b"\x03not \xff UTF-8\nand a line",
        b"\x04",
        b"\x04\0\xff\n",
        b"\x03+ k I 5\n",
    ];
    for (number, key) in (0..).zip(keys) {
        let (digest, kept) = record("a", number, number);
        world.fake.store().put("test", digest, strongroom_aerospike_fake::Record { key: Some(key.to_vec()), ..kept });
    }
    let (digest, kept) = record("a", 100, 1);
    world.fake.store().put("test", digest, strongroom_aerospike_fake::Record { key: None, ..kept });
    is_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_an_unknown_type_is_named_and_never_skipped() {
    let world = filled(5).await;
    let (digest, mut kept) = record("a", 0, 0);
    kept.bins[0].particle = 99;
    world.fake.store().put("test", digest, kept);
    let scope = Scope::of_parts(["test"]);
    let error = store_scope(&repository().await, &world.cluster, BackupKindWish::Base, scope).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("particle type 99") && told.contains("bin 'v'"), "{told}");
    assert!(told.contains(&strongroom_record::Digest(digest).to_string()) && told.contains("set 'a'"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_apart_widen_the_window_and_refuse_a_truncate() {
    let mut world = filled(10).await;
    world.fake.store().tick_by(0);
    world.fake.store().skew("A2", -40);
    let frozen = world.cluster.freeze(&FreezeRequest::default()).await.unwrap();
    let part = &frozen.parts[0];
    assert!(part.window.settled.since(part.window.until) >= 40_000_000, "{:?}", part.window);
    assert!(part.notes.iter().any(|note| note.contains("40 s apart")), "{:?}", part.notes);
    let repository = repository().await;
    let committed = store(&repository, &world.cluster, BackupKindWish::Base).await;
    let before = world.contents("test");
    let truncate = RestoreRequest {
        options: RestoreOptions { truncate: true, ..RestoreOptions::default() },
        ..RestoreRequest::default()
    };
    let point = plan(&repository, Target::Backup(committed.backup)).await;
    let error = bring_back(&repository, point.clone(), &world.cluster, truncate.clone()).await.unwrap_err();
    assert!(
        error.to_string().contains("clocks are 40 s apart") && error.to_string().contains("set the clocks right"),
        "{error}"
    );
    assert_eq!(world.contents("test"), before);
    reopen(&mut world, |config| {
        config.restore.most_clock_skew = Span::secs(60);
        config.retries = 1000;
    });
    world.fake.store().tick_by(5000);
    bring_back(&repository, point, &world.cluster, truncate).await.unwrap();
    assert_eq!(world.contents("test"), before, "what the restore wrote is younger than what it cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_needs_a_base() {
    let world = filled(10).await;
    let repository = repository().await;
    store(&repository, &world.cluster, BackupKindWish::Base).await;
    world.fake.store().set_now(crate::common::START - 3_600_000);
    let scope = Scope::of_parts(["test"]);
    let error = store_scope(&repository, &world.cluster, BackupKindWish::Incremental, scope).await.unwrap_err();
    assert!(error.to_string().contains("a clock was set back"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mixed_and_old_versions_are_told() {
    let (source, target) = (filled(5).await, World::new(&["test"]).await);
    target.fake.store().build("A2", "7.1.0.3");
    let summary = restored(&source, &target).await.unwrap();
    assert!(summary.warnings.iter().any(|warning| warning.contains("different versions: 7.1.0.3, 8.1.2.0")));
    assert_eq!(target.cluster.describe().await.unwrap().version, "7.1.0.3, 8.1.2.0");
    target.fake.store().build("A2", "5.7.0.1");
    let error = restored(&source, &target).await.unwrap_err();
    assert!(error.to_string().contains("version 5.7.0.1"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_and_missing_privileges() {
    let mut world = filled(5).await;
    let hash = strongroom_aerospike_wire::admin::credential("right").unwrap();
    world.fake.faults().login = Some(Login::Internal("ops".to_owned(), hash));
    let login = |password: &str| LoginConfig {
        user: Some("ops".into()),
        password: Some(strongroom_secret::Secret::text(password)),
        ..LoginConfig::default()
    };
    reopen(&mut world, |config| config.login = Some(login("hunter2")));
    let error = world.cluster.describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("wrong credentials") && !format!("{error:?}").contains("hunter2"), "{error:?}");
    assert!(!format!("{:?}", world.cluster).contains("hunter2"));
    reopen(&mut world, |config| config.login = Some(login("right")));
    is_whole(&world).await;
    // Right, but without the privilege to write.
    world.fake.faults().refuse_records.insert([0; 20], 81);
    let error = restored(&world, &world).await.unwrap_err();
    assert!(error.to_string().contains("may not write into namespace 'test'"), "{error}");
    let plain = open(config(&world.fake));
    let scope = Scope::of_parts(["test"]);
    let error = store_scope(&repository().await, &plain, BackupKindWish::Base, scope).await.unwrap_err();
    assert!(error.to_string().contains("not logged in"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_ports_and_tls_where_there_is_none() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let web = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    let quick = |seed: String| AerospikeConfig { retries: 0, ..AerospikeConfig::of_seeds([seed]) };
    let error = open(quick(format!("127.0.0.1:{port}"))).describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("is this the port of a node's service"), "{error}");
    web.abort();
    let error = open(quick("127.0.0.1:1".to_owned())).describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("127.0.0.1:1 can't be reached"), "{error}");
    let fake = Fake::start(1).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, rcgen::generate_simple_self_signed(["db.test".to_owned()]).unwrap().cert.pem()).unwrap();
    let tls = Some(TlsConfig { ca_file: Some(ca), name: Some("db.test".into()), ..TlsConfig::default() });
    let secured =
        AerospikeConfig { tls, connect_timeout: Span(Duration::from_millis(500)), retries: 0, ..config(&fake) };
    let error = open(secured).describe().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unavailable), "{error:?}");
}
