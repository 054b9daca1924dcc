//! Folds and sorts against a plain map.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::executor::block_on;
use proptest::prelude::*;
use strongroom_core::cluster::{Fold as _, FoldInput, FoldRequest, Folded};
use strongroom_core::{ByteStream, ErrorKind};
use strongroom_record::asb::{Encoder, Limits};
use strongroom_record::deletes::{Tombstone, tombstones, write_delete, write_header};
use strongroom_record::fold::{Change, Deletes, Layer, RecordFold, Sorter, fold, fold_pieces};
use strongroom_record::{Bin, BinName, Digest, Entity, Name, Particle, Record};

use super::common;

fn namespace() -> Name {
    Name::namespace("test").unwrap()
}

fn digest(n: u8) -> Digest {
    // Few digests, spread over partitions and within one.
    Digest(std::array::from_fn(|i| if i < 2 { n % 7 } else { n }))
}

fn record(n: u8, generation: u16) -> Record {
    Record {
        namespace: namespace(),
        set: n.is_multiple_of(2).then(|| Name::set("s").unwrap()),
        digest: digest(n),
        key: None,
        generation,
        void_time: 0,
        bins: vec![Bin { name: BinName::new("b").unwrap(), value: Particle::Integer(generation.into()) }],
    }
}

fn chunks(text: &[u8], size: usize) -> ByteStream {
    let chunks: Vec<_> = text.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    futures::stream::iter(chunks).boxed()
}

/// What one backup saw: digest number to generation, or deleted.
type Seen = BTreeMap<u8, Option<u16>>;

/// The pieces of a layer, the records cut into two pieces.
fn layer(seen: &Seen, chunk: usize) -> Layer {
    let mut records: Vec<_> =
        seen.iter().filter_map(|(n, state)| state.map(|generation| record(*n, generation))).collect();
    records.sort_by_key(Record::order);
    let mut gone: Vec<_> = seen.iter().filter(|(_, state)| state.is_none()).map(|(n, _)| digest(*n)).collect();
    gone.sort_by_key(Digest::order);
    let half = records.len() / 2;
    let data = [&records[..half], &records[half..]].map(|records| {
        let mut text = Vec::new();
        Encoder::COMPACT.header(&mut text, &namespace(), false);
        for record in records {
            Encoder::COMPACT.record(&mut text, record).unwrap();
        }
        chunks(&text, chunk)
    });
    let mut text = Vec::new();
    write_header(&mut text, &namespace());
    for digest in &gone {
        write_delete(&mut text, digest, None);
    }
    Layer::new(data.into(), vec![chunks(&text, chunk)], Limits::default())
}

fn seen() -> impl Strategy<Value = Seen> {
    prop::collection::btree_map(0..40_u8, prop::option::weighted(0.7, 1..1000_u16), 0..30)
}

fn collect(stream: futures::stream::BoxStream<'static, strongroom_core::Result<Vec<Change>>>) -> Vec<Change> {
    block_on(stream.map(Result::unwrap).concat())
}

fn stretches(request: FoldRequest, layers: Vec<Layer>) -> Vec<Folded> {
    block_on(fold_pieces(namespace(), request, layers).map(Result::unwrap).collect())
}

fn records(stretch: &Folded) -> Vec<Record> {
    if stretch.data.is_empty() {
        return Vec::new();
    }
    common::decode(&stretch.data, 1000).unwrap().into_iter().filter_map(Entity::into_record).collect()
}

fn tombstones_in(stretch: &Folded) -> Vec<Tombstone> {
    if stretch.deletes.is_empty() {
        return Vec::new();
    }
    block_on(tombstones(chunks(&stretch.deletes, 1000)).map(Result::unwrap).concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_fold_is_the_newest_state_of_every_digest(
        newest_first in prop::collection::vec(seen(), 0..6),
        chunk in 1..400_usize,
        piece_bytes in 1..1000_usize,
    ) {
        let mut model: BTreeMap<_, Option<Record>> = BTreeMap::new();
        for seen in newest_first.iter().rev() {
            for (n, state) in seen {
                model.insert(digest(*n).order(), state.map(|generation| record(*n, generation)));
            }
        }
        let layers = || newest_first.iter().map(|seen| layer(seen, chunk)).collect::<Vec<_>>();

        let emitted = collect(fold(layers(), Deletes::Emit));
        let emitted: Vec<_> = emitted.into_iter().map(|change| match change {
            Change::Put(record) => (record.order(), Some(record)),
            Change::Delete(tombstone) => (tombstone.digest.order(), None),
        }).collect();
        prop_assert_eq!(&emitted, &model.clone().into_iter().collect::<Vec<_>>());

        let alive: Vec<_> = model.into_values().flatten().collect();
        let dropped = collect(fold(layers(), Deletes::Drop));
        prop_assert_eq!(dropped, alive.iter().cloned().map(Change::Put).collect::<Vec<_>>());

        for (deletes, piece_bytes) in [(true, piece_bytes), (false, piece_bytes), (true, usize::MAX)] {
            let request = FoldRequest { deletes, piece_bytes };
            let stretches = stretches(request, layers());
            let mut read = Vec::new();
            for stretch in &stretches {
                let (records, gone) = (records(stretch), tombstones_in(stretch));
                prop_assert_eq!((records.len() as u64, gone.len() as u64), (stretch.records, stretch.deleted));
                let mut states: Vec<_> = records.into_iter().map(|record| (record.order(), Some(record))).collect();
                states.extend(gone.into_iter().map(|gone| (gone.digest.order(), None)));
                states.sort_by_key(|(order, _)| *order);
                prop_assert!(!states.is_empty(), "no stretch is for nothing");
                read.extend(states);
            }
            let wanted: Vec<_> = emitted.iter().filter(|(_, state)| deletes || state.is_some()).cloned().collect();
            prop_assert_eq!(read, wanted, "in order over all stretches, each once");
            let small = |stretch: &Folded| stretch.data.len() + stretch.deletes.len() < piece_bytes + 200;
            prop_assert!(piece_bytes == usize::MAX || stretches.iter().all(small));
        }
    }

    #[test]
    fn a_sort_keeps_the_last_of_every_digest(
        pushes in prop::collection::vec((any::<u8>(), any::<u16>()), 0..600),
        limit in prop::sample::select(vec![0_usize, 400, 5_000, 1 << 20]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(limit, folder.path());
        let mut model = BTreeMap::new();
        for (n, generation) in pushes {
            let record = record(n, generation);
            model.insert(record.order(), record.clone());
            sorter.push(record).unwrap();
        }
        let sorted: Vec<_> = sorter.finish().unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(sorted, model.into_values().collect::<Vec<_>>());
    }
}

#[test]
fn a_delete_outranks_a_record_of_its_own_layer() {
    let mut data = Vec::new();
    Encoder::COMPACT.header(&mut data, &namespace(), false);
    Encoder::COMPACT.record(&mut data, &record(1, 1)).unwrap();
    let mut gone = Vec::new();
    write_header(&mut gone, &namespace());
    write_delete(&mut gone, &digest(1), None);
    let layer = Layer::new(vec![chunks(&data, 100)], vec![chunks(&gone, 100)], Limits::default());
    assert!(matches!(&collect(fold(vec![layer], Deletes::Emit))[..], [Change::Delete(_)]));
}

fn first_error(text: &str) -> strongroom_core::Error {
    let layer = Layer::new(vec![chunks(text.as_bytes(), 4096)], vec![], Limits::default());
    block_on(fold(vec![layer], Deletes::Drop).next()).unwrap().unwrap_err()
}

#[test]
fn what_is_not_sorted_or_no_record_is_refused() {
    let line = |digest: &str, namespace: &str| format!("+ n {namespace}\n+ d {digest}\n+ g 1\n+ t 0\n+ b 0\n");
    let (low, high) = (digest(0).to_base64(), digest(1).to_base64());
    let error = first_error(&format!("Version 3.1\n{}{}", line(&high, "test"), line(&low, "test")));
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(
        error.to_string(),
        "record 0000000000000000000000000000000000000000 is not behind the one before it \
         (this is no sorted piece: sort the records first)"
    );
    let error = first_error(&format!("Version 3.1\n{}{}", line(&low, "test"), line(&high, "other")));
    assert!(error.to_string().contains("is in namespace other, the others are in test"), "{error}");
    let error = first_error("Version 3.1\n* i test  ix N 1 b N\n");
    assert_eq!(error.to_string(), "index ix is in a piece of records (schema belongs in a piece of its own)");
}

#[test]
fn pieces_of_another_part_are_told() {
    let mut data = Vec::new();
    Encoder::COMPACT.header(&mut data, &namespace(), false);
    Encoder::COMPACT.record(&mut data, &record(1, 1)).unwrap();
    let request = FoldRequest { deletes: false, piece_bytes: 1000 };
    let input = || vec![FoldInput { data: vec![chunks(&data, 100)], deletes: Vec::new() }];
    let mut folded = RecordFold.fold("other", request, input()).unwrap();
    let error = block_on(folded.next()).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("is in namespace test, not other"), "{error}");
    assert!(block_on(folded.next()).is_none());
    assert!(RecordFold.fold("", request, input()).is_err_and(|error| error.kind() == ErrorKind::Invalid));
}

#[test]
fn a_sort_without_its_folder_says_so() {
    let mut sorter = Sorter::new(0, "/nonexistent/folder");
    let error = sorter.push(record(1, 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().starts_with("temporary file in /nonexistent/folder: "), "{error}");
}
