//! `key list`, `key add`, `key rotate`, `key rotate-data-key`, `key remove`.

use clap::Args;
use serde_json::json;
use strongroom::codec::{KeyRing, ReaderKey};
use strongroom::{Error, Result};

use crate::context::Context;
use crate::output::{DONE, count};

/// List who can open a repository
#[derive(Debug, Args)]
pub(crate) struct List {
    repository: String,
}

/// Let another reader open everything that is open to the keys of the repository's profile
#[derive(Debug, Args)]
pub(crate) struct Add {
    repository: String,
    /// The key, by name from strongroom.toml
    name: String,
}

/// Give a reader a new key in place of the present one; data is not touched
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    repository: String,
    /// The reader, by name
    name: String,
    /// The new key, named by its source: `file:PATH`, `env:VARIABLE`, `passphrase-file:PATH` or `passphrase-env:VARIABLE`
    #[arg(long, value_name = "SOURCE")]
    to: String,
}

/// Seal the backups from now on with a new data key; older ones stay readable
#[derive(Debug, Args)]
pub(crate) struct RotateDataKey {
    repository: String,
    /// A reader that shall not get the new data key (repeatable)
    #[arg(long = "without", value_name = "NAME")]
    without: Vec<String>,
}

/// Take a reader away; what it could read so far it may have kept, so rotate the data key too
#[derive(Debug, Args)]
pub(crate) struct Remove {
    repository: String,
    /// The reader, by name
    name: String,
}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let readers = ring(context, &self.repository).await?.readers().await?;
        context.output.result(&json!({ "readers": readers }), || {
            let line = |reader: &strongroom::codec::keys::Reader| {
                format!("{}: {}", reader.name, count(reader.keys.len() as u64, "data key"))
            };
            readers.iter().map(line).collect::<Vec<_>>().join("\n")
        })?;
        Ok(DONE)
    }
}

impl Add {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let reader = strongroom.reader_key(&self.name)?;
        let ring = ring(context, &self.repository).await?;
        ring.add_reader(&reader, &*strongroom.environment().entropy).await?;
        let name = &self.name;
        context.output.result(&json!({ "added": name }), || format!("'{name}' opens the repository too"))?;
        Ok(DONE)
    }
}

impl Rotate {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let new = ReaderKey::from_source(&self.name, &self.to)?;
        let mut ring = ring(context, &self.repository).await?;
        ring.rotate(&new, &*strongroom.environment().entropy).await?;
        let name = &self.name;
        context.output.result(&json!({ "rotated": name }), || {
            format!("'{name}' has a new key; name it in [keys.{name}] of strongroom.toml now: the old one opens nothing more")
        })?;
        Ok(DONE)
    }
}

impl RotateDataKey {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let mut ring = ring(context, &self.repository).await?;
        let without: Vec<&str> = self.without.iter().map(String::as_str).collect();
        let id = ring.rotate_data_key(&without, &*strongroom.environment().entropy).await?;
        context.output.result(&json!({ "data_key": id }), || format!("new backups are sealed with data key {id}"))?;
        Ok(DONE)
    }
}

impl Remove {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let ring = ring(context, &self.repository).await?;
        ring.remove_reader(&self.name, &*strongroom.environment().entropy).await?;
        let name = &self.name;
        context.output.result(&json!({ "removed": name }), || {
            format!("'{name}' is no reader any more\nnext: strongroom key rotate-data-key, so that new backups are out of its reach")
        })?;
        Ok(DONE)
    }
}

/// The keys of a repository, open to those of its profile.
async fn ring(context: &Context, repository: &str) -> Result<KeyRing> {
    let repository = context.strongroom()?.repository(repository).await?;
    repository.keys().cloned().ok_or_else(|| {
        Error::not_found("the repository has no keys: its backups are not sealed")
            .hint("only a repository that was made with --key has readers")
    })
}
