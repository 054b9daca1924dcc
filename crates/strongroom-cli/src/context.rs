//! What every command works with: where results go, the profiles, and how a job is waited for.

use std::path::PathBuf;

use strongroom::profile::Profiles;
use strongroom::{Job, Result, Strongroom};

use crate::output::Output;

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where results go.
    pub output: Output,
    config: Option<PathBuf>,
}

impl Context {
    pub(crate) fn new(output: Output, config: Option<PathBuf>) -> Self {
        Self { output, config }
    }

    /// The library, with the profiles. Read when it is asked for, so that a command which needs none works beside a
    /// broken file.
    ///
    /// # Errors
    /// As [`Profiles::read_or_default`].
    pub(crate) fn strongroom(&self) -> Result<Strongroom> {
        Ok(Strongroom::new().with_profiles(Profiles::read_or_default(self.config.as_deref())?))
    }

    /// Waits for a job. Every command waits for its jobs here.
    ///
    /// # Errors
    /// The job's.
    pub(crate) async fn wait<T: Send + 'static>(&self, job: Job<T>) -> Result<T> {
        job.await
    }
}
