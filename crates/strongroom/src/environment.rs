//! The real clock and the operating system's random bytes.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use strongroom_core::environment::{Clock, Entropy, Environment};
use strongroom_core::{Error, Result, Timestamp};

/// The environment of a real run: the system's clocks and random bytes fit for keys.
#[must_use]
pub fn system_environment() -> Environment {
    Environment { clock: Arc::new(SystemClock { started: Instant::now() }), entropy: Arc::new(SystemEntropy) }
}

#[derive(Debug)]
struct SystemClock {
    started: Instant,
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
        };
        Timestamp::from_micros(micros)
    }

    fn monotonic_micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[derive(Debug)]
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        getrandom::fill(bytes).map_err(|error| {
            Error::unavailable("the operating system gives no random bytes").because(error.to_string())
        })
    }
}
