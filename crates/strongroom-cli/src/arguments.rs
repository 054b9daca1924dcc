//! The command line: what every command takes, and the list of the commands.
//!
//! A command is one file in `commands`: its arguments, and what it does.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use strongroom::Result;

use crate::commands::{
    adopt, agent, archive_segment, backup, check, completions, copy, delete, demo, doctor, export, import, init,
    inspect, key, list, mend, pin, plan, prune, restore, resume, snapshot, status, synthesize, verify, what_if,
    windows,
};
use crate::context::Context;

const NAMES: &str = "\
A CLUSTER is a name from strongroom.toml or a URL: embedded:FILE, aerospike://HOST:3000, cassandra://HOST:9042. \
A REPOSITORY is a name from strongroom.toml or a URL: \
file:/path, s3://bucket/prefix, azblob://container/prefix, gcs://bucket/prefix.";

/// Backs up and restores database clusters.
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, propagate_version = true, max_term_width = 110, after_help = NAMES)]
pub(crate) struct Arguments {
    /// The profile file [default: strongroom.toml in this folder, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "STRONGROOM_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print one JSON value on standard output instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

/// The commands, in the order of `--help`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Arguments),
    Init(init::Arguments),
    Backup(backup::Arguments),
    Resume(resume::Arguments),
    List(list::Arguments),
    Status(status::Arguments),
    Windows(windows::Arguments),
    Check(check::Arguments),
    Plan(plan::Arguments),
    WhatIf(what_if::Arguments),
    Restore(Box<restore::Arguments>),
    Verify(verify::Arguments),
    Synthesize(synthesize::Arguments),
    Copy(copy::Arguments),
    Prune(Box<prune::Arguments>),
    Delete(delete::Arguments),
    Pin(pin::PinArguments),
    Unpin(pin::UnpinArguments),
    Hold(pin::HoldArguments),
    Release(pin::ReleaseArguments),
    #[command(subcommand)]
    Snapshot(snapshot::Command),
    Agent(agent::Arguments),
    ArchiveSegment(archive_segment::Arguments),
    Mend(mend::Arguments),
    Inspect(Box<inspect::Arguments>),
    Import(Box<import::Arguments>),
    Adopt(adopt::Arguments),
    Export(Box<export::Arguments>),
    #[command(subcommand)]
    Key(key::Command),
    Doctor(doctor::Arguments),
    Completions(completions::Arguments),
}

impl Command {
    /// Runs the command; the exit code where there is no error.
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        match self {
            Self::Demo(arguments) => arguments.run(context).await,
            Self::Init(arguments) => arguments.run(context).await,
            Self::Backup(arguments) => arguments.run(context).await,
            Self::Resume(arguments) => arguments.run(context).await,
            Self::List(arguments) => arguments.run(context).await,
            Self::Status(arguments) => arguments.run(context).await,
            Self::Windows(arguments) => arguments.run(context).await,
            Self::Check(arguments) => arguments.run(context).await,
            Self::WhatIf(arguments) => arguments.run(context).await,
            Self::Plan(arguments) => arguments.run(context).await,
            Self::Restore(arguments) => arguments.run(context).await,
            Self::Synthesize(arguments) => arguments.run(context).await,
            Self::Verify(arguments) => arguments.run(context).await,
            Self::Copy(arguments) => arguments.run(context).await,
            Self::Prune(arguments) => arguments.run(context).await,
            Self::Delete(arguments) => arguments.run(context).await,
            Self::Pin(arguments) => arguments.run(context).await,
            Self::Unpin(arguments) => arguments.run(context).await,
            Self::Hold(arguments) => arguments.run(context).await,
            Self::Release(arguments) => arguments.run(context).await,
            Self::Snapshot(command) => command.run(context).await,
            Self::Agent(arguments) => arguments.run(context).await,
            Self::ArchiveSegment(arguments) => arguments.run(context).await,
            Self::Mend(arguments) => arguments.run(context).await,
            Self::Inspect(arguments) => arguments.run(context).await,
            Self::Import(arguments) => arguments.run(context).await,
            Self::Adopt(arguments) => arguments.run(context).await,
            Self::Export(arguments) => arguments.run(context).await,
            Self::Key(command) => command.run(context).await,
            Self::Doctor(arguments) => arguments.run(context).await,
            Self::Completions(arguments) => arguments.run(context),
        }
    }
}
