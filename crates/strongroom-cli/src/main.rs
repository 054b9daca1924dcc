//! The strongroom program.

mod arguments;
mod choice;
mod commands;
mod context;
mod demo;
mod output;
mod text;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::output::Output;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let context = Context::new(Output::new(arguments.json, arguments.quiet), arguments.config);
    match arguments.command.run(&context).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => context.output.error(&error),
    }
}
