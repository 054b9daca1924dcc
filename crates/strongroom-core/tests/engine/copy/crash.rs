//! The process dies at any operation on either place: what is complete there is whole, and the next copy goes on.

use std::sync::Arc;

use strongroom_core::engine::{CopyRequest, copy};
use strongroom_testkit::{Crashing, Death, MemoryStorage};

use super::{all, copied, is_data, is_repository, whole, world};
use crate::toy::Codecs;

#[tokio::test(start_paused = true)]
async fn killed_at_any_operation_it_goes_on_without_sending_again_what_rests_there() {
    let world = world().await;
    let objects = world.storage.keys().iter().filter(|key| is_data(key)).count() as u64;
    let named = || CopyRequest { name: Some("near".to_owned()), ..all() };
    for death in [Death::Before, Death::After] {
        let mut at = 1;
        loop {
            let (world, there) = (world.duplicate(), MemoryStorage::new());
            let process = Crashing::at(world.storage.clone(), at, death);
            let work = async {
                let repository = world.open_on(process.clone()).await;
                let destination = Arc::new(process.beside(there.clone()));
                copy(repository, Arc::new(Codecs), destination, named()).await
            };
            let done = process.run(work).await;
            if is_repository(&there) && at.is_multiple_of(7) {
                assert!(whole(&world, &there).await <= 4, "{at} {death:?}");
            }
            let rests = there.keys().iter().filter(|key| is_data(key)).count() as u64;
            let report = copied(&world, there.clone(), named()).await;
            let report = report.unwrap_or_else(|error| panic!("{at} {death:?}: {error:?}"));
            assert_eq!((report.backups.len(), report.is_whole()), (4, true), "{at} {death:?}: {report:?}");
            assert_eq!(report.objects, objects - rests, "{at} {death:?}: what rests there is not sent again");
            let told = world.open().await.load().await.unwrap();
            assert!(told.entries().all(|entry| entry.copies.len() == 2), "{at} {death:?}");
            if at.is_multiple_of(11) || done.is_some() {
                assert_eq!(whole(&world, &there).await, 4, "{at} {death:?}");
            }
            if done.is_some() {
                break;
            }
            at += 1;
        }
        assert!(at > 100, "only {at} operations");
    }
}

/// A place that has the identity of a repository has its keys, too: without them it would pass for one that is not sealed.
#[tokio::test(start_paused = true)]
async fn a_destination_is_no_repository_before_it_has_the_keys() {
    let world = world().await;
    let ring = strongroom_core::Key::new("keys/ring.json").unwrap();
    world.storage.put(ring.clone(), "a ring");
    let mut at = 1;
    loop {
        let there = MemoryStorage::new();
        let process = Crashing::at(there.clone(), at, Death::After);
        let work = async {
            copy(world.open().await, Arc::new(Codecs), Arc::new(process.clone()), all()).await.unwrap();
        };
        let done = process.run(work).await;
        assert!(!is_repository(&there) || there.keys().contains(&ring), "{at}");
        if done.is_some() || is_repository(&there) {
            break;
        }
        at += 1;
    }
    assert!(at > 3);
}
