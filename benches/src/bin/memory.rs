//! The most memory that jobs hold: `cargo run --release -p strongroom-benches --bin memory [GIB] [PIECES]`.
//!
//! Backs up, verifies and restores one piece of GIB gibibytes, and PIECES pieces of 4 KiB, at parallel 8, packed by
//! zstd and sealed, in local storage. Each case is a process of its own, so that the peak is that case's alone.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use strongroom::system_environment;
use strongroom_benches::folder::BenchFolder;
use strongroom_benches::known::sealed;
use strongroom_benches::made::MadeCluster;
use strongroom_benches::measure::{Spent, peak_memory, process_time};
use strongroom_core::engine::{BackupRequest, RestoreRequest, VerifyRequest, backup, restore, verify};
use strongroom_core::pipeline::Settings;
use strongroom_core::planner::{Request, Target};
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_storage::LocalStorage;

const PARALLEL: usize = 8;
const LIMIT: u64 = 150 << 20;
const JOBS: [&str; 3] = ["backup", "verify", "restore"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let [job, folder, pieces, piece_bytes] = words.as_slice() {
        let cluster = MadeCluster::new(pieces.parse()?, piece_bytes.parse()?);
        return tokio::runtime::Runtime::new()?.block_on(run(job, Path::new(folder), cluster));
    }
    let gib: u64 = words.first().map_or(Ok(4), |text| text.parse())?;
    let pieces: u64 = words.get(1).map_or(Ok(100_000), |text| text.parse())?;
    println!("parallel {PARALLEL}, zstd:1,seal; wall / processor time in ms\n");
    println!("| what | job | time | peak MiB | limit MiB | |");
    println!("|---|---|---|---|---|---|");
    let mut kept = true;
    let large = format!("one piece of {gib} GiB");
    let small = format!("{pieces} pieces of 4 KiB");
    for (name, pieces, piece_bytes) in [(large, 1, gib << 30), (small, pieces, 4096)] {
        let folder = BenchFolder::new("memory")?;
        for job in JOBS {
            let own = std::env::current_exe()?;
            let output = Command::new(own)
                .arg(job)
                .arg(folder.path())
                .args([pieces.to_string(), piece_bytes.to_string()])
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
            let text = String::from_utf8(output.stdout)?;
            let (peak, time) = text.trim().split_once(' ').ok_or("the case did not tell its peak")?;
            let peak: u64 = peak.parse()?;
            let verdict = if peak < LIMIT { "kept" } else { "BROKEN" };
            kept &= peak < LIMIT;
            println!("| {name} | {job} | {time} | {} | {} | {verdict} |", peak >> 20, LIMIT >> 20);
        }
    }
    if kept { Ok(()) } else { Err("a job held more memory than it may".into()) }
}

/// Runs one job on the repository in `folder`, and prints its peak in bytes and its time.
async fn run(job: &str, folder: &Path, cluster: MadeCluster) -> Result<(), Box<dyn Error>> {
    let storage = Arc::new(LocalStorage::new(&folder.join("repository"))?);
    let (stack, registry) = sealed("zstd:1")?;
    let settings = Settings { parallel: PARALLEL, ..Settings::default() };
    let cluster = Arc::new(cluster);
    let (wall, cpu) = (std::time::Instant::now(), process_time());
    if job == "backup" {
        let repository = Repository::init(storage, system_environment(), InitOptions::default()).await?;
        let request = BackupRequest { stack, settings, ..BackupRequest::default() };
        backup(repository, registry, cluster, request).await?.into_result()?;
    } else {
        let repository = Repository::open(storage, system_environment()).await?;
        if job == "verify" {
            let report = verify(repository, registry, VerifyRequest { settings, ..VerifyRequest::default() }).await?;
            if !report.is_whole() {
                return Err("the backup is not whole".into());
            }
        } else {
            let plan = repository.load().await?.catalogue().plan(&Request::at(Target::Latest))?;
            let request = RestoreRequest { settings, ..RestoreRequest::default() };
            restore(repository, registry, plan, cluster, request).await?;
        }
    }
    let spent = Spent { wall: wall.elapsed(), cpu: process_time().saturating_sub(cpu) };
    println!("{} {}", peak_memory()?, spent.millis());
    Ok(())
}
