//! The fake as a program: `aerospike-fake [NODES]` prints a line of `host:port` for each node, then serves the namespace `test`
//! until its standard input ends. For clients in other languages.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use strongroom_aerospike_fake::{Fake, NamespaceSettings};
use tokio::io::AsyncReadExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let nodes = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let fake = Fake::start(nodes).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    {
        let mut store = fake.store();
        store.create_namespace("test", NamespaceSettings::default());
        store.set_now(i64::try_from(now).unwrap_or(i64::MAX));
    }
    let mut out = std::io::stdout();
    for (host, port) in fake.addresses() {
        writeln!(out, "{host}:{port}")?;
    }
    writeln!(out, "ready")?;
    out.flush()?;
    let mut input = tokio::io::stdin();
    while input.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}
