//! What is written into a cluster, and what becomes of what is there already.

use clap::{Args, ValueEnum};
use strongroom::Timestamp;
use strongroom::core::cluster;
use strongroom::core::model::PartName;

/// What is written. The same for a restore and an import.
#[derive(Debug, Args)]
pub(crate) struct Writing {
    /// What becomes of a record that is there already and also in the backup [default: replace]
    #[arg(long, value_enum)]
    conflict: Option<Conflict>,
    /// Write the part OLD under the name NEW (repeatable)
    #[arg(long = "rename", value_name = "OLD=NEW", value_parser = renaming)]
    pub(crate) renames: Vec<(PartName, PartName)>,
    /// Leave out what has expired at this moment [default: keep everything]
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<Timestamp>,
    /// Leave out indexes, functions and table definitions
    #[arg(long)]
    pub(crate) no_definitions: bool,
    /// Write definitions only
    #[arg(long, conflicts_with = "no_definitions")]
    pub(crate) no_data: bool,
}

impl Writing {
    /// As a restore takes them; the rest is as by default.
    pub(crate) fn options(&self) -> cluster::RestoreOptions {
        cluster::RestoreOptions {
            conflict: self.conflict(),
            rename: self.renames.iter().cloned().collect(),
            now: self.now,
            no_definitions: self.no_definitions,
            no_data: self.no_data,
            ..cluster::RestoreOptions::default()
        }
    }

    pub(crate) fn conflict(&self) -> cluster::Conflict {
        self.conflict.unwrap_or_default().into()
    }
}

/// What becomes of a record that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Conflict {
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
fn renaming(text: &str) -> Result<(PartName, PartName), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => Err("write it OLD=NEW".to_owned()),
    }
}
