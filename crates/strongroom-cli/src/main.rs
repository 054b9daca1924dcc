//! The strongroom program.

mod demo;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Backs up and restores database clusters.
#[derive(Debug, Parser)]
#[command(name = "strongroom", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a chain of backups restored to a moment in between, on real data
    Demo {
        /// Keep what the demo makes in this folder (must not exist) instead of a temporary one
        #[arg(long, value_name = "FOLDER")]
        keep: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Demo { keep } = Arguments::parse().command;
    match demo::run(keep).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::FAILURE
        }
    }
}
