//! Time and chance as inputs, so that every run of the engine can be replayed in a test.

use std::fmt::Debug;
use std::sync::Arc;

use crate::Timestamp;

/// Tells the time. Core never asks the operating system itself.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The wall clock. May jump, also backwards.
    fn now(&self) -> Timestamp;
    /// Microseconds on a clock that never goes back; only differences mean something.
    fn monotonic_micros(&self) -> u64;
}

/// Gives random bytes. In production they come from the operating system and are fit for keys and salts.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// `Unavailable` when the operating system gives none.
    fn fill(&self, bytes: &mut [u8]) -> crate::Result<()>;
}

/// The clock and the source of chance of one engine.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of ids, nonces and salts.
    pub entropy: Arc<dyn Entropy>,
}

impl Environment {
    /// The wall clock now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Fresh random bytes.
    ///
    /// # Errors
    /// As [`Entropy::fill`].
    pub fn random<const N: usize>(&self) -> crate::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }
}
