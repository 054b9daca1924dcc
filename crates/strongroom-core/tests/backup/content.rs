//! Shared content: stored once, used again.

use strongroom_core::engine::{BackupKindWish, BackupRequest};
use strongroom_core::pipeline::Stack;
use strongroom_testkit::SimulatedOptions;

use crate::support::{World, committed, pieces, request, restored};
use crate::toy::{Codecs, id};

#[tokio::test(start_paused = true)]
async fn unchanging_files_are_stored_once() {
    let world = World::new(SimulatedOptions::default()).await;
    for number in 0..5 {
        world.cluster.put_file("a", &format!("table {number}"), vec![number; 3000]);
    }
    let base = || BackupRequest { kind: BackupKindWish::Base, ..request() };
    let first = world.backup(1, base()).await.unwrap();
    assert_eq!(committed(&first, "a").totals.reused_bytes, 0);
    let shared = |world: &World| -> Vec<_> {
        world.storage.keys().into_iter().filter(|key| key.as_str().starts_with("content/")).collect()
    };
    let before = shared(&world);
    assert!(before.len() >= 5);
    world.cluster.put_file("a", "one more", vec![9; 1234]);
    let reads = world.cluster.reads();
    let second = world.backup(2, base()).await.unwrap();
    let totals = committed(&second, "a").totals;
    assert!(totals.reused_bytes > 5 * 3000 && totals.reused_bytes < totals.stored_bytes, "{totals:?}");
    assert_eq!(shared(&world).len(), before.len() + 1);
    let bodies = |reads: &std::collections::BTreeMap<String, u64>| -> u64 {
        reads.iter().filter(|(name, _)| name.ends_with("/body")).map(|(_, count)| count).sum()
    };
    assert_eq!(bodies(&world.cluster.reads()), bodies(&reads) + 1, "only the new file was read");
    let repository = world.open(3).await;
    for report in [&first, &second] {
        let committed = committed(report, "a");
        let found = restored(&repository, committed.backup, SimulatedOptions::default()).await;
        assert_eq!(found, world.cluster.part_at("a", committed.window.until));
    }
    let (manifest, _) = pieces(&repository, &committed(&second, "a").manifest).await;
    assert!(manifest.shared.is_some());
}

#[tokio::test(start_paused = true)]
async fn content_has_its_own_codecs_and_other_codecs_are_other_content() {
    let world = World::new(SimulatedOptions::default()).await;
    world.cluster.put_file("a", "f", vec![1; 3000]);
    let with = |name: &str| BackupRequest {
        kind: BackupKindWish::Base,
        content_stack: Some(Stack::resolve(&Codecs, &[id(name)]).unwrap()),
        ..request()
    };
    let mut reused = Vec::new();
    for (number, codec) in [(1, "xor:9"), (2, "xor:9"), (3, "xor:8")] {
        let report = world.backup(number, with(codec)).await.unwrap();
        let committed = committed(&report, "a");
        reused.push(committed.totals.reused_bytes > 0);
        let repository = world.open(number + 10).await;
        let found = restored(&repository, committed.backup, SimulatedOptions::default()).await;
        assert_eq!(found, world.cluster.part_at("a", committed.window.until));
    }
    assert_eq!(reused, [false, true, false]);
}

#[tokio::test(start_paused = true)]
async fn content_that_is_gone_is_stored_again() {
    let world = World::new(SimulatedOptions::default()).await;
    world.cluster.put_file("a", "f", vec![1; 3000]);
    let base = || BackupRequest { kind: BackupKindWish::Base, ..request() };
    world.backup(1, base()).await.unwrap();
    for key in world.storage.keys().into_iter().filter(|key| key.as_str().starts_with("content/")) {
        drop(world.storage.take(&key));
    }
    let report = world.backup(2, base()).await.unwrap();
    let committed = committed(&report, "a");
    assert_eq!(committed.totals.reused_bytes, 0);
    let found = restored(&world.open(3).await, committed.backup, SimulatedOptions::default()).await;
    assert_eq!(found, world.cluster.part_at("a", committed.window.until));
}
