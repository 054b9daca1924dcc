//! What several commands let one set: how fast a job may be, and what becomes of records that are there already.

use std::num::{NonZeroU16, NonZeroU64};

use clap::{Args, ValueEnum};
use strongroom::core::cluster;
use strongroom::core::model::PartName;
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

/// What becomes of a record that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Conflict {
    /// The backup's replaces it
    #[default]
    Replace,
    /// It stays
    Keep,
    /// The one with the higher generation or write time stays
    Newer,
}

impl From<Conflict> for cluster::Conflict {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Replace => Self::Replace,
            Conflict::Keep => Self::Keep,
            Conflict::Newer => Self::Newer,
        }
    }
}

/// A part's old and new name.
pub(crate) fn renaming(text: &str) -> Result<(PartName, PartName), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => Err("write it OLD=NEW".to_owned()),
    }
}
