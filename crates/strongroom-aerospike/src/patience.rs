//! How often and how long something is tried again.

use std::time::Duration;

use strongroom_core::Error;

use crate::AerospikeConfig;

/// Counts attempts without success.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    left: u32,
    all: u32,
    wait: Duration,
    first: Duration,
    most: Duration,
}

impl Patience {
    pub(crate) fn of(config: &AerospikeConfig) -> Self {
        let (left, first) = (config.retries, config.backoff.0);
        Self { left, all: left, wait: first, first, most: config.backoff_most.0 }
    }

    /// Something worked: begin to count anew.
    pub(crate) fn renew(&mut self) {
        self.left = self.all;
        self.wait = self.first;
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// `because`, once everything was tried.
    pub(crate) async fn wait(&mut self, because: Error) -> Result<(), Error> {
        if self.left == 0 {
            return Err(match self.all {
                0 => because,
                all => because.within(format_args!("still, after {all} more attempts")),
            });
        }
        self.left -= 1;
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).min(self.most);
        Ok(())
    }
}
