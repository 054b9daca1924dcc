//! `key`: the keys of repositories.

mod new;

use clap::Subcommand;
use strongroom::Result;

use crate::context::Context;

/// Make keys
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(new::Arguments),
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<u8> {
        match self {
            Self::New(arguments) => arguments.run(context),
        }
    }
}
