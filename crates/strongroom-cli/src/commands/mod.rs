//! What the commands do.

mod backup;
mod folders;
mod keys;
mod look;
mod restore;

use std::collections::BTreeSet;

use strongroom::core::id::BackupId;
use strongroom::core::model::Scope;
use strongroom::profile::Profiles;
use strongroom::{Error, Result, Strongroom};

use crate::arguments::{Arguments, Command, KeyCommand};
use crate::demo;
use crate::output::Output;

/// Runs the command; the exit code where there is no error.
pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<u8> {
    let profiles = Profiles::read_or_default(arguments.config.as_deref())?;
    let strongroom = Strongroom::new().with_profiles(profiles);
    match arguments.command {
        Command::Demo { keep } => demo::run(keep, output).await?,
        Command::Init { repository, codecs, keys } => {
            backup::init(&strongroom, output, &repository, codecs.as_deref(), &keys).await?;
        }
        Command::Backup(arguments) => backup::backup(&strongroom, output, arguments).await?,
        Command::Resume { cluster, repository, run, codecs } => {
            backup::resume(&strongroom, output, &cluster, &repository, &run, codecs.as_deref()).await?;
        }
        Command::List { repository } => look::list(&strongroom, output, &repository).await?,
        Command::Plan { repository, choice } => look::plan(&strongroom, output, &repository, &choice).await?,
        Command::Restore(arguments) => restore::restore(&strongroom, output, arguments).await?,
        Command::Verify { repository, backups, depth } => {
            return look::verify(&strongroom, output, &repository, &backups, depth).await;
        }
        Command::Copy { repository, to, backups } => {
            restore::copy(&strongroom, output, &repository, &to, &backups).await?;
        }
        Command::Import { folder, into, at, routine } => {
            folders::import(&strongroom, output, &folder, &into, at, routine.as_deref())?;
        }
        Command::Export { from, folder, part } => folders::export(&strongroom, output, &from, &folder, &part)?,
        Command::Key(KeyCommand::New { file }) => keys::new(&strongroom, output, &file)?,
    }
    Ok(0)
}

/// All parts, or those that were named.
fn scope(parts: &[String]) -> Scope {
    if parts.is_empty() { Scope::all() } else { Scope::of_parts(parts.iter().cloned()) }
}

/// An id as people copy it from a list.
fn id<T: std::str::FromStr>(what: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| {
        Error::invalid(format!("'{text}' is no id of a {what}")).hint("ids are 32 hexadecimal digits: see 'list'")
    })
}

/// The named backups; `None` if none is named: all.
fn backups(names: &[String]) -> Result<Option<BTreeSet<BackupId>>> {
    if names.is_empty() {
        return Ok(None);
    }
    names.iter().map(|name| id("backup", name)).collect::<Result<_>>().map(Some)
}
