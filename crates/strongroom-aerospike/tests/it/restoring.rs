//! What a restore leaves out, in which order it works, and how it counts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use strongroom_aerospike::{AerospikeConfig, RestoreConfig};
use strongroom_aerospike_fake::{Index, Record};
use strongroom_aerospike_wire::expression::Expression;
use strongroom_core::ErrorKind;
use strongroom_core::cluster::{Conflict, RestoreOptions};
use strongroom_core::engine::{BackupKindWish, RestoreRequest};
use strongroom_core::model::{Filter, Scope};
use strongroom_core::planner::{Plan, Request, Target};
use strongroom_core::repository::Repository;

use crate::common::{World, config, open, record};
use crate::engine::{bring_back, plan, repository, store, store_scope};

async fn filled() -> World {
    let world = World::new(&["test"]).await;
    for key in 0..300 {
        world.put("test", ["a", "b"][usize::try_from(key % 2).unwrap()], key, key);
    }
    let index =
        Index { bin: "v".into(), data_type: "numeric".into(), index_type: "default".into(), ..Index::default() };
    world.fake.store().define_index("test", "by-v", index);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_come_first_or_last() {
    let source = filled().await;
    let repository = repository().await;
    let committed = store(&repository, &source.cluster, BackupKindWish::Base).await;
    let point = plan(&repository, Target::Backup(committed.backup)).await;
    for definitions_last in [false, true] {
        let target = World::new(&["test"]).await;
        let request = || {
            let options = RestoreOptions { definitions_last, ..RestoreOptions::default() };
            RestoreRequest { options, ..RestoreRequest::default() }
        };
        let indexes = || target.fake.store().indexes("test").unwrap().len();
        // One write fails for good: what came before it is there.
        target.fake.faults().refuse_writes = vec![13];
        bring_back(&repository, point.clone(), &target.cluster, request()).await.unwrap_err();
        assert_eq!(indexes(), usize::from(!definitions_last));
        let summary = bring_back(&repository, point.clone(), &target.cluster, request()).await.unwrap();
        assert_eq!((indexes(), summary.applied.written), (1, 300));
        assert_eq!(target.contents("test"), source.contents("test"));
    }
}

async fn point_of(repository: &Repository, target: Target, filter: Filter) -> Plan {
    let scope = Scope { parts: Some([("test".to_owned(), filter)].into()) };
    repository.load().await.unwrap().into_catalogue().plan(&Request::at(target).of(scope)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_through_an_expression_is_restored_and_one_without_is_not_cut_by_it() {
    let source = filled().await;
    let expression = STANDARD.encode(Expression::in_set("a").as_bytes());
    let filter = Filter { expression: Some(expression), ..Filter::default() };
    let scope = || Scope { parts: Some([("test".to_owned(), filter.clone())].into()) };
    let through = repository().await;
    store_scope(&through, &source.cluster, BackupKindWish::Base, scope()).await.unwrap();
    source.put("test", "a", 1000, 1);
    source.put("test", "b", 1001, 1);
    let newest = store_scope(&through, &source.cluster, BackupKindWish::Incremental, scope()).await.unwrap();
    let target = World::new(&["test"]).await;
    let point = point_of(&through, Target::Backup(newest.backup), filter.clone()).await;
    assert_eq!(point.steps().count(), 2);
    let summary = bring_back(&through, point, &target.cluster, RestoreRequest::default()).await.unwrap();
    assert_eq!((summary.applied.written, summary.applied.filtered), (151, 0));
    let mut truth = source.contents("test");
    truth.retain(|_, record| record.set == b"a");
    assert_eq!(target.contents("test"), truth);
    // Of a backup of everything a server would have to say which records it means: it is not asked, and nothing is guessed.
    let whole = repository().await;
    let base = store(&whole, &source.cluster, BackupKindWish::Base).await;
    let point = point_of(&whole, Target::Backup(base.backup), filter).await;
    let target = World::new(&["test"]).await;
    let error = bring_back(&whole, point, &target.cluster, RestoreRequest::default()).await.unwrap_err();
    assert!(error.to_string().contains("can only be evaluated by a server"), "{error}");
    assert!(target.contents("test").is_empty());
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_that_is_read_is_in_one_counter_and_is_listed_on_request() {
    let source = filled().await;
    let now = u32::try_from(source.fake.store().now() / 1000 - 1_262_304_000).unwrap();
    let expiring = record("a", 2, 2);
    source.fake.store().put("test", expiring.0, Record { void_time: now + 3600, ..expiring.1 });
    let repository = repository().await;
    let committed = store(&repository, &source.cluster, BackupKindWish::Base).await;
    for (conflict, batch_records) in [(Conflict::Keep, 256), (Conflict::Newer, 256), (Conflict::Newer, 1)] {
        let mut target = World::new(&["test"]).await;
        let restore = RestoreConfig {
            batch_records,
            ignore_record_errors: true,
            list_skipped: true,
            most_listed: 2,
            ..RestoreConfig::default()
        };
        target.cluster = open(AerospikeConfig { restore, ..config(&target.fake) });
        // An hour later, three records are there, two are taken in no form, and of one set only.
        target.fake.store().set_now(source.fake.store().now() + 7_200_000);
        for key in [4, 6, 8] {
            let (digest, kept) = record("a", key, -1);
            target.fake.store().put("test", digest, Record { generation: 9, ..kept });
        }
        for key in [10, 12] {
            target.fake.faults().refuse_records.insert(record("a", key, 0).0, 13);
        }
        let filter = Filter { tables: Some(["a".to_owned()].into()), ..Filter::default() };
        let point = point_of(&repository, Target::Backup(committed.backup), filter).await;
        let options = RestoreOptions { conflict, ..RestoreOptions::default() };
        let request = RestoreRequest { options, ..RestoreRequest::default() };
        let summary = bring_back(&repository, point, &target.cluster, request).await.unwrap();
        let found = summary.applied;
        assert_eq!((found.expired, found.ignored, found.kept, found.filtered), (1, 2, 3, 150), "{found:?}");
        assert_eq!(found.fresher, if conflict == Conflict::Newer { 3 } else { 0 });
        let read = found.written + found.kept + found.expired + found.ignored + found.filtered;
        assert_eq!((read, found.in_doubt), (committed.totals.records, 0), "{found:?}");
        let told = |start: &str| {
            let mut found = summary.warnings.iter().filter(|warning| warning.contains(start));
            found.next().unwrap_or_else(|| panic!("{:?}", summary.warnings)).clone()
        };
        assert!(told("2 records were left out").matches("too big").count() == 2, "{:?}", summary.warnings);
        let skipped = told("4 records were skipped");
        assert!(skipped.ends_with(", and 2 more") && skipped.matches("of set 'a': ").count() == 2, "{skipped}");
    }
}
