//! One suite for every cluster: it goes through the protocol alone, so it runs on the in-process one and on a real one. With
//! `AEROSPIKE_HOST`, `AEROSPIKE_NAMESPACE` and `AEROSPIKE_SECOND_NAMESPACE` it runs on that, and **empties both namespaces**.

mod definitions;
mod moments;
mod place;
mod rules;

use strongroom_aerospike_wire::write::Expiry;
use strongroom_core::Cluster as _;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{RestoreRequest, RestoreSummary};
use strongroom_core::id::BackupId;
use strongroom_core::model::Scope;
use strongroom_core::planner::{Request, Target};
use strongroom_core::repository::Repository;

use self::place::Place;
use crate::engine::bring_back;

/// Restores a backup of the first namespace into the second.
async fn into_the_second(
    place: &Place,
    repository: &Repository,
    backup: BackupId,
    options: RestoreOptions,
) -> RestoreSummary {
    let [first, second] = &place.namespaces;
    let request = Request::at(Target::Backup(backup)).of(Scope::of_parts([first.as_str()]));
    let plan = repository.load().await.unwrap().into_catalogue().plan(&request).unwrap();
    let options = RestoreOptions { rename: [(first.clone(), second.clone())].into(), ..options };
    let request = RestoreRequest { options, ..RestoreRequest::default() };
    bring_back(repository, plan, &place.cluster, request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_tells_what_it_holds() {
    let place = Place::find().await;
    let samples = place::samples();
    for (digest, row) in &samples {
        place.write(&place.namespaces[0], digest, row, Expiry::default()).await;
    }
    let topology = place.cluster.describe().await.unwrap();
    let records = place.namespaces.each_ref().map(|namespace| topology.parts[namespace].records);
    assert_eq!(records, [Some(samples.len() as u64), Some(0)]);
    place.empty().await;
}
