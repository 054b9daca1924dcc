//! A storage that fails by chance, the same way for the same seed.

mod upload;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{ByteStream, Error, Key, PutMode, Result, Storage, Upload};

/// What goes wrong, and how often: chances are in thousandths of the calls concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// A call fails with `Unavailable` before it does anything.
    pub fail: u16,
    /// `finish` or `delete` is done, but says `Unavailable`: the reply was lost.
    pub lost_reply: u16,
    /// `write` takes half of a chunk, then fails with `Unavailable`.
    pub half_write: u16,
    /// A call takes up to [`Faults::longest_delay`], by tokio's time.
    pub delay: u16,
    /// The longest delay.
    pub longest_delay: Duration,
    /// A read fails in its middle with `Unavailable`.
    pub cut_read: u16,
    /// A read ends early, in silence: a storage that breaks its contract.
    pub truncated_read: u16,
    /// One bit of a read is flipped, in silence: likewise.
    pub flipped_bit: u16,
    /// A listing leaves out the newest objects: a storage that is only eventually consistent.
    pub stale_list: u16,
    /// A listing fails in its middle.
    pub failing_page: u16,
    /// A call is `Denied`: 1000 for credentials that were revoked.
    pub denied: u16,
    /// Writes fail with `NoSpace` once so many bytes were written in all.
    pub room: Option<u64>,
}

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        fail: 0,
        lost_reply: 0,
        half_write: 0,
        delay: 0,
        longest_delay: Duration::ZERO,
        cut_read: 0,
        truncated_read: 0,
        flipped_bit: 0,
        stale_list: 0,
        failing_page: 0,
        denied: 0,
        room: None,
    };

    /// A storage that keeps its contract over a bad network: everything that goes wrong is `Unavailable`, with these
    /// chances in thousandths, and calls take up to a second.
    #[must_use]
    pub const fn flaky(chance: u16) -> Self {
        Self {
            fail: chance,
            lost_reply: chance,
            half_write: chance,
            cut_read: chance,
            failing_page: chance,
            delay: 200,
            longest_delay: Duration::from_secs(1),
            ..Self::NONE
        }
    }
}

/// Breaks what goes through it by [`Faults`] and a seed. Clones share both.
#[derive(Debug, Clone)]
pub struct Faulty<S> {
    inner: S,
    chance: Chance,
}

#[derive(Debug, Clone)]
struct Chance(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    rng: fastrand::Rng,
    faults: Faults,
    written: u64,
    injected: u64,
    newest: VecDeque<Key>,
}

impl<S> Faulty<S> {
    /// Breaks what goes to `inner`.
    pub fn new(inner: S, seed: u64, faults: Faults) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        let state = State { rng, faults, written: 0, injected: 0, newest: VecDeque::new() };
        Self { inner, chance: Chance(Arc::new(Mutex::new(state))) }
    }

    /// Other faults from now on; with [`Faults::NONE`] it is healed.
    pub fn set(&self, faults: Faults) {
        self.chance.lock().faults = faults;
    }

    /// How many faults there were: a test that wants some checks that it got some.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.chance.lock().injected
    }
}

impl Chance {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it happens now.
    fn hits(&self, pick: impl Fn(&Faults) -> u16) -> bool {
        let mut state = self.lock();
        let chance = pick(&state.faults);
        let hit = chance > 0 && state.rng.u16(..1000) < chance;
        state.injected += u64::from(hit);
        hit
    }

    /// A number below `end`, or 0.
    fn below(&self, end: usize) -> usize {
        self.lock().rng.usize(..end.max(1))
    }

    /// What comes before every call.
    async fn enter(&self, what: &str, key: &str) -> Result<()> {
        if self.hits(|faults| faults.delay) {
            let longest = self.lock().faults.longest_delay.as_micros();
            let micros = self.below(usize::try_from(longest).unwrap_or(usize::MAX)) as u64;
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
        if self.hits(|faults| faults.denied) {
            return Err(Error::denied(format!("{what} of '{key}', as the test wants")));
        }
        if self.hits(|faults| faults.fail) {
            return Err(unavailable(what, key));
        }
        Ok(())
    }

    fn leave(&self, what: &str, key: &str) -> Result<()> {
        if self.hits(|faults| faults.lost_reply) { Err(unavailable(what, key)) } else { Ok(()) }
    }
}

fn unavailable(what: &str, key: &str) -> Error {
    Error::unavailable(format!("{what} of '{key}', as the test wants"))
}

#[async_trait]
impl<S: Storage> Storage for Faulty<S> {
    async fn create(&self, key: &Key, mode: PutMode) -> Result<Box<dyn Upload>> {
        self.chance.enter("create", key.as_str()).await?;
        let inner = self.inner.create(key, mode).await?;
        Ok(Box::new(upload::FaultyUpload { inner, key: key.clone(), chance: self.chance.clone() }))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.chance.enter("read", key.as_str()).await?;
        let body = self.inner.read(key, range).await?;
        let (cut, truncated) = (self.chance.hits(|f| f.cut_read), self.chance.hits(|f| f.truncated_read));
        let flipped = self.chance.hits(|faults| faults.flipped_bit);
        if !(cut || truncated || flipped) {
            return Ok(body);
        }
        // A fault needs a place, and a place needs the length: such a read goes through memory.
        let (key, chance) = (key.clone(), self.chance.clone());
        let spoiled = async move {
            let mut all = BytesMut::new();
            let mut body = body;
            while let Some(chunk) = body.next().await {
                match chunk {
                    Ok(chunk) => all.extend_from_slice(&chunk),
                    Err(error) => return vec![Ok(all.freeze()), Err(error)],
                }
            }
            if flipped && !all.is_empty() {
                let (at, bit) = (chance.below(all.len()), chance.below(8));
                all[at] ^= 1 << bit;
            }
            if cut || truncated {
                all.truncate(chance.below(all.len()));
            }
            let end = cut.then(|| Err(unavailable("read in the middle", key.as_str())));
            [Ok(all.freeze())]
                .into_iter()
                .filter(|part: &Result<Bytes>| !matches!(part, Ok(part) if part.is_empty()))
                .chain(end)
                .collect()
        };
        Ok(stream::once(spoiled).flat_map(stream::iter).boxed())
    }

    async fn stat(&self, key: &Key) -> Result<ObjectMeta> {
        self.chance.enter("stat", key.as_str()).await?;
        self.inner.stat(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        let (chance, items, prefix) = (self.chance.clone(), self.inner.list(prefix), prefix.to_owned());
        let listed = async move {
            if let Err(error) = chance.enter("list", &prefix).await {
                return stream::iter([Err(error)]).boxed();
            }
            let stale = chance.hits(|faults| faults.stale_list);
            let hidden: Vec<Key> = if stale { chance.lock().newest.iter().cloned().collect() } else { Vec::new() };
            let items = items.filter(move |item| {
                let hide = item.as_ref().is_ok_and(|meta| hidden.contains(&meta.key));
                async move { !hide }
            });
            if chance.hits(|faults| faults.failing_page) {
                let whole = chance.below(20);
                return items.take(whole).chain(stream::iter([Err(unavailable("list", &prefix))])).boxed();
            }
            items.boxed()
        };
        stream::once(listed).flatten().boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.chance.enter("delete", key.as_str()).await?;
        self.inner.delete(key).await?;
        self.chance.leave("delete", key.as_str())
    }
}

#[cfg(test)]
mod tests;
