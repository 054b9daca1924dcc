//! `export`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use strongroom::embedded::ExportOptions;
use strongroom::{Access, Result};

use crate::context::Context;
use crate::output::{DONE, count};

/// Write a namespace of an embedded cluster as a folder that the reference tools read
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The embedded cluster
    #[arg(value_name = "embedded:FILE")]
    from: String,
    /// The folder, which must be empty or missing
    folder: PathBuf,
    /// The namespace
    #[arg(long = "part", value_name = "NAME")]
    part: String,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let cluster = context.strongroom()?.embedded(&self.from, Access::Read)?;
        let held = cluster.count(&self.part)?.records;
        let (part, folder) = (self.part, self.folder.clone());
        context.block(move || cluster.export_folder(&part, folder, &ExportOptions::default())).await?;
        context.output.result(&json!({ "folder": self.folder, "records": held }), || {
            format!("{} written to {}", count(held, "record"), self.folder.display())
        })?;
        Ok(DONE)
    }
}
