//! A repository in memory, readers, and chance that can be replayed.
#![expect(clippy::unwrap_used, reason = "a fixture that is wrong shall stop the test")]

use std::future::poll_fn;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use strongroom_codec::keys::Cost;
use strongroom_codec::{KeyRing, ReaderKey};
use strongroom_core::codec::{CodecId, CodecRegistry as _, FrameId, PartHeader};
use strongroom_core::environment::Entropy;
use strongroom_core::id::{DataKeyId, RepositoryId};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Key, PutMode, Result, Storage, Upload};
use strongroom_testkit::MemoryStorage;

pub(crate) const REPOSITORY: RepositoryId = RepositoryId::from_u128(0x77);
pub(crate) const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

/// Bytes that never repeat, the same in every run.
#[derive(Debug, Default)]
pub(crate) struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        for chunk in bytes.chunks_mut(8) {
            // The finaliser of SplitMix64, a bijection.
            let mut word = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// Gives way once before every call, so that a test decides who goes next and where somebody stops.
#[derive(Debug)]
pub(crate) struct Yielding(pub(crate) MemoryStorage);

async fn give_way() {
    let mut asked = false;
    poll_fn(|context| {
        if asked {
            return Poll::Ready(());
        }
        asked = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[async_trait]
impl Storage for Yielding {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        give_way().await;
        self.0.create(key, mode).await
    }
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        give_way().await;
        self.0.read(key, range).await
    }
    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        give_way().await;
        self.0.stat(key).await
    }
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        let (storage, prefix) = (self.0.clone(), prefix.to_owned());
        futures::stream::once(async move {
            give_way().await;
            storage.list(&prefix)
        })
        .flatten()
        .boxed()
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        give_way().await;
        self.0.delete(key).await
    }
}

/// A reader with a key of its own; `version` counts its keys.
pub(crate) fn reader(name: &str, version: u8) -> ReaderKey {
    let mut key = [version; 32];
    key[..name.len()].copy_from_slice(name.as_bytes());
    ReaderKey::from_bytes(name, key).unwrap()
}

pub(crate) struct Vault {
    pub(crate) memory: MemoryStorage,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) entropy: Counting,
}

impl Vault {
    /// An empty repository.
    pub(crate) fn new() -> Self {
        let memory = MemoryStorage::new();
        Self { storage: Arc::new(Yielding(memory.clone())), memory, entropy: Counting::default() }
    }

    /// A repository with keys, for the reader `a`, key version 1, and any others.
    pub(crate) async fn with(others: &[ReaderKey]) -> Self {
        let vault = Self::new();
        let ring = vault.init(&reader("a", 1)).await.unwrap();
        for other in others {
            ring.add_reader(other, &vault.entropy).await.unwrap();
        }
        vault
    }

    pub(crate) async fn init(&self, reader: &ReaderKey) -> Result<KeyRing> {
        KeyRing::init(Arc::clone(&self.storage), REPOSITORY, reader, &self.entropy).await
    }

    pub(crate) async fn open(&self, readers: &[ReaderKey]) -> Result<KeyRing> {
        KeyRing::open(Arc::clone(&self.storage), REPOSITORY, readers).await
    }

    /// The names of the wraps.
    pub(crate) fn wraps(&self) -> Vec<Key> {
        self.memory.keys().into_iter().filter(|key| key.as_str() != "keys/ring.json").collect()
    }
}

fn header() -> PartHeader {
    PartHeader { repository: REPOSITORY, part: "part".to_owned(), salt: [1; 32] }
}

const FRAME: FrameId = FrameId { index: 0, last: true };

/// Some bytes, sealed with `key`.
pub(crate) fn sealed(ring: &KeyRing, key: DataKeyId) -> Vec<u8> {
    let mut out = Vec::new();
    let coder = ring.resolve(&CodecId::seal(key)).unwrap().begin(&header()).unwrap();
    coder.encode(FRAME, b"precious", &mut out).unwrap();
    out
}

/// Whether `ring` opens what [`sealed`] made.
pub(crate) fn opens(ring: &KeyRing, key: DataKeyId, coded: &[u8]) -> Result<()> {
    let mut out = Vec::new();
    ring.resolve(&CodecId::seal(key))?.begin(&header())?.decode(FRAME, coded, 100, &mut out)?;
    assert_eq!(out, b"precious");
    Ok(())
}
