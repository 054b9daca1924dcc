//! Chains, restored to each of their moments.

use strongroom_aerospike_wire::Digest;
use strongroom_aerospike_wire::write::Expiry;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::BackupKindWish;
use strongroom_core::model::{BackupKind, Scope};
use strongroom_record::UserKey;

use super::into_the_second;
use super::place::{Place, Row, samples};
use crate::engine::{repository, store_scope};

fn emptying() -> RestoreOptions {
    RestoreOptions { truncate: true, ..RestoreOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_particle_of_a_real_server_goes_from_one_namespace_to_another() {
    let place = Place::find().await;
    let [first, second] = &place.namespaces;
    let samples = samples();
    for (digest, row) in &samples {
        place.write(first, digest, row, Expiry::Never).await;
    }
    assert_eq!(place.scan(first).await, samples, "what was written is what is read");
    let repository = repository().await;
    let scope = || Scope::of_parts([first.as_str()]);
    let base = store_scope(&repository, &place.cluster, BackupKindWish::Base, scope()).await.unwrap();
    assert_eq!(base.totals.records, samples.len() as u64);

    place.pass();
    for (digest, row) in samples.iter().step_by(50) {
        let bins = vec![(b"changed".to_vec(), 3, b"\xff!".to_vec())];
        place.write(first, digest, &Row { bins, ..row.clone() }, Expiry::Never).await;
    }
    for digest in samples.keys().skip(1).step_by(50) {
        place.delete(first, digest).await;
    }
    let truth = place.scan(first).await;
    assert!(truth.len() < samples.len());
    let incremental = store_scope(&repository, &place.cluster, BackupKindWish::Incremental, scope()).await.unwrap();
    assert_eq!(incremental.kind, BackupKind::Incremental);

    for (backup, truth) in [(base.backup, &samples), (incremental.backup, &truth)] {
        let summary = into_the_second(&place, &repository, backup, emptying()).await;
        assert_eq!(summary.applied.written, truth.len() as u64);
        assert_eq!(place.scan(second).await, *truth);
    }
    place.empty().await;
}

/// A record with one integer bin.
fn row(set: &str, key: i64, value: i64) -> (Digest, Row) {
    let digest = strongroom_record::Digest::of_key(Some(set.as_bytes()), &UserKey::Integer(key)).0;
    let bins = vec![(b"v".to_vec(), 1, value.to_be_bytes().to_vec())];
    let key = Some((1, key.to_be_bytes().to_vec()));
    (digest, Row { set: set.as_bytes().to_vec(), key, bins, void_time: 0 })
}

/// One round of an application's work: updates, new records, deletes, moves to another set, records that expire.
async fn work(place: &Place, round: i64) {
    let namespace = &place.namespaces[0];
    place.pass();
    for key in 0..140 {
        let (user, one) = row("users", key, round);
        match (key + round) % 7 {
            0 => place.write(namespace, &user, &one, Expiry::Never).await,
            1 if round > 0 => place.delete_if_there(namespace, &user).await,
            2 if round > 0 => {
                place.delete_if_there(namespace, &user).await;
                let (archived, one) = row("archive", key, round);
                place.write(namespace, &archived, &one, Expiry::Never).await;
            }
            3 => {
                let (session, one) = row("sessions", key, round);
                place.write(namespace, &session, &one, Expiry::Seconds(100_000)).await;
            }
            _ if round == 0 => place.write(namespace, &user, &one, Expiry::Never).await,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_moment_of_a_base_and_five_incrementals_comes_back() {
    let place = Place::find().await;
    let [first, second] = &place.namespaces;
    let repository = repository().await;
    let mut points = Vec::new();
    for round in 0..6 {
        work(&place, round).await;
        let wish = if round == 0 { BackupKindWish::Base } else { BackupKindWish::Incremental };
        let scope = Scope::of_parts([first.as_str()]);
        let committed = store_scope(&repository, &place.cluster, wish, scope).await.unwrap();
        assert_eq!(committed.kind == BackupKind::Base, round == 0);
        points.push((committed.backup, place.scan(first).await));
    }
    for (backup, truth) in points {
        assert!(truth.values().any(|row| row.void_time > 0));
        into_the_second(&place, &repository, backup, emptying()).await;
        let mut found = place.scan(second).await;
        for (digest, row) in &mut found {
            // A server is told a time to live, and adds it to its own clock, which goes on meanwhile.
            let expected = truth.get(digest).map_or(0, |row| row.void_time);
            assert!(row.void_time.abs_diff(expected) <= 60, "{} instead of {expected}", row.void_time);
            row.void_time = expected;
        }
        assert_eq!(found, truth);
    }
    place.empty().await;
}
