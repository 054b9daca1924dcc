//! `key`: the keys of repositories.

mod change;
mod new;

use clap::Subcommand;
use strongroom::Result;

use crate::context::Context;

/// Make keys, and say who can open a repository
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(new::Arguments),
    List(change::List),
    Add(change::Add),
    Rotate(change::Rotate),
    RotateDataKey(change::RotateDataKey),
    Remove(change::Remove),
}

impl Command {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        match self {
            Self::New(arguments) => arguments.run(context),
            Self::List(arguments) => arguments.run(context).await,
            Self::Add(arguments) => arguments.run(context).await,
            Self::Rotate(arguments) => arguments.run(context).await,
            Self::RotateDataKey(arguments) => arguments.run(context).await,
            Self::Remove(arguments) => arguments.run(context).await,
        }
    }
}
