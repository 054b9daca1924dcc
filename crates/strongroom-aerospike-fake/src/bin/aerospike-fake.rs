//! The fake as a program: `aerospike-fake [NODES] [NAMESPACE…]` prints a line of `host:port` for each node, then serves the
//! namespaces (`test` if none is named) until its standard input ends. For clients in other languages, and for benches.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use strongroom_aerospike_fake::{Fake, NamespaceSettings};
use tokio::io::AsyncReadExt as _;

/// How often the nodes' clock is set by the machine's.
const TICK: Duration = Duration::from_millis(50);

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let nodes = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut namespaces: Vec<String> = arguments.collect();
    if namespaces.is_empty() {
        namespaces.push("test".to_owned());
    }
    let fake = Fake::start(nodes).await?;
    for namespace in &namespaces {
        fake.store().create_namespace(namespace, NamespaceSettings::default());
    }
    fake.store().set_now(now());
    let mut out = std::io::stdout();
    for (host, port) in fake.addresses() {
        writeln!(out, "{host}:{port}")?;
    }
    writeln!(out, "ready")?;
    out.flush()?;
    let (mut input, mut buffer, mut tick) = (tokio::io::stdin(), [0; 64], tokio::time::interval(TICK));
    loop {
        tokio::select! {
            biased;
            _ = tick.tick() => fake.store().set_now(now()),
            read = input.read(&mut buffer) => if read? == 0 { return Ok(()) },
        }
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    i64::try_from(now).unwrap_or(i64::MAX)
}
