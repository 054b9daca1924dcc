//! Errors and panics in the middle: they end as errors, and nothing is visible that looks whole.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use std::ops::Range;
use strongroom_core::cluster::{PieceReader, PieceSummary};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Error, ErrorKind, Key, PutMode, Result, Storage, Upload};
use strongroom_testkit::MemoryStorage;

use crate::support::{bytes, collect, piece, progress, reader, small, write, writer};

#[tokio::test]
async fn an_error_of_the_cluster_in_mid_piece_leaves_nothing_of_that_object() {
    let storage = MemoryStorage::new();
    let progress = progress();
    let mut share = progress.begin();
    let open = |_| {
        let chunks = vec![Ok(bytes(1, 3000)), Err(Error::unavailable("the node went away"))];
        let summary = async { Ok(PieceSummary::default()) }.boxed();
        std::future::ready(Ok(PieceReader { body: stream::iter(chunks).boxed(), summary })).boxed()
    };
    let error = writer(storage.clone(), small(), &[]).write(&[piece(0, "p0")], open, &mut share).await.unwrap_err();
    assert_eq!(error.message(), "piece 'p0': the node went away");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(storage.keys().is_empty());
    drop(share);
    assert_eq!(progress.snapshot().plain_bytes, 0);
}

#[tokio::test]
async fn an_error_of_the_summary_fails_the_piece() {
    let storage = MemoryStorage::new();
    let open = |_| {
        let summary = async { Err(Error::unavailable("no count")) }.boxed();
        std::future::ready(Ok(PieceReader { body: stream::empty().boxed(), summary })).boxed()
    };
    let mut share = progress().begin();
    let error = writer(storage.clone(), small(), &[]).write(&[piece(0, "p0")], open, &mut share).await.unwrap_err();
    assert_eq!(error.message(), "piece 'p0': no count");
    assert!(storage.keys().is_empty());
}

#[tokio::test]
async fn a_codec_that_panics_is_an_internal_error() {
    for length in [10, 100_000] {
        let settings = strongroom_core::pipeline::Settings { frame_bytes: 1 << 20, ..small() };
        let storage = MemoryStorage::new();
        let error = write(&writer(storage.clone(), settings, &["panics"]), &[bytes(1, length)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(storage.keys().is_empty());
    }
}

#[tokio::test]
async fn a_storage_that_panics_in_a_stream_ends_it_with_an_error() {
    let storage = MemoryStorage::new();
    let written = write(&writer(storage, small(), &[]), &[bytes(1, 100)]).await.unwrap();
    let error = collect(reader(Panicking, small(), &[]).piece(&written.pieces[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[derive(Debug)]
struct Panicking;

#[async_trait::async_trait]
impl Storage for Panicking {
    async fn create(&self, _: &Key, _: PutMode) -> Result<Box<dyn Upload>> {
        Err(Error::denied("read only"))
    }
    async fn read(&self, _: &Key, _: Option<Range<u64>>) -> Result<ByteStream> {
        Ok(stream::once(async { panic!("on purpose") }).boxed())
    }
    async fn stat(&self, _: &Key) -> Result<ObjectMeta> {
        Err(Error::denied("read only"))
    }
    fn list(&self, _: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::empty().boxed()
    }
    async fn delete(&self, _: &Key) -> Result<()> {
        Err(Error::denied("read only"))
    }
}

#[tokio::test]
async fn a_dropped_write_leaves_nothing_half_written_at_any_point() {
    let body = bytes(1, 4000);
    let whole = 4 * (20 + 1 + 1000);
    for polls in 0.. {
        let storage = MemoryStorage::new();
        let writer = writer(storage.clone(), small(), &["xor:1"]);
        let work = Box::pin(write(&writer, std::slice::from_ref(&body)));
        let written = strongroom_testkit::poll_at_most(polls, work).await;
        // An object that was being finished may be there, whole.
        assert!(storage.keys().is_empty() || storage.bytes() > whole, "after {polls} polls");
        if let Some(written) = written {
            assert_eq!(written.unwrap().objects[0].size, storage.bytes());
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn limits_slow_reading_and_writing_down() {
    let limits =
        strongroom_core::pipeline::Limits { bytes_per_second: std::num::NonZeroU64::new(1000), ..Default::default() };
    let settings = strongroom_core::pipeline::Settings { limits, ..small() };
    let storage = MemoryStorage::new();
    let begin = tokio::time::Instant::now();
    let written = write(&writer(storage.clone(), settings, &[]), &[bytes(1, 5000)]).await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 4, "the last second is paid by whoever comes next");
    let begin = tokio::time::Instant::now();
    let body: Bytes = collect(reader(storage, settings, &[]).piece(&written.pieces[0])).await.unwrap().into();
    assert_eq!(body, bytes(1, 5000));
    assert_eq!(begin.elapsed().as_secs(), 4);
}
