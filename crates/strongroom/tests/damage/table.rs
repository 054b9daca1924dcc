//! The table. Every kind of object with every kind of damage stands in it once, or the damage can't happen to it.

use std::collections::BTreeMap;

use strongroom_core::ErrorKind::{Corrupt, Denied, NotFound};

use crate::harm::{HARMS, Harm, harmed};
use crate::judge::{Done, Outcome, Seen, judge};
use crate::world::{Object, World};

use Done::{GotBy, Refused, Restored};
use Harm::{Deleted, Emptied, Flipped, Foreign, FramesSwapped, Old, Swapped, Truncated};
use Seen::{Named, Stopped, Warned, Whole};

/// One bit, wherever it is.
const FLIPS: [Harm; 5] = [Flipped(0), Flipped(3), Flipped(5), Flipped(8), Flipped(10)];

struct Row {
    object: Object,
    harms: &'static [Harm],
    /// All of [`FLIPS`] too.
    flips: bool,
    /// What checks say at the depths `exists`, `hash`, `decode`.
    seen: [Seen; 3],
    restore: Done,
}

const fn row(object: Object, harms: &'static [Harm], flips: bool, seen: [Seen; 3], restore: Done) -> Row {
    Row { object, harms, flips, seen, restore }
}

const fn all(seen: Seen) -> [Seen; 3] {
    [seen; 3]
}

/// What only reading the bytes shows.
const HASHED: [Seen; 3] = [Whole, Named(Corrupt), Named(Corrupt)];

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // Without its identity nothing of a repository is believed. There is only one.
    row(Object::Identity, &[Deleted, Truncated, Emptied, FramesSwapped, Foreign], true, all(Stopped(Corrupt)), Refused(Corrupt)),
    // It matters to whoever is about to back this cluster up or restore into it.
    row(Object::Registration, &[Deleted], false, all(Whole), Restored),
    row(Object::Registration, &[Truncated, Emptied, FramesSwapped, Swapped, Old, Foreign], true, all(Warned), Restored),
    row(Object::BaseManifest, &[Deleted], false, all(Named(NotFound)), Refused(NotFound)),
    row(Object::BaseManifest, &[Truncated, Emptied, FramesSwapped, Swapped, Old, Foreign], true, all(Named(Corrupt)), Refused(Corrupt)),
    row(Object::Manifest, &[Deleted], false, all(Named(NotFound)), Refused(NotFound)),
    row(Object::Manifest, &[Truncated, Emptied, FramesSwapped, Swapped, Old, Foreign], true, all(Named(Corrupt)), Refused(Corrupt)),
    // It has one frame.
    row(Object::List, &[Deleted], false, all(Named(NotFound)), Refused(NotFound)),
    row(Object::List, &[Truncated, Emptied, Swapped, Old, Foreign], true, all(Named(Corrupt)), Refused(Corrupt)),
    // It is for prunes: a restore does without it.
    row(Object::SharedList, &[Deleted], false, all(Named(NotFound)), Restored),
    row(Object::SharedList, &[Truncated, Emptied], false, all(Named(Corrupt)), Restored),
    row(Object::SharedList, &[FramesSwapped, Swapped, Old, Foreign], true, HASHED, Restored),
    row(Object::Data, &[Deleted], false, all(Named(NotFound)), Refused(NotFound)),
    row(Object::Data, &[Truncated, Emptied, Swapped, Old, Foreign], false, all(Named(Corrupt)), Refused(Corrupt)),
    row(Object::Data, &[FramesSwapped], true, HASHED, Refused(Corrupt)),
    // Swapped ones and older ones are equally large here.
    row(Object::Content, &[Deleted], false, all(Named(NotFound)), Refused(NotFound)),
    row(Object::Content, &[Truncated, Emptied], false, all(Named(Corrupt)), Refused(Corrupt)),
    row(Object::Content, &[FramesSwapped, Swapped, Old, Foreign], true, HASHED, Refused(Corrupt)),
    // The newest segment leaves no gap; what it told of is found by the one before, which told of its beginning.
    row(Object::Segment, &[Deleted], false, all(Whole), Restored),
    row(Object::Segment, &[Truncated, Emptied, FramesSwapped, Swapped, Old, Foreign], true, all(Warned), GotBy),
    row(Object::Snapshot, &[Deleted, Truncated, Emptied, FramesSwapped, Old, Foreign], true, all(Warned), GotBy),
    // Keys: what can't be opened is no damage of the backups.
    row(Object::Ring, &[Deleted], false, all(Stopped(NotFound)), Refused(NotFound)),
    row(Object::Ring, &[Truncated, Emptied, FramesSwapped, Foreign], true, all(Stopped(Corrupt)), Refused(Corrupt)),
    row(Object::DataKey, &[Deleted], false, all(Stopped(Denied)), Refused(Denied)),
    row(Object::DataKey, &[Truncated, Emptied, FramesSwapped, Foreign], true, all(Stopped(Corrupt)), Refused(Corrupt)),
    row(Object::ContentKey, &[Deleted, Truncated, Emptied, FramesSwapped, Swapped, Foreign], true, all(Stopped(Corrupt)), Refused(Corrupt)),
    // What prunes, readers and writers tell each other is not needed to bring anything back.
    row(Object::Lease, &[Deleted], false, all(Whole), Restored),
    row(Object::Lease, &[Truncated, Emptied, FramesSwapped, Swapped, Old, Foreign], true, all(Warned), Restored),
    row(Object::Condemned, &[Deleted], false, all(Whole), Restored),
    row(Object::Condemned, &[Truncated, Emptied, FramesSwapped, Swapped, Old, Foreign], true, all(Warned), Restored),
    row(Object::Done, &[Deleted], false, all(Whole), Restored),
    row(Object::Done, &[Truncated, Emptied, FramesSwapped, Foreign], true, all(Warned), Restored),
];

const OBJECTS: [Object; 16] = [
    Object::Identity,
    Object::Registration,
    Object::BaseManifest,
    Object::Manifest,
    Object::List,
    Object::SharedList,
    Object::Data,
    Object::Content,
    Object::Segment,
    Object::Snapshot,
    Object::Ring,
    Object::DataKey,
    Object::ContentKey,
    Object::Lease,
    Object::Condemned,
    Object::Done,
];

/// The table by object and harm; no cell stands in it twice.
fn cells() -> BTreeMap<(Object, Harm), Outcome> {
    let mut cells = BTreeMap::new();
    for Row { object, harms, flips, seen: [exists, hash, decode], restore } in TABLE {
        let outcome = Outcome { exists: *exists, hash: *hash, decode: *decode, restore: *restore };
        for harm in harms.iter().chain(FLIPS.iter().filter(|_| *flips)) {
            assert!(cells.insert((*object, *harm), outcome).is_none(), "{object:?} {harm:?} stands there twice");
        }
    }
    cells
}

async fn check(objects: &[Object]) {
    let (world, foreign) = (World::new(1).await, World::new(2).await);
    let cells = cells();
    for (object, harm) in objects.iter().flat_map(|object| HARMS.map(|harm| (*object, harm))) {
        let expected = cells.get(&(object, harm));
        let Some((contents, damaged)) = harmed(&world, &foreign, object, harm) else {
            assert!(expected.is_none(), "{object:?} {harm:?} stands in the table, and can't happen");
            continue;
        };
        assert_ne!(contents, world.contents, "{object:?} {harm:?} changes nothing");
        let found = judge(&world, &contents, &damaged).await;
        assert_eq!(Some(&found), expected, "{object:?} {harm:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_repository_is_whole() {
    let world = World::new(1).await;
    let whole = Outcome { exists: Whole, hash: Whole, decode: Whole, restore: Restored };
    assert_eq!(judge(&world, &world.contents, &[]).await, whole);
}

#[tokio::test(start_paused = true)]
async fn damage_of_backups() {
    check(&OBJECTS[2..8]).await;
}

#[tokio::test(start_paused = true)]
async fn damage_of_identity_catalogue_keys_leases_and_lists() {
    check(&OBJECTS[..2]).await;
    check(&OBJECTS[8..]).await;
}
