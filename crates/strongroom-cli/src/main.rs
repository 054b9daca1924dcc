//! The strongroom program.

mod arguments;
mod commands;
mod demo;
mod output;
mod text;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::output::Output;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json, arguments.quiet);
    match commands::run(arguments, output).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => output.error(&error),
    }
}
