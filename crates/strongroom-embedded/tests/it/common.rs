//! A clock and chance that tests set, small records, and a backup that is nothing but bytes in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use strongroom_core::cluster::{
    Applied, ClusterIdentity, FoldInput, FoldRequest, FreezeRequest, FrozenPart, PartOutline, PieceKind, PieceSpec,
    PieceSummary, RestoreOptions, RestoreOutline, StepId,
};
use strongroom_core::environment::{Clock, Entropy, Environment};
use strongroom_core::id::{ClusterId, SessionId};
use strongroom_core::model::Scope;
use strongroom_core::{Cluster, Result, Timestamp};
use strongroom_embedded::EmbeddedCluster;
use strongroom_record::{Bin, BinName, Digest, Name, Particle, Record, UserKey};

/// 2026-11-22T00:00:00Z, when nothing of these tests happened.
pub(crate) const START: i64 = 1_795_305_600_000_000;

#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
    fn monotonic_micros(&self) -> u64 {
        0
    }
}

/// A counter: every call gives other bytes, every run the same ones.
#[derive(Debug, Default)]
struct TestEntropy(AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
        Ok(())
    }
}

pub(crate) fn environment() -> (Environment, Arc<TestClock>) {
    let clock = Arc::new(TestClock(AtomicI64::new(START)));
    (Environment { clock: clock.clone(), entropy: Arc::new(TestEntropy::default()) }, clock)
}

pub(crate) fn in_memory() -> (EmbeddedCluster, Arc<TestClock>) {
    let (environment, clock) = environment();
    (EmbeddedCluster::in_memory(environment).unwrap(), clock)
}

/// A record of the namespace `test` with one integer bin.
pub(crate) fn record(set: &str, key: i64, value: i64) -> Record {
    let user_key = UserKey::Integer(key);
    Record {
        namespace: Name::namespace("test").unwrap(),
        set: (!set.is_empty()).then(|| Name::set(set.to_owned()).unwrap()),
        digest: Digest::of_key(Some(set.as_bytes()), &user_key),
        key: Some(user_key),
        generation: 1,
        void_time: 0,
        bins: vec![Bin { name: BinName::new("v").unwrap(), value: Particle::Integer(value) }],
    }
}

/// One part as it was backed up.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) part: FrozenPart,
    pub(crate) pieces: Vec<(PieceSpec, Bytes, PieceSummary)>,
}

impl Taken {
    pub(crate) fn until(&self) -> Timestamp {
        self.part.window.until
    }
    pub(crate) fn records(&self) -> u64 {
        self.pieces.iter().map(|(_, _, summary)| summary.records).sum()
    }
    pub(crate) fn deletes(&self) -> u64 {
        self.pieces.iter().map(|(_, _, summary)| summary.deletes).sum()
    }
}

pub(crate) async fn read(cluster: &EmbeddedCluster, piece: &PieceSpec) -> Result<(Bytes, PieceSummary)> {
    let reader = cluster.read(piece).await?;
    let chunks: Vec<Bytes> = reader.body.try_collect().await?;
    Ok((chunks.concat().into(), reader.summary.await?))
}

/// Backs up the part `test`, since a moment or whole.
pub(crate) async fn take(cluster: &EmbeddedCluster, since: Option<Timestamp>) -> Result<Taken> {
    take_scope(cluster, Scope::of_parts(["test"]), since).await
}

pub(crate) async fn take_scope(cluster: &EmbeddedCluster, scope: Scope, since: Option<Timestamp>) -> Result<Taken> {
    let since: BTreeMap<_, _> = since.map(|since| ("test".to_owned(), since)).into_iter().collect();
    let mut frozen = cluster.freeze(&FreezeRequest { scope, since }).await?;
    let part = frozen.parts.remove(0);
    let mut pieces = Vec::new();
    for piece in &part.pieces {
        let (bytes, summary) = read(cluster, piece).await?;
        pieces.push((piece.clone(), bytes, summary));
    }
    cluster.release(&frozen).await?;
    Ok(Taken { part, pieces })
}

pub(crate) fn outline(taken: &[&Taken]) -> RestoreOutline {
    let last = taken.last().unwrap();
    RestoreOutline {
        parts: [(
            "test".to_owned(),
            PartOutline {
                filter: last.part.filter.clone(),
                bytes: taken.iter().flat_map(|taken| &taken.pieces).map(|(_, bytes, _)| bytes.len() as u64).sum(),
                records: taken.iter().map(|taken| taken.records()).sum(),
                reached: last.until(),
            },
        )]
        .into(),
        source: ClusterIdentity { id: ClusterId::from_u128(1), name: "source".into(), fingerprint: "x".into() },
        source_version: "embedded 0".into(),
    }
}

pub(crate) fn body(bytes: &Bytes) -> strongroom_core::ByteStream {
    let chunks: Vec<_> = bytes.chunks(1000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks).boxed()
}

/// Writes a chain, oldest first, as a restore without fold does.
pub(crate) async fn restore(
    target: &EmbeddedCluster,
    chain: &[&Taken],
    options: &RestoreOptions,
    id: u128,
) -> Result<Applied> {
    let session = target.begin_restore(SessionId::from_u128(id), &outline(chain), options).await?;
    let mut applied = Applied::default();
    for (step, taken) in (0..).zip(chain) {
        applied += write_step(target, &session, step, taken).await?;
        target.seal_step(&session, step).await?;
    }
    target.finish_restore(session).await?;
    Ok(applied)
}

pub(crate) async fn write_step(
    target: &EmbeddedCluster,
    session: &strongroom_core::cluster::RestoreSession,
    step: StepId,
    taken: &Taken,
) -> Result<Applied> {
    let mut applied = Applied::default();
    for kind in [PieceKind::Schema, PieceKind::Deletes, PieceKind::Data] {
        for (piece, bytes, _) in taken.pieces.iter().filter(|(piece, ..)| piece.kind == kind) {
            applied += target.write(session, step, "test", piece, body(bytes)).await?;
        }
    }
    Ok(applied)
}

/// Writes a chain as a restore with fold does, in small stretches.
pub(crate) async fn write_folded(target: &EmbeddedCluster, chain: &[&Taken], options: &RestoreOptions, id: u128) {
    let pieces = |taken: &Taken, kind| -> Vec<_> {
        taken.pieces.iter().filter(|(piece, ..)| piece.kind == kind).map(|(_, bytes, _)| body(bytes)).collect()
    };
    let layer =
        |taken: &&Taken| FoldInput { data: pieces(taken, PieceKind::Data), deletes: pieces(taken, PieceKind::Deletes) };
    let request = FoldRequest { deletes: !options.truncate, piece_bytes: 500 };
    let layers = chain.iter().rev().map(layer).collect();
    let stretches = target.fold().unwrap().fold("test", request, layers).unwrap();
    let stretches: Vec<_> = stretches.try_collect().await.unwrap();
    let session = target.begin_restore(SessionId::from_u128(id), &outline(chain), options).await.unwrap();
    for (number, stretch) in stretches.into_iter().enumerate() {
        for (kind, bytes) in [(PieceKind::Data, stretch.data), (PieceKind::Deletes, stretch.deletes)] {
            if !bytes.is_empty() {
                let piece = PieceSpec::new(format!("folded-{number}"), kind);
                target.write(&session, 0, "test", &piece, body(&bytes)).await.unwrap();
            }
        }
    }
    target.finish_restore(session).await.unwrap();
}
