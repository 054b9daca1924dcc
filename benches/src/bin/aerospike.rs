//! Backing up and restoring an Aerospike cluster, beside the protocol alone:
//! `cargo run --release -p strongroom-benches --bin aerospike [RECORDS] [HOST:PORT NAMESPACE SECOND]`.
//!
//! Without an address it starts the test cluster as a process of its own (build it first:
//! `cargo build --release -p strongroom-aerospike-fake --bin aerospike-fake`). It fills the namespace, then measures, each with
//! this process' processor time: a scan whose records are only counted; backups into local storage, plain, with `zstd:3`
//! and sealed too; their restores into the second namespace; and batches of the same records alone. **It empties both namespaces.**

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use strongroom::aerospike::{AerospikeCluster, AerospikeConfig};
use strongroom::core::engine::{BackupKindWish, RestoreRequest};
use strongroom::core::planner::{Request, Target};
use strongroom::{BackupRequest, Strongroom, system_environment};
use strongroom_aerospike_wire::batch::Batch;
use strongroom_aerospike_wire::client::{Client, ClientOptions};
use strongroom_aerospike_wire::message::{Bin, Messages};
use strongroom_aerospike_wire::query::Query;
use strongroom_aerospike_wire::write::{Expiry, RecordName, Write, WritePolicy};
use strongroom_benches::folder::BenchFolder;
use strongroom_benches::measure::{Spent, peak_memory};
use strongroom_codec::ReaderKey;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::model::Scope;
use strongroom_record::{Digest, UserKey};

/// Records of one batch.
const BATCH: u64 = 256;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let records: u64 = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let place: Vec<String> = arguments.collect();
    let (mut server, address, names) = match place.as_slice() {
        [] => {
            let (server, address) = start()?;
            (Some(server), address, ["test".to_owned(), "second".to_owned()])
        }
        [address, first, second] => (None, address.clone(), [first.clone(), second.clone()]),
        _ => return Err("give nothing, or HOST:PORT NAMESPACE SECOND".into()),
    };
    let outcome = tokio::runtime::Runtime::new()?.block_on(measure(records, &address, &names));
    if let Some(server) = &mut server {
        drop(server.stdin.take());
        server.wait()?;
    }
    outcome
}

/// The test cluster, three nodes, as a process of its own; it ends with its standard input.
fn start() -> Outcome<(Child, String)> {
    let program = std::env::current_exe()?.with_file_name("aerospike-fake");
    let mut server = Command::new(&program)
        .args(["3", "test", "second"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}; build it first", program.display()))?;
    let lines = BufReader::new(server.stdout.take().ok_or("no output")?).lines();
    let mut address = None;
    for line in lines {
        let line = line?;
        if line == "ready" {
            break;
        }
        address.get_or_insert(line);
    }
    Ok((server, address.ok_or("the test cluster did not start")?))
}

#[expect(clippy::cast_precision_loss, reason = "what a bench counts is far below 2^52")]
fn tell(what: &str, records: u64, spent: Spent) {
    let each = spent.cpu.as_secs_f64() / records as f64 * 1e6;
    println!("| {what} | {:.2} | {:.2} | {each:.2} |", spent.wall.as_secs_f64(), spent.cpu.as_secs_f64());
}

/// What it takes on the wall and of this process' processors.
async fn spent<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<(Spent, T)> {
    let (wall, cpu) = (std::time::Instant::now(), strongroom_benches::measure::process_time());
    let result = work.await?;
    let cpu = strongroom_benches::measure::process_time().saturating_sub(cpu);
    Ok((Spent { wall: wall.elapsed(), cpu }, result))
}

async fn measure(records: u64, address: &str, [first, second]: &[String; 2]) -> Outcome<()> {
    let (host, port) = address.split_once(':').ok_or("HOST:PORT")?;
    let client = Client::connect(ClientOptions::new([(host.to_owned(), port.parse()?)])).await?;
    empty(&client, first).await?;
    empty(&client, second).await?;
    fill(&client, first, records).await?;
    println!("{records} records of about 250 bytes\n\n| | wall s | processor s | µs a record |\n|---|---|---|---|");
    let (took, found) = spent(scan(&client, first)).await?;
    if found != records {
        return Err(format!("{found} of {records} records were read").into());
    }
    tell("scan alone", records, took);

    let cluster = Arc::new(AerospikeCluster::open(AerospikeConfig::of_seeds([address]), &system_environment())?);
    let folder = BenchFolder::new("aerospike")?;
    let strongroom = Strongroom::new();
    let mut plans = Vec::new();
    for codecs in ["none", "zstd:3", "zstd:3,seal"] {
        let path = folder.path().join(codecs);
        let storage = strongroom.storage(path.to_str().ok_or("a strange path")?)?;
        let keys = if codecs.ends_with("seal") { vec![ReaderKey::from_bytes("bench", [7; 32])?] } else { Vec::new() };
        let opened = strongroom.init_in(storage, codecs, &keys).await?;
        let request = BackupRequest {
            scope: Scope::of_parts([first.as_str()]),
            kind: BackupKindWish::Base,
            ..BackupRequest::default()
        };
        let job = opened.backup(cluster.clone(), request)?;
        let (took, report) = spent(async { Ok(job.await?) }).await?;
        if !report.is_success() {
            return Err(format!("{report:?}").into());
        }
        tell(&format!("backup, {codecs}"), records, took);
        plans.push((codecs, opened));
    }
    for (codecs, opened) in plans {
        let request = Request::at(Target::Latest).of(Scope::of_parts([first.as_str()]));
        let plan = opened.core().load().await?.into_catalogue().plan(&request)?;
        let options = RestoreOptions {
            rename: [(first.clone(), second.clone())].into(),
            truncate: true,
            ..RestoreOptions::default()
        };
        let request = RestoreRequest { options, ..RestoreRequest::default() };
        let job = opened.restore(plan, cluster.clone(), request);
        let (took, _) = spent(async { Ok(job.await?) }).await?;
        tell(&format!("restore, {codecs}"), records, took);
    }
    empty(&client, second).await?;
    let (took, ()) = spent(fill(&client, second, records)).await?;
    tell("batches alone", records, took);
    println!("\nmost memory: {} MiB", peak_memory()? >> 20);
    empty(&client, first).await?;
    empty(&client, second).await
}

async fn empty(client: &Client, namespace: &str) -> Outcome<()> {
    let command = format!("truncate-namespace:namespace={namespace}");
    let nodes = client.nodes();
    let node = nodes.first().ok_or("no node")?;
    match node.info(&[&command]).await?.get(&command) {
        "ok" => Ok(()),
        other => Err(format!("{command}: {other}").into()),
    }
}

async fn fill(client: &Client, namespace: &str, records: u64) -> Outcome<()> {
    let mut batches: std::collections::BTreeMap<String, Batch> = std::collections::BTreeMap::new();
    let maps = client.partition_maps();
    let map = maps.get(namespace).ok_or("no such namespace")?;
    let policy = WritePolicy::default();
    for number in 0..records {
        let key = format!("user:{number}");
        let digest = Digest::of_key(Some(b"users"), &UserKey::String(key.clone().into()));
        let text = format!("{number:0>150}");
        let count = number.to_be_bytes();
        let bins = [
            Bin { name: b"id", particle: 1, value: &count },
            Bin { name: b"name", particle: 3, value: text.as_bytes() },
            Bin { name: b"tags", particle: 20, value: b"\x93\x01\x02\x03" },
        ];
        let name = RecordName { namespace: namespace.as_bytes(), set: Some(b"users"), digest: digest.as_bytes() };
        let write = Write { name, key: Some((3, key.as_bytes())), generation: 0, expiry: Expiry::Never, bins: &bins };
        let owner = map.owner(0, digest.partition()).ok_or("a partition without a master")?;
        let batch = batches.entry(owner.to_owned()).or_insert_with(|| Batch::new(policy));
        batch.push(&write)?;
        if u64::from(batch.len()) >= BATCH {
            let batch = std::mem::replace(batch, Batch::new(policy));
            send(client, owner, &batch).await?;
        }
    }
    for (owner, batch) in batches.iter().filter(|(_, batch)| !batch.is_empty()) {
        send(client, owner, batch).await?;
    }
    Ok(())
}

async fn send(client: &Client, owner: &str, batch: &Batch) -> Outcome<()> {
    let node = client.node(owner).ok_or("a node has left")?;
    let mut stream = node.stream(&batch.encode(false, 10_000)?).await?;
    while let Some(body) = stream.next().await? {
        for message in Messages::of(&body) {
            let code = message?.head.result;
            if code.0 != 0 {
                return Err(format!("a write was refused: {code}").into());
            }
        }
    }
    Ok(())
}

async fn scan(client: &Client, namespace: &str) -> Outcome<u64> {
    let maps = client.partition_maps();
    let mut count = 0;
    for (owner, partitions) in maps.get(namespace).ok_or("no such namespace")?.by_master().0 {
        let node = client.node(owner).ok_or("a node has left")?;
        for group in partitions.chunks(64) {
            let query = Query { namespace: namespace.as_bytes(), partitions: group, id: 4711, ..Query::default() };
            let mut stream = node.stream(&query.encode()?).await?;
            while let Some(body) = stream.next().await? {
                for message in Messages::of(&body) {
                    count += u64::from(message?.digest.is_some());
                }
            }
        }
    }
    Ok(count)
}
