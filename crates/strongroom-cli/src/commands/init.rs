//! `init`.

use clap::Args;
use serde_json::json;
use strongroom::Result;

use crate::context::Context;
use crate::output::DONE;

/// Make a repository
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    /// Codecs of its backups: none, lz4, zstd, zstd:LEVEL, each alone or followed by ,seal
    #[arg(long)]
    codecs: Option<String>,
    /// Keys that can read it, by name from strongroom.toml (repeatable); needed for seal
    #[arg(long = "key", value_name = "NAME")]
    keys: Vec<String>,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let repository = context.strongroom()?.init(&self.repository, self.codecs.as_deref(), &self.keys).await?;
        let info = repository.core().info();
        let stack: Vec<String> = repository.stack().ids().iter().map(ToString::to_string).collect();
        let value = json!({ "repository": info.id, "created": info.created, "codecs": stack });
        context.output.result(&value, || {
            let stack = if stack.is_empty() { "none".to_owned() } else { stack.join(", ") };
            format!("repository {} made; codecs: {stack}", info.id)
        })?;
        Ok(DONE)
    }
}
