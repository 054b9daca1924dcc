//! The demo's clock: it stands where the history that is played stands, so that nothing depends on today's date.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use strongroom::core::environment::{Clock, Environment};
use strongroom::{Timestamp, system_environment};

/// A wall clock that is set by hand. Its monotonic side is the system's.
#[derive(Debug)]
pub(super) struct DemoClock {
    now: AtomicI64,
    system: Arc<dyn Clock>,
}

impl DemoClock {
    /// A clock at `now`, and an environment that has it.
    pub(super) fn at(now: Timestamp) -> (Arc<Self>, Environment) {
        let system = system_environment();
        let clock = Arc::new(Self { now: AtomicI64::new(now.micros()), system: Arc::clone(&system.clock) });
        let environment = Environment { clock: Arc::<Self>::clone(&clock), entropy: system.entropy };
        (clock, environment)
    }

    pub(super) fn set(&self, now: Timestamp) {
        self.now.store(now.micros(), Ordering::SeqCst);
    }
}

impl Clock for DemoClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::SeqCst))
    }

    fn monotonic_micros(&self) -> u64 {
        self.system.monotonic_micros()
    }
}
