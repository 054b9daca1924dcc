//! Backing up and restoring an Aerospike cluster, beside the protocol alone:
//! `cargo run --release -p strongroom-benches --bin aerospike [RECORDS] [HOST:PORT NAMESPACE SECOND]`.
//!
//! Without an address it starts the test cluster as a process of its own (build it first:
//! `cargo build --release -p strongroom-aerospike-fake --bin aerospike-fake`). It fills the namespace, then measures, each with
//! this process' processor time: a scan whose records are only counted; backups into local storage, plain, with `zstd:3`
//! and sealed too; their restores into the second namespace; and batches of the same records alone. **It empties both namespaces.**

use std::error::Error;
use std::fmt::Write as _;
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
use strongroom_core::Storage;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::model::Scope;
use strongroom_record::{Digest, UserKey};

/// Records of one batch.
const BATCH: u64 = 256;
/// The first argument of a process that does one stage.
const STAGE: &str = "--stage";
/// What backups are made with.
const CODECS: [&str; 3] = ["none", "zstd:3", "zstd:3,seal"];

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == STAGE) {
        let stage = arguments.split_off(1);
        return tokio::runtime::Runtime::new()?.block_on(Stage::of(&stage)?.run());
    }
    let mut arguments = arguments.into_iter();
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
    let outcome = stages(records, &address, &names);
    if let Some(server) = &mut server {
        drop(server.stdin.take());
        server.wait()?;
    }
    outcome
}

/// Runs every stage as a process of its own, so that time and memory are that stage's alone.
fn stages(records: u64, address: &str, [first, second]: &[String; 2]) -> Outcome<()> {
    let folder = BenchFolder::new("aerospike")?;
    let folder = folder.path().to_str().ok_or("a strange path")?;
    println!("{records} records of about 330 bytes\n");
    println!("| | wall s | processor s | µs a record | most memory MiB |\n|---|---|---|---|---|");
    let stage = |what: &str, codecs: &str| -> Outcome<()> {
        let mut stage = Command::new(std::env::current_exe()?);
        stage.args([STAGE, what, codecs, folder, address, first, second, &records.to_string()]);
        if stage.status()?.success() { Ok(()) } else { Err(format!("{what} {codecs} failed").into()) }
    };
    stage("fill", "")?;
    stage("scan", "")?;
    for codecs in CODECS {
        stage("backup", codecs)?;
    }
    for codecs in CODECS {
        stage("restore", codecs)?;
    }
    stage("batches", "")?;
    stage("empty", "")
}

/// One measured piece of work.
struct Stage {
    what: String,
    codecs: String,
    folder: String,
    address: String,
    first: String,
    second: String,
    records: u64,
}

impl Stage {
    fn of(arguments: &[String]) -> Outcome<Self> {
        let [what, codecs, folder, address, first, second, records] = arguments else {
            return Err("the arguments of a stage".into());
        };
        let [what, codecs, folder] = [what, codecs, folder].map(String::clone);
        let [address, first, second] = [address, first, second].map(String::clone);
        Ok(Self { what, codecs, folder, address, first, second, records: records.parse()? })
    }

    async fn run(&self) -> Outcome<()> {
        let (host, port) = self.address.split_once(':').ok_or("HOST:PORT")?;
        let client = Client::connect(ClientOptions::new([(host.to_owned(), port.parse()?)])).await?;
        match self.what.as_str() {
            "fill" => {
                empty(&client, &self.first).await?;
                empty(&client, &self.second).await?;
                fill(&client, &self.first, self.records).await
            }
            "scan" => {
                let (took, found) = spent(scan(&client, &self.first)).await?;
                if found != self.records {
                    return Err(format!("{found} of {} records were read", self.records).into());
                }
                self.tell("scan alone", took)
            }
            "backup" => self.backup().await,
            "restore" => self.restore().await,
            "batches" => {
                empty(&client, &self.second).await?;
                let (took, ()) = spent(fill(&client, &self.second, self.records)).await?;
                self.tell("batches alone", took)
            }
            "empty" => {
                empty(&client, &self.first).await?;
                empty(&client, &self.second).await
            }
            other => Err(format!("no stage '{other}'").into()),
        }
    }

    fn cluster(&self) -> Outcome<Arc<AerospikeCluster>> {
        Ok(Arc::new(AerospikeCluster::open(AerospikeConfig::of_seeds([&self.address]), &system_environment())?))
    }

    fn storage(&self, strongroom: &Strongroom) -> Outcome<Arc<dyn Storage>> {
        Ok(strongroom.storage(&format!("file:{}/{}", self.folder, self.codecs))?)
    }

    fn keys(&self) -> Outcome<Vec<ReaderKey>> {
        let key = || ReaderKey::from_bytes("bench", [7; 32]);
        Ok(if self.codecs.ends_with("seal") { vec![key()?] } else { Vec::new() })
    }

    async fn backup(&self) -> Outcome<()> {
        let strongroom = Strongroom::new();
        let opened = strongroom.init_in(self.storage(&strongroom)?, &self.codecs, &self.keys()?).await?;
        let scope = Scope::of_parts([self.first.as_str()]);
        let request = BackupRequest { scope, kind: BackupKindWish::Base, ..BackupRequest::default() };
        let job = opened.backup(self.cluster()?, request)?;
        let (took, report) = spent(async { Ok(job.await?) }).await?;
        if !report.is_success() {
            return Err(format!("{report:?}").into());
        }
        self.tell(&format!("backup, {}", self.codecs), took)
    }

    async fn restore(&self) -> Outcome<()> {
        let strongroom = Strongroom::new();
        let opened = strongroom.repository_in(self.storage(&strongroom)?, None, &self.keys()?).await?;
        let request = Request::at(Target::Latest).of(Scope::of_parts([self.first.as_str()]));
        let plan = opened.core().load().await?.into_catalogue().plan(&request)?;
        let rename = [(self.first.clone(), self.second.clone())].into();
        let options = RestoreOptions { rename, truncate: true, ..RestoreOptions::default() };
        let job = opened.restore(plan, self.cluster()?, RestoreRequest { options, ..RestoreRequest::default() });
        let (took, summary) = spent(async { Ok(job.await?) }).await?;
        if summary.applied.written != self.records {
            return Err(format!("{:?}", summary.applied).into());
        }
        self.tell(&format!("restore, {}", self.codecs), took)
    }

    #[expect(clippy::cast_precision_loss, reason = "what a bench counts is far below 2^52")]
    fn tell(&self, what: &str, took: Spent) -> Outcome<()> {
        let each = took.cpu.as_secs_f64() / self.records as f64 * 1e6;
        let (wall, cpu, memory) = (took.wall.as_secs_f64(), took.cpu.as_secs_f64(), peak_memory()? >> 20);
        println!("| {what} | {wall:.2} | {cpu:.2} | {each:.2} | {memory} |");
        Ok(())
    }
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

/// What it takes on the wall and of this process' processors.
async fn spent<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<(Spent, T)> {
    let (wall, cpu) = (std::time::Instant::now(), strongroom_benches::measure::process_time());
    let result = work.await?;
    let cpu = strongroom_benches::measure::process_time().saturating_sub(cpu);
    Ok((Spent { wall: wall.elapsed(), cpu }, result))
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
        let text = text_of(number);
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

/// Text that a codec shrinks by about half, as text of people does.
fn text_of(number: u64) -> String {
    let mut state = number;
    let mut text = String::with_capacity(160);
    while text.len() < 160 {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let _ = write!(text, "{:016x}", mixed ^ (mixed >> 31));
    }
    text
}

async fn send(client: &Client, owner: &str, batch: &Batch) -> Outcome<()> {
    let node = client.node(owner).ok_or("a node has left")?;
    let mut stream = node.batch(&batch.encode(false, 10_000)?).await?;
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
            let id = u64::from_le_bytes(system_environment().random()?).max(1);
            let query = Query { namespace: namespace.as_bytes(), partitions: group, id, ..Query::default() };
            let mut stream = node.query(&query.encode()?).await?;
            while let Some(body) = stream.next().await? {
                for message in Messages::of(&body) {
                    count += u64::from(message?.digest.is_some());
                }
            }
        }
    }
    Ok(count)
}
