//! Time that the test sets, and chance that repeats.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strongroom_core::environment::{Clock, Entropy, Environment};
use strongroom_core::{Result, Timestamp};

/// A clock that the test sets. Clones share their time.
///
/// Wall and monotonic time are apart: [`TestClock::jump`] moves the wall clock alone, also backwards.
#[derive(Debug, Clone)]
pub struct TestClock {
    hands: Arc<Mutex<Hands>>,
}

#[derive(Debug)]
struct Hands {
    wall: i64,
    monotonic: u64,
    tick: u32,
    follows: Option<tokio::time::Instant>,
}

impl TestClock {
    /// A clock that stands still at `moment` until the test moves it.
    #[must_use]
    pub fn at(moment: Timestamp) -> Self {
        Self { hands: Arc::new(Mutex::new(Hands { wall: moment.micros(), monotonic: 0, tick: 0, follows: None })) }
    }

    /// A clock that starts at `moment` and goes with tokio's time: with `start_paused` it moves only when every task
    /// waits. [`TestClock::advance`] and [`TestClock::jump`] add to that.
    #[must_use]
    pub fn on_tokio(moment: Timestamp) -> Self {
        let clock = Self::at(moment);
        clock.lock().follows = Some(tokio::time::Instant::now());
        clock
    }

    /// Goes on by `micros` at every look at the wall clock, so that no two events have the same moment.
    #[must_use]
    pub fn ticking(self, micros: u32) -> Self {
        self.lock().tick = micros;
        self
    }

    /// Lets both clocks go on.
    pub fn advance(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        let mut hands = self.lock();
        hands.wall = hands.wall.saturating_add_unsigned(micros);
        hands.monotonic = hands.monotonic.saturating_add(micros);
    }

    /// Sets the wall clock forward, or back if negative, as an administrator would. The monotonic clock stays.
    pub fn jump(&self, micros: i64) {
        let mut hands = self.lock();
        hands.wall = hands.wall.saturating_add(micros);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hands {
    fn followed_micros(&self) -> u64 {
        self.follows.map_or(0, |start| u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let mut hands = self.lock();
        let tick = hands.tick;
        hands.wall = hands.wall.saturating_add(i64::from(tick));
        hands.monotonic = hands.monotonic.saturating_add(u64::from(tick));
        Timestamp::from_micros(hands.wall.saturating_add_unsigned(hands.followed_micros()))
    }

    fn monotonic_micros(&self) -> u64 {
        let hands = self.lock();
        hands.monotonic.saturating_add(hands.followed_micros())
    }
}

/// Chance out of a seed. Clones share their sequence. Not fit for real keys.
#[derive(Debug, Clone)]
pub struct SeededEntropy(Arc<Mutex<fastrand::Rng>>);

impl SeededEntropy {
    /// The sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
        Ok(())
    }
}

/// A clock and a source of chance for one test, both under its control.
#[derive(Debug, Clone)]
pub struct TestEnvironment {
    /// The clock, to be moved by the test.
    pub clock: TestClock,
    /// The source of chance.
    pub entropy: SeededEntropy,
}

impl TestEnvironment {
    /// The moment at which test clocks start: 2026-01-01T00:00:00Z.
    pub const START: Timestamp = Timestamp::from_secs(1_767_225_600);

    /// A clock that stands at [`TestEnvironment::START`] and goes on by 1 µs at every look, and the chance of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { clock: TestClock::at(Self::START).ticking(1), entropy: SeededEntropy::new(seed) }
    }

    /// The same, but the clock goes with tokio's time.
    #[must_use]
    pub fn on_tokio(seed: u64) -> Self {
        Self { clock: TestClock::on_tokio(Self::START).ticking(1), entropy: SeededEntropy::new(seed) }
    }

    /// What the engine takes.
    #[must_use]
    pub fn environment(&self) -> Environment {
        Environment { clock: Arc::new(self.clock.clone()), entropy: Arc::new(self.entropy.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_goes_back_alone() {
        let clock = TestClock::at(Timestamp::from_secs(100));
        clock.advance(Duration::from_secs(5));
        clock.jump(-20_000_000);
        assert_eq!(clock.now(), Timestamp::from_secs(85));
        assert_eq!(clock.monotonic_micros(), 5_000_000);
        let ticking = clock.ticking(3);
        assert_eq!(ticking.now().since(ticking.now()), -3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_goes_with_tokio() {
        let clock = TestClock::on_tokio(Timestamp::from_secs(100));
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(clock.now(), Timestamp::from_secs(3700));
        assert_eq!(clock.monotonic_micros(), 3_600_000_000);
    }

    #[test]
    fn chance_repeats_by_its_seed() {
        let draw = |seed| TestEnvironment::new(seed).environment().random::<16>().unwrap();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
