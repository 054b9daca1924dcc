//! `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use strongroom::embedded::{ExportOptions, LookIn};
use strongroom::record::folder::FolderOptions;
use strongroom::record::wrap::{Mode, Wrapping};
use strongroom::storage::ByteSize;
use strongroom::{Error, Result, Timestamp};

use crate::context::Context;
use crate::output::{DONE, count};
use crate::source::Source;
use crate::tool_key::ToolKey;

/// Write a namespace as a folder that the reference tools read
///
/// The namespace comes from an embedded cluster, or from a state of a repository, which is restored into a temporary
/// file first.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The folder, which must be empty or missing
    folder: PathBuf,
    /// Write bytes as they are instead of as base64: smaller, not nice to look at
    #[arg(long)]
    compact: bool,
    /// Compress by zstd, at this level
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "3",
        value_parser = clap::value_parser!(i32).range(1..=22))]
    compress: Option<i32>,
    /// Encrypt with the key of --key-file or --key-env. This encryption does not tell a changed bit: prefer a sealed
    /// repository where you have the choice
    #[arg(long, value_enum)]
    encrypt: Option<Encryption>,
    #[command(flatten)]
    key: ToolKey,
    /// Close a file that has passed this size, and begin the next
    #[arg(long, value_name = "SIZE", default_value = "250MiB")]
    file_limit: ByteSize,
    /// Leave out what has expired at this moment [default: keep everything]
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// Leave out indexes and functions
    #[arg(long)]
    no_definitions: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Encryption {
    /// AES-128 in counter mode
    Aes128,
    /// AES-256 in counter mode
    Aes256,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let options = self.options()?;
        let opened = self.source.open(context).await?;
        let part = self.source.part(opened.cluster())?;
        let (cluster, folder) = (opened.cluster().clone(), self.folder.clone());
        let written = context.block(move || cluster.export_folder(&part, folder, &options)).await?;
        let value = json!({
            "folder": self.folder, "records": written.records, "indexes": written.indexes,
            "functions": written.functions, "files": written.files, "bytes": written.bytes,
        });
        context.output.result(&value, || {
            let records = count(written.records, "record");
            format!("{records} in {} written to {}", count(written.files, "file"), self.folder.display())
        })?;
        Ok(DONE)
    }

    fn options(&self) -> Result<ExportOptions> {
        let encryption = match (self.encrypt, self.key.read()?) {
            (None, None) => None,
            (Some(Encryption::Aes128), Some(key)) => Some((key, Mode::Aes128)),
            (Some(Encryption::Aes256), Some(key)) => Some((key, Mode::Aes256)),
            (Some(_), None) => {
                return Err(Error::invalid("--encrypt needs a key").hint("name it with --key-file or --key-env"));
            }
            (None, Some(_)) => {
                return Err(Error::invalid("a key, and nothing to encrypt").hint("add --encrypt aes128 or aes256"));
            }
        };
        let wrapping = Wrapping { zstd: self.compress, encryption };
        Ok(ExportOptions {
            folder: FolderOptions { compact: self.compact, wrapping, file_limit: self.file_limit.0 },
            filter: self.source.filter(),
            look: LookIn { now: self.now },
            no_definitions: self.no_definitions,
        })
    }
}
