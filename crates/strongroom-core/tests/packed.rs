//! Entries as bytes: everything comes back, and bytes that are not what was written are an error, never a panic.
#![expect(clippy::unwrap_used, reason = "a fixture that is wrong shall stop the test")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use strongroom_core::codec::CodecId;
use strongroom_core::id::{BackupId, ClusterId, DataKeyId, RunId, TimelineId};
use strongroom_core::model::{Applies, BackupKind, Deletes, Depth, Filter, Status, Window};
use strongroom_core::planner::{
    Builder, Catalogue, Entry, Held, HeldState, LogPlace, LogSeq, Pin, PinKind, Request, Size, Target, Tier, Timeline,
    Verified,
};
use strongroom_core::{ErrorKind, Key, Timestamp};

fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => 0..1_000_i64,
        1 => -1_000..0_i64,
        1 => any::<i64>(),
    ]
    .prop_map(Timestamp::from_micros)
}

fn held() -> impl Strategy<Value = Held> {
    let state =
        prop::sample::select(vec![HeldState::Present, HeldState::Unreachable, HeldState::Corrupt, HeldState::Deleted]);
    let tier = prop::sample::select(vec![Tier::Hot, Tier::Cool, Tier::Archive]);
    ("[a-c]", state, tier, 0..3_u64, prop::option::of(moment()))
        .prop_map(|(storage, state, tier, cost, locked_until)| Held { storage, state, tier, cost, locked_until })
}

fn pin() -> impl Strategy<Value = Pin> {
    let kind = prop::sample::select(vec![PinKind::Pin, PinKind::Hold, PinKind::Lease]);
    (kind, "\\PC{0,5}", prop::option::of(moment()), "\\PC{0,3}", prop::option::of(moment()))
        .prop_map(|(kind, reason, until, by, set)| Pin { kind, reason, until, by, set })
}

fn log() -> impl Strategy<Value = LogPlace> {
    let seq = || (0..3_u64, any::<u64>()).prop_map(|(epoch, seq)| LogSeq { epoch, seq });
    ("[ab]", seq(), prop::option::of(seq())).prop_map(|(node, at, previous)| LogPlace {
        node,
        epoch: at.epoch,
        seq: at.seq,
        previous,
    })
}

/// Entries of every kind; those that make no sense too, for a catalogue has to bear them.
fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop::sample::select(vec![
        BackupKind::Base,
        BackupKind::Incremental,
        BackupKind::Synthetic,
        BackupKind::LogSegment,
    ]);
    let what = (kind, any::<bool>(), any::<bool>(), 0..3_u128, "[pq]", 0..2_u128, 0..2_u32, log());
    let when = (prop::option::of(moment()), moment(), moment(), moment());
    let known = (
        prop::sample::select(vec![Status::Complete, Status::Partial, Status::Corrupt, Status::Deleted]),
        prop::option::of(
            (moment(), any::<bool>())
                .prop_map(|(when, hash)| Verified { when, depth: if hash { Depth::Hash } else { Depth::Exists } }),
        ),
        prop::collection::vec(held(), 0..3),
        prop::collection::vec(pin(), 0..2),
        prop::option::of(0..50_u128),
        any::<[u64; 5]>(),
    );
    (what, when, known).prop_map(|(what, when, known)| {
        let (kind, exact, seen, cluster, part, timeline, missing, log) = what;
        let (from, until, settled, created) = when;
        let (status, verified, copies, pins, parent, [records, deletes, objects, plain_bytes, stored_bytes]) = known;
        let filter = Filter { tables: exact.then(|| ["t".to_owned()].into()), ..Filter::default() };
        Entry {
            id: BackupId::from_u128(0),
            run: RunId::from_u128(u128::from(records) << 64 | 3),
            kind,
            parent: parent.map(BackupId::from_u128),
            cluster: ClusterId::from_u128(cluster),
            part,
            timeline: TimelineId::from_u128(timeline),
            window: Window { from, until, settled },
            applies: if exact { Applies::Exact } else { Applies::Cover },
            deletes: if seen { Deletes::Seen } else { Deletes::Unseen },
            filter,
            missing,
            status,
            verified,
            size: Size { records, deletes, objects, plain_bytes, stored_bytes },
            codecs: if seen { vec![CodecId::new("zstd").unwrap()] } else { Vec::new() },
            keys: if exact { vec![DataKeyId::from_u128(9)] } else { Vec::new() },
            nodes: if seen { vec!["n1".to_owned(), "n2".to_owned()] } else { Vec::new() },
            manifest: Key::new("x").unwrap(),
            copies,
            pins,
            created,
            log: (kind == BackupKind::LogSegment).then_some(log),
        }
    })
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec((entry(), any::<bool>()), 0..40).prop_map(|all| {
        let numbered = all.into_iter().zip(1..).map(|((entry, usual), number)| {
            let (id, window) = (BackupId::from_u128(number), entry.window);
            let from = window.from.map_or(0, Timestamp::micros);
            // A name as the repository gives it, or any other.
            let name = if usual && from >= 0 && window.until.micros() >= 0 {
                format!("backups/c,p/{from:018}-{:018}-base-{id}/manifest.json", window.until.micros())
            } else {
                format!("elsewhere/{number}/manifest.json")
            };
            Entry { id, manifest: Key::new(name).unwrap(), ..entry }
        });
        numbered.collect()
    })
}

fn by_id(entries: impl IntoIterator<Item = Entry>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = entries.into_iter().collect();
    entries.sort_by_key(|entry| entry.id);
    entries
}

fn timeline(id: u128) -> Timeline {
    Timeline {
        id: TimelineId::from_u128(id),
        part: "p".to_owned(),
        cluster: ClusterId::from_u128(0),
        parent: None,
        began: None,
    }
}

/// A class whose node has lost its name: its rows have places in a log, and their lane has none.
#[test]
fn a_log_segment_without_its_node_is_damage() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let tree = entry().prop_filter("a log segment", |entry| entry.kind == BackupKind::LogSegment);
    let entry = tree.new_tree(&mut runner).unwrap().current();
    let packed = Catalogue::from_entries([entry], [], 5, true).pack();
    let name = br#""node":"#;
    let at = packed.windows(name.len()).position(|bytes| bytes == name).unwrap();
    let mut flipped = packed;
    flipped[at + 1] ^= 1;
    assert_eq!(Builder::unpack(&flipped).unwrap_err().kind(), ErrorKind::Corrupt);
}

proptest! {
    #[test]
    fn what_was_packed_is_unpacked(entries in entries()) {
        let catalogue = Catalogue::from_entries(entries.clone(), [timeline(1)], 5, true);
        let builder = Builder::unpack(&catalogue.pack()).unwrap();
        for entry in &entries {
            prop_assert_eq!(builder.entry(entry.id), catalogue.entry(entry.id));
        }
        let back = builder.finish([timeline(1)], 5, true);
        prop_assert_eq!(&back, &catalogue);
        prop_assert_eq!(back.pack(), catalogue.pack());
        for target in [Target::Latest, Target::AtOrBefore(Timestamp::from_micros(500))] {
            let request = Request::at(target);
            prop_assert_eq!(back.plan(&request), catalogue.plan(&request));
        }
    }

    #[test]
    fn what_is_taken_out_is_gone_and_the_rest_stays(entries in entries(), taken in prop::collection::btree_set(1..45_u128, 0..20)) {
        let taken: BTreeSet<BackupId> = taken.into_iter().map(BackupId::from_u128).collect();
        let mut builder = Catalogue::from_entries(entries.clone(), [], 5, true).into_builder();
        builder.remove(taken.iter().copied());
        for entry in &entries {
            prop_assert_eq!(builder.contains(entry.id), !taken.contains(&entry.id));
        }
        let kept = entries.iter().filter(|entry| !taken.contains(&entry.id)).cloned();
        let expected = Catalogue::from_entries(kept, [], 5, true);
        let back = builder.finish([], 5, true);
        prop_assert_eq!(&back, &expected);
        // And they can come again.
        let mut again = back.into_builder();
        entries.iter().filter(|entry| taken.contains(&entry.id)).for_each(|entry| again.push(entry));
        let whole = Catalogue::from_entries(entries.clone(), [], 5, true);
        prop_assert_eq!(by_id(again.finish([], 5, true).entries()), by_id(whole.entries()));
    }

    #[test]
    fn any_cut_or_change_is_an_error_or_a_catalogue(entries in entries(), at: prop::sample::Index, bit in 0..8_u8) {
        let whole = Catalogue::from_entries(entries, [], 5, true).pack();
        let cut = Builder::unpack(&whole[..at.index(whole.len())]);
        prop_assert_eq!(cut.unwrap_err().kind(), ErrorKind::Corrupt);
        let mut flipped = whole;
        let at = at.index(flipped.len());
        flipped[at] ^= 1 << bit;
        if let Ok(builder) = Builder::unpack(&flipped) {
            let catalogue = builder.finish([], 5, true);
            let _ = catalogue.plan(&Request::at(Target::Latest));
            prop_assert_eq!(catalogue.entries().count(), catalogue.len());
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_catalogue(bytes: Vec<u8>) {
        if let Ok(builder) = Builder::unpack(&bytes) {
            prop_assert_eq!(builder.finish([], 5, true).len(), 0, "so few bytes hold no entry");
        }
    }
}
