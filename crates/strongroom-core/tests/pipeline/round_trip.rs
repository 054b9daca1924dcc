//! What is written is read back, however it is cut, packed and coded.

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use proptest::prelude::*;
use strongroom_core::codec::{FrameId, PartHeader};
use strongroom_core::pipeline::coder::Scratch;
use strongroom_core::pipeline::frame::FrameHeader;
use strongroom_core::pipeline::{Origin, Settings, Stack};
use strongroom_core::{ErrorKind, Key, PutMode, Storage as _};
use strongroom_testkit::{Call, MemoryStorage, Recording};

use crate::support::{REPOSITORY, bytes, collect, progress, read, reader, small, write, writer};
use crate::toy::{self, Xor};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn pieces_come_back_as_they_were(
        lengths in proptest::collection::vec(prop_oneof![0..3usize, 0..3000usize, 0..40_000usize], 1..8),
        codecs in proptest::sample::select(vec![&[][..], &["xor:7"], &["xor:7", "xor:200"], &["xor:1", "xor:2", "xor:3"]]),
        frame_bytes in prop_oneof![1..50usize, 50..5000usize],
        part_bytes in 1..50_000u64,
        pack_bytes in 0..50_000u64,
        chunk in 1..5000usize,
    ) {
        let settings = Settings { frame_bytes: frame_bytes.max(lengths.iter().max().unwrap() / 200 + 1), part_bytes, pack_bytes, ..small() };
        let bodies: Vec<Bytes> = (0..).zip(&lengths).map(|(seed, length)| bytes(seed, *length)).collect();
        runtime().block_on(async {
            let storage = MemoryStorage::new().with_chunk(chunk);
            let written = write(&writer(storage.clone(), settings, codecs), &bodies).await.unwrap();
            let reader = reader(storage.clone(), settings, codecs);
            assert_eq!(read(&reader, &written.pieces).await.unwrap(), bodies);
            // In any order and alone, too.
            for (piece, body) in written.pieces.iter().zip(&bodies).rev() {
                assert_eq!(collect(reader.piece(piece)).await.unwrap(), *body);
                assert_eq!(piece.plain_bytes, body.len() as u64);
            }
            // The objects are exactly those that are named.
            let mut named: Vec<Key> = written.objects.iter().map(|object| object.key.clone()).collect();
            named.sort();
            assert_eq!(storage.keys(), named);
            for object in &written.objects {
                reader.prove(object).await.unwrap();
            }
            assert_eq!(storage.bytes(), written.objects.iter().map(|object| object.size).sum::<u64>());
        });
    }

    #[test]
    fn decode_undoes_encode_for_any_stack(
        keys in proptest::collection::vec(any::<u8>(), 0..5),
        plain in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5),
        index: u32, last: bool,
    ) {
        let header = PartHeader { repository: REPOSITORY, part: "p".to_owned(), salt: [3; 32] };
        let stack = Stack::new(keys.into_iter().map(|key| std::sync::Arc::new(Xor(key)) as _).collect());
        let coder = stack.begin(&header).unwrap();
        let (mut scratch, mut out) = (Scratch::default(), vec![1, 2, 3]);
        let chunks: Vec<Bytes> = plain.iter().cloned().map(Bytes::from).collect();
        coder.encode(FrameId { index, last }, &chunks, &mut scratch, &mut out).unwrap();
        let (head, coded) = out[3..].split_first_chunk().unwrap();
        let frame = FrameHeader::parse(head, index).unwrap();
        frame.check(&[Bytes::copy_from_slice(coded)]).unwrap();
        let mut back = vec![9];
        coder.decode(&frame, coded, &mut scratch, &mut back).unwrap();
        prop_assert_eq!(&back[1..], plain.concat());
    }
}

#[test]
fn stacks_are_resolved_by_name() {
    let ids = vec![toy::id("xor:1"); 9];
    assert_eq!(Stack::resolve(&toy::Codecs, &ids).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(Stack::resolve(&toy::Codecs, &ids[..2]).unwrap().ids(), &ids[..2]);
    assert_eq!(Stack::resolve(&toy::Codecs, &[toy::id("none")]).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn an_empty_piece_is_one_part_with_one_empty_frame() {
    let storage = MemoryStorage::new();
    let written = write(&writer(storage.clone(), small(), &["xor:9"]), &[Bytes::new()]).await.unwrap();
    assert_eq!(written.objects.len(), 1);
    let part = &written.pieces[0].parts[0];
    assert_eq!((part.plain_bytes, part.slice), (0, None));
    let read = collect(reader(storage, small(), &["xor:9"]).piece(&written.pieces[0])).await.unwrap();
    assert!(read.is_empty());
}

#[tokio::test]
async fn small_pieces_share_objects_and_are_read_with_one_request_each_object() {
    let storage = MemoryStorage::new();
    let bodies: Vec<Bytes> = (0..100).map(|seed| bytes(seed, 900)).collect();
    let written = write(&writer(storage.clone(), small(), &[]), &bodies).await.unwrap();
    assert!(written.objects.len() < 8, "{} objects for 100 pieces", written.objects.len());
    assert!(written.pieces.iter().all(|piece| piece.parts[0].slice.is_some()));
    let recording = Recording::new(storage);
    assert_eq!(read(&reader(recording.clone(), small(), &[]), &written.pieces).await.unwrap(), bodies);
    let reads = recording.traffic().count(|call| matches!(call, Call::Read(..)));
    assert_eq!(reads, written.objects.len());
}

#[tokio::test]
async fn a_large_piece_is_cut_into_parts_of_their_own_objects() {
    let storage = MemoryStorage::new();
    let body = bytes(1, 34_567);
    let written = write(&writer(storage.clone(), small(), &["xor:1"]), &[body]).await.unwrap();
    let parts = &written.pieces[0].parts;
    assert_eq!(parts.iter().map(|part| part.plain_bytes).collect::<Vec<_>>(), [10_000, 10_000, 10_000, 4567]);
    assert!(
        parts[0].object.key.as_str().starts_with("b/data/000000.") && parts[0].object.key.as_str().ends_with(".000")
    );
    assert!(parts[3].part.ends_with("/0/3"), "{}", parts[3].part);
}

#[tokio::test]
async fn shared_content_is_one_object_however_large() {
    let storage = MemoryStorage::new();
    let mut writer = writer(storage.clone(), small(), &[]);
    writer.origin = Origin::Content("ab".repeat(32));
    let body = bytes(1, 50_000);
    let written = write(&writer, std::slice::from_ref(&body)).await.unwrap();
    assert_eq!(written.objects.len(), 1);
    assert_eq!(collect(reader(storage, small(), &[]).piece(&written.pieces[0])).await.unwrap(), body);
    assert_eq!(write(&writer, &[body.clone(), body]).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn progress_counts_what_moved() {
    let progress = progress();
    progress.expect(1, 10);
    let storage = MemoryStorage::new();
    let mut share = progress.begin();
    let pieces = [crate::support::piece(0, "p0")];
    let open = |_| std::future::ready(Ok(crate::support::open(bytes(1, 5000)))).boxed();
    writer(storage.clone(), small(), &[]).write(&pieces, open, &mut share).await.unwrap();
    share.keep();
    let now = progress.snapshot();
    assert_eq!((now.pieces, now.plain_bytes, now.plain_bytes_total), (1, 5000, 5010));
    assert_eq!((now.stored_bytes, now.records), (storage.bytes(), 8));
}

#[tokio::test]
async fn a_reader_is_lazy_and_many_wait_for_none_of_each_other() {
    let storage = MemoryStorage::new();
    let bodies: Vec<Bytes> = (0..20).map(|seed| bytes(seed, 15_000)).collect();
    let written = write(&writer(storage.clone(), small(), &["xor:3"]), &bodies).await.unwrap();
    let reader = reader(storage, small(), &["xor:3"]);
    let mut streams = reader.pieces(&written.pieces);
    // A merge takes one chunk of each in turn: with fewer slots than streams it must not get stuck.
    let mut back = vec![Vec::new(); streams.len()];
    let mut open = streams.len();
    while open > 0 {
        open = 0;
        for (stream, back) in streams.iter_mut().zip(&mut back) {
            if let Some(chunk) = stream.next().await {
                back.extend_from_slice(&chunk.unwrap());
                open += 1;
            }
        }
    }
    assert_eq!(back, bodies);
}

#[tokio::test]
async fn objects_are_written_as_new() {
    let storage = MemoryStorage::new();
    let written = write(&writer(storage.clone(), small(), &[]), &[bytes(1, 10)]).await.unwrap();
    let key = &written.objects[0].key;
    let upload = storage.create(key, PutMode::CreateNew).await;
    let taken = match upload {
        Ok(upload) => upload.finish().await.is_err(),
        Err(_) => true,
    };
    assert!(taken);
}
