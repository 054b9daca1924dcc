//! What the tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, stream};
use std::future::ready;
use strongroom_core::cluster::{PieceKind, PieceReader, PieceSpec, PieceSummary};
use strongroom_core::codec::CodecId;
use strongroom_core::environment::{Clock, Entropy, Environment};
use strongroom_core::id::{BackupId, RepositoryId};
use strongroom_core::manifest::StoredPiece;
use strongroom_core::pipeline::{
    NumberedPiece, Origin, PartReader, PieceWriter, Progress, Settings, Stack, Workroom, Written,
};
use strongroom_core::{ByteStream, Key, Result, Storage, Timestamp};

use crate::toy::Codecs;

#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl Clock for Counting {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_700_000_000)
    }
    fn monotonic_micros(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            chunk.copy_from_slice(&next.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

pub(crate) fn environment() -> Environment {
    Environment { clock: Arc::new(Counting::default()), entropy: Arc::new(Counting::default()) }
}

pub(crate) fn progress() -> Arc<Progress> {
    Arc::new(Progress::new(environment().clock))
}

/// Small frames, parts and packs, so that little data has many of each.
pub(crate) fn small() -> Settings {
    Settings { parallel: 2, cores: 2, frame_bytes: 1000, part_bytes: 10_000, pack_bytes: 20_000, ..Settings::default() }
}

pub(crate) const REPOSITORY: RepositoryId = RepositoryId::from_u128(0xAA);

pub(crate) fn writer(storage: impl Storage, settings: Settings, codecs: &[&str]) -> PieceWriter {
    PieceWriter {
        room: Workroom::new(settings).unwrap(),
        environment: environment(),
        storage: Arc::new(storage),
        repository: REPOSITORY,
        stack: Stack::resolve(&Codecs, &ids(codecs)).unwrap(),
        origin: Origin::Backup(BackupId::from_u128(0xB)),
        stem: Key::new("b/data/000000").unwrap(),
    }
}

pub(crate) fn reader(storage: impl Storage, settings: Settings, codecs: &[&str]) -> PartReader {
    PartReader {
        room: Workroom::new(settings).unwrap(),
        storage: Arc::new(storage),
        repository: REPOSITORY,
        codecs: ids(codecs),
        registry: Arc::new(Codecs),
    }
}

fn ids(codecs: &[&str]) -> Vec<CodecId> {
    codecs.iter().map(|name| crate::toy::id(name)).collect()
}

pub(crate) fn piece(number: u64, name: &str) -> NumberedPiece {
    NumberedPiece {
        number,
        spec: PieceSpec {
            name: name.to_owned(),
            kind: PieceKind::Data,
            place: None,
            group: None,
            bytes: None,
            content: None,
            detail: serde_json::Value::Null,
        },
    }
}

/// `length` bytes that do not repeat soon, another sequence for each `seed`.
pub(crate) fn bytes(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(length)
    .collect()
}

/// A reader of a body in chunks of 700 bytes.
pub(crate) fn open(body: Bytes) -> PieceReader {
    let mut chunks: Vec<Result<Bytes>> = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        chunks.push(Ok(rest.split_to(rest.len().min(700))));
    }
    let records = chunks.len() as u64;
    PieceReader {
        body: stream::iter(chunks).boxed(),
        summary: async move { Ok(PieceSummary { records, ..PieceSummary::default() }) }.boxed(),
    }
}

/// Writes pieces named `p0`, `p1` … with these bodies.
pub(crate) async fn write(writer: &PieceWriter, bodies: &[Bytes]) -> Result<Written> {
    let pieces: Vec<_> = (0..).zip(bodies).map(|(number, _)| piece(number, &format!("p{number}"))).collect();
    let body_of = |name: &str| bodies[name[1..].parse::<usize>().unwrap()].clone();
    let mut share = progress().begin();
    writer.write(&pieces, |spec| ready(Ok(open(body_of(&spec.name)))).boxed(), &mut share).await
}

pub(crate) async fn collect(mut stream: ByteStream) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(chunk) = stream.next().await {
        all.extend_from_slice(&chunk?);
    }
    assert!(stream.next().await.is_none(), "a stream that ended stays ended");
    Ok(all)
}

pub(crate) async fn read(reader: &PartReader, pieces: &[StoredPiece]) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for stream in reader.pieces(pieces) {
        all.push(collect(stream).await?);
    }
    Ok(all)
}
