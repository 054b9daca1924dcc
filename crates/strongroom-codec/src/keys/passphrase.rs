//! From a passphrase to a key, slowly.

use std::thread;

use argon2::{Algorithm, Argon2, Params, Version};
use futures::channel::oneshot;
use serde::{Deserialize, Serialize};
use strongroom_core::{Error, Result};
use zeroize::Zeroizing;

/// What Argon2id (version 0x13) is to cost. More memory is what slows down a guesser most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Cost {
    /// 64 MiB, 3 passes, 1 lane: the second recommended choice of RFC 9106 in memory and passes; a fraction of a
    /// second.
    fn default() -> Self {
        Self { memory_kib: 64 << 10, passes: 3, lanes: 1 }
    }
}

impl Cost {
    /// 1 GiB.
    const MAX_MEMORY_KIB: u32 = 1 << 20;
    const MAX_LANES: u32 = 16;
    /// Memory times passes: 4 GiB, a few seconds.
    const MAX_WORK_KIB: u64 = 4 << 20;

    /// Refuses what would exhaust memory or time, above all when it was read from a storage that others write to.
    ///
    /// # Errors
    /// `Invalid` when memory is not within 8 KiB a lane and 1 GiB, lanes within 1 and 16, or memory times passes
    /// within 4 GiB.
    pub fn check(&self) -> Result<()> {
        let Self { memory_kib, passes, lanes } = *self;
        let sound = (1..=Self::MAX_LANES).contains(&lanes)
            && (8 * lanes..=Self::MAX_MEMORY_KIB).contains(&memory_kib)
            && passes >= 1
            && u64::from(memory_kib) * u64::from(passes) <= Self::MAX_WORK_KIB;
        if sound {
            return Ok(());
        }
        Err(Error::invalid(format!("Argon2id with {memory_kib} KiB, {passes} passes and {lanes} lanes"))
            .hint("memory: 8 KiB a lane to 1 GiB; lanes: 1 to 16; memory times passes: 4 GiB at most"))
    }

    /// The key of `passphrase`, on a thread of its own: it takes a fraction of a second, which no async thread has.
    pub(crate) async fn derive(self, passphrase: Zeroizing<Vec<u8>>, salt: [u8; 16]) -> Result<Zeroizing<[u8; 32]>> {
        self.check()?;
        let (answer, key) = oneshot::channel();
        let work = move || {
            // Nobody waits any more when the caller was dropped.
            let _ = answer.send(self.derive_here(&passphrase, &salt));
        };
        thread::Builder::new()
            .name("strongroom-argon2".to_owned())
            .spawn(work)
            .map_err(|error| Error::unavailable("no thread to derive a key on").because(error))?;
        key.await.map_err(|_| Error::internal("deriving a key from a passphrase stopped"))?
    }

    fn derive_here(self, passphrase: &[u8], salt: &[u8; 16]) -> Result<Zeroizing<[u8; 32]>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|error| Error::invalid("Argon2id refuses its parameters").because(error.to_string()))?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, salt, &mut *key)
            .map_err(|error| {
                Error::unavailable(format!("cannot derive a key with {} KiB of memory", self.memory_kib))
                    .because(error.to_string())
            })?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use strongroom_core::ErrorKind;

    use super::*;

    #[test]
    fn memory_and_time_bombs_are_refused() {
        let cost = |memory_kib, passes, lanes| Cost { memory_kib, passes, lanes }.check().map_err(|error| error.kind());
        assert_eq!(cost(64 << 10, 3, 1), Ok(()));
        assert_eq!(cost(8, 1, 1), Ok(()));
        assert_eq!(cost(1 << 20, 4, 16), Ok(()));
        for (memory, passes, lanes) in [
            (u32::MAX, 1, 1),
            ((1 << 20) + 1, 1, 1),
            (1 << 20, 5, 1),
            (1024, u32::MAX, 1),
            (7, 1, 1),
            (15, 1, 2),
            (1024, 0, 1),
            (1024, 1, 0),
            (1024, 1, 17),
            (1024, 1, u32::MAX),
        ] {
            assert_eq!(cost(memory, passes, lanes), Err(ErrorKind::Invalid), "{memory} {passes} {lanes}");
        }
    }
}
