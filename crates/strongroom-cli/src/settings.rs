//! How fast a job may be, and how much it does at once.

use std::num::{NonZeroU16, NonZeroU64};

use clap::Args;
use strongroom::core::pipeline::{Limits, Settings};
use strongroom::storage::ByteSize;

/// How fast a job may be, and how much it does at once.
#[derive(Debug, Args)]
pub(crate) struct Pace {
    /// Move at most this many bytes a second, such as 50MiB [default: as fast as it can]
    #[arg(long, value_name = "SIZE", value_parser = positive)]
    limit_rate: Option<NonZeroU64>,
    /// Move at most this many records a second [default: as fast as it can]
    #[arg(long, value_name = "NUMBER")]
    limit_records: Option<NonZeroU64>,
    /// Work on this many pieces at once; each takes about 3 MiB of memory [default: 8]
    #[arg(long, value_name = "NUMBER")]
    parallel: Option<NonZeroU16>,
}

impl Pace {
    pub(crate) fn settings(&self) -> Settings {
        let default = Settings::default();
        Settings {
            parallel: self.parallel.map_or(default.parallel, |parallel| parallel.get().into()),
            limits: Limits { bytes_per_second: self.limit_rate, records_per_second: self.limit_records },
            ..default
        }
    }
}

fn positive(text: &str) -> Result<NonZeroU64, String> {
    let size: ByteSize = text.parse().map_err(|error: strongroom::Error| error.to_string())?;
    NonZeroU64::new(size.0).ok_or_else(|| "nothing would ever be moved: give a size above 0".to_owned())
}
