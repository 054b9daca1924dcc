//! The strongroom program.

mod arguments;
mod choice;
mod commands;
mod context;
mod demo;
mod interrupt;
#[cfg(test)]
mod names;
mod output;
mod progress;
#[cfg(test)]
mod reference;
mod removal;
mod settings;
mod source;
mod text;
mod tool_key;
mod writing;

use std::process::ExitCode;

use clap::Parser as _;
use strongroom::{Error, Result};

use crate::arguments::Arguments;
use crate::context::Context;
use crate::interrupt::Interrupt;
use crate::output::Output;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json, arguments.quiet);
    run(arguments, output).unwrap_or_else(|error| output.error(&error))
}

fn run(arguments: Arguments, output: Output) -> Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Error::from(error).within("starting"))?;
    let outcome = runtime.block_on(async {
        let context = Context::new(output, arguments.config, Interrupt::listen()?);
        arguments.command.run(&context).await
    });
    // Blocking work that was cancelled is not waited for.
    runtime.shutdown_background();
    outcome.map(ExitCode::from)
}
