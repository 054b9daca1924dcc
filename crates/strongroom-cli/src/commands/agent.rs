//! `agent`: what runs on each node of a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use strongroom::cassandra::Agent;
use strongroom::storage::Secret;
use strongroom::{Error, Result};

use crate::context::Context;
use crate::output::DONE;

/// Serve the Cassandra node of this machine to backups and restores of its whole cluster
///
/// Runs until it is ended. Whoever has the token may take, read and restore backups of the node. A cluster is its agents by name:
/// agents = ["http://HOST:PORT", …] and agent-token in strongroom.toml.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The node: a name from strongroom.toml or `cassandra://127.0.0.1:9042`
    node: String,
    /// Where it listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7400")]
    listen: SocketAddr,
    /// A file whose first line is the token
    #[arg(long, value_name = "FILE", conflicts_with = "token_env", required_unless_present = "token_env")]
    token_file: Option<PathBuf>,
    /// An environment variable that has the token
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// Listen also where others could read token and data on their way: in a network that is safe
    #[arg(long)]
    unencrypted: bool,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let node = strongroom.cassandra(&self.node)?.ok_or_else(|| {
            Error::invalid(format!("'{}' is no Cassandra node", self.node)).hint("write cassandra://127.0.0.1:9042")
        })?;
        let token = match (self.token_file, self.token_env) {
            (Some(file), _) => Secret::File(file),
            (None, Some(name)) => Secret::Env(name),
            (None, None) => return Err(Error::invalid("no token is given").hint("give --token-file or --token-env")),
        };
        let agent = Agent::new(node.config().clone(), &token, strongroom.environment())?;
        let listener = Agent::listen(self.listen, self.unencrypted).await?;
        let address = listener.local_addr().map_err(|error| Error::from(error).within("listening"))?;
        context.output.result(&json!({ "listening": address.to_string() }), || format!("listening on {address}"))?;
        agent.serve(listener).await?;
        Ok(DONE)
    }
}
