//! The command line, as types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use strongroom::Timestamp;

const NAMES: &str = "\
A CLUSTER is a name from strongroom.toml or embedded:FILE. A REPOSITORY is a name from strongroom.toml or a URL: \
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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a chain of backups restored to a moment in between, on real data
    Demo {
        /// Keep what the demo makes in this folder (must not exist) instead of a temporary one
        #[arg(long, value_name = "FOLDER")]
        keep: Option<PathBuf>,
    },
    /// Make a repository
    Init {
        repository: String,
        /// Codecs of its backups: none, lz4, zstd, zstd:LEVEL, each alone or followed by ,seal
        #[arg(long)]
        codecs: Option<String>,
        /// Keys that can read it, by name from strongroom.toml (repeatable); needed for seal
        #[arg(long = "key", value_name = "NAME")]
        keys: Vec<String>,
    },
    /// Back up a cluster into a repository
    Backup(BackupArguments),
    /// Go on with an interrupted backup
    Resume {
        cluster: String,
        repository: String,
        /// The interrupted run, as its error named it
        #[arg(long, value_name = "ID")]
        run: String,
        /// The codecs that the run was begun with [default: the repository's]
        #[arg(long)]
        codecs: Option<String>,
    },
    /// List the backups of a repository
    List { repository: String },
    /// Say what a restore would do
    Plan {
        repository: String,
        #[command(flatten)]
        choice: ChoiceArguments,
    },
    /// Restore a cluster from a repository
    Restore(RestoreArguments),
    /// Check that stored backups are whole
    Verify {
        repository: String,
        /// Only this backup (repeatable) [default: all]
        #[arg(long = "backup", value_name = "ID")]
        backups: Vec<String>,
        #[arg(long, value_enum, default_value_t = VerifyDepth::Hash)]
        depth: VerifyDepth,
    },
    /// Copy backups to another storage
    Copy {
        repository: String,
        /// The other storage, by URL or profile
        to: String,
        /// Only this backup and the chain it needs (repeatable) [default: all]
        #[arg(long = "backup", value_name = "ID")]
        backups: Vec<String>,
    },
    /// Load folders of the reference tools into an embedded cluster
    Import {
        /// A folder of .asb files, or the root of a backup service's storage
        folder: PathBuf,
        /// The embedded cluster, made if it does not exist
        #[arg(long, value_name = "embedded:FILE")]
        into: String,
        /// For a backup service's folder: the newest backups that began at or before this moment [default: the newest]
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
        /// For a backup service's folder with several routines: which
        #[arg(long, value_name = "NAME")]
        routine: Option<String>,
    },
    /// Write a namespace of an embedded cluster as a folder that the reference tools read
    Export {
        #[arg(value_name = "embedded:FILE")]
        from: String,
        /// The folder, which must be empty or missing
        folder: PathBuf,
        /// The namespace
        #[arg(long = "part", value_name = "NAME")]
        part: String,
    },
    /// Make keys
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Incremental where the chain allows it, else base
    Auto,
    /// Everything
    Base,
    /// Changes only; fails where the chain does not allow it
    Incremental,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    pub cluster: String,
    pub repository: String,
    /// Only this keyspace or namespace (repeatable) [default: all]
    #[arg(long = "part", value_name = "NAME")]
    pub parts: Vec<String>,
    #[arg(long, value_enum, default_value_t = Kind::Auto)]
    pub kind: Kind,
    /// Codecs of this backup [default: the repository's]
    #[arg(long)]
    pub codecs: Option<String>,
    /// Say what would be backed up and about how much, and store nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Accept a cluster whose fingerprint changed
    #[arg(long)]
    pub accept_fingerprint: bool,
}

/// Which moment or backup, and of which parts.
#[derive(Debug, Args)]
pub(crate) struct ChoiceArguments {
    /// The newest state at or before this moment, such as 2026-11-22T23:01:58Z [default: the newest]
    #[arg(long, value_name = "TIME", group = "target")]
    pub at: Option<Timestamp>,
    /// Exactly this moment
    #[arg(long, value_name = "TIME", group = "target")]
    pub exactly: Option<Timestamp>,
    /// The state of this backup, by id
    #[arg(long, value_name = "ID", group = "target")]
    pub backup: Option<String>,
    /// Only this keyspace or namespace (repeatable) [default: all]
    #[arg(long = "part", value_name = "NAME")]
    pub parts: Vec<String>,
    /// If the moment cannot be reached, take the nearest earlier one instead of refusing
    #[arg(long)]
    pub nearest_earlier: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    pub repository: String,
    /// The cluster to restore into; an embedded one is made if it does not exist
    #[arg(long, value_name = "CLUSTER")]
    pub into: String,
    #[command(flatten)]
    pub choice: ChoiceArguments,
    /// Empty the target's parts first, after all checks
    #[arg(long)]
    pub truncate: bool,
    /// Leave out what has expired at this moment [default: keep everything]
    #[arg(long, value_name = "TIME")]
    pub now: Option<Timestamp>,
    /// Plan and check everything, and restore nothing; the target must exist
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyDepth {
    /// Every object is there with its size
    Exists,
    /// Every object has its hash
    Hash,
    /// Every frame decodes and every piece adds up
    Decode,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a new key file, readable by its owner only
    New {
        /// The file, which must not exist
        file: PathBuf,
    },
}
