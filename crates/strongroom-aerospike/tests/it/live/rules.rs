//! What becomes of what is there, and of what was not asked for.

use strongroom_aerospike_wire::write::Expiry;
use strongroom_core::cluster::{Conflict, RestoreOptions};
use strongroom_core::engine::BackupKindWish;
use strongroom_core::model::{Filter, Scope};

use super::into_the_second;
use super::place::{Place, Row, samples};
use crate::engine::{repository, store_scope};

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_there_are_kept_or_replaced() {
    let place = Place::find().await;
    let [first, second] = &place.namespaces;
    let samples: Vec<_> = samples().into_iter().take(100).collect();
    for (digest, row) in &samples {
        place.write(first, digest, row, Expiry::Never).await;
    }
    let repository = repository().await;
    let scope = Scope::of_parts([first.as_str()]);
    let base = store_scope(&repository, &place.cluster, BackupKindWish::Base, scope).await.unwrap();
    let other = |row: &Row| Row { bins: vec![(b"mine".to_vec(), 1, vec![0, 0, 0, 0, 0, 0, 0, 7])], ..row.clone() };
    for conflict in [Conflict::Keep, Conflict::Replace] {
        let mut truth = place.scan(first).await;
        for (digest, row) in samples.iter().step_by(4) {
            place.write(second, digest, &other(row), Expiry::Never).await;
            if conflict == Conflict::Keep {
                truth.insert(*digest, other(row));
            }
        }
        let options = RestoreOptions { conflict, ..RestoreOptions::default() };
        let applied = into_the_second(&place, &repository, base.backup, options).await.applied;
        let kept = if conflict == Conflict::Keep { 25 } else { 0 };
        assert_eq!((applied.written, applied.kept), (100 - kept, kept), "{conflict:?}");
        assert_eq!(place.scan(second).await, truth, "{conflict:?}");
        place.say(&format!("truncate-namespace:namespace={second}")).await;
        place.gone(second).await;
    }
    place.empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_and_partitions_are_chosen_by_the_servers() {
    let place = Place::find().await;
    let first = &place.namespaces[0];
    for (digest, row) in samples() {
        place.write(first, &digest, &row, Expiry::Never).await;
    }
    let all = place.scan(first).await;
    let sets: std::collections::BTreeSet<_> = all.values().map(|row| row.set.clone()).collect();
    let set = sets.iter().find(|set| !set.is_empty()).unwrap();
    let of_set = all.values().filter(|row| row.set == *set).count() as u64;
    let low = all.keys().filter(|digest| strongroom_record::Digest(**digest).partition() < 2048).count() as u64;
    assert!(of_set > 0 && low > 0 && low < all.len() as u64);
    let tables = Some([String::from_utf8(set.clone()).unwrap()].into());
    for (filter, records) in [
        (Filter { tables, ..Filter::default() }, of_set),
        (Filter { partitions: Some((0..2048).collect()), ..Filter::default() }, low),
    ] {
        let scope = Scope { parts: Some([(first.clone(), filter)].into()) };
        let base = store_scope(&repository().await, &place.cluster, BackupKindWish::Base, scope).await.unwrap();
        assert_eq!(base.totals.records, records);
    }
    place.empty().await;
}
