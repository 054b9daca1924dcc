//! Limits on bytes and records a second, reads included.

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

/// How fast a job may be. `None` = as fast as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes a second: plain bytes when storing, stored bytes when reading back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<NonZeroU64>,
    /// Records a second. A piece's records are counted at its end, so the pause follows the piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_per_second: Option<NonZeroU64>,
}

/// Spreads amounts over time: an amount may pass as soon as all earlier ones have been paid for.
#[derive(Debug)]
pub(crate) struct Throttle {
    per_second: Option<NonZeroU64>,
    free_at: Mutex<Option<Instant>>,
}

impl Throttle {
    /// At most `per_second` a second.
    pub(crate) const fn new(per_second: Option<NonZeroU64>) -> Self {
        Self { per_second, free_at: Mutex::new(None) }
    }

    /// Waits until `amount` may pass. Dropping the future leaves the amount paid.
    pub(crate) async fn pass(&self, amount: u64) {
        let Some(per_second) = self.per_second else { return };
        let nanos = u128::from(amount) * 1_000_000_000 / u128::from(per_second.get());
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let start = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let start = free_at.map_or(now, |at| at.max(now));
            // Beyond what the clock can tell there is nothing to wait for in earnest.
            *free_at = Some(start.checked_add(cost).unwrap_or(start));
            start
        };
        sleep_until(start).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn amounts_are_spread_over_time() {
        let throttle = Throttle::new(NonZeroU64::new(100));
        let begin = Instant::now();
        for _ in 0..5 {
            throttle.pass(50).await;
        }
        assert_eq!(begin.elapsed(), Duration::from_secs(2));
        throttle.pass(1).await;
        assert_eq!(begin.elapsed(), Duration::from_millis(2500));
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_is_not_saved_up() {
        let throttle = Throttle::new(NonZeroU64::new(1));
        tokio::time::sleep(Duration::from_secs(1000)).await;
        let begin = Instant::now();
        throttle.pass(10).await;
        throttle.pass(1).await;
        assert_eq!(begin.elapsed(), Duration::from_secs(10));
        Throttle::new(None).pass(u64::MAX).await;
        assert_eq!(begin.elapsed(), Duration::from_secs(10));
    }
}
