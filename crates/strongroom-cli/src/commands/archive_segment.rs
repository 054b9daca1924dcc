//! `archive-segment`: what a Cassandra node's `archive_command` runs.

use std::path::PathBuf;

use clap::Args;
use strongroom::Result;
use strongroom::cassandra::archive_segment;

use crate::context::Context;
use crate::output::DONE;

/// Archive a segment of a Cassandra node's commit log, and write down what proves that none is missing
///
/// For `commitlog_archiving.properties`: `archive_command=/usr/bin/strongroom archive-segment %path --into /var/lib/cassandra/archive`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The segment: %path
    segment: PathBuf,
    /// The node's archive: a folder of its own
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let archived = context.block(move || archive_segment(&self.segment, &self.into)).await?;
        context.output.result(&archived, || format!("segment {}: {} bytes", archived.id, archived.bytes))?;
        Ok(DONE)
    }
}
