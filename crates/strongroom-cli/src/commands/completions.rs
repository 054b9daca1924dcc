//! `completions`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use strongroom::{Error, Result};

use crate::context::Context;
use crate::output::DONE;

/// Print what makes a shell complete this program's commands and options
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

impl Arguments {
    pub(crate) fn run(&self, context: &Context) -> Result<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::arguments::Arguments::command(), "strongroom", &mut script);
        let script = String::from_utf8(script).map_err(|error| Error::internal("completions").because(error))?;
        context.output.result(&script, || script.clone())?;
        Ok(DONE)
    }
}
